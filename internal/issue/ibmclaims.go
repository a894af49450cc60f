package issue

import (
	"cmp"

	"daypass/internal/identity"
)

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
	profileSubject  = "Profile"
	// ibmNoClient stands for a client that did not show itself.
	ibmNoClient = "default"
)

// amr are the methods of the log-in (RFC 8176): none for an API key, those of the
// log-in at the console for a one-time code.
func (l *ibmLogin) amr() []string {
	switch {
	case l.grant == IBMGrantPasscode || l.grant == IBMGrantCode:
		return l.methods
	case l.grant != IBMGrantPassword:
		return nil
	case l.mfaMS != 0:
		return []string{"pwd", "totp", "otp", "mfa"}
	}
	return []string{"pwd"}
}

// mintIBM signs the access token of a log-in.
func (i *Issuer) mintIBM(l *ibmLogin) (IBMTokens, error) {
	jti, err := identity.NewUUID(i.random)
	if err != nil {
		return IBMTokens{}, err
	}
	now := i.clock.Now()
	u := l.user
	expires := l.until(now, l.ibm.Settings.AccessTokenLife())
	who := ibmSubject(u)
	c := ibmClaims{
		IAMID: who.IAMID, ID: who.IAMID, RealmID: ibmUserRealm, JTI: jti, Identifier: u.ID, Name: who.Name, Email: who.Email, Subject: who.Subject,
		Authn: who, Account: ibmAccount{"global", true, u.AccountID}, IssuedAt: now.Unix(), Expiry: expires.Unix(), Issuer: i.authn.IBMIssuer(),
		GrantType: l.grant, Scope: l.scope, ClientID: l.client, ACR: 1, AMR: l.amr(), SessionID: l.sid, SID: l.sid,
		Incarnation: l.pos.Incarnation, Position: l.pos.N, AccountID: u.AccountID, UserID: u.ID, IssuedMS: l.provedMS(), MFAMS: l.mfaMS, Lineage: l.lineage,
	}
	switch {
	case u.ServiceID != nil:
		c.RealmID, c.Identifier, c.SubjectType = ibmServiceRealm, u.Name, serviceSubject
	case u.Profile != nil:
		c.RealmID, c.Identifier, c.SubjectType = ibmServiceRealm, u.Name, profileSubject
	}
	if l.authn != nil {
		c.Authn = *l.authn
	}
	text, err := i.jwts.SignClaims(identity.IBMKeySet, l.ibm.Algorithm, c, "")
	if err != nil {
		return IBMTokens{}, err
	}
	return IBMTokens{
		Access: identity.Secret(text), ExpiresIn: int(expires.Sub(now).Seconds()), ExpiresAt: expires, Scope: l.scope, SessionID: l.sid,
	}, nil
}

// ibmSubject is how tokens name a principal.
func ibmSubject(u *identity.User) ibmAuthn {
	out := ibmAuthn{Subject: u.Name, IAMID: u.IAMID()}
	switch {
	case u.ServiceID != nil:
		out.Name = u.ServiceID.Name
	case u.Profile != nil:
		out.Name = u.Profile.Name
	default:
		out.Name, out.Email, out.Subject = u.Name, u.Email, cmp.Or(u.Email, u.Name)
	}
	return out
}
