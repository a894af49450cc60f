package issue

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"daypass/internal/audit"
	"daypass/internal/authn"
	"daypass/internal/identity"
	"daypass/internal/store"
)

const (
	poolDialect    = "cognito"
	userPoolSource = "cognito-idp.amazonaws.com"
)

// PoolAuth is a log-in at a user pool, by an app client (Cognito InitiateAuth).
type PoolAuth struct {
	ClientID   string
	Flow       string // AuthFlow
	Parameters map[string]string
}

// PoolAnswer answers a challenge (Cognito RespondToAuthChallenge).
type PoolAnswer struct {
	ClientID  string
	Challenge string // its name
	Session   identity.Secret
	Responses map[string]string
}

// PoolOutcome is what came of a call: tokens, or the next challenge.
type PoolOutcome struct {
	Tokens *PoolTokens
	// Challenge is the name of what is still owed; Session is empty where the
	// state is among the parameters.
	Challenge  string
	Session    identity.Secret
	Parameters map[string]string
}

// PoolTokens are the tokens of a log-in at a user pool.
type PoolTokens struct {
	Access, ID identity.Secret
	Refresh    identity.Secret // "" where the client keeps the one that it has
	ExpiresIn  int             // seconds, of the access token
}

// userPoolLogin is a log-in at a user pool on its way.
type userPoolLogin struct {
	login
	app    *identity.PoolClient
	name   string // as the client sent it
	proofs []string
}

// PoolLogin begins a log-in. KindInvalidCredentials for any wrong proof, with
// Cognito's sentences; KindNotFound for an unknown client, and, where the
// client shall know, an unknown user; KindUnauthorizedClient for a flow that
// the client may not use; KindThrottled.
func (i *Issuer) PoolLogin(ctx context.Context, r PoolAuth) (PoolOutcome, error) {
	ev := poolLoginEvent("InitiateAuth", r.ClientID)
	out, err := i.poolAuth(ctx, r, "", &ev)
	if err != nil {
		i.refused(ctx, ev, err)
	}
	return out, err
}

// poolFlow serves one flow. Allowed is what the client's ExplicitAuthFlows must
// name, any of it.
type poolFlow struct {
	allowed []string
	refusal string
	admin   bool
	serve   func(*Issuer, context.Context, *userPoolLogin, map[string]string, *audit.Event) (PoolOutcome, error)
}

var refreshFlow = poolFlow{
	allowed: []string{"ALLOW_REFRESH_TOKEN_AUTH"}, refusal: "REFRESH_TOKEN_AUTH is not enabled for the client.", serve: (*Issuer).poolRefresh,
}

var poolFlows = map[string]poolFlow{
	"USER_PASSWORD_AUTH": {
		allowed: []string{"ALLOW_USER_PASSWORD_AUTH", "USER_PASSWORD_AUTH"}, refusal: "USER_PASSWORD_AUTH flow not enabled for this client",
		serve: (*Issuer).poolPassword,
	},
	"USER_SRP_AUTH": {
		allowed: []string{"ALLOW_USER_SRP_AUTH"}, refusal: "USER_SRP_AUTH is not enabled for the client.", serve: (*Issuer).poolSRP,
	},
	"REFRESH_TOKEN_AUTH": refreshFlow,
	"REFRESH_TOKEN":      refreshFlow,
	"ADMIN_USER_PASSWORD_AUTH": {
		allowed: []string{"ALLOW_ADMIN_USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH"}, refusal: "Auth flow not enabled for this client",
		admin: true, serve: (*Issuer).poolPassword,
	},
}

// poolAuth serves a flow; pool is the ID of the user pool that the client must
// be of, "" for whichever.
func (i *Issuer) poolAuth(ctx context.Context, r PoolAuth, pool string, ev *audit.Event) (PoolOutcome, error) {
	ev.RequestParameters["authFlow"] = bounded(r.Flow)
	l, err := i.beginPool(r.ClientID, pool)
	if err != nil {
		return PoolOutcome{}, err
	}
	flow, known := poolFlows[r.Flow]
	if !known || flow.admin && pool == "" {
		return PoolOutcome{}, identity.NewError(identity.KindUnsupportedGrant, "issue.pool", "Unsupported auth flow type.")
	}
	if !slices.ContainsFunc(flow.allowed, func(f string) bool { return slices.Contains(l.app.AuthFlows, f) }) {
		return PoolOutcome{}, identity.NewError(identity.KindUnauthorizedClient, "issue.pool", flow.refusal)
	}
	return flow.serve(i, ctx, l, r.Parameters, ev)
}

// beginPool finds the client of a log-in.
func (i *Issuer) beginPool(client, pool string) (*userPoolLogin, error) {
	if err := i.ready(); err != nil {
		return nil, err
	}
	app, realm, err := i.authn.PoolClient(client)
	if err != nil {
		return nil, err
	}
	if pool != "" && realm.PoolID() != pool {
		return nil, identity.NewError(identity.KindNotFound, "issue.pool", "User pool client "+bounded(client)+" does not exist.")
	}
	return &userPoolLogin{login: login{realm: realm, at: i.clock.Now(), pos: i.db.Snapshot().Position()}, app: app}, nil
}

