package directory

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// RevokeScope says what kind of thing RevokeSessions ends.
type RevokeScope string

// Scopes, each with what RevokeSpec.ID then is.
const (
	ScopeAccessKey    RevokeScope = "access-key"    // a session (ASIA…), or what was obtained with a long-term key (AKIA…)
	ScopeLogin        RevokeScope = "login"         // a log-in session (sid) and its refresh family
	ScopeProof        RevokeScope = "proof"         // the ID of a long-term key, API key, …
	ScopePrincipal    RevokeScope = "principal"     // ARN or unique ID of a user, root user or role
	ScopeRole         RevokeScope = "role"          // ARN or unique ID of a role
	ScopeFamily       RevokeScope = "family"        // a refresh family: the same as its log-in session
	ScopePoolIdentity RevokeScope = "pool-identity" // an identity-pool identity
	ScopeWebIdentity  RevokeScope = "web-identity"  // an issuer; Subject is its subject
	ScopeProvider     RevokeScope = "provider"      // the ARN of an OIDC or SAML provider, or of an identity pool
	ScopeAccount      RevokeScope = "account"       // an account ID
)

// RevokeSpec says what is to end.
type RevokeSpec struct {
	Scope   RevokeScope `json:"scope"`
	ID      string      `json:"id"`
	Subject string      `json:"subject,omitempty"`
	// AccountID bounds a session's access key or a web identity to sessions in
	// one account; for callers of an account it is theirs.
	AccountID string `json:"account_id,omitempty"`
	// IssuedBefore, when set, spares what was issued then or later.
	IssuedBefore time.Time `json:"issued_before,omitzero"`
	// WithKeys also deactivates the long-term keys and API keys that what ends
	// has made, and, for users, root users and accounts, those that they have.
	WithKeys bool   `json:"with_keys,omitempty"`
	Reason   string `json:"reason,omitempty"`
	// DryRun changes nothing.
	DryRun bool `json:"dry_run,omitempty"`
}

// Revoked says what ended, or would end.
type Revoked struct {
	// What names the thing, with the unique ID that was found for it.
	What string `json:"what"`
	// Sessions is how many living sessions the index knows of; only a dry run
	// counts them. More says that there are more.
	Sessions int  `json:"sessions"`
	More     bool `json:"more,omitempty"`
	// Keys are the long-term keys and API keys that were, or would be, deactivated.
	Keys []string `json:"keys,omitempty"`
}

const (
	maxReason = 256
	// maxScoped bounds the revocations of one account that name things which it
	// need not own: they stay in memory.
	maxScoped = 1000
	// maxCounted bounds the sessions that a dry run looks at.
	maxCounted = 50000
)

// scope is a RevokeSpec with its names resolved.
type scope struct {
	kind identity.LineageKind
	id   string
	// account owns it, "" when nobody knows; bounded says that the revocation
	// reaches sessions of that account only.
	account string
	bounded bool
	arn     string // what access is asked about
	root    bool   // reaches a root user
	what    string
	owner   string // unique ID of the user that it is, for its own keys
}

// RevokeSessions ends, in one transaction, all that descends from one thing:
// session keys, JWTs, refresh families. It reaches sessions of which the index
// knows nothing. A stream that has begun may finish.
//
// The operator may end anything. A caller of an account needs
// iam:RevokeSessions on the role, user, provider or root ARN that it names, and
// what it names must be its account's; only root ends what root has. Errors:
// KindNotFound, KindValidation, KindLimitExceeded.
func (d *Directory) RevokeSessions(ctx context.Context, c *identity.Caller, in RevokeSpec) (Revoked, error) {
	var out Revoked
	if err := d.permit(c, "iam:RevokeSessions", d.askedARN(c, in), c.AccountID); err != nil {
		return out, err
	}
	if err := d.checkRevoke(in); err != nil {
		return out, err
	}
	if in.DryRun {
		err := d.db.View(ctx, func(r store.Reader) error {
			sc, err := d.scopeOf(r, c, in)
			if err != nil {
				return err
			}
			out = Revoked{What: sc.what}
			if out.Sessions, out.More, err = d.countSessions(r, sc, in); err != nil {
				return err
			}
			return nil
		})
		if err != nil || !in.WithKeys {
			return out, err
		}
	}
	ev := audit.Change(c, "iam.amazonaws.com", "RevokeSessions", map[string]string{
		"scope": string(in.Scope), "id": in.ID, "accountId": in.AccountID, "reason": in.Reason,
	})
	if in.Scope == ScopeWebIdentity { // no foreign subject in the clear
		ev.RequestParameters["webIdentity"] = identity.WebIdentityID(in.ID, in.Subject)
	}
	if !in.IssuedBefore.IsZero() {
		ev.RequestParameters["issuedBefore"] = in.IssuedBefore.UTC().Format(time.RFC3339Nano)
	}
	if in.WithKeys {
		ev.RequestParameters["withKeys"] = true
	}
	err := d.change(ctx, c, ev, func(tx store.Tx) error {
		sc, err := d.scopeOf(tx, c, in)
		if err != nil {
			return err
		}
		out.What, out.Keys = sc.what, nil
		if err := d.revokeScope(tx, c, sc, in, &out); err != nil {
			return err
		}
		if in.DryRun {
			return errDryRun
		}
		return nil
	})
	if errors.Is(err, errDryRun) {
		err = nil
	}
	slices.Sort(out.Keys)
	return out, err
}

