package directory

import (
	"context"
	"slices"
	"time"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// Login is a log-in session of a user: at the console, or one that a client of
// a realm or user pool holds a refresh token of.
type Login struct {
	ID string // "sid"
	// Dialect is console, oidc or cognito; Realm and ClientID say where.
	Dialect, Realm, ClientID string
	SourceIP, UserAgent      string // "" where they are not known
	At, ExpiresAt            time.Time
	// This is set for the log-in that asks.
	This bool
}

// OwnSessions is what a person holds: log-ins and session keys that work, the
// newest first, and no more of each than so many.
type OwnSessions struct {
	Logins []Login
	Keys   []Session
	// More says that there are more keys.
	More bool
}

// maxOwn bounds the sessions that are shown to a person.
const maxOwn = 200

// OwnSessions lists what the caller, a user, logged in to and what was issued by
// it. It needs iam:ListSessions on the user, or a person who logged in.
func (d *Directory) OwnSessions(ctx context.Context, c *identity.Caller) (OwnSessions, error) {
	var out OwnSessions
	if err := d.permitOwn(c, "iam:ListSessions"); err != nil {
		return out, err
	}
	sid := c.Lineage.Get(identity.LineageLogin)
	err := d.db.View(ctx, func(r store.Reader) error {
		out = OwnSessions{}
		families, err := store.RefreshFamilies.List(r, "user", c.PrincipalID, store.After{}, 0)
		if err != nil {
			return err
		}
		for _, f := range families {
			if f.UserID == c.PrincipalID && d.familyLives(r, c.AccountID, f) {
				out.Logins = append(out.Logins, Login{f.ID, f.Dialect, f.Issuer, f.ClientID, f.SourceIP, f.UserAgent, f.LoginAt, f.ExpiresAt, f.ID == sid})
			}
		}
		slices.SortFunc(out.Logins, func(a, b Login) int { return b.At.Compare(a.At) })
		out.Logins = out.Logins[:min(len(out.Logins), maxOwn)]
		looked := 0
		err = d.eachSession(r, "owner", store.Join(c.PrincipalID, ""), store.After{}, func(s *store.SessionRecord) bool {
			if shown := d.shownSession(r, s); shown.State == SessionActive {
				out.Keys = append(out.Keys, shown)
			}
			looked++
			return looked < maxSessions
		})
		slices.Reverse(out.Keys)
		out.More = len(out.Keys) > maxOwn
		out.Keys = out.Keys[:min(len(out.Keys), maxOwn)]
		return err
	})
	return out, err
}

func (d *Directory) familyLives(r store.Reader, account string, f *store.RefreshFamily) bool {
	return !f.Ended && d.clock.Now().Before(f.ExpiresAt) && d.access.LineageLive(r, account, f.Lineage, f.Position, f.LoginAt) == nil
}

// permitOwn asks for an action on the caller itself, which must be a user.
func (d *Directory) permitOwn(c *identity.Caller, action string) error {
	if err := d.access.AuthorizeOwn(c, action, access.Resource{ARN: c.OwnerARN, AccountID: c.AccountID}).Err; err != nil {
		return err
	}
	if c.Kind != identity.IAMUser && c.Kind != identity.RootUser {
		return invalid("Only users have sessions of their own.")
	}
	return nil
}

// EndOwnSession ends a log-in of the caller, or one set of session keys that it
// obtained (by access key ID), with all that descends from it. It needs
// iam:RevokeSessions on the user, or a person who logged in. KindNotFound for
// what is not the caller's.
func (d *Directory) EndOwnSession(ctx context.Context, c *identity.Caller, id string) error {
	if err := d.permitOwn(c, "iam:RevokeSessions"); err != nil {
		return err
	}
	ev := audit.Change(c, iamSource, "RevokeSessions", map[string]string{"scope": "own", "id": clip(id)})
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		f, err := store.RefreshFamilies.Get(tx, id)
		if err == nil && f.UserID == c.PrincipalID {
			if err := d.access.Revoke(tx, identity.Revocation{Kind: identity.LineageLogin, ID: id, Reason: "ended by its user"}); err != nil {
				return err
			}
			return endFamily(tx, id)
		}
		if orAbsent(err) != nil {
			return err
		}
		s, err := store.SessionRecords.Get(tx, id)
		if err == nil && s.Lineage.Get(identity.LineagePrincipal) == c.PrincipalID {
			return d.access.Revoke(tx, identity.Revocation{Kind: identity.LineageAccessKey, ID: id, Reason: "ended by its user"})
		}
		if orAbsent(err) != nil {
			return err
		}
		return noSession(clip(id))
	})
}
