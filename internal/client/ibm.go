package client

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"daypass/internal/identity"
)

// KindIBM is the kind of a profile that logs in at the token service of IBM's
// dialect.
const KindIBM = "ibm"

// Where a session of IBM's dialect came from.
const (
	SourceIBMPassword = "ibm-password"
	SourceIBMAPIKey   = "ibm-apikey"
	SourceIBMPasscode = "ibm-passcode"
	SourceIBMCRToken  = "ibm-cr-token"
)

// Grant types of IBM's token service.
const (
	grantAPIKey   = "urn:ibm:params:oauth:grant-type:apikey"
	grantPasscode = "urn:ibm:params:oauth:grant-type:passcode"
	grantCRToken  = "urn:ibm:params:oauth:grant-type:cr-token"
	grantPassword = "password"
	grantRefresh  = "refresh_token"
)

// ibmClient is the public client ID of IBM's command line, and its secret. It is
// worth nothing; refresh tokens are bound to it.
const ibmClient = "bx"

// IBMToken is an access token of IBM's dialect and what it says.
type IBMToken struct {
	Text      identity.Secret `json:"access_token"`
	IssuedAt  time.Time       `json:"issued_at"`
	ExpiresAt time.Time       `json:"expires_at"`
	// IAMID, User, Account and SessionID are the token's claims, read without a
	// check of the signature.
	IAMID     string `json:"iam_id"`
	User      string `json:"user"`
	Account   string `json:"account"`
	SessionID string `json:"session_id"`
	// Source is the session's.
	Source string `json:"-"`
}

// Bearer is the value of an Authorization header.
func (t *IBMToken) Bearer() string { return "Bearer " + t.Text.Reveal() }

// alive reports whether more than window of the lifetime is left, as Keys.Alive.
func (t *IBMToken) alive(now time.Time, window time.Duration) bool {
	k := Keys{IssuedAt: t.IssuedAt, ExpiresAt: t.ExpiresAt}
	return t.Text != "" && k.Alive(now, window)
}

// IBMProof is what somebody shows at the token service. One of APIKey, Passcode,
// CRToken, CRTokenFile and Password is set.
type IBMProof struct {
	APIKey, Passcode, Password identity.Secret
	// Username goes with Password, Code with it where a device's is owed.
	Username string
	Code     identity.Secret
	// CRToken is a token of a compute resource, ProfileID or ProfileName the
	// trusted profile that it is for. CRTokenFile names a file that holds one in
	// its place: who runs the machine writes new ones there, and the log-in is
	// renewed by them.
	CRToken                             identity.Secret
	CRTokenFile, ProfileID, ProfileName string
	// Account is the account to log in to, "" for one's own.
	Account string
}

// form is the grant's, and source the constant that says which it was.
func (p *IBMProof) form() (form url.Values, source, doing string) {
	form = url.Values{}
	set := func(name, value string) {
		if value != "" {
			form.Set(name, value)
		}
	}
	set("account", p.Account)
	switch {
	case p.APIKey != "":
		set("grant_type", grantAPIKey)
		set("apikey", p.APIKey.Reveal())
		return form, SourceIBMAPIKey, "logging in with an API key"
	case p.Passcode != "":
		set("grant_type", grantPasscode)
		set("passcode", p.Passcode.Reveal())
		return form, SourceIBMPasscode, "logging in with a one-time code"
	case p.CRToken != "":
		set("grant_type", grantCRToken)
		set("cr_token", p.CRToken.Reveal())
		set("profile_id", p.ProfileID)
		set("profile_name", p.ProfileName)
		return form, SourceIBMCRToken, "logging in with a compute resource token"
	}
	set("grant_type", grantPassword)
	set("username", p.Username)
	set("password", p.Password.Reveal())
	set("security_code", p.Code.Reveal())
	return form, SourceIBMPassword, "logging in as " + p.Username
}

// IBMCompute is how a machine logs in again: a file that holds its token, the
// profile that it becomes and the account.
type IBMCompute struct {
	TokenFile   string `json:"token_file"`
	ProfileID   string `json:"profile_id,omitempty"`
	ProfileName string `json:"profile_name,omitempty"`
	Account     string `json:"account,omitempty"`
}