// nameOf reads USERNAME and checks the client's hash of it.
func (i *Issuer) nameOf(ctx context.Context, l *userPoolLogin, parameters map[string]string, ev *audit.Event) (string, error) {
	name := parameters["USERNAME"]
	if name == "" {
		return "", lacks("USERNAME")
	}
	ev.UserIdentity.UserNameHash = i.keys.Hash("audit-user", []byte(store.Fold(name)))
	return name, i.authn.SecretHash(ctx, l.app, name, parameters["SECRET_HASH"])
}

func lacks(parameter string) error {
	return identity.NewError(identity.KindMissingParameter, "issue.pool", "Missing required parameter "+parameter)
}

// poolPassword is a log-in with a password, or the secret of an API token.
func (i *Issuer) poolPassword(ctx context.Context, l *userPoolLogin, parameters map[string]string, ev *audit.Event) (PoolOutcome, error) {
	name, err := i.nameOf(ctx, l, parameters, ev)
	if err != nil {
		return PoolOutcome{}, err
	}
	password := identity.Secret(parameters["PASSWORD"])
	if password == "" {
		return PoolOutcome{}, lacks("PASSWORD")
	}
	// 1 prove
	l.name = name
	l.user, l.passwordSince, err = i.authn.Password(ctx, l.realm.Name, name, password)
	if err != nil {
		return PoolOutcome{}, i.unknownUser(ctx, l, name, err)
	}
	return i.poolProved(ctx, l, ev)
}

// poolSRP answers the first message of a log-in by SRP.
func (i *Issuer) poolSRP(ctx context.Context, l *userPoolLogin, parameters map[string]string, ev *audit.Event) (PoolOutcome, error) {
	name, err := i.nameOf(ctx, l, parameters, ev)
	if err != nil {
		return PoolOutcome{}, err
	}
	if parameters["SRP_A"] == "" {
		return PoolOutcome{}, lacks("SRP_A")
	}
	ch, err := i.authn.BeginSRP(ctx, l.realm, name, parameters["SRP_A"])
	if err != nil {
		return PoolOutcome{}, err
	}
	if !ch.Known {
		wrong := &identity.Error{Kind: identity.KindInvalidCredentials, Op: "issue.pool"}
		if err := i.unknownUser(ctx, l, name, wrong); identity.KindOf(err) != wrong.Kind {
			return PoolOutcome{}, err
		}
	}
	block, err := i.sealPool(l.app.ID, poolState{
		Kind: challengeSRP, Realm: l.realm.Name, Name: name, Subject: ch.Subject, SRP: &ch.State,
	}, base64.StdEncoding)
	if err != nil {
		return PoolOutcome{}, err
	}
	return PoolOutcome{Challenge: challengeSRP, Parameters: map[string]string{
		"SALT": ch.Salt, "SRP_B": ch.B, "SECRET_BLOCK": block, "USERNAME": name, "USER_ID_FOR_SRP": ch.Subject,
	}}, nil
}

// poolVerifier checks the second message.
func (i *Issuer) poolVerifier(ctx context.Context, l *userPoolLogin, r *PoolAnswer, ev *audit.Event) (PoolOutcome, error) {
	for _, need := range []string{"USERNAME", "PASSWORD_CLAIM_SECRET_BLOCK", "PASSWORD_CLAIM_SIGNATURE", "TIMESTAMP"} {
		if r.Responses[need] == "" {
			return PoolOutcome{}, lacks(need)
		}
	}
	name, err := i.nameOf(ctx, l, r.Responses, ev)
	if err != nil {
		return PoolOutcome{}, err
	}
	s, block, err := i.openPool(ctx, l.app, challengeSRP, r.Responses["PASSWORD_CLAIM_SECRET_BLOCK"], base64.StdEncoding)
	if err != nil {
		return PoolOutcome{}, err
	}
	// 1 prove
	l.name, l.proofs = s.Name, s.Proofs
	l.user, l.passwordSince, err = i.authn.FinishSRP(ctx, l.realm, s.SRP, authn.SRPAnswer{
		SecretBlock: block, Timestamp: r.Responses["TIMESTAMP"], Signature: r.Responses["PASSWORD_CLAIM_SIGNATURE"],
	})
	if err == nil && !s.concerns(l.user, name) {
		err = errPoolSession
	}
	if err != nil {
		return PoolOutcome{}, err
	}
	return i.poolProved(ctx, l, ev)
}

