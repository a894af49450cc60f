package admin

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"daypass/internal/directory"
	"daypass/internal/identity"
)

// Sessions is what the operator does to sessions, long-term keys and accounts:
// *directory.Directory.
type Sessions interface {
	ListSessions(ctx context.Context, c *identity.Caller, f directory.SessionFilter) ([]directory.Session, error)
	GetSession(ctx context.Context, c *identity.Caller, accessKeyID string) (directory.Session, error)
	RevokeSessions(ctx context.Context, c *identity.Caller, in directory.RevokeSpec) (directory.Revoked, error)
	StaleAccessKeys(ctx context.Context, c *identity.Caller, f directory.KeyFilter) ([]directory.KeyAge, error)
	DisableAccessKey(ctx context.Context, c *identity.Caller, keyID string) error
	DropAccessKey(ctx context.Context, c *identity.Caller, keyID string) error
	SetAccessKeyMaxAge(ctx context.Context, c *identity.Caller, accountID string, days int) error
	SetAccountDisabled(ctx context.Context, c *identity.Caller, accountID string, disabled bool) error
	SetKeysSleep(ctx context.Context, c *identity.Caller, providerARN string, days int) error
}

type (
	maxAgeRequest struct {
		AccountID string `json:"account_id"`
		Days      int    `json:"days"`
	}
	disabledRequest struct {
		AccountID string `json:"account_id"`
		Disabled  bool   `json:"disabled"`
	}
	sleepRequest struct {
		Provider string `json:"provider"`
		Days     int    `json:"days"`
	}
	// revokeRequest may also break off what is under way.
	revokeRequest struct {
		directory.RevokeSpec
		Cut bool `json:"cut,omitempty"`
	}
	done struct{}
)

// Revoked is what ended.
type Revoked struct {
	directory.Revoked
	// Cut is how many requests under way were broken off on the node that
	// answers.
	Cut int `json:"cut,omitempty"`
}

func (h *Handler) handleSessions(s Sessions) {
	h.handle("GET /v1/sessions", func(r *http.Request, c *identity.Caller) (any, error) {
		q := r.URL.Query()
		list, err := s.ListSessions(r.Context(), c, directory.SessionFilter{
			AccountID: q.Get("account"), Principal: q.Get("principal"), Active: q.Get("active") == "true",
		})
		return orEmpty(list), err
	})
	h.handle("GET /v1/sessions/{id}", func(r *http.Request, c *identity.Caller) (any, error) {
		return s.GetSession(r.Context(), c, r.PathValue("id"))
	})
	h.handle("POST /v1/sessions/revoke", func(r *http.Request, c *identity.Caller) (any, error) {
		var in revokeRequest
		if err := decode(r, &in); err != nil {
			return nil, err
		}
		ended, err := s.RevokeSessions(r.Context(), c, in.RevokeSpec)
		out := Revoked{Revoked: ended}
		if err == nil && in.Cut && !in.DryRun {
			out.Cut = h.config.Cut(r.Context())
		}
		return out, err
	})
	h.handle("GET /v1/access-keys", func(r *http.Request, c *identity.Caller) (any, error) {
		q := r.URL.Query()
		f := directory.KeyFilter{AccountID: q.Get("account")}
		for _, p := range []struct {
			name string
			into *time.Duration
		}{{"older_than_seconds", &f.OlderThan}, {"unused_for_seconds", &f.UnusedFor}} {
			if text := q.Get(p.name); text != "" {
				n, err := strconv.ParseInt(text, 10, 32)
				if err != nil || n < 0 {
					return nil, identity.NewError(identity.KindValidation, "admin", p.name+" is not a number of seconds.")
				}
				*p.into = time.Duration(n) * time.Second
			}
		}
		list, err := s.StaleAccessKeys(r.Context(), c, f)
		return orEmpty(list), err
	})
	h.handle("POST /v1/access-keys/{id}/disable", func(r *http.Request, c *identity.Caller) (any, error) {
		return done{}, s.DisableAccessKey(r.Context(), c, r.PathValue("id"))
	})
	h.handle("DELETE /v1/access-keys/{id}", func(r *http.Request, c *identity.Caller) (any, error) {
		return done{}, s.DropAccessKey(r.Context(), c, r.PathValue("id"))
	})
	h.handle("POST /v1/access-keys/max-age", func(r *http.Request, c *identity.Caller) (any, error) {
		var in maxAgeRequest
		if err := decode(r, &in); err != nil {
			return nil, err
		}
		return done{}, s.SetAccessKeyMaxAge(r.Context(), c, in.AccountID, in.Days)
	})
	h.handle("POST /v1/access-keys/sleep", func(r *http.Request, c *identity.Caller) (any, error) {
		var in sleepRequest
		if err := decode(r, &in); err != nil {
			return nil, err
		}
		return done{}, s.SetKeysSleep(r.Context(), c, in.Provider, in.Days)
	})
	h.handle("POST /v1/accounts/disabled", func(r *http.Request, c *identity.Caller) (any, error) {
		var in disabledRequest
		if err := decode(r, &in); err != nil {
			return nil, err
		}
		return done{}, s.SetAccountDisabled(r.Context(), c, in.AccountID, in.Disabled)
	})
}

