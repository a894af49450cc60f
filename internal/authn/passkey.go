package authn

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"daypass/internal/identity"
	"daypass/internal/store"
)

const (
	// passkeyTime is how long a person has for a ceremony.
	passkeyTime = 5 * time.Minute
	// maxPasskeyResponse bounds what an authenticator answers; ordinary ones send
	// 1 KiB.
	maxPasskeyResponse = 16 << 10
	// maxCredentialID is the longest credential ID that is kept (§7.1 step 25).
	maxCredentialID = 1023

	registerUse = "passkey registration"
	loginUse    = "passkey log-in"
)

// relyingParty is what passkeys are bound to: the console's host name, and its
// origin exactly.
type relyingParty struct {
	*webauthn.WebAuthn
	origin string
}

// newRelyingParty returns nil where passkeys are impossible: without a console,
// or with one that has an address and no host name (§5.1.2: the RP ID is a
// domain).
func newRelyingParty(consoleURL string) *relyingParty {
	origin := originOf(consoleURL)
	u, err := url.Parse(origin)
	if err != nil || u.Hostname() == "" {
		return nil
	}
	timeout := webauthn.TimeoutConfig{Timeout: passkeyTime, TimeoutUVD: passkeyTime}
	w, err := webauthn.New(&webauthn.Config{
		RPID: u.Hostname(), RPDisplayName: "Daypass", RPOrigins: []string{origin},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementRequired, RequireResidentKey: protocol.ResidentKeyRequired(),
			UserVerification: protocol.VerificationRequired,
		},
		Timeouts: webauthn.TimeoutsConfig{Login: timeout, Registration: timeout},
	})
	if err != nil || protocol.ValidateRPID(u.Hostname()) != nil {
		return nil
	}
	return &relyingParty{w, origin}
}

// Ceremony is the first half of a registration or a log-in by passkey.
type Ceremony struct {
	// Options are the argument of navigator.credentials.create or get (JSON, byte
	// strings as base64url).
	Options json.RawMessage
	// State comes back with the answer.
	State identity.Secret
}

// ceremony is what State holds.
type ceremony struct {
	Session  webauthn.SessionData `json:"s"`
	IssuedMS int64                `json:"t"`
}

// passkeyUser is a user as the library wants one. The user handle is the unique
// ID, which tells nothing of the person.
type passkeyUser struct {
	*identity.User
	keys []webauthn.Credential
}

func (u *passkeyUser) WebAuthnID() []byte                         { return []byte(u.ID) }
func (u *passkeyUser) WebAuthnDisplayName() string                { return u.WebAuthnName() }
func (u *passkeyUser) WebAuthnCredentials() []webauthn.Credential { return u.keys }

func (u *passkeyUser) WebAuthnName() string {
	if u.Root {
		return u.Email
	}
	return u.Name
}

func (a *Authn) party() (*relyingParty, error) {
	if a.passkeys == nil {
		return nil, identity.NewError(identity.KindNotImplemented, "authn.passkey", "Passkeys need a console with a host name of its own.")
	}
	return a.passkeys, nil
}

// HasPasskeys reports whether passkeys can be used here at all.
func (a *Authn) HasPasskeys() bool { return a.passkeys != nil }

func (a *Authn) sealCeremony(use string, options any, s *webauthn.SessionData) (Ceremony, error) {
	text, err := json.Marshal(options)
	if err != nil {
		return Ceremony{}, &identity.Error{Kind: identity.KindInternal, Op: "authn.passkey", Err: err}
	}
	state, err := a.sealState(use, ceremony{*s, a.clock.Now().UnixMilli()})
	return Ceremony{Options: text, State: state}, err
}

// openCeremony returns what a State holds, and how it is used up.
func (a *Authn) openCeremony(use string, state identity.Secret) (*ceremony, UsedOnce, error) {
	c := new(ceremony)
	if err := a.openState(use, state, c); err != nil {
		return nil, UsedOnce{}, err
	}
	ends := time.UnixMilli(c.IssuedMS).Add(passkeyTime)
	if !a.clock.Now().Before(ends) {
		return nil, UsedOnce{}, identity.NewError(identity.KindInvalidGrant, "authn.passkey", "That took too long; begin again.")
	}
	return c, UsedOnce{"passkey/" + c.Session.Challenge, ends}, nil
}