func (c *IBMCompute) proof() IBMProof {
	return IBMProof{CRTokenFile: c.TokenFile, ProfileID: c.ProfileID, ProfileName: c.ProfileName, Account: c.Account}
}

// showIBM shows a proof at the token service.
func (k *Keeper) showIBM(ctx context.Context, proof IBMProof) (answer *ibmTokens, source string, err error) {
	if proof.CRTokenFile != "" {
		if proof.CRToken, err = k.tokenIn(proof.CRTokenFile, "name its file in IBMCLOUD_CR_TOKEN, as @FILE"); err != nil {
			return nil, "", err
		}
	}
	form, source, doing := proof.form()
	answer, err = k.wire.ibmToken(ctx, doing, form)
	return answer, source, err
}

// IBMLogIn shows a proof at the token service and keeps what comes of it. It
// fails with KindInvalidCredentials, KindMFARequired, KindAccessDenied and those
// of the wire.
func (k *Keeper) IBMLogIn(ctx context.Context, proof IBMProof) (IBMToken, error) {
	unlock, err := k.lock()
	if err != nil {
		return IBMToken{}, err
	}
	defer unlock()
	answer, source, err := k.showIBM(ctx, proof)
	if err != nil {
		return IBMToken{}, err
	}
	session := k.newSession(source)
	session.Username = proof.Username
	if proof.CRTokenFile != "" {
		session.Compute = &IBMCompute{proof.CRTokenFile, proof.ProfileID, proof.ProfileName, proof.Account}
	}
	session.takeIBM(answer, k.clock.Now())
	return *session.IBM, k.put(session)
}

// IBMToken returns an access token of which more than window is left, renewing
// it by the refresh token if need be. KindExpiredToken when somebody has to log
// in.
func (k *Keeper) IBMToken(ctx context.Context, window time.Duration) (IBMToken, error) {
	session, err := k.session()
	if err != nil {
		return IBMToken{}, err
	}
	if t := session.IBM; t != nil && t.alive(k.clock.Now(), window) {
		return *t, nil
	}
	unlock, err := k.lock()
	if err != nil {
		return IBMToken{}, err
	}
	defer unlock()
	// Another process may have renewed it while this one waited.
	if session, err = k.session(); err != nil {
		return IBMToken{}, err
	}
	return k.liveIBM(ctx, session, window)
}

// liveIBM is the session's access token, renewed if need be. The profile is
// locked.
func (k *Keeper) liveIBM(ctx context.Context, session *Session, window time.Duration) (IBMToken, error) {
	now := k.clock.Now()
	if t := session.IBM; t != nil && t.alive(now, window) {
		return *t, nil
	}
	answer, err := k.renewIBM(ctx, session)
	switch {
	case session.RefreshToken != "" && identity.KindOf(err) == identity.KindExpiredToken:
		session.RefreshToken = ""
		return IBMToken{}, cmp.Or(k.put(session), err)
	case err != nil && session.IBM != nil && session.IBM.alive(now, 0):
		k.notice("the token ends in " + Remaining(session.IBM.ExpiresAt.Sub(now)) + " and could not be renewed: " + identity.AsError(err).Public)
		return *session.IBM, nil
	case err != nil:
		return IBMToken{}, err
	}
	session.takeIBM(answer, now)
	return *session.IBM, k.put(session)
}

// renewIBM asks for tokens of the same log-in, or of a new one of the same
// machine. KindExpiredToken when somebody has to log in.
func (k *Keeper) renewIBM(ctx context.Context, session *Session) (*ibmTokens, error) {
	switch {
	case session.RefreshToken != "":
		return k.wire.ibmToken(ctx, "renewing the log-in", url.Values{"grant_type": {grantRefresh}, "refresh_token": {session.RefreshToken.Reveal()}})
	case session.Compute != nil:
		answer, _, err := k.showIBM(ctx, session.Compute.proof())
		return answer, err
	}
	return nil, k.notLoggedIn(session)
}

// IBMHeld returns the access token that is kept, and whether it lives, without
// asking the server.
func (k *Keeper) IBMHeld() (IBMToken, bool, error) { return k.ibmHeld(k.clock.Now()) }