func (d *Directory) checkRevoke(in RevokeSpec) error {
	if in.ID == "" || len(in.ID) > 2048 || len(in.Subject) > 2048 {
		return invalid("Name what is to be revoked.")
	}
	if (in.Scope == ScopeWebIdentity) != (in.Subject != "") {
		return invalid("A web identity is named by issuer and subject.")
	}
	if len(in.Reason) > maxReason {
		return invalid("The reason is longer than %d bytes.", maxReason)
	}
	if in.IssuedBefore.After(d.clock.Now()) {
		return invalid("The time before which sessions end lies ahead: %s.", in.IssuedBefore.UTC().Format(time.RFC3339))
	}
	return nil
}

// askedARN is what a refusal names, before anything is looked up.
func (d *Directory) askedARN(c *identity.Caller, in RevokeSpec) string {
	if strings.HasPrefix(in.ID, "arn:") && in.Scope != ScopeWebIdentity {
		return in.ID
	}
	return identity.ARN{Partition: c.Partition, Service: "iam", Account: c.AccountID, Resource: "*"}.String()
}

func (d *Directory) revokeScope(tx store.Tx, c *identity.Caller, sc *scope, in RevokeSpec, out *Revoked) error {
	rev := identity.Revocation{Kind: sc.kind, ID: sc.id, Reason: in.Reason}
	if !in.IssuedBefore.IsZero() {
		// Whole milliseconds, rounded up: what was issued in the last one ends too.
		rev.BeforeMS = in.IssuedBefore.Add(time.Millisecond - 1).UnixMilli()
	}
	if sc.bounded {
		rev.AccountID = sc.account
		if err := d.roomForScoped(tx, c, sc.account); err != nil {
			return err
		}
	}
	if err := d.access.Revoke(tx, rev); err != nil {
		return err
	}
	if sc.kind == identity.LineageLogin && in.IssuedBefore.IsZero() {
		if err := endFamily(tx, sc.id); err != nil {
			return err
		}
	}
	if !in.WithKeys {
		return nil
	}
	var err error
	if out.Keys, err = d.switchOffKeys(tx, d.keysOfScope(tx, c, sc, in), "revoked: "+in.Reason); err != nil {
		return err
	}
	more, err := d.switchOffAPIKeys(tx, c, sc, in)
	out.Keys = append(out.Keys, more...)
	return err
}

func (d *Directory) roomForScoped(tx store.Tx, c *identity.Caller, account string) error {
	if c.Kind == identity.Operator {
		return nil
	}
	have, err := store.Revocations.List(tx, "account", store.Join(account, ""), store.After{}, maxScoped)
	if err == nil && len(have) >= maxScoped {
		err = &identity.Error{Kind: identity.KindLimitExceeded, Op: "directory.revoke", Public: "Too many revocations of this account are in force; revoke the role or the provider instead."}
	}
	return err
}

func endFamily(tx store.Tx, sid string) error {
	f, err := store.RefreshFamilies.Get(tx, sid)
	if identity.KindOf(err) == identity.KindNotFound || err == nil && f.Ended {
		return nil
	}
	if err != nil {
		return err
	}
	v := *f
	v.Ended = true
	return store.RefreshFamilies.Put(tx, &v)
}

// keysOfScope finds the long-term keys that go with a scope.
func (d *Directory) keysOfScope(r store.Reader, c *identity.Caller, sc *scope, in RevokeSpec) keyFinder {
	return func() ([]*identity.AccessKey, error) {
		var all []*identity.AccessKey
		finders := []keyFinder{madeBy(r, sc.kind, sc.id)}
		if sc.owner != "" {
			finders = append(finders, ownedBy(r, sc.owner))
		}
		if sc.kind == identity.LineageAccount {
			users, err := store.Users.List(r, "path", store.Join(sc.id, ""), store.After{}, 0)
			if err != nil {
				return nil, err
			}
			for _, u := range users {
				finders = append(finders, ownedBy(r, u.ID))
			}
		}
		seen := map[string]bool{}
		for _, find := range finders {
			list, err := find()
			if err != nil {
				return nil, err
			}
			for _, k := range list {
				foreign := (sc.bounded || c.Kind != identity.Operator) && k.AccountID != sc.account
				late := !in.IssuedBefore.IsZero() && !k.CreatedAt.Before(in.IssuedBefore)
				if !seen[k.ID] && !foreign && !late {
					all = append(all, k)
				}
				seen[k.ID] = true
			}
		}
		return all, nil
	}
}

// countSessions counts the living sessions that a scope would end.
func (d *Directory) countSessions(r store.Reader, sc *scope, in RevokeSpec) (n int, more bool, err error) {
	now, looked := d.clock.Now(), 0
	from := store.After{Value: now.UTC().Format(time.RFC3339)}
	err = d.eachSession(r, "expires", "", from, func(s *store.SessionRecord) bool {
		if looked++; looked > maxCounted {
			more = true
			return false
		}
		if now.Before(s.ExpiresAt) && sc.matches(s, in.IssuedBefore) && !d.access.SessionEnded(r, s) {
			n++
		}
		return true
	})
	return n, more, err
}

func (sc *scope) matches(s *store.SessionRecord, before time.Time) bool {
	if sc.bounded && s.AccountID != sc.account {
		return false
	}
	hit := func(kind identity.LineageKind, id string, at time.Time) bool {
		return kind == sc.kind && id == sc.id && (before.IsZero() || at.Before(before))
	}
	if hit(identity.LineageAccessKey, s.AccessKeyID, s.IssuedAt) || hit(identity.LineageAccount, s.AccountID, s.IssuedAt) ||
		hit(identity.LineageProvider, s.Provider, s.IssuedAt) || s.Kind == identity.RoleSession && hit(identity.LineageRole, s.PrincipalID, s.IssuedAt) {
		return true
	}
	for _, a := range s.Lineage {
		at := s.IssuedAt
		if a.IssuedMS != 0 {
			at = time.UnixMilli(a.IssuedMS)
		}
		if hit(a.Kind, a.ID, at) {
			return true
		}
	}
	return false
}
