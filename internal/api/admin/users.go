package admin

import (
	"context"
	"net/http"
	"net/url"

	"daypass/internal/directory"
	"daypass/internal/identity"
)

// Users is what the operator does to users who log in: *directory.Directory.
type Users interface {
	InviteUser(ctx context.Context, c *identity.Caller, in directory.Invitation) (directory.NewLink, error)
	ResetUser(ctx context.Context, c *identity.Caller, in directory.UserReset) (directory.NewLink, error)
	SwitchUser(ctx context.Context, c *identity.Caller, in directory.UserName, disabled bool) error
	LoginStates(ctx context.Context, c *identity.Caller, account, realm string) ([]directory.LoginState, error)
}

type switchRequest struct {
	directory.UserName
	Disabled bool `json:"disabled"`
}

// Link is a one-time link with its text, which is shown this once.
type Link struct {
	directory.NewLink
	URL string `json:"link"`
}

func (h *Handler) handleUsers(u Users) {
	h.handle("GET /v1/users", func(r *http.Request, c *identity.Caller) (any, error) {
		q := r.URL.Query()
		list, err := u.LoginStates(r.Context(), c, q.Get("account"), q.Get("realm"))
		return orEmpty(list), err
	})
	h.handle("POST /v1/users/invite", func(r *http.Request, c *identity.Caller) (any, error) {
		var in directory.Invitation
		if err := decode(r, &in); err != nil {
			return nil, err
		}
		made, err := u.InviteUser(r.Context(), c, in)
		return Link{made, made.Link.Reveal()}, err
	})
	h.handle("POST /v1/users/reset", func(r *http.Request, c *identity.Caller) (any, error) {
		var in directory.UserReset
		if err := decode(r, &in); err != nil {
			return nil, err
		}
		made, err := u.ResetUser(r.Context(), c, in)
		return Link{made, made.Link.Reveal()}, err
	})
	h.handle("POST /v1/users/disabled", func(r *http.Request, c *identity.Caller) (any, error) {
		var in switchRequest
		if err := decode(r, &in); err != nil {
			return nil, err
		}
		return done{}, u.SwitchUser(r.Context(), c, in.UserName, in.Disabled)
	})
}

// InviteUser makes a one-time link for a user's first log-in.
func (c *Client) InviteUser(ctx context.Context, in directory.Invitation) (Link, error) {
	var out Link
	err := c.call(ctx, http.MethodPost, "/v1/users/invite", in, &out)
	return out, err
}

// ResetUser makes a one-time link for a user who cannot log in any more.
func (c *Client) ResetUser(ctx context.Context, in directory.UserReset) (Link, error) {
	var out Link
	err := c.call(ctx, http.MethodPost, "/v1/users/reset", in, &out)
	return out, err
}

// SwitchUser switches a user off, or on again.
func (c *Client) SwitchUser(ctx context.Context, in directory.UserName, disabled bool) error {
	return c.call(ctx, http.MethodPost, "/v1/users/disabled", switchRequest{in, disabled}, &done{})
}

// Users lists users and how they can log in.
func (c *Client) Users(ctx context.Context, account, realm string) ([]directory.LoginState, error) {
	var out []directory.LoginState
	err := c.call(ctx, http.MethodGet, "/v1/users?"+url.Values{"account": {account}, "realm": {realm}}.Encode(), nil, &out)
	return out, err
}