// orEmpty makes an empty list "[]" in place of "null".
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// Sessions lists issued sessions.
func (c *Client) Sessions(ctx context.Context, f directory.SessionFilter) ([]directory.Session, error) {
	q := url.Values{}
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	set("account", f.AccountID)
	set("principal", f.Principal)
	if f.Active {
		q.Set("active", "true")
	}
	var out []directory.Session
	err := c.call(ctx, http.MethodGet, "/v1/sessions?"+q.Encode(), nil, &out)
	return out, err
}

// Session shows one session by its access key ID.
func (c *Client) Session(ctx context.Context, id string) (directory.Session, error) {
	var out directory.Session
	err := c.call(ctx, http.MethodGet, "/v1/sessions/"+url.PathEscape(id), nil, &out)
	return out, err
}

// Revoke ends sessions, or with DryRun says which; cut also breaks off their
// requests under way.
func (c *Client) Revoke(ctx context.Context, in directory.RevokeSpec, cut bool) (Revoked, error) {
	var out Revoked
	err := c.call(ctx, http.MethodPost, "/v1/sessions/revoke", revokeRequest{in, cut}, &out)
	return out, err
}

// AccessKeys lists long-term keys, the oldest first.
func (c *Client) AccessKeys(ctx context.Context, f directory.KeyFilter) ([]directory.KeyAge, error) {
	q := url.Values{}
	if f.AccountID != "" {
		q.Set("account", f.AccountID)
	}
	q.Set("older_than_seconds", strconv.FormatInt(int64(f.OlderThan/time.Second), 10))
	q.Set("unused_for_seconds", strconv.FormatInt(int64(f.UnusedFor/time.Second), 10))
	var out []directory.KeyAge
	err := c.call(ctx, http.MethodGet, "/v1/access-keys?"+q.Encode(), nil, &out)
	return out, err
}

// DisableAccessKey deactivates a long-term key.
func (c *Client) DisableAccessKey(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodPost, "/v1/access-keys/"+url.PathEscape(id)+"/disable", nil, &done{})
}

// DeleteAccessKey deletes a long-term key.
func (c *Client) DeleteAccessKey(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodDelete, "/v1/access-keys/"+url.PathEscape(id), nil, &done{})
}

// SetAccessKeyMaxAge sets how many days new long-term keys of an account live.
func (c *Client) SetAccessKeyMaxAge(ctx context.Context, accountID string, days int) error {
	return c.call(ctx, http.MethodPost, "/v1/access-keys/max-age", maxAgeRequest{accountID, days}, &done{})
}

// SetKeysSleep sets after how many days without a log-in the keys made through
// a provider sleep.
func (c *Client) SetKeysSleep(ctx context.Context, provider string, days int) error {
	return c.call(ctx, http.MethodPost, "/v1/access-keys/sleep", sleepRequest{provider, days}, &done{})
}

// SetAccountDisabled switches an account off, or on again.
func (c *Client) SetAccountDisabled(ctx context.Context, accountID string, disabled bool) error {
	return c.call(ctx, http.MethodPost, "/v1/accounts/disabled", disabledRequest{accountID, disabled}, &done{})
}
