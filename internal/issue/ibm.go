package issue

import (
	"context"
	"encoding/json"
	"time"

	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/keyring"
	"daypass/internal/store"
)

// Grant types of IBM Cloud IAM.
const (
	IBMGrantAPIKey = "urn:ibm:params:oauth:grant-type:apikey"
)

const (
	ibmDialect = "ibm"
	ibmScope   = "ibm openid"
)

// IBMClient is how a client of the token service showed itself. The public ID
// "bx" with the secret "bx" is worth no more than none.
type IBMClient struct {
	ID     string
	Secret identity.Secret
}

// IBMTokens are what a log-in yields (POST /identity/token).
type IBMTokens struct {
	Access    identity.Secret
	ExpiresIn int // seconds
	ExpiresAt time.Time
	Scope     string
	SessionID string
}

// ibmLogin is what a grant needs to mint.
type ibmLogin struct {
	login
	grant string
	amr   []string
}

// IBMAPIKey logs the owner of an API key in (grant type apikey).
// KindInvalidCredentials for a key that logs nobody in, KindMFARequired where
// the owner needs a second factor, which no key is, KindThrottled,
// KindAccessDenied for an account other than the owner's.
func (i *Issuer) IBMAPIKey(ctx context.Context, key identity.Secret, account string, client IBMClient) (IBMTokens, error) {
	ev := ibmEvent("APIKeyGrant", client)
	out, err := i.ibmAPIKey(ctx, key, account, client, &ev)
	if err != nil {
		i.refused(ctx, ev, err)
	}
	return out, err
}

func (i *Issuer) ibmAPIKey(ctx context.Context, key identity.Secret, account string, _ IBMClient, ev *audit.Event) (IBMTokens, error) {
	if err := i.ready(); err != nil {
		return IBMTokens{}, err
	}
	// 1 prove. The position is taken first: what is revoked meanwhile counts.
	l := &ibmLogin{grant: IBMGrantAPIKey, login: login{pos: i.db.Snapshot().Position(), at: i.clock.Now(), scope: ibmScope}}
	k, u, err := i.authn.APIKey(ctx, key)
	if err != nil {
		return IBMTokens{}, err
	}
	l.user = u
	describeUser(ev, u)
	ev.RequestParameters["apiKeyId"] = k.ID
	// 2 permit
	if err := i.permitIBM(l, account); err != nil {
		return IBMTokens{}, err
	}
	if l.sid, err = identity.NewUUID(i.random); err != nil {
		return IBMTokens{}, err
	}
	ms := l.at.UnixMilli()
	l.lineage = identity.Lineage{
		{Kind: identity.LineagePrincipal, ID: u.ID, IssuedMS: ms},
		{Kind: identity.LineageProof, ID: k.ID, IssuedMS: ms},
		{Kind: identity.LineageLogin, ID: l.sid, IssuedMS: ms},
	}
	// 3 bound: an hour. 4 mint, 5 record
	out, err := i.mintIBM(l)
	if err != nil {
		return IBMTokens{}, err
	}
	ev.Issued("accessToken", out.Access)
	ev.ResponseElements = map[string]any{"sessionId": l.sid, "iamId": u.IAMID()}
	return out, i.audit.Record(ctx, *ev)
}

// permitIBM is step 2: the rules of the principal and its account. account is
// the one asked for, "" for the principal's own, which is the only one it has.
func (i *Issuer) permitIBM(l *ibmLogin, account string) error {
	if err := permitUser(l.user, l.mfa); err != nil {
		return err
	}
	acc, err := store.Accounts.Get(i.db.Snapshot(), l.user.AccountID)
	if err != nil || acc.Disabled || l.user.Token != nil {
		return &identity.Error{Kind: identity.KindInvalidCredentials, Op: "issue.ibm", Err: err}
	}
	if account != "" && account != acc.ID {
		return &identity.Error{Kind: identity.KindAccessDenied, Op: "issue.ibm", Public: "The account is not one of the caller's."}
	}
	return nil
}

