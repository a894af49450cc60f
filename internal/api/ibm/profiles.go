package ibm

import (
	"net/http"

	"daypass/internal/directory"
	"daypass/internal/identity"
)

var profiles = map[string]endpoint{
	"/v1/profiles": {"Profiles", map[string]operation{
		http.MethodGet: signed((*Handler).listProfiles), http.MethodPost: signed((*Handler).createProfile),
	}},
	"/v1/profiles/*": {"Profile", map[string]operation{
		http.MethodGet: signed((*Handler).readProfile), http.MethodPut: signed((*Handler).updateProfile),
		http.MethodDelete: signed((*Handler).deleteProfile),
	}},
	"/v1/profiles/*/rules": {"Profile_Rules", map[string]operation{
		http.MethodGet: signed((*Handler).listRules), http.MethodPost: signed((*Handler).createRule),
	}},
	"/v1/profiles/*/rules/*": {"Profile_Rule", map[string]operation{
		http.MethodGet: signed((*Handler).readRule), http.MethodPut: signed((*Handler).updateRule),
		http.MethodDelete: signed((*Handler).deleteRule),
	}},
	"/v1/profiles/*/links": {"Profile_Links", map[string]operation{
		http.MethodGet: signed((*Handler).listLinks), http.MethodPost: signed((*Handler).createLink),
	}},
	"/v1/profiles/*/links/*": {"Profile_Link", map[string]operation{
		http.MethodGet: signed((*Handler).readLink), http.MethodDelete: signed((*Handler).deleteLink),
	}},
	"/v1/profiles/*/identities": {"Profile_Identities", map[string]operation{
		http.MethodGet: signed((*Handler).listIdentities), http.MethodPut: signed((*Handler).setIdentities),
	}},
	"/v1/profiles/*/identities/*": {"Profile_IdentityType", map[string]operation{
		http.MethodPost: signed((*Handler).addIdentity),
	}},
	"/v1/profiles/*/identities/*/*": {"Profile_Identity", map[string]operation{
		http.MethodGet: signed((*Handler).readIdentity), http.MethodDelete: signed((*Handler).deleteIdentity),
	}},
}

// profile is a trusted profile without who may become it.
type profile struct {
	ID          string    `json:"id"`
	EntityTag   string    `json:"entity_tag"`
	CRN         string    `json:"crn"`
	Name        string    `json:"name"`
	Description string    `json:"description,omitempty"`
	Email       string    `json:"email,omitempty"`
	CreatedAt   string    `json:"created_at"`
	ModifiedAt  string    `json:"modified_at"`
	IAMID       string    `json:"iam_id"`
	AccountID   string    `json:"account_id"`
	History     []history `json:"history,omitempty"`
}

// showProfile describes a user that is a trusted profile.
func showProfile(u *identity.User, withHistory bool) profile {
	p := u.Profile
	out := profile{
		ID: u.Name, EntityTag: p.Tag.String(), CRN: identity.IAMIdentityCRN(u.AccountID, "profile", u.Name), Name: p.Name,
		Description: p.Description, Email: p.Email, CreatedAt: timeText(u.CreatedAt), ModifiedAt: timeText(u.ModifiedAt), IAMID: u.ID,
		AccountID: u.AccountID,
	}
	if withHistory {
		out.History = historyOf(p.History)
	}
	return out
}

// profileList is a page of trusted profiles.
type profileList struct {
	list
	Profiles []profile `json:"profiles"`
}

func (h *Handler) listProfiles(c *call) (answer, error) {
	l, err := c.listing("name")
	if err != nil {
		return answer{}, err
	}
	f := directory.TrustedProfileFilter{Name: l.query["name"], Sort: l.sort}
	found, err := h.Directory.TrustedProfiles(c.ctx, c.caller, f, l.page.Page)
	if err != nil {
		return answer{}, err
	}
	out := profileList{list: h.listOf(c, l.page, len(found.Items), found.Next), Profiles: []profile{}}
	for i := range found.Items {
		out.Profiles = append(out.Profiles, showProfile(&found.Items[i], l.withHistory))
	}
	return answer{status: http.StatusOK, body: out}, nil
}

func (h *Handler) readProfile(c *call) (answer, error) {
	q, err := c.query("include_history", "include_activity")
	if err != nil {
		return answer{}, err
	}
	if q["include_activity"] != "false" {
		if err := q.unserved("include_activity"); err != nil {
			return answer{}, err
		}
	}
	withHistory, err := q.flag("include_history")
	if err != nil {
		return answer{}, err
	}
	u, err := h.Directory.TrustedProfile(c.ctx, c.caller, c.names[0])
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusOK, body: showProfile(&u, withHistory), tag: u.Profile.Tag.String()}, nil
}

func (h *Handler) createProfile(c *call) (answer, error) {
	if _, err := c.query(); err != nil {
		return answer{}, err
	}
	var in directory.NewTrustedProfile
	if err := c.decode(members{"name": &in.Name, "account_id": &in.AccountID, "description": &in.Description, "email": &in.Email}); err != nil {
		return answer{}, err
	}
	if err := need("name", in.Name); err != nil {
		return answer{}, err
	}
	if err := need("account_id", in.AccountID); err != nil {
		return answer{}, err
	}
	u, err := h.Directory.CreateTrustedProfile(c.ctx, c.caller, in)
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusCreated, body: showProfile(&u, true), tag: u.Profile.Tag.String()}, nil
}

func (h *Handler) updateProfile(c *call) (answer, error) {
	if _, err := c.query(); err != nil {
		return answer{}, err
	}
	tag, err := c.ifMatch()
	if err != nil {
		return answer{}, err
	}
	var change directory.TrustedProfileChange
	if err := c.decode(members{"name": &change.Name, "description": &change.Description, "email": &change.Email}); err != nil {
		return answer{}, err
	}
	u, err := h.Directory.UpdateTrustedProfile(c.ctx, c.caller, c.names[0], tag, change)
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusOK, body: showProfile(&u, true), tag: u.Profile.Tag.String()}, nil
}

func (h *Handler) deleteProfile(c *call) (answer, error) {
	if _, err := c.query(); err != nil {
		return answer{}, err
	}
	return noContent, h.Directory.DeleteTrustedProfile(c.ctx, c.caller, c.names[0])
}
