package identity

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"time"
)

// Position is a place in the change feed: the feed's incarnation and a number
// assigned in commit order. Positions of different incarnations do not
// compare: a restored installation begins a new feed.
type Position struct {
	Incarnation string `json:"i"`
	N           uint64 `json:"n"`
}

// LineageKind says what a lineage entry, or the target of a revocation, is.
type LineageKind string

// What a credential can descend from (SECURITY §3), and what else a revocation
// can name. The values are stored and sealed into tokens: never reuse one.
const (
	LineagePrincipal     LineageKind = "p" // unique ID of a root user, user or service ID
	LineageProof         LineageKind = "k" // long-term access key ID, API key ID, …
	LineageLogin         LineageKind = "s" // log-in session (sid)
	LineageWebIdentity   LineageKind = "w" // issuer and subject, see WebIdentityID
	LineagePoolIdentity  LineageKind = "i" // identity-pool identity
	LineageRefreshFamily LineageKind = "f"
	LineageAccessKey     LineageKind = "a" // one issued session, by its ASIA access key ID
	LineageRole          LineageKind = "r" // unique ID of a role
	LineageProvider      LineageKind = "o" // OIDC provider ARN
	LineageAccount       LineageKind = "t" // account ID
)

// MaxLineage is the most entries a credential may carry; a derivation that
// needs more is refused.
const MaxLineage = 8

// Ancestor is one entry of a lineage.
type Ancestor struct {
	Kind LineageKind `json:"k"`
	ID   string      `json:"d"`
	// IssuedMS is when the ancestor was issued, Unix milliseconds; only
	// revocations with a caller-given time compare it.
	IssuedMS int64 `json:"t"`
}

// Lineage is everything that a credential descends from, oldest first.
type Lineage []Ancestor

// Extend returns a new lineage with a added; an entry of the same kind and ID
// is not repeated. It fails with KindLimitExceeded beyond MaxLineage.
func (l Lineage) Extend(add ...Ancestor) (Lineage, error) {
	out := make(Lineage, len(l), len(l)+len(add))
	copy(out, l)
next:
	for _, a := range add {
		for _, have := range out {
			if have.Kind == a.Kind && have.ID == a.ID {
				continue next
			}
		}
		out = append(out, a)
	}
	if len(out) > MaxLineage {
		return nil, &Error{Kind: KindLimitExceeded, Op: "lineage", Public: "The credential descends from too many others."}
	}
	return out, nil
}

// Get returns the ID of the first entry of a kind, or "".
func (l Lineage) Get(kind LineageKind) string {
	for _, a := range l {
		if a.Kind == kind {
			return a.ID
		}
	}
	return ""
}

// Last returns the ID of the last entry of a kind, or "": of the log-in sessions
// that a token descends from, its own.
func (l Lineage) Last(kind LineageKind) string {
	for _, a := range slices.Backward(l) {
		if a.Kind == kind {
			return a.ID
		}
	}
	return ""
}

// Descend returns the lineage of what the caller obtains in an account: the
// caller's own, and behind it the session it acts by, with the role and the
// provider of that session, and its account where the new one is another, so
// that whatever ends the caller ends its descendants. KindLimitExceeded beyond
// MaxLineage: two or three changes of role, one after the other.
func (c *Caller) Descend(account string) (Lineage, error) {
	return c.Lineage.Extend(c.ancestors(account)...)
}

// MadeBy is the whole of Descend without its bound, for records that no token
// has to carry; nil for callers without a session.
func (c *Caller) MadeBy() Lineage {
	if !c.Session() {
		return nil
	}
	return append(append(Lineage{}, c.Lineage...), c.ancestors(c.AccountID)...)
}

func (c *Caller) ancestors(account string) []Ancestor {
	var out []Ancestor
	ms := c.IssuedAt.UnixMilli()
	if c.Temporary {
		out = append(out, Ancestor{LineageAccessKey, c.AccessKeyID, ms})
		if c.Kind == RoleSession {
			out = append(out, Ancestor{LineageRole, c.PrincipalID, ms})
		}
		if c.ProviderARN != "" {
			out = append(out, Ancestor{LineageProvider, c.ProviderARN, ms})
		}
	} else if !c.Session() {
		ms = 0
	}
	if account != c.AccountID {
		out = append(out, Ancestor{LineageAccount, c.AccountID, ms})
	}
	return out
}

// WebIdentityID is the ID of a LineageWebIdentity entry: a hash, so that
// tokens and the revocation list hold no foreign subject in the clear.
func WebIdentityID(issuer, subject string) string {
	h := sha256.New()
	h.Write([]byte(issuer))
	h.Write([]byte{0})
	h.Write([]byte(subject))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:18])
}

// Revocation ends everything that matches Kind and ID, as lineage entry or as
// the credential's own access key, role, provider or account, and that was
// minted before the revocation's own feed position. With BeforeMS set only
// what was issued before that time (Unix ms) ends.
type Revocation struct {
	Kind LineageKind `json:"kind"`
	ID   string      `json:"id"`
	// AccountID, when set, bounds it to sessions in that account: what an
	// account says of things that it may not own. Only for LineageAccessKey
	// and LineageWebIdentity.
	AccountID string `json:"account_id,omitempty"`
	N         uint64 `json:"n"` // feed number of the revoking transaction
	// Full is the feed number of an earlier revocation without a time, which
	// this one must not weaken.
	Full uint64 `json:"full,omitempty"`
	// AtMS is when it was written (Unix ms), for tokens of foreign issuers,
	// which have no position: what they issued up to then ends.
	AtMS     int64 `json:"at_ms,omitempty"`
	BeforeMS int64 `json:"before_ms,omitempty"`
	// ExpiresAt is when nothing that this entry matches can be alive; zero:
	// nobody knows, tokens of foreign issuers being as old as they like.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	Reason    string    `json:"reason,omitempty"`
}
