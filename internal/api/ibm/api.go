package ibm

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/strictwire"
)

const (
	maxBody    = 64 << 10
	maxFilters = 16 // parameters of a query
	// Bounds of pagesize.
	defaultPage = 20
	maxPage     = 100
)

// answer is that of an operation of the identity API.
type answer struct {
	status int
	body   any    // nil for none
	tag    string // ETag
}

var noContent = answer{status: http.StatusNoContent}

// signed serves an operation to whoever has a bearer token.
func signed(serve func(*Handler, *call) (answer, error)) operation {
	return func(h *Handler, c *call) error {
		token, err := bearer(c.r)
		if err != nil {
			return err
		}
		if c.caller, err = h.Access.IBMToken(c.ctx, token); err != nil {
			return err
		}
		a, err := serve(h, c)
		if err != nil {
			return err
		}
		if a.tag != "" {
			c.w.Header().Set("ETag", a.tag)
		}
		var body []byte
		if a.body != nil {
			body = encode(a.body)
		}
		send(c.w, a.status, body)
		return nil
	}
}

// bearer finds the access token of a request (RFC 6750 §2.1).
func bearer(r *http.Request) (identity.Secret, error) {
	headers := r.Header.Values("Authorization")
	if len(headers) > 1 {
		return "", badRequest("There is more than one Authorization header.")
	}
	if len(headers) == 1 {
		scheme, token, _ := strings.Cut(headers[0], " ")
		if token = strings.TrimLeft(token, " "); strings.EqualFold(scheme, "Bearer") && token != "" {
			return identity.Secret(token), nil
		}
	}
	return "", identity.NewError(identity.KindMissingAuthentication, "ibm.bearer", "")
}

// members are the members that a body may have, by their exact names, and where
// they go.
type members map[string]any

var errBody = badRequest("The body must be one JSON object in UTF-8.")

// decode reads the body, which is one JSON object: no member that it may not
// have, and none twice.
func (c *call) decode(want members) error {
	body, err := strictwire.ReadBody(c.w, c.r, maxBody)
	if err != nil {
		return err
	}
	return decodeObject(body, want)
}

func decodeObject(body []byte, want members) error {
	err := strictwire.Object(body, want)
	var fault *strictwire.Fault
	if !errors.As(err, &fault) {
		return err
	}
	switch fault.Reason {
	case strictwire.Unknown:
		return badRequest("The body has a property that is not of this operation.")
	case strictwire.Twice:
		return badRequest("Property '" + fault.Member + "' stands twice in the body.")
	case strictwire.Type:
		var kind *json.UnmarshalTypeError
		var inner *identity.Error // of an object within
		switch {
		case errors.As(fault.Err, &kind):
			return badRequest("Property '" + fault.Member + "' is of another type.")
		case errors.As(fault.Err, &inner):
			return inner
		}
	}
	return errBody
}

// need refuses a property that is missing or empty.
func need(name, value string) error {
	if value != "" {
		return nil
	}
	return identity.NewError(identity.KindMissingParameter, "ibm.need", "Property '"+name+"' either missing or empty")
}

func invalidValue(name string) error {
	return badRequest("Validation of property '" + name + "' failed.")
}

// query reads the parameters of the URL, each at most once, of those that the
// operation has: a filter that is not served must not look as if it had been.
func (c *call) query(names ...string) (query, error) {
	_, raw, _ := strings.Cut(c.r.RequestURI, "?")
	if strings.Count(raw, "&") >= maxFilters {
		return nil, badRequest("The query has too many parameters.")
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, badRequest("The query cannot be read.")
	}
	q := query{}
	for name, list := range values {
		if !slices.Contains(names, name) {
			return nil, badRequest("The query has a parameter that is not of this operation.")
		}
		if len(list) > 1 || !utf8.ValidString(list[0]) {
			return nil, invalidValue(name)
		}
		q[name] = list[0]
	}
	return q, nil
}

type query map[string]string

// flag is a parameter that is true or false; absent it is false.
func (q query) flag(name string) (bool, error) { return flag(name, q[name]) }

func flag(name, value string) (bool, error) {
	switch value {
	case "true":
		return true, nil
	case "", "false":
		return false, nil
	}
	return false, invalidValue(name)
}

// oneOf is a parameter that is one of a few words; absent it is the first.
func (q query) oneOf(name string, words ...string) (string, error) {
	v := q[name]
	if v == "" {
		return words[0], nil
	}
	if !slices.Contains(words, v) {
		return "", invalidValue(name)
	}
	return v, nil
}

// unserved refuses filters that are of the original and not of this service.
func (q query) unserved(names ...string) error {
	for _, name := range names {
		if q[name] != "" {
			return identity.NewError(identity.KindNotImplemented, "ibm.query", "The parameter '"+name+"' is not served.")
		}
	}
	return nil
}