func (k *Keeper) ibmHeld(now time.Time) (IBMToken, bool, error) {
	session, err := k.session()
	if err != nil || session.IBM == nil {
		return IBMToken{}, false, err
	}
	t := *session.IBM
	t.Source = session.Source
	return t, t.alive(now, 0), nil
}

// KeptIBM is Kept for a profile of IBM's kind: the access token.
func KeptIBM(store *Store, p Profile, now time.Time) (IBMToken, bool, error) {
	return (&Keeper{profile: p.WithDefaults(), store: store}).ibmHeld(now)
}

// takeIBM replaces the tokens of a session.
func (s *Session) takeIBM(a *ibmTokens, now time.Time) {
	s.RefreshToken, s.RefreshExpiresAt = "", time.Time{}
	if a.RefreshToken != noRefreshToken {
		s.RefreshToken = identity.Secret(a.RefreshToken)
	}
	now = now.UTC().Truncate(time.Second)
	var c struct {
		IAMID   string `json:"iam_id"`
		Subject string `json:"sub"`
		Session string `json:"session_id"`
		Account struct {
			ID string `json:"bss"`
		} `json:"account"`
	}
	_ = payloadOf(a.AccessToken, &c) // what it does not say is not shown
	s.IBM = &IBMToken{
		Text: identity.Secret(a.AccessToken), IssuedAt: now, ExpiresAt: now.Add(time.Duration(a.ExpiresIn) * time.Second),
		IAMID: c.IAMID, User: c.Subject, Account: c.Account.ID, SessionID: cmp.Or(a.SessionID, c.Session),
	}
}

// payloadOf reads the payload of a JWT into v, and reports whether it is one.
func payloadOf(token string, v any) bool {
	_, rest, _ := strings.Cut(token, ".")
	payload, _, _ := strings.Cut(rest, ".")
	data, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(payload, "="))
	return err == nil && json.Unmarshal(data, v) == nil
}

// noRefreshToken stands for a refresh token where none is given.
const noRefreshToken = "not_supported"

// ibmTokens is the answer of the token service.
type ibmTokens struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	ExpiresIn    int64  `json:"expires_in"` // seconds
	SessionID    string `json:"session_id"`
}

func (w *wire) ibmToken(ctx context.Context, doing string, form url.Values) (*ibmTokens, error) {
	r, err := w.request(ctx, http.MethodPost, "/identity/token", []byte(form.Encode()), formMedia)
	if err != nil {
		return nil, err
	}
	r.SetBasicAuth(ibmClient, ibmClient)
	a, err := w.do(doing, r, form)
	if err != nil {
		return nil, err
	}
	if a.status != http.StatusOK {
		return nil, w.ibmFailure(doing, form.Get("grant_type"), a)
	}
	var t ibmTokens
	if json.Unmarshal(a.body, &t) != nil || t.AccessToken == "" || t.ExpiresIn <= 0 {
		return nil, w.notOurs(doing, a)
	}
	return &t, nil
}

// IBMFacts are what the token service says of itself (OpenID Connect Discovery).
type IBMFacts struct {
	// Passcode is the page where people get one-time codes; "" for none.
	Passcode string `json:"passcode_endpoint"`
	// Regions are those that may be targeted.
	Regions []string `json:"regions_supported"`
	Grants  []string `json:"grant_types_supported"`
}

// IBMFacts asks for them. KindNotFound where there is no token service.
func (k *Keeper) IBMFacts(ctx context.Context) (IBMFacts, error) {
	const doing = "asking for the token service"
	var f IBMFacts
	r, err := k.wire.request(ctx, http.MethodGet, "/identity/.well-known/openid-configuration", nil, "")
	if err != nil {
		return f, err
	}
	a, err := k.wire.do(doing, r, nil)
	if err != nil {
		return f, err
	}
	if a.status != http.StatusOK {
		return f, k.wire.ibmFailure(doing, "", a)
	}
	if json.Unmarshal(a.body, &f) != nil {
		return f, k.wire.notOurs(doing, a)
	}
	return f, nil
}
