package directory

import (
	"context"
	"net/http"
	"slices"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

const apiSource = "execute-api.amazonaws.com"

// maxTokenPage is the most API tokens of one page.
const maxTokenPage = identity.APITokensPerAccount

// APITokenFilter chooses tokens: deleted ones, or those that are not; with
// AccessKeys those among them that have one of these.
type APITokenFilter struct {
	Deleted    bool
	AccessKeys []string
}

// APITokens lists the API tokens of the caller's account by access key (Stax
// API: GET /api-tokens). host is that of the request.
func (d *Directory) APITokens(ctx context.Context, c *identity.Caller, host string, f APITokenFilter, p Page) (Listing[identity.User], error) {
	var out Listing[identity.User]
	if err := d.access.Invoke(c, access.Invocation{Host: host, Method: http.MethodGet, Path: "api-tokens"}, false); err != nil {
		return out, err
	}
	if p.MaxItems > maxTokenPage || len(f.AccessKeys) > maxTokenPage {
		return out, invalid("At most %d tokens can be asked for at once", maxTokenPage)
	}
	listing := "api-tokens"
	if f.Deleted {
		listing += " deleted"
	}
	err := d.db.View(ctx, func(r store.Reader) (err error) {
		if len(f.AccessKeys) > 0 {
			out.Items, err = tokensNamed(r, c.AccountID, f)
			return err
		}
		prefix := store.Join(c.AccountID, "")
		out, err = pages(d, c, listing, p, tableSpan(r, store.Users, "token", prefix, func(u *identity.User) (row[identity.User], error) {
			return row[identity.User]{
				at: store.After{Value: store.Join(u.AccountID, u.Name), Key: u.ID}, item: *u, skip: u.Token.Deleted != f.Deleted,
			}, nil
		}))
		return err
	})
	return out, err
}

// OffersAPITokens is nil when the caller may list the API tokens of its account
// and there is an API for them, for pages that offer it; no refusal is recorded.
func (d *Directory) OffersAPITokens(c *identity.Caller, host string) error {
	if err := d.access.Invoke(c, access.Invocation{Host: host, Method: http.MethodGet, Path: "api-tokens"}, true); err != nil {
		return err
	}
	_, err := access.APIAt(d.db.Snapshot(), host, c.AccountID)
	return err
}

// tokensNamed are the tokens with these access keys, each once.
func tokensNamed(r store.Reader, account string, f APITokenFilter) ([]identity.User, error) {
	var out []identity.User
	names := slices.Clone(f.AccessKeys)
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		u, err := apiToken(r, account, name)
		if identity.KindOf(err) == identity.KindNotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		if u.Token.Deleted == f.Deleted {
			out = append(out, *u)
		}
	}
	return out, nil
}

// apiToken finds an account's API token, a deleted one too.
func apiToken(r store.Reader, account, accessKey string) (*identity.User, error) {
	if identity.IsAPIAccessKey(accessKey) {
		value := store.Join(account, accessKey)
		list, err := store.Users.List(r, "token", value, store.After{}, 1)
		if err != nil {
			return nil, err
		}
		if len(list) == 1 && list[0].Name == accessKey {
			return list[0], nil
		}
	}
	return nil, &identity.Error{Kind: identity.KindNotFound, Op: "directory.apitoken", Public: "There is no API token with this access key."}
}

// tokenRoute is the route of one API token.
func tokenRoute(host, method, accessKey string) access.Invocation {
	return access.Invocation{Host: host, Method: method, Path: "api-tokens/" + accessKey}
}

// APIToken returns one API token of the caller's account, a deleted one too
// (Stax API: GET /api-tokens/{AccessKey}). KindNotFound.
func (d *Directory) APIToken(ctx context.Context, c *identity.Caller, host, accessKey string) (identity.User, error) {
	if err := d.access.Invoke(c, tokenRoute(host, http.MethodGet, accessKey), false); err != nil {
		return identity.User{}, err
	}
	var out identity.User
	err := d.db.View(ctx, func(r store.Reader) error {
		u, err := apiToken(r, c.AccountID, accessKey)
		if err == nil {
			out = *u
		}
		return err
	})
	return out, err
}

// APITokenChange is what UpdateAPIToken changes; nil leaves things alone.
type APITokenChange struct {
	Description, Role *string
	Tags              map[string]string
}

