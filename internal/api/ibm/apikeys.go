package ibm

import (
	"net/http"
	"time"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
)

var apiKeys = map[string]endpoint{
	"/v1/apikeys": {"ApiKeys", map[string]operation{
		http.MethodGet: signed((*Handler).listKeys), http.MethodPost: signed((*Handler).createKey),
	}},
	"/v1/apikeys/details": {"ApiKeys_Details", map[string]operation{http.MethodGet: signed((*Handler).keyDetails)}},
	// IBM has no call for it: there, others search for keys.
	"/v1/apikeys/leaked": {"ApiKeys_Leaked", map[string]operation{http.MethodPost: signed((*Handler).leakedKey)}},
	"/v1/apikeys/*": {"ApiKey", map[string]operation{
		http.MethodGet: signed((*Handler).readKey), http.MethodPut: signed((*Handler).updateKey), http.MethodDelete: signed((*Handler).deleteKey),
	}},
	"/v1/apikeys/*/lock": {"ApiKey_Lock", map[string]operation{
		http.MethodPost: signed(lockKey(true)), http.MethodDelete: signed(lockKey(false)),
	}},
	"/v1/apikeys/*/disable": {"ApiKey_Disable", map[string]operation{
		http.MethodPost: signed(disableKey(true)), http.MethodDelete: signed(disableKey(false)),
	}},
}

// apiKey is an API key; its text is in it when it was just made.
type apiKey struct {
	ID               string    `json:"id"`
	EntityTag        string    `json:"entity_tag"`
	CRN              string    `json:"crn"`
	Locked           bool      `json:"locked"`
	Disabled         bool      `json:"disabled"`
	CreatedAt        string    `json:"created_at"`
	CreatedBy        string    `json:"created_by"`
	ModifiedAt       string    `json:"modified_at"`
	Name             string    `json:"name"`
	Description      string    `json:"description"`
	IAMID            string    `json:"iam_id"`
	AccountID        string    `json:"account_id"`
	Text             string    `json:"apikey"`
	ExpiresAt        string    `json:"expires_at,omitempty"`
	SupportSessions  bool      `json:"support_sessions"`
	ActionWhenLeaked string    `json:"action_when_leaked"`
	History          []history `json:"history,omitempty"`
	Activity         *activity `json:"activity,omitempty"`
}

// activity is when and how often a key logged its owner in.
type activity struct {
	LastAuthn string `json:"last_authn,omitempty"`
	Count     int    `json:"authn_count"`
}

func showKey(k *identity.APIKey, withHistory bool) apiKey {
	out := apiKey{
		ID: k.ID, EntityTag: k.Tag.String(), CRN: k.CRN(), Locked: k.Locked, Disabled: k.Disabled,
		CreatedAt: timeText(k.CreatedAt), CreatedBy: k.CreatedBy, ModifiedAt: timeText(k.ModifiedAt), Name: k.Name, Description: k.Description,
		IAMID: k.IAMID(), AccountID: k.AccountID, ExpiresAt: timeText(k.ExpiresAt), SupportSessions: k.SupportSessions, ActionWhenLeaked: k.WhenLeaked,
	}
	if withHistory {
		out.History = historyOf(k.History)
	}
	return out
}

// keyList is a page of API keys.
type keyList struct {
	list
	Keys []apiKey `json:"apikeys"`
}

func (h *Handler) listKeys(c *call) (answer, error) {
	l, err := c.listing("iam_id", "scope", "type", "group_id")
	if err != nil {
		return answer{}, err
	}
	f := directory.IBMKeyFilter{IAMID: l.query["iam_id"], Sort: l.sort}
	scope, err := l.oneOf("scope", "entity", "account")
	if err != nil {
		return answer{}, err
	}
	if f.Type, err = l.oneOf("type", "", "user", "serviceid"); err != nil {
		return answer{}, err
	}
	f.Account = scope == "account"
	found, err := h.Directory.IBMAPIKeys(c.ctx, c.caller, f, l.page.Page)
	if err != nil {
		return answer{}, err
	}
	out := keyList{list: h.listOf(c, l.page, len(found.Items), found.Next), Keys: []apiKey{}}
	for i := range found.Items {
		out.Keys = append(out.Keys, showKey(&found.Items[i], l.withHistory))
	}
	return answer{status: http.StatusOK, body: out}, nil
}

// keyDetails shows the key whose text is in the header.
func (h *Handler) keyDetails(c *call) (answer, error) {
	q, err := c.query("include_history")
	if err != nil {
		return answer{}, err
	}
	withHistory, err := q.flag("include_history")
	if err != nil {
		return answer{}, err
	}
	text, err := c.shownKey()
	if err != nil {
		return answer{}, err
	}
	k, err := h.Directory.IBMAPIKeyDetails(c.ctx, c.caller, text)
	return answer{status: http.StatusOK, body: showKey(&k, withHistory), tag: k.Tag.String()}, err
}

// shownKey is the text of the API key that a call is about.
func (c *call) shownKey() (identity.Secret, error) {
	values := c.r.Header.Values("IAM-ApiKey")
	if len(values) != 1 || values[0] == "" {
		return "", need("IAM-ApiKey", "")
	}
	return identity.Secret(values[0]), nil
}