// ibmClaims is the payload of an access token. It has neither "aud" nor "nbf".
type ibmClaims struct {
	IAMID       string           `json:"iam_id"`
	ID          string           `json:"id"`
	RealmID     string           `json:"realmid"`
	JTI         string           `json:"jti"`
	Identifier  string           `json:"identifier"`
	Name        string           `json:"name,omitempty"`
	Email       string           `json:"email,omitempty"`
	Subject     string           `json:"sub"`
	SubjectType string           `json:"sub_type,omitempty"`
	Authn       ibmAuthn         `json:"authn"`
	Account     ibmAccount       `json:"account"`
	IssuedAt    int64            `json:"iat"`
	Expiry      int64            `json:"exp"`
	Issuer      string           `json:"iss"`
	GrantType   string           `json:"grant_type"`
	Scope       string           `json:"scope"`
	ClientID    string           `json:"client_id"`
	ACR         int              `json:"acr"`
	AMR         []string         `json:"amr,omitempty"`
	SessionID   string           `json:"session_id"`
	SID         string           `json:"sid"`
	Incarnation string           `json:"dp_inc"`
	Position    uint64           `json:"dp_pos"`
	AccountID   string           `json:"dp_acc"`
	UserID      string           `json:"dp_uid"`
	IssuedMS    int64            `json:"dp_ms"`
	MFAMS       int64            `json:"dp_mfa,omitempty"`
	Lineage     identity.Lineage `json:"dp_lin"`
}

// ibmAuthn says who proved the log-in.
type ibmAuthn struct {
	Subject string `json:"sub"`
	IAMID   string `json:"iam_id"`
	Name    string `json:"name,omitempty"`
	Email   string `json:"email,omitempty"`
}

type ibmAccount struct {
	Boundary string `json:"boundary"`
	Valid    bool   `json:"valid"`
	ID       string `json:"bss"`
}

// Realms of principals in access tokens.
const (
	ibmUserRealm    = "IBMid"
	ibmServiceRealm = "iam"
	serviceSubject  = "ServiceId"
	// ibmClientID is the public client of everybody.
	ibmClientID = "bx"
)

// mintIBM signs the access token of a log-in.
func (i *Issuer) mintIBM(l *ibmLogin) (IBMTokens, error) {
	jti, err := identity.NewUUID(i.random)
	if err != nil {
		return IBMTokens{}, err
	}
	now := i.clock.Now()
	u := l.user
	expires := now.Add(identity.IBMAccessTokenLife)
	c := ibmClaims{
		IAMID: u.IAMID(), ID: u.IAMID(), RealmID: ibmUserRealm, JTI: jti, Identifier: u.ID, Name: u.Name, Email: u.Email, Subject: u.Name,
		Account: ibmAccount{"global", true, u.AccountID}, IssuedAt: now.Unix(), Expiry: expires.Unix(), Issuer: i.authn.IBMIssuer(),
		GrantType: l.grant, Scope: l.scope, ClientID: ibmClientID, ACR: 1, AMR: l.amr, SessionID: l.sid, SID: l.sid,
		Incarnation: l.pos.Incarnation, Position: l.pos.N, AccountID: u.AccountID, UserID: u.ID, IssuedMS: l.provedMS(), MFAMS: l.mfaMS, Lineage: l.lineage,
	}
	if u.Email != "" {
		c.Subject = u.Email
	}
	if s := u.ServiceID; s != nil {
		c.RealmID, c.Identifier, c.Name, c.Email = ibmServiceRealm, u.Name, s.Name, ""
		c.Subject, c.SubjectType = u.Name, serviceSubject
	}
	c.Authn = ibmAuthn{c.Subject, c.IAMID, c.Name, c.Email}
	payload, err := json.Marshal(c)
	if err != nil {
		return IBMTokens{}, &identity.Error{Kind: identity.KindInternal, Op: "issue.ibm", Err: err}
	}
	text, err := i.jwts.Sign(identity.IBMKeySet, keyring.RS256, payload, "")
	if err != nil {
		return IBMTokens{}, err
	}
	return IBMTokens{
		Access: identity.Secret(text), ExpiresIn: int(identity.IBMAccessTokenLife.Seconds()), ExpiresAt: expires, Scope: l.scope, SessionID: l.sid,
	}, nil
}

func ibmEvent(name string, client IBMClient) audit.Event {
	return audit.Event{Source: ibmDialect, Name: name, RequestParameters: map[string]any{"clientId": bounded(client.ID)}}
}

// IBMFacts are what the token service says of itself in discovery, with its key
// set as JSON (RFC 7517).
type IBMFacts struct {
	Issuer, Algorithm string
	Keys              []byte
	KeysMaxAge        time.Duration
}

// IBM describes the token service. KindNotFound when there is none.
func (i *Issuer) IBM() (IBMFacts, error) {
	keys := i.keys.JWKS(identity.IBMKeySet)
	if keys == nil {
		return IBMFacts{}, identity.NewError(identity.KindNotFound, "issue.ibm", "")
	}
	return IBMFacts{Issuer: i.authn.IBMIssuer(), Algorithm: keyring.RS256, Keys: keys, KeysMaxAge: i.keys.JWKSMaxAge()}, nil
}
