package stax

import (
	"time"

	"daypass/internal/directory"
)

// timestamp is the API's form of a time.
const timestamp = "2006-01-02T15:04:05.000Z"

func timeOf(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(timestamp)
}

// Values of "Status".
const (
	statusActive   = "ACTIVE"
	statusDeleted  = "DELETED"
	statusDisabled = "DISABLED"
	statusInvited  = "INVITED"
)

// user is one entry of "Users".
type user struct {
	ID           string `json:"Id"`
	Email        string
	Name         string
	Organisation *string `json:"OrganisationId"`
	FirstName    string  `json:",omitempty"`
	LastName     string  `json:",omitempty"`
	Role         string  `json:",omitempty"`
	Status       string
	AuthOrigin   string  `json:",omitempty"`
	CreatedBy    *string `json:",omitempty"`
	CreatedTS    string  `json:",omitempty"`
	ModifiedTS   string  `json:",omitempty"`
}

type usersAnswer struct{ Users []user }

func usersMe(h *Handler, c *call) (any, error) {
	if err := c.noParameters(); err != nil {
		return nil, err
	}
	who, err := h.Directory.APIUser(c.ctx, c.caller, c.host)
	if err != nil {
		return nil, err
	}
	return usersAnswer{[]user{shownUser(&who)}}, nil
}

func shownUser(u *directory.APIUser) user {
	out := user{
		ID: u.ID, Email: u.Email, Name: u.Name, Organisation: &u.AccountID, Role: u.Role, Status: statusActive, AuthOrigin: u.Realm,
		FirstName: u.Attributes["given_name"], LastName: u.Attributes["family_name"],
		CreatedTS: timeOf(u.CreatedAt), ModifiedTS: timeOf(u.ModifiedAt),
	}
	switch {
	case u.Disabled:
		out.Status = statusDisabled
	case u.MustChangePassword:
		out.Status = statusInvited
	}
	if u.Token != nil {
		out.Name, out.ModifiedTS = u.Token.Name, timeOf(u.Token.ModifiedAt)
		if u.Token.CreatedBy != "" {
			out.CreatedBy = &u.Token.CreatedBy
		}
	}
	return out
}
