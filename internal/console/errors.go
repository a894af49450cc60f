package console

import (
	"log/slog"
	"net/http"
	"net/url"
	"strconv"

	"daypass/internal/identity"
)

// trouble is what an error page says.
type trouble struct {
	status         int
	Title, Advice  string
	Sentence       string // of the error itself
	Link, LinkText string
	RequestID      string
}

// troubles are the pages of the kinds that people meet; any other is a fault of
// ours.
var troubles = map[identity.Kind]trouble{
	identity.KindMissingAuthentication: {status: http.StatusUnauthorized, Title: "Please log in", Advice: "This page is for people who have logged in.", Link: "/login", LinkText: "Log in"},
	identity.KindExpiredToken:          {status: http.StatusUnauthorized, Title: "Your session has ended", Advice: "It was idle for an hour, reached its twelve hours, or was ended elsewhere. What you last sent was not carried out.", Link: "/login", LinkText: "Log in again"},
	identity.KindInvalidToken:          {status: http.StatusUnauthorized, Title: "Please log in again", Advice: "Your browser's cookie is not one of this console.", Link: "/login", LinkText: "Log in"},
	identity.KindNotFound:              {status: http.StatusNotFound, Title: "Nothing here", Advice: "The page does not exist, or what it showed is gone. Check the address, or begin at your profile.", Link: "/profile", LinkText: "Go to your profile"},
	identity.KindAccessDenied:          {status: http.StatusForbidden, Title: "Not allowed", Advice: "Ask whoever manages your account if you need this.", Link: "/profile", LinkText: "Go to your profile"},
	identity.KindValidation:            {status: http.StatusBadRequest, Title: "That did not fit", Advice: "Go back, correct it and send it again.", Link: "/profile", LinkText: "Go to your profile"},
	identity.KindTooLarge:              {status: http.StatusRequestEntityTooLarge, Title: "Too much was sent", Advice: "Go back and send less.", Link: "/profile", LinkText: "Go to your profile"},
	identity.KindInvalidGrant:          {status: http.StatusGone, Title: "No longer good", Advice: "Nothing was changed.", Link: "/login", LinkText: "Go to the log-in"},
	identity.KindInvalidIdentity:       {status: http.StatusForbidden, Title: "The log-in did not work", Advice: "Nothing was changed. Begin at the log-in page.", Link: "/login", LinkText: "Go to the log-in"},
	identity.KindMFARequired:           {status: http.StatusForbidden, Title: "A second factor is needed", Advice: "Your account asks for one and you have none yet. Log in with your password to set up an authenticator, or ask whoever manages your account for a link to register a passkey.", Link: "/login", LinkText: "Go to the log-in"},
	identity.KindPasswordExpired:       {status: http.StatusForbidden, Title: "Your password must be changed", Advice: "Log in with it once to choose a new one.", Link: "/login", LinkText: "Go to the log-in"},
	identity.KindProviderUnreachable:   {status: http.StatusBadGateway, Title: "The provider does not answer", Advice: "Try again in a minute, or log in another way.", Link: "/login", LinkText: "Go to the log-in"},
	identity.KindNotImplemented:        {status: http.StatusNotImplemented, Title: "Not offered here", Advice: "Log in another way.", Link: "/login", LinkText: "Go to the log-in"},
	identity.KindConflict:              {status: http.StatusConflict, Title: "Something changed meanwhile", Advice: "Go back, look at it again and repeat what you did.", Link: "/profile", LinkText: "Go to your profile"},
	identity.KindThrottled:             {status: http.StatusTooManyRequests, Title: "Too many tries", Advice: "Wait a while, then try again.", Link: "/profile", LinkText: "Go to your profile"},
	identity.KindUnavailable:           {status: http.StatusServiceUnavailable, Title: "Not available right now", Advice: "Daypass cannot do this at the moment. Nothing was changed; try again in a minute.", Link: "/profile", LinkText: "Try again"},
	identity.KindInternal:              {status: http.StatusInternalServerError, Title: "Something went wrong", Advice: "It is not your doing. Try again; if it stays, give the request ID below to whoever runs this site.", Link: "/profile", LinkText: "Go to your profile"},
}

// alike are kinds that share a page.
var alike = map[identity.Kind]identity.Kind{
	identity.KindInvalidInput: identity.KindValidation, identity.KindMalformedPolicy: identity.KindValidation,
	identity.KindMissingParameter: identity.KindValidation, identity.KindPolicyTooLarge: identity.KindTooLarge,
	identity.KindAlreadyExists: identity.KindConflict, identity.KindDeleteConflict: identity.KindConflict,
	identity.KindIdentityRejected: identity.KindInvalidIdentity, identity.KindExpiredIdentity: identity.KindInvalidIdentity,
	identity.KindLimitExceeded: identity.KindValidation, identity.KindInvalidCredentials: identity.KindAccessDenied,
}

// fail shows an error page, or, where a page was asked for that needs a
// session, the log-in that leads to it.
func (c *Console) fail(v *visit, err error) {
	e := identity.AsError(err)
	id := identity.RequestOf(v.r.Context()).ID
	kind := e.Kind
	if same, ok := alike[kind]; ok {
		kind = same
	}
	t, known := troubles[kind]
	if !known {
		kind, t = identity.KindInternal, troubles[identity.KindInternal]
	}
	level := slog.LevelInfo
	if kind == identity.KindInternal {
		level = slog.LevelError
	}
	c.Log.Log(v.r.Context(), level, "console page refused", "id", id, "kind", e.Kind, "cause", e)
	if t.status == http.StatusUnauthorized {
		// A browser that comes from another site does not show its cookie, and
		// keeps it.
		if kind != identity.KindMissingAuthentication {
			c.forget(v)
		}
		v.caller = nil
		if v.r.Method == http.MethodGet {
			_ = v.see(loginURL(v.r.URL, e.Kind))
			return
		}
	}
	if kind != identity.KindInternal && kind != identity.KindExpiredToken && kind != identity.KindInvalidToken {
		t.Sentence = identity.WithoutMessage(e.Public)
	}
	t.RequestID = id
	if e.RetryAfterSeconds > 0 {
		v.w.Header().Set("Retry-After", strconv.Itoa(e.RetryAfterSeconds))
	}
	if err := c.show(v, "error", view{Title: t.Title, Status: t.status, Data: t}); err != nil {
		c.Log.Error("the error page cannot be shown", "id", id, "error", err)
		http.Error(v.w, "Something went wrong.", http.StatusInternalServerError)
	}
}

// loginURL is the log-in page that leads back to a page.
func loginURL(from *url.URL, why identity.Kind) string {
	q := url.Values{}
	if from.Path != "/" {
		q.Set("next", from.RequestURI())
	}
	if why == identity.KindExpiredToken {
		q.Set("why", "ended")
	}
	if len(q) == 0 {
		return "/login"
	}
	return "/login?" + q.Encode()
}

// troubleOf is the error page of a kind.
func troubleOf(kind identity.Kind) trouble {
	if same, ok := alike[kind]; ok {
		kind = same
	}
	if t, ok := troubles[kind]; ok {
		return t
	}
	return troubles[identity.KindInternal]
}

// sentence is what a form says about an error: its own words, without the
// encoded message behind them.
func sentence(err error) string {
	e := identity.AsError(err)
	if s := identity.WithoutMessage(e.Public); s != "" {
		return s
	}
	return troubleOf(e.Kind).Advice
}
