package authn

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"time"

	"golang.org/x/oauth2"

	"daypass/internal/identity"
	"daypass/internal/store"
	"daypass/internal/token"
)

const (
	// foreignTime is how long a person has at the foreign issuer, and pendingTime
	// how long for a second factor after that.
	foreignTime = 10 * time.Minute
	pendingTime = 3 * time.Minute

	foreignUse = "foreign log-in"
	pendingUse = "foreign log-in, second factor"
)

// ForeignPurpose is what a foreign identity is shown for.
type ForeignPurpose string

// Purposes, each with what ForeignFor.ID then is.
const (
	ForeignToLogIn  ForeignPurpose = "login"   // nothing
	ForeignToLink   ForeignPurpose = "link"    // the unique ID of the user who is logged in
	ForeignOnceLink ForeignPurpose = "welcome" // the hash of a one-time link
)

// ForeignFor is what a log-in at a foreign issuer is for.
type ForeignFor struct {
	Purpose ForeignPurpose `json:"p"`
	ID      string         `json:"i,omitempty"`
}

// ForeignStart is where the browser goes, and what it keeps in a cookie
// meanwhile, so that the answer counts in this browser only.
type ForeignStart struct {
	URL    string
	Cookie identity.Secret
}

// foreignState is what the cookie holds.
type foreignState struct {
	Realm    string     `json:"r"`
	Login    string     `json:"l"`
	Issuer   string     `json:"u"`
	For      ForeignFor `json:"f"`
	State    string     `json:"s"`
	Nonce    string     `json:"n"`
	Verifier string     `json:"v"` // PKCE
	BegunMS  int64      `json:"t"`
}

// ForeignProof is a person whom a foreign issuer has just identified. It is
// used up only by Use.
type ForeignProof struct {
	Realm    string            `json:"r"`
	Login    string            `json:"l"`
	Issuer   string            `json:"u"`
	Subject  string            `json:"b"`
	Label    string            `json:"n"` // how the issuer calls the person
	MFA      bool              `json:"m,omitempty"`
	IssuedMS int64             `json:"i"` // of the ID token, by the issuer's clock
	For      ForeignFor        `json:"f"`
	Position identity.Position `json:"p"` // of the feed, before the issuer was asked
	OnceID   string            `json:"o"`
	EndsMS   int64             `json:"e"`
}

// IssuedAt is when the issuer signed the ID token, by its own clock.
func (p *ForeignProof) IssuedAt() time.Time { return time.UnixMilli(p.IssuedMS) }

// Use uses the answer up. See UsedOnce.
func (p *ForeignProof) Use(tx store.Tx) error {
	return UsedOnce{"foreign/" + p.OnceID, time.UnixMilli(p.EndsMS)}.Use(tx)
}

// foreignLogin finds the configured log-in of a realm.
func (a *Authn) foreignLogin(realm, name string) (*identity.ForeignLogin, error) {
	r, err := store.Realms.Get(a.db.Snapshot(), realm)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(r.Logins, func(l identity.ForeignLogin) bool { return l.Name == name })
	if i < 0 || realm == identity.RootRealm {
		return nil, &identity.Error{Kind: identity.KindNotFound, Op: "authn.foreign", Public: "There is no such way to log in."}
	}
	l := &r.Logins[i]
	if a.ForOthers(l.Issuer) || a.OwnRealm(l.Issuer) != nil {
		return nil, &identity.Error{Kind: identity.KindNotFound, Op: "authn.foreign", Err: errors.New("the issuer is one of this installation")}
	}
	return l, nil
}

// BeginForeign begins a log-in at a foreign issuer (OpenID Connect Core §3.1,
// PKCE of RFC 7636 with S256). KindNotFound for a log-in that the realm has not,
// KindProviderUnreachable.
func (a *Authn) BeginForeign(ctx context.Context, realm, login string, what ForeignFor) (ForeignStart, error) {
	l, err := a.foreignLogin(realm, login)
	if err != nil {
		return ForeignStart{}, err
	}
	at, err := a.foreign.endpoints(ctx, l)
	if err != nil {
		return ForeignStart{}, err
	}
	s := foreignState{
		Realm: realm, Login: login, Issuer: l.Issuer, For: what, State: random32(), Nonce: random32(),
		Verifier: oauth2.GenerateVerifier(), BegunMS: a.clock.Now().UnixMilli(),
	}
	cookie, err := a.sealState(foreignUse, s)
	if err != nil {
		return ForeignStart{}, err
	}
	c := a.foreign.client(realm, l, at, "")
	return ForeignStart{
		URL:    c.AuthCodeURL(s.State, oauth2.S256ChallengeOption(s.Verifier), oauth2.SetAuthURLParam("nonce", s.Nonce)),
		Cookie: cookie,
	}, nil
}