// order is what sort and order ask for; a "-" before the field is another word
// for descending.
func (q query) order() (directory.IBMSort, error) {
	by, down := strings.CutPrefix(q["sort"], "-")
	order, err := q.oneOf("order", "asc", "desc")
	return directory.IBMSort{By: by, Descending: down != (order == "desc")}, err
}

// ownAccount refuses an account that is not the caller's; "" is.
func (c *call) ownAccount(id string) error {
	if id == "" || id == c.caller.AccountID {
		return nil
	}
	return identity.NewError(identity.KindAccessDenied, "ibm.account", "")
}

// ifMatch is the entity tag that a change must come with; "*" is any.
func (c *call) ifMatch() (string, error) {
	values := c.r.Header.Values("If-Match")
	if len(values) != 1 || values[0] == "" {
		return "", identity.NewError(identity.KindMissingParameter, "ibm.ifMatch", "Header 'If-Match' either missing or empty")
	}
	return strings.Trim(values[0], `"`), nil
}

// switchHeader is a header that is "true" or "false".
func (c *call) switchHeader(name string) (bool, error) {
	values := c.r.Header.Values(name)
	if len(values) > 1 {
		return false, invalidValue(name)
	}
	return flag(name, c.r.Header.Get(name))
}

// page is what the parameters pagesize and pagetoken ask for. A token carries
// how many items came before, for "offset", and the marker of directory.
type page struct {
	directory.Page
	offset int
}

func (q query) page() (page, error) {
	p := page{Page: directory.Page{MaxItems: defaultPage}}
	if size := q["pagesize"]; size != "" {
		n, err := strconv.Atoi(size)
		if err != nil || n < 1 || n > maxPage {
			return p, invalidValue("pagesize")
		}
		p.MaxItems = n
	}
	if token := q["pagetoken"]; token != "" {
		offset, marker, ok := strings.Cut(token, ".")
		n, err := strconv.Atoi(offset)
		if !ok || err != nil || n < 1 || marker == "" {
			return p, invalidValue("pagetoken")
		}
		p.offset, p.Marker = n, marker
	}
	return p, nil
}

// listing is what every list is asked for.
type listing struct {
	query
	page        page
	sort        directory.IBMSort
	withHistory bool
}

// listing reads the parameters that all lists have, and those named besides.
func (c *call) listing(more ...string) (l listing, err error) {
	names := []string{"account_id", "pagesize", "pagetoken", "sort", "order", "include_history", "filter"}
	if l.query, err = c.query(append(names, more...)...); err != nil {
		return l, err
	}
	if err := c.ownAccount(l.query["account_id"]); err != nil {
		return l, err
	}
	if err := l.unserved("filter", "group_id"); err != nil {
		return l, err
	}
	if l.sort, err = l.order(); err != nil {
		return l, err
	}
	if l.page, err = l.query.page(); err != nil {
		return l, err
	}
	l.withHistory, err = l.flag("include_history")
	return l, err
}

// list is what every list begins with.
type list struct {
	Offset int    `json:"offset"`
	Limit  int    `json:"limit"`
	First  string `json:"first"`
	Next   string `json:"next,omitempty"` // clients copy its pagetoken
}

// listOf describes a page of so many items behind which marker goes on.
func (h *Handler) listOf(c *call, p page, items int, marker string) list {
	path, raw, _ := strings.Cut(c.r.RequestURI, "?")
	values, _ := url.ParseQuery(raw) // query has read it
	at := func(token string) string {
		if values.Del("pagetoken"); token != "" {
			values.Set("pagetoken", token)
		}
		if len(values) == 0 {
			return h.ExternalURL + path
		}
		return h.ExternalURL + path + "?" + values.Encode()
	}
	l := list{Offset: p.offset, Limit: p.MaxItems, First: at("")}
	if marker != "" {
		l.Next = at(strconv.Itoa(p.offset+items) + "." + marker)
	}
	return l
}

// apiTime is how the original writes times.
const apiTime = "2006-01-02T15:04+0000"

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(apiTime)
}

// timeForms are the times that are read.
var timeForms = []string{time.RFC3339, "2006-01-02T15:04Z0700", "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05Z0700"}

func parseTime(name, text string) (time.Time, error) {
	for _, form := range timeForms {
		if t, err := time.Parse(form, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, invalidValue(name)
}

// history is one entry of an object's.
type history struct {
	Timestamp string   `json:"timestamp"`
	IAMID     string   `json:"iam_id"`
	AccountID string   `json:"iam_id_account"`
	Action    string   `json:"action"`
	Params    []string `json:"params"`
	Message   string   `json:"message"`
}

func historyOf(changes []identity.Changed) []history {
	out := make([]history, len(changes))
	for i, c := range changes {
		out[i] = history{timeText(c.At), c.IAMID, c.AccountID, c.Action, append([]string{}, c.Params...), c.Message}
	}
	return out
}
