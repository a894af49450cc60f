package client

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"daypass/internal/identity"
)

// ibmCall is one call of the identity API and its neighbours.
type ibmCall struct {
	doing        string // for errors
	method, path string
	query        url.Values
	header       map[string]string
	body         any // nil for none
}

// ibm sends a call with the profile's access token and reads the answer into
// what into points to, if it is not nil.
func (k *Keeper) ibm(ctx context.Context, c ibmCall, into any) (http.Header, error) {
	token, err := k.IBMToken(ctx, RenewalWindow)
	if err != nil {
		return nil, err
	}
	return k.wire.ibm(ctx, token, c, into)
}

func (w *wire) ibm(ctx context.Context, token IBMToken, c ibmCall, into any) (http.Header, error) {
	path, body, media := c.path, []byte(nil), ""
	if len(c.query) > 0 {
		path += "?" + c.query.Encode()
	}
	if c.body != nil {
		var err error
		if body, err = json.Marshal(c.body); err != nil {
			return nil, err
		}
		media = jsonMedia
	}
	r, err := w.request(ctx, c.method, path, body, media)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", token.Bearer())
	for name, value := range c.header {
		r.Header.Set(name, value)
	}
	a, err := w.do(c.doing, r, nil)
	if err != nil {
		return nil, err
	}
	if a.status >= 300 {
		return nil, w.ibmFailure(c.doing, "", a)
	}
	if into != nil && json.Unmarshal(a.body, into) != nil {
		return nil, w.notOurs(c.doing, a)
	}
	return a.header, nil
}

const kmsUnauthorized = "UNAUTHORIZED_ERR"

// ibmError holds all envelopes: of the token service, of the identity API, and of
// the policy API, which has no numbers.
type ibmError struct {
	Code    string `json:"errorCode"`
	Message string `json:"errorMessage"`
	Errors  []struct {
		Number  string `json:"message_code"`
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"errors"`
	Requirements *struct {
		Code string `json:"code"`
	} `json:"requirements"`
}

// ibmFailure turns a refusal of IBM's dialect into an error; grant is the grant
// type of a log-in, "" for other calls.
func (w *wire) ibmFailure(doing, grant string, a *answer) error {
	var e ibmError
	err := json.Unmarshal(a.body, &e)
	if len(e.Errors) > 0 {
		first := e.Errors[0]
		e.Code, e.Message = cmp.Or(first.Number, first.Code), first.Message
	}
	if e.Code == "" {
		e.Code, e.Message = kmsRefusal(a.body)
	}
	if err != nil || e.Code == "" {
		return w.notOurs(doing, a)
	}
	login := w.profile.loginCommand()
	kind, next := identity.KindInternal, "show the request ID to whoever runs the installation"
	switch {
	case a.status == http.StatusTooManyRequests:
		kind, next = identity.KindThrottled, "try again in "+retryAfter(a)
	case a.status == http.StatusServiceUnavailable:
		kind, next = identity.KindUnavailable, "try again in "+retryAfter(a)
	case a.status == http.StatusUnauthorized && e.Code == kmsUnauthorized:
		// Key management says so of missing roles and of what is not there, too.
		kind, next = identity.KindAccessDenied, "is the instance the right one, and the service role given (daypass iam user-policies)?"
	case a.status == http.StatusUnauthorized:
		kind, next = identity.KindExpiredToken, "run: "+login+" --force"
	case a.status == http.StatusForbidden:
		kind, next = identity.KindAccessDenied, ""
	case a.status == http.StatusNotFound:
		kind, next = identity.KindNotFound, ""
	case a.status == http.StatusConflict:
		kind, next = identity.KindConflict, ""
	case a.status == http.StatusNotImplemented:
		kind, next = identity.KindNotImplemented, ""
	case a.status >= 500:
	case grant == grantRefresh && (e.Code == "BXNIM0407E" || e.Code == "BXNIM0408E"):
		kind, next = identity.KindExpiredToken, "run: "+login
	case e.Requirements != nil:
		kind, next = identity.KindMFARequired, ""
	case grant != "" && e.Code != "BXNIM0106E" && e.Code != "BXNIM0109E":
		kind, next = identity.KindInvalidCredentials, ""
	default:
		kind, next = identity.KindValidation, ""
	}
	return w.failed(kind, doing, strings.TrimSuffix(e.Message, ".")+" ("+e.Code+")", next, a.requestID, nil)
}