// unknownUser is what a client learns of a proof that was not good: with those
// that may know it, that there is no such user.
func (i *Issuer) unknownUser(ctx context.Context, l *userPoolLogin, name string, err error) error {
	if !l.app.TellUnknownUsers || identity.KindOf(err) != identity.KindInvalidCredentials {
		return err
	}
	seen := i.db.View(ctx, func(r store.Reader) error {
		_, err := store.Users.By(r, "login", store.Join(l.realm.Name, store.Fold(name)))
		return err
	})
	if identity.KindOf(seen) != identity.KindNotFound {
		return err
	}
	return &identity.Error{
		Kind: identity.KindNotFound, Op: "issue.pool", Public: "User does not exist.",
		Detail: []identity.Detail{{Name: "JSONCode", Value: "UserNotFoundException"}},
	}
}

// PoolAnswer goes on with a log-in. Errors as of PoolLogin; a code that is not
// right gives KindAccessDenied, a new password that the rule refuses
// KindValidation.
func (i *Issuer) PoolAnswer(ctx context.Context, r PoolAnswer) (PoolOutcome, error) {
	ev := poolLoginEvent("RespondToAuthChallenge", r.ClientID)
	out, err := i.poolAnswer(ctx, r, "", &ev)
	if err != nil {
		i.refused(ctx, ev, err)
	}
	return out, err
}

func (i *Issuer) poolAnswer(ctx context.Context, r PoolAnswer, pool string, ev *audit.Event) (PoolOutcome, error) {
	ev.RequestParameters["challengeName"] = bounded(r.Challenge)
	l, err := i.beginPool(r.ClientID, pool)
	if err != nil {
		return PoolOutcome{}, err
	}
	answer, served := poolChallenges[r.Challenge]
	if !served {
		return PoolOutcome{}, identity.NewError(identity.KindValidation, "issue.pool", "Unsupported challenge.")
	}
	return answer(i, ctx, l, &r, ev)
}

// poolProved goes on once the password was proved.
func (i *Issuer) poolProved(ctx context.Context, l *userPoolLogin, ev *audit.Event) (PoolOutcome, error) {
	describeUser(ev, l.user)
	// 2 permit
	challenge, parameters, err := i.poolOwes(ctx, l)
	if err != nil {
		return PoolOutcome{}, err
	}
	if challenge != "" {
		return i.poolChallenge(ctx, l, challenge, parameters, ev)
	}
	// 3 bound the lifetime, 4 mint, 5 record
	tokens, err := i.mintPool(ctx, l, ev)
	if err != nil {
		return PoolOutcome{}, err
	}
	i.access.PasswordUsed(l.user.ID)
	return PoolOutcome{Tokens: &tokens, Parameters: map[string]string{}}, nil
}

// mintPool mints the tokens of a new log-in session, whose refresh token
// commits with the event.
func (i *Issuer) mintPool(ctx context.Context, l *userPoolLogin, ev *audit.Event) (PoolTokens, error) {
	var err error
	if l.sid, err = identity.NewUUID(i.random); err != nil {
		return PoolTokens{}, err
	}
	ms := l.at.UnixMilli()
	l.lineage = identity.Lineage{
		{Kind: identity.LineagePrincipal, ID: l.user.ID, IssuedMS: ms},
		{Kind: identity.LineageLogin, ID: l.sid, IssuedMS: ms},
	}
	out, err := i.signPool(l)
	if err != nil {
		return PoolTokens{}, err
	}
	text, hash, err := i.authn.NewRefreshToken()
	if err != nil {
		return PoolTokens{}, err
	}
	out.Refresh = text
	expires := l.at.Add(refreshLife(l.app)).UTC()
	family := l.family(ctx, poolDialect, l.realm.PoolID(), l.app.ID, expires)
	family.MFAMS = l.mfaMS
	issuedPool(ev, &out)
	ev.ResponseElements = map[string]any{"sessionId": l.sid, "mfa": l.mfa}
	_, err = i.audit.Commit(ctx, i.db, *ev, func(tx store.Tx) error {
		if err := i.poolLive(tx, l); err != nil {
			return err
		}
		if err := store.RefreshFamilies.Insert(tx, family); err != nil {
			return err
		}
		return store.RefreshTokens.Insert(tx, &store.RefreshToken{Hash: hash, Family: l.sid, ExpiresAt: expires})
	})
	if err != nil {
		return PoolTokens{}, err
	}
	return out, nil
}

func refreshLife(c *identity.PoolClient) time.Duration {
	if c.RefreshTokenSeconds == 0 {
		return 30 * 24 * time.Hour
	}
	return seconds(c.RefreshTokenSeconds)
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

func issuedPool(ev *audit.Event, t *PoolTokens) {
	ev.Issued("accessToken", t.Access)
	ev.Issued("idToken", t.ID)
	ev.Issued("refreshToken", t.Refresh)
}

func poolLoginEvent(name, client string) audit.Event {
	return audit.Event{Source: userPoolSource, Name: name, RequestParameters: map[string]any{"clientId": strings.ToValidUTF8(bounded(client), "?")}}
}