// random32 is 32 random bytes as base64url.
func random32() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func notForeign(public, why string) error {
	return &identity.Error{Kind: identity.KindInvalidIdentity, Op: "authn.foreign", Public: public, Err: errors.New(why)}
}

const foreignAgain = "The log-in at the provider did not work; begin again."

// Foreign takes the answer of a foreign issuer, which the browser brings to the
// redirect URI of a realm's log-in, with the cookie that it got before: the code
// is exchanged and the ID token verified. KindInvalidIdentity for an answer that
// is not good, KindIdentityRejected when the issuer says no,
// KindProviderUnreachable.
func (a *Authn) Foreign(ctx context.Context, realm, login string, cookie identity.Secret, answer url.Values) (*ForeignProof, error) {
	pos := a.db.Snapshot().Position()
	l, err := a.foreignLogin(realm, login)
	if err != nil {
		return nil, err
	}
	var s foreignState
	if err := a.openState(foreignUse, cookie, &s); err != nil {
		if identity.KindOf(err) == identity.KindValidation {
			err = notForeign("This log-in did not begin in this browser, or too long ago; begin again.", "no such cookie")
		}
		return nil, err
	}
	begun := time.UnixMilli(s.BegunMS)
	if !a.clock.Now().Before(begun.Add(foreignTime)) {
		return nil, notForeign("That took too long; begin again.", "late")
	}
	// Each log-in has a redirect URI of its own, against mix-up (RFC 9700 §4.4).
	if s.Realm != realm || s.Login != login || s.Issuer != l.Issuer || subtle.ConstantTimeCompare([]byte(s.State), []byte(answer.Get("state"))) != 1 {
		return nil, notForeign(foreignAgain, "the answer to another question")
	}
	at, err := a.foreign.endpoints(ctx, l)
	if err != nil {
		return nil, err
	}
	// RFC 9207 §2.4.
	if iss, told := answer["iss"]; told && (len(iss) != 1 || iss[0] != l.Issuer) || !told && at.TellsIssuer {
		return nil, notForeign(foreignAgain, "the answer of another issuer")
	}
	if code := answer.Get("error"); code != "" {
		return nil, &identity.Error{Kind: identity.KindIdentityRejected, Op: "authn.foreign", Public: "The provider refused: " + printable(clipTo(code, 64)) + "."}
	}
	raw, err := a.exchange(ctx, realm, l, at, answer.Get("code"), s.Verifier)
	if err != nil {
		return nil, err
	}
	p, err := a.foreignIdentity(ctx, realm, l, raw, s.Nonce)
	if err != nil {
		return nil, err
	}
	p.For, p.Position, p.OnceID = s.For, pos, s.State
	p.EndsMS = begun.Add(foreignTime + pendingTime).UnixMilli()
	return p, nil
}

func clipTo(s string, n int) string { return s[:min(len(s), n)] }

// exchange gives the code for the ID token.
func (a *Authn) exchange(ctx context.Context, realm string, l *identity.ForeignLogin, at *endpoints, code, verifier string) (identity.Secret, error) {
	if code == "" || len(code) > 4096 {
		return "", notForeign(foreignAgain, "no code")
	}
	secret, err := a.loginSecret(ctx, realm, l.Name)
	if err != nil {
		return "", err
	}
	web, err := a.foreign.web.HTTPClient(l.CABundle)
	if err != nil {
		return "", &identity.Error{Kind: identity.KindProviderUnreachable, Op: "authn.foreign", Err: err}
	}
	got, err := a.foreign.client(realm, l, at, secret).Exchange(context.WithValue(ctx, oauth2.HTTPClient, web), code, oauth2.VerifierOption(verifier))
	if refused := (*oauth2.RetrieveError)(nil); errors.As(err, &refused) {
		// Its text holds the answer's body.
		return "", notForeign(foreignAgain, "the token endpoint refused the code: "+printable(clipTo(refused.ErrorCode, 64)))
	}
	if err != nil {
		return "", &identity.Error{Kind: identity.KindProviderUnreachable, Op: "authn.foreign", Public: "The provider cannot be reached now.", Err: errors.New("the code was not exchanged")}
	}
	raw, ok := got.Extra("id_token").(string)
	if !ok || raw == "" {
		return "", notForeign(foreignAgain, "no ID token")
	}
	return identity.Secret(raw), nil
}

