package issue

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"time"

	"daypass/internal/authn"
	"daypass/internal/identity"
	"daypass/internal/keyring"
	"daypass/internal/store"
)

// Challenges of Cognito that are served.
const (
	challengeSRP         = "PASSWORD_VERIFIER"
	challengeTOTP        = "SOFTWARE_TOKEN_MFA"
	challengeSetUp       = "MFA_SETUP"
	challengeNewPassword = "NEW_PASSWORD_REQUIRED"
)

// srpLife is how long a client has to answer an SRP challenge.
const srpLife = 3 * time.Minute

// poolState is what a log-in has come to, between two calls. It travels sealed
// to the client, and is good once: Proofs are used up in the transaction that
// yields tokens.
type poolState struct {
	Kind     string   `json:"kind"`
	Proofs   []string `json:"proofs"` // its own ID last
	Client   string   `json:"client"`
	Realm    string   `json:"realm"`
	Name     string   `json:"name"`    // as the client sent it
	Subject  string   `json:"subject"` // of the user, or what stands for it
	IssuedMS int64    `json:"at"`
	// What follows is there once the password was proved.
	UserID   string            `json:"user,omitempty"`
	ProvedMS int64             `json:"proved,omitempty"`
	Position identity.Position `json:"pos,omitzero"`
	Since    time.Time         `json:"since,omitzero"`
	MFAMS    int64             `json:"mfa,omitempty"`
	Code     *authn.TOTPCode   `json:"code,omitempty"`

	SRP *authn.SRPState `json:"srp,omitempty"`
}

var (
	errPoolSession = identity.NewError(identity.KindInvalidCredentials, "issue.pool", "Invalid session for the user.")
	errPoolExpired = identity.NewError(identity.KindInvalidCredentials, "issue.pool", "Invalid session for the user, session is expired.")
)

// sealPool makes the text of a state, for one client: base64 of what only we can
// open.
func (i *Issuer) sealPool(client string, s poolState, enc *base64.Encoding) (string, error) {
	id, err := identity.NewUUID(i.random)
	if err != nil {
		return "", err
	}
	s.Client = client
	s.Proofs, s.IssuedMS = append(slices.Clone(s.Proofs), id), i.clock.Now().UnixMilli()
	b, err := json.Marshal(s)
	if err != nil {
		return "", &identity.Error{Kind: identity.KindInternal, Op: "issue.pool", Err: err}
	}
	sealed, err := i.keys.Box(keyring.BoxChallenge).Seal(b, poolAAD)
	return enc.EncodeToString(sealed), err
}

var poolAAD = []byte("cognito")

// openPool opens a state of a kind that was made for a client; what no longer
// holds, or was used, is refused.
func (i *Issuer) openPool(ctx context.Context, client *identity.PoolClient, kind, text string, enc *base64.Encoding) (*poolState, []byte, error) {
	s, sealed, err := i.readPool(text, enc)
	if err != nil {
		return nil, nil, err
	}
	if s.Kind != kind || s.Client != client.ID || s.Realm != client.Realm || len(s.Proofs) == 0 {
		return nil, nil, errPoolSession
	}
	life := srpLife
	if kind != challengeSRP {
		life = poolSession(client)
	}
	if i.clock.Now().Sub(time.UnixMilli(s.IssuedMS)) >= life {
		return nil, nil, errPoolExpired
	}
	return s, sealed, i.db.View(ctx, func(r store.Reader) error {
		for _, id := range s.Proofs {
			_, err := store.UsedProofs.Get(r, poolProof(id))
			if identity.KindOf(err) != identity.KindNotFound {
				return absentAs(err, errPoolSession)
			}
		}
		return nil
	})
}

func (i *Issuer) readPool(text string, enc *base64.Encoding) (*poolState, []byte, error) {
	sealed, err := enc.Strict().DecodeString(text)
	if err != nil {
		return nil, nil, errPoolSession
	}
	b, err := i.keys.Box(keyring.BoxChallenge).Open(sealed, poolAAD)
	if identity.KindOf(err) == identity.KindValidation {
		return nil, nil, errPoolSession
	}
	if err != nil {
		return nil, nil, err
	}
	s := new(poolState)
	if err := json.Unmarshal(b, s); err != nil {
		return nil, nil, errPoolSession
	}
	return s, sealed, nil
}

// poolSession is how long a client's challenges live (AuthSessionValidity).
func poolSession(c *identity.PoolClient) time.Duration {
	if c.AuthSessionSeconds == 0 {
		return srpLife
	}
	return time.Duration(c.AuthSessionSeconds) * time.Second
}

func poolProof(id string) string { return "cognito/" + id }

// useProofs uses the states of a log-in up, as part of a transaction.
func (i *Issuer) useProofs(tx store.Tx, ids []string) error {
	// None is older than the longest session and as many calls as there are.
	until := i.clock.Now().Add(time.Hour).UTC()
	for _, id := range ids {
		err := store.UsedProofs.Insert(tx, &store.UsedProof{ID: poolProof(id), ExpiresAt: until})
		if identity.KindOf(err) == identity.KindAlreadyExists {
			return errPoolSession
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// concerns says whether a challenge's answer names the user that it was made
// for.
func (s *poolState) concerns(u *identity.User, name string) bool {
	if store.Fold(name) == store.Fold(s.Name) || name == s.Subject {
		return true
	}
	return u != nil && (store.Fold(name) == store.Fold(u.Name) || u.Email != "" && store.Fold(name) == store.Fold(u.Email))
}