// leakedKey shows what was made of a key that was reported.
func (h *Handler) leakedKey(c *call) (answer, error) {
	if _, err := c.query(); err != nil {
		return answer{}, err
	}
	text, err := c.shownKey()
	if err != nil {
		return answer{}, err
	}
	k, err := h.Directory.ReportLeaked(c.ctx, c.caller, text)
	return answer{status: http.StatusOK, body: showKey(&k, false), tag: k.Tag.String()}, err
}

func (h *Handler) readKey(c *call) (answer, error) {
	q, err := c.query("include_history", "include_activity")
	if err != nil {
		return answer{}, err
	}
	withHistory, err := q.flag("include_history")
	if err != nil {
		return answer{}, err
	}
	withActivity, err := q.flag("include_activity")
	if err != nil {
		return answer{}, err
	}
	k, err := h.Directory.IBMAPIKey(c.ctx, c.caller, c.names[0])
	if err != nil {
		return answer{}, err
	}
	out := showKey(&k, withHistory)
	if withActivity {
		use, err := h.Directory.IBMAPIKeyActivity(c.ctx, c.caller, k.ID)
		if err != nil {
			return answer{}, err
		}
		out.Activity = &activity{timeText(use.At), use.Count}
	}
	return answer{status: http.StatusOK, body: out, tag: k.Tag.String()}, nil
}

// keyBody is the body of a new key, of its own or with a service ID.
type keyBody struct {
	name, iamID, account, description, text, whenLeaked, expires string
	store, sessions                                              bool
}

func (b *keyBody) members() members {
	return members{
		"name": &b.name, "description": &b.description, "apikey": &b.text, "store_value": &b.store, "action_when_leaked": &b.whenLeaked,
		"expires_at": &b.expires, "iam_id": &b.iamID, "account_id": &b.account, "support_sessions": &b.sessions,
	}
}

// key is what issue makes of it. A text of the client's own is refused: it may
// be one that was seen elsewhere, or guessed.
func (b *keyBody) key() (issue.NewIBMKey, error) {
	in := issue.NewIBMKey{
		IAMID: b.iamID, AccountID: b.account, Name: b.name, Description: b.description, WhenLeaked: b.whenLeaked, SupportSessions: b.sessions,
	}
	if b.text != "" {
		return in, identity.NewError(identity.KindValidation, "ibm.key", "Validation of property 'apikey' failed: API keys are made here, not brought.")
	}
	if err := need("name", b.name); err != nil {
		return in, err
	}
	var err error
	if b.expires != "" {
		in.ExpiresAt, err = parseTime("expires_at", b.expires)
	}
	return in, err
}

func (h *Handler) createKey(c *call) (answer, error) {
	if _, err := c.query(); err != nil {
		return answer{}, err
	}
	var b keyBody
	if err := c.decode(b.members()); err != nil {
		return answer{}, err
	}
	in, err := b.key()
	if err != nil {
		return answer{}, err
	}
	if err := need("iam_id", b.iamID); err != nil {
		return answer{}, err
	}
	if in.Locked, err = c.switchHeader("Entity-Lock"); err != nil {
		return answer{}, err
	}
	if in.Disabled, err = c.switchHeader("Entity-Disable"); err != nil {
		return answer{}, err
	}
	k, err := h.Issuer.NewIBMAPIKey(c.ctx, c.caller, in)
	if err != nil {
		return answer{}, err
	}
	out := showKey(&k.APIKey, true)
	out.Text = k.Text.Reveal()
	return answer{status: http.StatusCreated, body: out, tag: k.Tag.String()}, nil
}

func (h *Handler) updateKey(c *call) (answer, error) {
	if _, err := c.query(); err != nil {
		return answer{}, err
	}
	tag, err := c.ifMatch()
	if err != nil {
		return answer{}, err
	}
	var change directory.IBMKeyChange
	var expires *string
	if err := c.decode(members{
		"name": &change.Name, "description": &change.Description, "support_sessions": &change.SupportSessions,
		"action_when_leaked": &change.WhenLeaked, "expires_at": &expires,
	}); err != nil {
		return answer{}, err
	}
	if change.ExpiresAt, err = newEnd(expires); err != nil {
		return answer{}, err
	}
	k, err := h.Directory.UpdateIBMAPIKey(c.ctx, c.caller, c.names[0], tag, change)
	return answer{status: http.StatusOK, body: showKey(&k, true), tag: k.Tag.String()}, err
}

// newEnd reads another end of a key; "" takes it away.
func newEnd(text *string) (*time.Time, error) {
	var t time.Time
	switch {
	case text == nil:
		return nil, nil
	case *text == "":
		return &t, nil
	}
	t, err := parseTime("expires_at", *text)
	return &t, err
}

func (h *Handler) deleteKey(c *call) (answer, error) {
	if _, err := c.query(); err != nil {
		return answer{}, err
	}
	return noContent, h.Directory.DeleteIBMAPIKey(c.ctx, c.caller, c.names[0])
}

func lockKey(locked bool) func(*Handler, *call) (answer, error) {
	return func(h *Handler, c *call) (answer, error) {
		if _, err := c.query(); err != nil {
			return answer{}, err
		}
		return noContent, h.Directory.LockIBMAPIKey(c.ctx, c.caller, c.names[0], locked)
	}
}

func disableKey(disabled bool) func(*Handler, *call) (answer, error) {
	return func(h *Handler, c *call) (answer, error) {
		if _, err := c.query(); err != nil {
			return answer{}, err
		}
		return noContent, h.Directory.DisableIBMAPIKey(c.ctx, c.caller, c.names[0], disabled)
	}
}
