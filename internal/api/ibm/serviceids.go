package ibm

import (
	"errors"
	"net/http"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
)

// serviceIDs: clients call the list with a slash at its end.
var serviceIDs = map[string]endpoint{
	"/v1/serviceids": {"ServiceIds", map[string]operation{
		http.MethodGet: signed((*Handler).listServiceIDs), http.MethodPost: signed((*Handler).createServiceID),
	}},
	"/v1/serviceids/*": {"ServiceId", map[string]operation{
		http.MethodGet: signed((*Handler).readServiceID), http.MethodPut: signed((*Handler).updateServiceID),
		http.MethodDelete: signed((*Handler).deleteServiceID),
	}},
	"/v1/serviceids/*/lock": {"ServiceId_Lock", map[string]operation{
		http.MethodPost: signed(lockServiceID(true)), http.MethodDelete: signed(lockServiceID(false)),
	}},
}

// serviceID is a service ID, with its first API key when both were just made.
type serviceID struct {
	ID           string    `json:"id"`
	IAMID        string    `json:"iam_id"`
	EntityTag    string    `json:"entity_tag"`
	CRN          string    `json:"crn"`
	Locked       bool      `json:"locked"`
	CreatedAt    string    `json:"created_at"`
	ModifiedAt   string    `json:"modified_at"`
	AccountID    string    `json:"account_id"`
	GroupID      string    `json:"group_id,omitempty"`
	Name         string    `json:"name"`
	Description  string    `json:"description"`
	InstanceCRNs []string  `json:"unique_instance_crns"`
	APIKey       *apiKey   `json:"apikey,omitempty"`
	History      []history `json:"history,omitempty"`
}

// show describes a user that is a service ID.
func showServiceID(u *identity.User, withHistory, withGroup bool) serviceID {
	s := u.ServiceID
	out := serviceID{
		ID: u.Name, IAMID: u.ID, EntityTag: s.Tag.String(), CRN: identity.IAMIdentityCRN(u.AccountID, "serviceid", u.Name), Locked: s.Locked,
		CreatedAt: timeText(u.CreatedAt), ModifiedAt: timeText(u.ModifiedAt), AccountID: u.AccountID, Name: s.Name, Description: s.Description,
		InstanceCRNs: append([]string{}, s.InstanceCRNs...),
	}
	if withGroup {
		out.GroupID = s.GroupID
	}
	if withHistory {
		out.History = historyOf(s.History)
	}
	return out
}

// serviceIDList is a page of service IDs.
type serviceIDList struct {
	list
	ServiceIDs []serviceID `json:"serviceids"`
}

func (h *Handler) listServiceIDs(c *call) (answer, error) {
	l, err := c.listing("name", "group_id", "show_group_id")
	if err != nil {
		return answer{}, err
	}
	withGroup, err := l.flag("show_group_id")
	if err != nil {
		return answer{}, err
	}
	f := directory.ServiceIDFilter{Name: l.query["name"], Sort: l.sort}
	found, err := h.Directory.ServiceIDs(c.ctx, c.caller, f, l.page.Page)
	if err != nil {
		return answer{}, err
	}
	out := serviceIDList{list: h.listOf(c, l.page, len(found.Items), found.Next), ServiceIDs: []serviceID{}}
	for i := range found.Items {
		out.ServiceIDs = append(out.ServiceIDs, showServiceID(&found.Items[i], l.withHistory, withGroup))
	}
	return answer{status: http.StatusOK, body: out}, nil
}

func (q query) shows() (withHistory, withGroup bool, err error) {
	if withHistory, err = q.flag("include_history"); err == nil {
		withGroup, err = q.flag("show_group_id")
	}
	return withHistory, withGroup, err
}

func (h *Handler) readServiceID(c *call) (answer, error) {
	q, err := c.query("include_history", "include_activity", "show_group_id")
	if err != nil {
		return answer{}, err
	}
	if q["include_activity"] != "false" {
		if err := q.unserved("include_activity"); err != nil {
			return answer{}, err
		}
	}
	withHistory, withGroup, err := q.shows()
	if err != nil {
		return answer{}, err
	}
	u, err := h.Directory.ServiceID(c.ctx, c.caller, c.names[0])
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusOK, body: showServiceID(&u, withHistory, withGroup), tag: u.ServiceID.Tag.String()}, nil
}

