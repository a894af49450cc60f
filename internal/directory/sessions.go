package directory

import (
	"context"
	"time"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// SessionState is how a session of the index stands now.
type SessionState string

// States of sessions.
const (
	SessionActive  SessionState = "active"
	SessionExpired SessionState = "expired"
	SessionRevoked SessionState = "revoked"
	// SessionGone: its role, user or account does not exist any more, or is
	// disabled.
	SessionGone SessionState = "gone"
)

// Session is one issued session, for people.
type Session struct {
	AccessKeyID string                 `json:"access_key_id"`
	State       SessionState           `json:"state"`
	AccountID   string                 `json:"account_id"`
	Kind        identity.PrincipalKind `json:"kind"`
	PrincipalID string                 `json:"principal_id"`
	ARN         string                 `json:"arn"`
	Proof       string                 `json:"proof"`
	Provider    string                 `json:"provider,omitempty"`
	// Subject is a user's name in a realm of ours, a keyed hash where it is
	// foreign.
	Subject   string `json:"subject,omitempty"`
	SourceIP  string `json:"source_ip,omitempty"`
	UserAgent string `json:"user_agent,omitempty"`
	// Login is the log-in session in a realm of ours, Parent the session that
	// it was obtained by.
	Login     string    `json:"login,omitempty"`
	Parent    string    `json:"parent,omitempty"`
	IssuedAt  time.Time `json:"issued_at"`
	ExpiresAt time.Time `json:"expires_at"`
	LastSeen  time.Time `json:"last_seen,omitzero"`
	// Keys are the long-term keys that it, or a descendant, made; only
	// GetSession looks for them.
	Keys []string `json:"keys,omitempty"`
}

// SessionFilter chooses sessions; all that is set must fit.
type SessionFilter struct {
	// AccountID is the caller's own where the caller is no operator.
	AccountID string
	// Principal is the ARN or unique ID of a user, root user or role, or the
	// ARN of an assumed role with its session name.
	Principal string
	// Active leaves out what has ended.
	Active bool
}

// maxSessions bounds one listing.
const maxSessions = 10000

// ListSessions lists issued sessions from the index, the newest last, up to a
// bound: sessions outlive their time in it by a day. Which sessions there are,
// no decision asks. Accounts see their own (iam:ListSessions).
func (d *Directory) ListSessions(ctx context.Context, c *identity.Caller, f SessionFilter) ([]Session, error) {
	if c.Kind != identity.Operator {
		f.AccountID = c.AccountID
	}
	if err := d.permit(c, "iam:ListSessions", "*", f.AccountID); err != nil {
		return nil, err
	}
	var out []Session
	err := d.db.View(ctx, func(r store.Reader) error {
		out = nil
		index, prefix, arn, err := d.sessionIndex(r, f)
		if err != nil {
			return err
		}
		var from store.After
		if f.Active && index == "expires" {
			from.Value = d.clock.Now().UTC().Format(time.RFC3339)
		}
		return d.eachSession(r, index, prefix, from, func(s *store.SessionRecord) bool {
			if f.AccountID != "" && s.AccountID != f.AccountID || arn != "" && s.ARN != arn {
				return true
			}
			shown := d.shownSession(r, s)
			if !f.Active || shown.State == SessionActive {
				out = append(out, shown)
			}
			return len(out) < maxSessions
		})
	})
	return out, err
}

// sessionIndex is where to look for what a filter chooses, and, for an assumed
// role, the ARN that must fit.
func (d *Directory) sessionIndex(r store.Reader, f SessionFilter) (index, prefix, arn string, err error) {
	if f.Principal == "" {
		if f.AccountID != "" {
			return "account", store.Join(f.AccountID, ""), "", nil
		}
		return "expires", "", "", nil
	}
	id, session, err := d.principalOf(r, f.Principal)
	if err != nil {
		return "", "", "", err
	}
	if f.AccountID != "" && id.account != f.AccountID {
		return "", "", "", noTarget(RevokeSpec{Scope: ScopePrincipal, ID: f.Principal})
	}
	if session != "" {
		arn = f.Principal
	}
	return "principal", store.Join(id.id, ""), arn, nil
}

// eachSession walks an index of sessions in pages, until fn says false.
func (d *Directory) eachSession(r store.Reader, index, prefix string, after store.After, fn func(*store.SessionRecord) bool) error {
	const page = 500
	for {
		list, err := store.SessionRecords.List(r, index, prefix, after, page)
		if err != nil {
			return err
		}
		for _, s := range list {
			if !fn(s) {
				return nil
			}
		}
		if len(list) < page {
			return nil
		}
		last := list[len(list)-1]
		after = store.After{Value: store.SessionIndexValue(last, index), Key: last.AccessKeyID}
	}
}

// GetSession shows one session by its access key ID (iam:ListSessions).
// KindNotFound when the index does not know it, or it is another account's.
func (d *Directory) GetSession(ctx context.Context, c *identity.Caller, accessKeyID string) (Session, error) {
	account := c.AccountID
	if err := d.permit(c, "iam:ListSessions", "*", account); err != nil {
		return Session{}, err
	}
	var out Session
	err := d.db.View(ctx, func(r store.Reader) error {
		s, err := store.SessionRecords.Get(r, accessKeyID)
		if identity.KindOf(err) == identity.KindNotFound || err == nil && c.Kind != identity.Operator && s.AccountID != account {
			return noSession(accessKeyID)
		}
		if err != nil {
			return err
		}
		out = d.shownSession(r, s)
		keys, err := madeBy(r, identity.LineageAccessKey, accessKeyID)()
		for _, k := range keys {
			out.Keys = append(out.Keys, k.ID)
		}
		return err
	})
	return out, err
}

func noSession(id string) error {
	return &identity.Error{Kind: identity.KindNotFound, Op: "directory.session", Public: "The index knows no session " + id + "."}
}

func (d *Directory) shownSession(r store.Reader, s *store.SessionRecord) Session {
	out := Session{
		AccessKeyID: s.AccessKeyID, State: d.sessionState(r, s), AccountID: s.AccountID, Kind: s.Kind, PrincipalID: s.PrincipalID,
		ARN: s.ARN, Proof: s.Proof, Provider: s.Provider, Subject: s.Subject, SourceIP: s.SourceIP, UserAgent: s.UserAgent,
		Login: s.Lineage.Get(identity.LineageLogin), IssuedAt: s.IssuedAt, ExpiresAt: s.ExpiresAt, LastSeen: s.LastSeen,
	}
	for _, a := range s.Lineage { // the last one is the nearest
		if a.Kind == identity.LineageAccessKey {
			out.Parent = a.ID
		}
	}
	return out
}

func (d *Directory) sessionState(r store.Reader, s *store.SessionRecord) SessionState {
	if d.access.SessionEnded(r, s) {
		return SessionRevoked
	}
	if !d.clock.Now().Before(s.ExpiresAt) {
		return SessionExpired
	}
	acc, err := store.Accounts.Get(r, s.AccountID)
	if err != nil || acc.Disabled {
		return SessionGone
	}
	if s.Kind == identity.RoleSession {
		_, err = store.Roles.Get(r, s.PrincipalID)
	} else if u, uerr := store.Users.Get(r, s.PrincipalID); uerr != nil || u.Disabled {
		return SessionGone
	}
	if err != nil {
		return SessionGone
	}
	return SessionActive
}