// UpdateAPIToken changes an API token of the caller's account (Stax API: PUT
// /api-tokens/{AccessKey}). Naming a role needs iam:PassRole on it besides;
// with another one, what the token yielded ends. KindNotFound, KindValidation.
func (d *Directory) UpdateAPIToken(ctx context.Context, c *identity.Caller, host, accessKey string, in APITokenChange) (identity.User, error) {
	var out identity.User
	if err := d.access.Invoke(c, tokenRoute(host, http.MethodPut, accessKey), false); err != nil {
		return out, err
	}
	if in.Role != nil {
		if err := d.access.PassAPIRole(d.db.Current(ctx), c, *in.Role, false); err != nil {
			return out, err
		}
	}
	parameters := map[string]string{"accessKey": clip(accessKey)}
	if in.Role != nil {
		parameters["role"] = *in.Role
	}
	ev := audit.Change(c, apiSource, "UpdateApiToken", parameters)
	err := d.change(ctx, c, ev, func(tx store.Tx) error {
		u, err := livingToken(tx, c.AccountID, accessKey)
		if err != nil {
			return err
		}
		v, t := *u, *u.Token
		v.Token = &t
		if in.Description != nil {
			t.Description = *in.Description
		}
		if in.Role != nil {
			t.Role = *in.Role
		}
		if in.Tags != nil {
			t.Tags = in.Tags
		}
		if err := t.Check(); err != nil {
			return err
		}
		t.ModifiedAt = d.clock.Now().UTC()
		v.ModifiedAt, out = t.ModifiedAt, v
		if err := store.Users.Put(tx, &v); err != nil {
			return err
		}
		return d.tokenChanged(tx, u, &v)
	})
	return out, err
}

// livingToken is an API token that is not deleted.
func livingToken(r store.Reader, account, accessKey string) (*identity.User, error) {
	u, err := apiToken(r, account, accessKey)
	if err == nil && u.Token.Deleted {
		return apiToken(r, account, "")
	}
	return u, err
}

// DeleteAPIToken deletes an API token of the caller's account and ends all that
// it yielded (Stax API: DELETE /api-tokens/{AccessKey}). What is left says that
// it was there. KindNotFound.
func (d *Directory) DeleteAPIToken(ctx context.Context, c *identity.Caller, host, accessKey string) (identity.User, error) {
	var out identity.User
	if err := d.access.Invoke(c, tokenRoute(host, http.MethodDelete, accessKey), false); err != nil {
		return out, err
	}
	ev := audit.Change(c, apiSource, "DeleteApiToken", map[string]string{"accessKey": clip(accessKey)})
	err := d.change(ctx, c, ev, func(tx store.Tx) error {
		u, err := livingToken(tx, c.AccountID, accessKey)
		if err != nil {
			return err
		}
		v, t := *u, *u.Token
		v.Token, v.Disabled = &t, true
		t.Deleted, t.ModifiedAt = true, d.clock.Now().UTC()
		v.ModifiedAt, out = t.ModifiedAt, v
		if err := store.Users.Put(tx, &v); err != nil {
			return err
		}
		if err := orAbsent(store.Passwords.Delete(tx, u.ID)); err != nil {
			return err
		}
		return d.tokenChanged(tx, u, &v)
	})
	return out, err
}

// APIUser is who calls the API: the user whose log-in or key is behind the
// call, and the role that the call has.
type APIUser struct {
	identity.User
	Role string // "" without one
}

// APIUser says who calls (Stax API: GET /users/me). KindNotFound for sessions
// that no user of this installation is behind, such as those of a foreign
// provider.
func (d *Directory) APIUser(ctx context.Context, c *identity.Caller, host string) (APIUser, error) {
	var out APIUser
	if err := d.access.Invoke(c, access.Invocation{Host: host, Method: http.MethodGet, Path: "users/me"}, false); err != nil {
		return out, err
	}
	u, err := store.Lookup(ctx, d.db, store.Users, c.Lineage.Get(identity.LineagePrincipal))
	if err != nil {
		return out, ifAbsent(err, &identity.Error{
			Kind: identity.KindNotFound, Op: "directory.apiuser",
			Public: "The session is of nobody who is a user here: " + c.ARN,
		})
	}
	out.User = *u
	switch {
	case c.Kind == identity.RoleSession:
		out.Role = c.Name
	case u.Token != nil:
		out.Role = u.Token.Role
	}
	return out, nil
}
