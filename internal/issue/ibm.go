package issue

import (
	"encoding/base64"
	"regexp"
	"time"

	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// Grant types of IBM Cloud IAM.
const (
	IBMGrantAPIKey   = "urn:ibm:params:oauth:grant-type:apikey"
	IBMGrantPassword = "password"
	IBMGrantRefresh  = "refresh_token"
	IBMGrantCode     = "authorization_code"
	IBMGrantPasscode = "urn:ibm:params:oauth:grant-type:passcode"
)

const (
	ibmDialect = "ibm"
	ibmScope   = "ibm openid"
)

// IBMClient is how a client of the token service showed itself. Nobody registers
// any: a refresh token is bound to what was shown at the log-in, and that is all
// it is good for.
type IBMClient struct {
	ID     string
	Secret identity.Secret
}

// IBMTokens are what a log-in yields (POST /identity/token).
type IBMTokens struct {
	Access, Refresh identity.Secret
	ExpiresIn       int // seconds, of Access
	ExpiresAt       time.Time
	Scope           string
	SessionID       string
}

// ibmLogin is what a grant needs to mint.
type ibmLogin struct {
	login
	ibm    *identity.IBMSite
	grant  string
	client string // of access tokens
	bound  string // what refresh tokens are bound to: ibmClientKey
	// key is the API key that was shown; nil for other proofs.
	key *identity.APIKey
	// from is what the proof descends from, and use uses it up in the transaction
	// that stores the log-in; empty for proofs without either.
	from identity.Lineage
	// methods are those of the log-in that a one-time code comes from (RFC 8176).
	methods []string
	use     func(store.Tx) error
	// authn is who proved the log-in, where that is not who logs in; end is when
	// what was shown ends, zero when it does not.
	authn *ibmAuthn
	end   time.Time
}

// beginIBM starts a log-in: KindNotFound where there is no token service. The
// position is taken here, before any proof: what is revoked meanwhile counts.
func (i *Issuer) beginIBM(grant string, client IBMClient) (*ibmLogin, error) {
	if err := i.ready(); err != nil {
		return nil, err
	}
	snap := i.db.Snapshot()
	site, err := store.IBMSites.Get(snap, identity.IBMSiteName)
	if err != nil {
		return nil, err
	}
	l := &ibmLogin{ibm: site, grant: grant, client: clientName(client), bound: i.ibmClientKey(client)}
	if l.client == "" {
		l.client = ibmNoClient
	}
	l.pos, l.at, l.scope = snap.Position(), i.clock.Now(), ibmScope
	return l, nil
}

var clientRE = regexp.MustCompile(`^[A-Za-z0-9._-]{0,32}$`)

// clientName is a client's ID as it may be kept and shown. Whatever is longer than
// a name is "other": people show their API keys where a client's ID belongs.
func clientName(c IBMClient) string {
	if clientRE.MatchString(c.ID) {
		return c.ID
	}
	return "other"
}

// ibmClientKey is how a client is kept with what is bound to it: its ID, for
// people, and a keyed hash of ID and secret.
func (i *Issuer) ibmClientKey(c IBMClient) string {
	hash := i.keys.Enumeration("ibm-client", []byte(c.ID+"\x00"+c.Secret.Reveal()))
	return clientName(c) + " " + base64.RawURLEncoding.EncodeToString(hash[:18])
}

// permitIBM is step 2: the rules of the principal and its account. account is
// the one asked for, "" for the principal's own, which is the only one it has.
func (i *Issuer) permitIBM(l *ibmLogin, r store.Reader, account string) error {
	if err := permitUser(l.user, l.mfa); err != nil {
		return err
	}
	if l.user.Root {
		if realm, err := store.Realms.Get(r, identity.RootRealm); err != nil || realm.RootLoginDisabled {
			return &identity.Error{Kind: identity.KindInvalidCredentials, Op: "issue.ibm", Err: err}
		}
	}
	acc, err := store.Accounts.Get(r, l.user.AccountID)
	if err != nil || acc.Disabled || l.user.Token != nil || acc.ID != l.ibm.AccountID {
		return &identity.Error{Kind: identity.KindInvalidCredentials, Op: "issue.ibm", Err: err}
	}
	if account != "" && account != acc.ID {
		return &identity.Error{Kind: identity.KindAccessDenied, Op: "issue.ibm", Public: "The account is not one of the caller's."}
	}
	return nil
}

// newIBMSession gives a log-in its session and lineage.
func (i *Issuer) newIBMSession(l *ibmLogin) (err error) {
	if l.sid, err = identity.NewUUID(i.random); err != nil {
		return err
	}
	ms := l.at.UnixMilli()
	if l.from != nil {
		l.lineage, err = l.from.Extend(identity.Ancestor{Kind: identity.LineageLogin, ID: l.sid, IssuedMS: ms})
		return err
	}
	l.lineage = identity.Lineage{{Kind: identity.LineagePrincipal, ID: l.user.ID, IssuedMS: ms}}
	if l.key != nil {
		l.lineage = append(l.lineage, identity.Ancestor{Kind: identity.LineageProof, ID: l.key.ID, IssuedMS: ms})
	}
	l.lineage = append(l.lineage, identity.Ancestor{Kind: identity.LineageLogin, ID: l.sid, IssuedMS: ms})
	return nil
}

// until is step 3: a lifetime from now, and no longer than that of what was shown.
func (l *ibmLogin) until(now time.Time, life time.Duration) time.Time {
	at := now.Add(life)
	if !l.end.IsZero() && l.end.Before(at) {
		return l.end
	}
	if l.key != nil && !l.key.ExpiresAt.IsZero() && l.key.ExpiresAt.Before(at) {
		return l.key.ExpiresAt
	}
	return at
}

func ibmEvent(name string, client IBMClient) audit.Event {
	return audit.Event{Source: ibmDialect, Name: name, RequestParameters: map[string]any{"clientId": clientName(client)}}
}

// IBMFacts are what the token service says of itself in discovery, with its key
// set as JSON (RFC 7517).
type IBMFacts struct {
	Issuer, Algorithm string
	// Regions are those that clients may target.
	Regions    []string
	Keys       []byte
	KeysMaxAge time.Duration
}

// IBM describes the token service. KindNotFound when there is none.
func (i *Issuer) IBM() (IBMFacts, error) {
	site, err := store.IBMSites.Get(i.db.Snapshot(), identity.IBMSiteName)
	if err != nil {
		return IBMFacts{}, err
	}
	return IBMFacts{
		Issuer: i.authn.IBMIssuer(), Algorithm: site.Algorithm, Regions: site.Regions, Keys: i.keys.JWKS(identity.IBMKeySet), KeysMaxAge: i.keys.JWKSMaxAge(),
	}, nil
}