func (h *Handler) createServiceID(c *call) (answer, error) {
	q, err := c.query("show_group_id")
	if err != nil {
		return answer{}, err
	}
	withGroup, err := q.flag("show_group_id")
	if err != nil {
		return answer{}, err
	}
	in, key, err := c.newServiceID()
	if err != nil {
		return answer{}, err
	}
	u, err := h.Directory.CreateServiceID(c.ctx, c.caller, in)
	if err != nil {
		return answer{}, err
	}
	out := showServiceID(&u, true, withGroup)
	if key != nil {
		if out.APIKey, err = h.firstKey(c, &u, *key); err != nil {
			return answer{}, err
		}
	}
	return answer{status: http.StatusCreated, body: out, tag: u.ServiceID.Tag.String()}, nil
}

// firstKey makes the API key that a new service ID is to have; without it there
// is no service ID either.
func (h *Handler) firstKey(c *call, u *identity.User, in issue.NewIBMKey) (*apiKey, error) {
	in.IAMID, in.AccountID = u.ID, u.AccountID
	k, err := h.Issuer.NewIBMAPIKey(c.ctx, c.caller, in)
	if err != nil {
		return nil, errors.Join(err, h.Directory.DeleteServiceID(c.ctx, c.caller, u.Name))
	}
	out := showKey(&k.APIKey, false)
	out.Text = k.Text.Reveal()
	return &out, nil
}

// newServiceID reads the body of a new service ID, with its first API key if it
// is to have one.
func (c *call) newServiceID() (in directory.NewServiceID, key *issue.NewIBMKey, err error) {
	var first *keyObject
	if err = c.decode(members{
		"account_id": &in.AccountID, "name": &in.Name, "description": &in.Description, "group_id": &in.GroupID,
		"unique_instance_crns": &in.InstanceCRNs, "apikey": &first,
	}); err != nil {
		return in, nil, err
	}
	if err = need("account_id", in.AccountID); err != nil {
		return in, nil, err
	}
	if err = need("name", in.Name); err != nil {
		return in, nil, err
	}
	if in.Locked, err = c.switchHeader("Entity-Lock"); err != nil || first == nil {
		return in, nil, err
	}
	if in.Locked { // a key that fails would leave it behind
		return in, nil, badRequest("A service ID that is made with an API key cannot be made locked.")
	}
	k, err := first.key()
	return in, &k, err
}

// keyObject is the first API key within the body of a service ID.
type keyObject struct{ keyBody }

// UnmarshalJSON reads a whole object.
func (k *keyObject) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	want := k.members()
	delete(want, "iam_id")
	delete(want, "account_id")
	return decodeObject(b, want)
}

func (h *Handler) updateServiceID(c *call) (answer, error) {
	q, err := c.query("show_group_id")
	if err != nil {
		return answer{}, err
	}
	withGroup, err := q.flag("show_group_id")
	if err != nil {
		return answer{}, err
	}
	tag, err := c.ifMatch()
	if err != nil {
		return answer{}, err
	}
	var change directory.ServiceIDChange
	if err := c.decode(members{"name": &change.Name, "description": &change.Description, "unique_instance_crns": &change.InstanceCRNs}); err != nil {
		return answer{}, err
	}
	u, err := h.Directory.UpdateServiceID(c.ctx, c.caller, c.names[0], tag, change)
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusOK, body: showServiceID(&u, true, withGroup), tag: u.ServiceID.Tag.String()}, nil
}

func (h *Handler) deleteServiceID(c *call) (answer, error) {
	if _, err := c.query(); err != nil {
		return answer{}, err
	}
	return noContent, h.Directory.DeleteServiceID(c.ctx, c.caller, c.names[0])
}

func lockServiceID(locked bool) func(*Handler, *call) (answer, error) {
	return func(h *Handler, c *call) (answer, error) {
		if _, err := c.query(); err != nil {
			return answer{}, err
		}
		return noContent, h.Directory.LockServiceID(c.ctx, c.caller, c.names[0], locked)
	}
}
