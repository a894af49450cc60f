package console

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"daypass/internal/identity"
)

//go:embed templates/*.html
var templates embed.FS

const layout = "layout.html"

// parseViews parses each page with the layout; a view's name is that of its
// file without ".html".
func parseViews(funcs template.FuncMap) (map[string]*template.Template, error) {
	base, err := template.New(layout).Funcs(funcs).ParseFS(templates, "templates/"+layout)
	if err != nil {
		return nil, err
	}
	files, err := templates.ReadDir("templates")
	if err != nil {
		return nil, err
	}
	out := map[string]*template.Template{}
	for _, f := range files {
		name, _ := strings.CutSuffix(f.Name(), ".html")
		if f.Name() == layout {
			continue
		}
		t, err := base.Clone()
		if err == nil {
			t, err = t.ParseFS(templates, "templates/"+f.Name())
		}
		if err != nil {
			return nil, err
		}
		out[name] = t
	}
	return out, nil
}

func (c *Console) templateFuncs() template.FuncMap {
	return template.FuncMap{
		"asset": func(name string) string { return c.assets[name].url },
		// stamp is a time for machines, utc one for people without JavaScript.
		"stamp":  func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"utc":    func(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") },
		"length": lengthOf,
		"reveal": identity.Secret.Reveal,
	}
}

// view is what a page shows.
type view struct {
	Title string
	// Area is the name of the entry of the navigation that the page belongs to;
	// pages of none are narrow.
	Area string
	// Notice tells of something that was done, Alarm of something that was not.
	Notice, Alarm string
	// Status of the answer; 200 when 0.
	Status int
	Data   any

	// What follows is for the layout.
	User    *identity.Caller
	Areas   []area
	Now     time.Time
	Version string
}

// show writes a page.
func (c *Console) show(v *visit, name string, w view) error {
	w.User, w.Areas, w.Now, w.Version = v.caller, c.areasOf(v), c.Clock.Now(), c.Version
	if w.Notice == "" {
		w.Notice = notices[v.r.URL.Query().Get("done")]
	}
	var b bytes.Buffer
	if err := c.views[name].ExecuteTemplate(&b, layout, w); err != nil {
		return &identity.Error{Kind: identity.KindInternal, Op: "console.show", Err: err}
	}
	if w.Status == 0 {
		w.Status = http.StatusOK
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(w.Status)
	_, _ = v.w.Write(b.Bytes())
	return nil
}

// notices are what a page says when it was sent here with "?done=": sentences
// of ours, and no others.
var notices = map[string]string{
	"logged-out":        "You have logged out. Keys from that log-in have ended.",
	"session-ended":     "That session has ended.",
	"sessions-ended":    "All your other sessions and keys have ended.",
	"password-changed":  "Your password is changed, and earlier sessions have ended. Log in with the new one.",
	"authenticator-on":  "Your authenticator is on, and earlier sessions have ended. Log in with password and code.",
	"authenticator-off": "Your authenticators are removed, and earlier sessions have ended. Log in again.",
	"passkey-added":     "Your passkey is registered, and earlier sessions have ended. Log in with it.",
	"passkey-removed":   "The passkey is removed, and earlier sessions have ended. Log in again.",
	"passkey-renamed":   "The passkey has its new name.",
	"identity-linked":   "The identity is linked, and earlier sessions have ended. Log in with it.",
	"identity-unlinked": "The identity is removed, and earlier sessions have ended. Log in again.",
	"welcome":           "All is set up. Log in.",
	"token-deleted":     "The token is deleted, and what it obtained has ended.",
	"proved":            "Thank you. You can get keys and one-time codes for the next five minutes.",
}

// lengthOf is a duration in words.
func lengthOf(seconds int) string {
	d := time.Duration(seconds) * time.Second
	switch {
	case d%time.Hour == 0 && d == time.Hour:
		return "1 hour"
	case d%time.Hour == 0:
		return plural(int(d/time.Hour), "hour")
	case d%time.Minute == 0:
		return plural(int(d/time.Minute), "minute")
	}
	return plural(seconds, "second")
}

func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.Itoa(n) + " " + what
}