// RegisterPasskey begins the registration of a passkey for a user; have are
// those that it has, which are not registered twice. KindNotImplemented where
// passkeys are impossible.
func (a *Authn) RegisterPasskey(u *identity.User, have []*identity.Passkey) (Ceremony, error) {
	w, err := a.party()
	if err != nil {
		return Ceremony{}, err
	}
	user := &passkeyUser{User: u}
	for _, p := range have {
		user.keys = append(user.keys, credentialOf(p))
	}
	options, session, err := w.BeginRegistration(user, webauthn.WithExclusions(webauthn.Credentials(user.keys).CredentialDescriptors()))
	if err != nil {
		return Ceremony{}, &identity.Error{Kind: identity.KindInternal, Op: "authn.passkey", Err: err}
	}
	return a.sealCeremony(registerUse, options, session)
}

// NewPasskey checks the answer of an authenticator to RegisterPasskey for the
// same user (§7.1). The passkey is to be stored in the transaction that uses the
// answer up. KindInvalidInput for an answer that is not good.
func (a *Authn) NewPasskey(u *identity.User, state identity.Secret, answer []byte) (*identity.Passkey, UsedOnce, error) {
	refused := func(err error) error {
		return &identity.Error{Kind: identity.KindInvalidInput, Op: "authn.passkey", Public: "The passkey was not accepted.", Err: err}
	}
	w, err := a.party()
	if err != nil {
		return nil, UsedOnce{}, err
	}
	c, once, err := a.openCeremony(registerUse, state)
	if err != nil {
		return nil, UsedOnce{}, err
	}
	if len(answer) > maxPasskeyResponse {
		return nil, UsedOnce{}, refused(errors.New("too large"))
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(answer)
	if err != nil {
		return nil, UsedOnce{}, refused(err)
	}
	if parsed.Response.CollectedClientData.Origin != w.origin {
		return nil, UsedOnce{}, refused(errors.New("another origin"))
	}
	made, err := w.CreateCredential(&passkeyUser{User: u}, c.Session, parsed)
	if err != nil {
		return nil, UsedOnce{}, refused(err)
	}
	if len(made.ID) > maxCredentialID {
		return nil, UsedOnce{}, refused(errors.New("credential ID too long"))
	}
	return &identity.Passkey{
		ID: credentialKey(made.ID), AccountID: u.AccountID, UserID: u.ID, PublicKey: made.PublicKey,
		SignCount: made.Authenticator.SignCount, Transports: transportsOf(made.Transport),
		BackupEligible: made.Flags.BackupEligible, BackedUp: made.Flags.BackupState, CreatedAt: a.clock.Now().UTC(),
	}, once, nil
}

// BeginPasskey begins a log-in by passkey: whose it is, the authenticator says.
func (a *Authn) BeginPasskey() (Ceremony, error) {
	w, err := a.party()
	if err != nil {
		return Ceremony{}, err
	}
	options, session, err := w.BeginDiscoverableLogin()
	if err != nil {
		return Ceremony{}, &identity.Error{Kind: identity.KindInternal, Op: "authn.passkey", Err: err}
	}
	return a.sealCeremony(loginUse, options, session)
}

// PasskeyProof is a good answer of a user's passkey, whose authenticator has
// verified the person. It is used up only by Use.
type PasskeyProof struct {
	User *identity.User
	UsedOnce
	id       string
	count    uint32
	backedUp bool
	at       time.Time
}

// Passkey checks the answer of an authenticator to BeginPasskey (§7.2).
// KindInvalidCredentials for an answer that is not good, with a sentence of its
// own, and whose it is, where the passkey may have been copied;
// KindInvalidGrant when it comes too late.
func (a *Authn) Passkey(ctx context.Context, state identity.Secret, answer []byte) (*PasskeyProof, error) {
	w, err := a.party()
	if err != nil {
		return nil, err
	}
	c, once, err := a.openCeremony(loginUse, state)
	if err != nil {
		return nil, err
	}
	if len(answer) > maxPasskeyResponse {
		return nil, badPasskey(errors.New("too large"))
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil {
		return nil, badPasskey(err)
	}
	if parsed.Response.CollectedClientData.Origin != w.origin {
		return nil, badPasskey(errors.New("another origin"))
	}
	user, err := a.passkeyOwner(ctx, parsed.RawID, parsed.Response.UserHandle)
	if err != nil {
		return nil, err
	}
	_, shown, err := w.ValidatePasskeyLogin(func([]byte, []byte) (webauthn.User, error) { return user, nil }, c.Session, parsed)
	if err != nil {
		return nil, badPasskey(err)
	}
	if shown.Authenticator.CloneWarning {
		return &PasskeyProof{User: user.User}, errCopied
	}
	return &PasskeyProof{
		User: user.User, UsedOnce: once, id: credentialKey(shown.ID), count: shown.Authenticator.SignCount,
		backedUp: shown.Flags.BackupState, at: a.clock.Now().UTC(),
	}, nil
}

func (a *Authn) passkeyOwner(ctx context.Context, credentialID, userHandle []byte) (*passkeyUser, error) {
	out := new(passkeyUser)
	err := a.db.View(ctx, func(r store.Reader) error {
		p, err := store.Passkeys.Get(r, credentialKey(credentialID))
		if err != nil {
			return err
		}
		if !bytes.Equal([]byte(p.UserID), userHandle) {
			return &identity.Error{Kind: identity.KindNotFound, Op: "authn.passkey"}
		}
		out.keys = []webauthn.Credential{credentialOf(p)}
		out.User, err = store.Users.Get(r, p.UserID)
		return err
	})
	if identity.KindOf(err) == identity.KindNotFound {
		return nil, badPasskey(errors.New("no such passkey"))
	}
	return out, err
}

func badPasskey(err error) error {
	return &identity.Error{Kind: identity.KindInvalidCredentials, Op: "authn.passkey", Public: "The passkey was not accepted.", Err: err}
}

var errCopied = &identity.Error{
	Kind: identity.KindInvalidCredentials, Op: "authn.passkey",
	Public: "The passkey was not accepted: its count went back, so there may be a copy of it. Log in another way and remove it.",
}

// Use uses the answer up and notes what the passkey showed. The count is judged
// again: of two answers with the same one, one is good.
func (p *PasskeyProof) Use(tx store.Tx) error {
	if err := p.UsedOnce.Use(tx); err != nil {
		return err
	}
	row, err := store.Passkeys.Get(tx, p.id)
	if identity.KindOf(err) == identity.KindNotFound || err == nil && row.UserID != p.User.ID {
		return badPasskey(errors.New("removed meanwhile"))
	}
	if err != nil {
		return err
	}
	if p.count <= row.SignCount && (p.count != 0 || row.SignCount != 0) {
		return errCopied
	}
	used := *row
	used.SignCount, used.BackedUp, used.LastUsed = p.count, p.backedUp, p.at
	return store.Passkeys.Put(tx, &used)
}

// credentialOf is a passkey as the library knows it.
func credentialOf(p *identity.Passkey) webauthn.Credential {
	id, _ := base64.RawURLEncoding.DecodeString(p.ID)
	c := webauthn.Credential{
		ID: id, PublicKey: p.PublicKey, Authenticator: webauthn.Authenticator{SignCount: p.SignCount},
		Flags: webauthn.CredentialFlags{BackupEligible: p.BackupEligible, BackupState: p.BackedUp, UserVerified: true, UserPresent: true},
	}
	for _, t := range p.Transports {
		c.Transport = append(c.Transport, protocol.AuthenticatorTransport(t))
	}
	return c
}

func credentialKey(id []byte) string { return base64.RawURLEncoding.EncodeToString(id) }

// transportsOf keeps what the specification knows (§5.8.4); the client wrote it.
func transportsOf(list []protocol.AuthenticatorTransport) []string {
	var out []string
	for _, t := range list {
		switch t {
		case protocol.USB, protocol.NFC, protocol.BLE, protocol.SmartCard, protocol.Hybrid, protocol.Internal:
			if len(out) < 6 {
				out = append(out, string(t))
			}
		}
	}
	return out
}