func (a *Authn) loginSecret(ctx context.Context, realm, name string) (identity.Secret, error) {
	var row *store.LoginSecret
	err := a.db.View(ctx, func(r store.Reader) (err error) {
		row, err = store.LoginSecrets.Get(r, identity.LoginKey(realm, name))
		return err
	})
	if identity.KindOf(err) == identity.KindNotFound { // a public client
		return "", nil
	}
	if err != nil {
		return "", err
	}
	plain, err := a.keys.Unseal(store.LoginSecrets.Name(), "secret", row.Login, row.Sealed)
	return identity.Secret(plain), err
}

// foreignClaims are those of an ID token that only a log-in looks at.
type foreignClaims struct {
	Nonce             string          `json:"nonce"`
	AMR               json.RawMessage `json:"amr"`
	ACR               json.RawMessage `json:"acr"`
	PreferredUsername json.RawMessage `json:"preferred_username"`
	Email             json.RawMessage `json:"email"`
}

// foreignIdentity verifies an ID token (OpenID Connect Core §3.1.3.7), as web
// identities are verified.
func (a *Authn) foreignIdentity(ctx context.Context, realm string, l *identity.ForeignLogin, raw identity.Secret, nonce string) (*ForeignProof, error) {
	u, err := a.open(raw.Reveal())
	if err != nil {
		return nil, err
	}
	if u.header.Issuer != l.Issuer {
		return nil, notForeign(foreignAgain, "an ID token of another issuer")
	}
	p := &identity.Provider{URL: l.Issuer, CABundle: l.CABundle, ClientIDs: []string{l.ClientID}}
	claims, err := a.verify(u, "login/"+identity.LoginKey(realm, l.Name), func(kid, alg string) (crypto.PublicKey, error) {
		return a.issuers.Key(ctx, p, kid, alg)
	})
	if err != nil {
		return nil, err
	}
	if err := claims.judge(a.clock.Now(), foreignLeeway); err != nil {
		return nil, err
	}
	w := &WebIdentity{Issuer: l.Issuer, Provider: p, Claims: claims}
	if err := w.judgeForeign(u.header.Type); err != nil {
		return nil, err
	}
	if claims.Azp != "" && claims.Azp != l.ClientID {
		return nil, notForeign(foreignAgain, "an ID token for another party")
	}
	if u.token == nil { // its signature was seen before
		if err := u.parse(); err != nil {
			return nil, err
		}
	}
	var more foreignClaims
	if err := token.DecodeClaims(u.token.Payload, &more); err != nil {
		return nil, notJWT("claims")
	}
	if subtle.ConstantTimeCompare([]byte(more.Nonce), []byte(nonce)) != 1 {
		return nil, notForeign(foreignAgain, "an ID token with another nonce")
	}
	return &ForeignProof{
		Realm: realm, Login: l.Name, Issuer: l.Issuer, Subject: claims.Subject, Label: more.label(claims.Subject),
		MFA: l.TrustMFA && more.mfa(), IssuedMS: claims.IssuedAt.Time().UnixMilli(),
	}, nil
}

// mfa reports whether the issuer says that it saw several factors (RFC 8176 §2).
func (c *foreignClaims) mfa() bool {
	var list Audience
	if json.Unmarshal(c.AMR, &list) == nil && list.Has("mfa") {
		return true
	}
	return text(c.ACR) == "mfa"
}

func (c *foreignClaims) label(subject string) string {
	for _, raw := range []json.RawMessage{c.PreferredUsername, c.Email} {
		if s := text(raw); s != "" {
			return printable(clipTo(s, 128))
		}
	}
	return printable(clipTo(subject, 128))
}

// text is a claim that is a string, "" for any other.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// SealForeign seals a proof that still wants a second factor, for OpenForeign.
func (a *Authn) SealForeign(p *ForeignProof) (identity.Secret, error) {
	return a.sealState(pendingUse, struct {
		*ForeignProof
		SealedMS int64 `json:"t"`
	}{p, a.clock.Now().UnixMilli()})
}

// OpenForeign returns what SealForeign sealed. KindInvalidGrant when it is too
// old.
func (a *Authn) OpenForeign(text identity.Secret) (*ForeignProof, error) {
	var s struct {
		ForeignProof
		SealedMS int64 `json:"t"`
	}
	if err := a.openState(pendingUse, text, &s); err != nil {
		return nil, err
	}
	if !a.clock.Now().Before(time.UnixMilli(s.SealedMS).Add(pendingTime)) {
		return nil, identity.NewError(identity.KindInvalidGrant, "authn.foreign", "That took too long; begin again.")
	}
	return &s.ForeignProof, nil
}
