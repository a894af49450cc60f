package issue

import (
	"context"
	"time"

	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
	"daypass/internal/token"
)

const (
	consoleDialect = "console"
	// consoleLife is the longest that a log-in at the console lasts.
	consoleLife = 12 * time.Hour
	// freshLogin is how old a log-in may be to hand out credentials.
	freshLogin = 5 * time.Minute
)

// ConsoleLogin is a log-in at the console with a password.
type ConsoleLogin struct {
	// Place is a realm's name, an account's ID or an account's alias; "" is the
	// realm of root users.
	Place    string
	Username string // or e-mail
	Password identity.Secret
	Code     identity.Secret // of the user's authenticator; "" when none is given
}

// ConsoleSession is a log-in session of the console.
type ConsoleSession struct {
	Cookie    identity.Secret
	ExpiresAt time.Time
}

// ConsoleLogin logs a person in at the console. KindInvalidCredentials for any
// wrong proof, KindMFARequired where a second factor is owed and none was
// shown, KindAccessDenied for a wrong code, KindPasswordExpired where the
// password must be changed first (ConsolePassword does both), KindThrottled.
func (i *Issuer) ConsoleLogin(ctx context.Context, r ConsoleLogin) (ConsoleSession, error) {
	realm, ev := i.authn.RealmAt(ctx, r.Place, r.Username), consoleEvent("ConsoleLogin")
	if _, err := store.Realms.Get(i.db.Snapshot(), realm); err == nil { // people type passwords anywhere
		ev.RequestParameters = map[string]any{"realm": realm}
	}
	out, err := i.consoleLogin(ctx, realm, r, &ev)
	if err != nil {
		err = rootRealmError(i, realm, err)
		i.refused(ctx, ev, err)
	}
	return out, err
}

func (i *Issuer) consoleLogin(ctx context.Context, realm string, r ConsoleLogin, ev *audit.Event) (ConsoleSession, error) {
	// 1 prove
	p, err := i.provePerson(ctx, realm, r.Username, r.Password, r.Code, ev)
	if err != nil {
		return ConsoleSession{}, err
	}
	// 2 permit
	if err := i.permitPerson(p); err != nil {
		return ConsoleSession{}, err
	}
	// 3 bound, 4 mint, 5 record
	return i.openConsole(ctx, p, ev)
}

// person is who proved to be one, on the way to a session of the console.
type person struct {
	login
	// use uses up what was shown besides, or judges it again, in the transaction
	// that yields a session.
	use []func(store.Tx) error
	// passkey is set where that was the proof.
	passkey bool
}

// methods are those of the proof (RFC 8176); none for that of another issuer.
func (p *person) methods() []string {
	var out []string
	if !p.passwordSince.IsZero() {
		out = append(out, "pwd")
	}
	if p.code != nil {
		out = append(out, "totp", "otp")
	}
	if p.passkey {
		out = append(out, "pop", "user")
	}
	if p.mfa {
		out = append(out, "mfa")
	}
	return out
}

// provePerson is step 1 of a log-in with a password, and with a code where one
// is owed.
func (i *Issuer) provePerson(ctx context.Context, realm, name string, password, code identity.Secret, ev *audit.Event) (*person, error) {
	if err := i.ready(); err != nil {
		return nil, err
	}
	p := &person{login: login{at: i.clock.Now(), pos: i.db.Snapshot().Position()}}
	ev.UserIdentity.UserNameHash = i.keys.Hash("audit-user", []byte(store.Fold(name)))
	var err error
	if p.user, p.passwordSince, err = i.authn.Password(ctx, realm, name, password); err != nil {
		return nil, err
	}
	describeUser(ev, p.user)
	if p.realm, err = store.Realms.Get(i.db.Snapshot(), realm); err != nil {
		return nil, notFoundAs(err, identity.KindInvalidCredentials)
	}
	p.code, err = i.authn.SecondFactor(ctx, p.user, p.realm, code)
	p.mfa = p.code != nil
	return p, err
}

// permitPerson is step 2.
func (i *Issuer) permitPerson(p *person) error {
	return i.permitLogin(&p.login)
}

// openConsole is steps 3 to 5 of a log-in, whatever the proof was: a new log-in
// session with a cookie.
func (i *Issuer) openConsole(ctx context.Context, p *person, ev *audit.Event) (ConsoleSession, error) {
	var err error
	if p.sid, err = identity.NewUUID(i.random); err != nil {
		return ConsoleSession{}, err
	}
	ms := p.at.UnixMilli()
	p.lineage = append(identity.Lineage{
		{Kind: identity.LineagePrincipal, ID: p.user.ID, IssuedMS: ms},
		{Kind: identity.LineageLogin, ID: p.sid, IssuedMS: ms},
	}, p.lineage...)
	claims := &token.CookieClaims{
		AccountID: p.user.AccountID, UserID: p.user.ID, Lineage: p.lineage, Position: p.pos,
		ProvedMS: ms, ExpiresMS: p.at.Add(consoleLife).UnixMilli(), Methods: p.methods(),
	}
	if p.mfa {
		claims.MFAMS = ms
	}
	out, err := i.sealCookie(claims)
	if err != nil {
		return ConsoleSession{}, err
	}
	family := p.family(ctx, consoleDialect, p.realm.Name, "", out.ExpiresAt)
	ev.Issued("consoleSession", out.Cookie)
	ev.ResponseElements = map[string]any{"sessionId": p.sid, "mfa": p.mfa}
	_, err = i.audit.Commit(ctx, i.db, *ev, func(tx store.Tx) error {
		if err := i.personLive(tx, p); err != nil {
			return err
		}
		return store.RefreshFamilies.Insert(tx, family)
	})
	if err != nil {
		return ConsoleSession{}, err
	}
	if !p.passwordSince.IsZero() {
		i.access.PasswordUsed(p.user.ID)
	}
	return out, nil
}

// personLive judges a person again in the transaction that yields a session,
// and uses up what was shown.
func (i *Issuer) personLive(tx store.Tx, p *person) error {
	if err := i.access.LineageLive(tx, p.user.AccountID, p.lineage, p.pos, p.at); err != nil {
		return &identity.Error{Kind: identity.KindInvalidCredentials, Op: "issue.console", Err: err}
	}
	for _, use := range p.use {
		if err := use(tx); err != nil {
			return err
		}
	}
	if p.code != nil {
		return p.code.Use(tx)
	}
	return nil
}

func (i *Issuer) sealCookie(claims *token.CookieClaims) (ConsoleSession, error) {
	claims.SeenMS = i.clock.Now().UnixMilli()
	text, err := i.cookies.Seal(claims)
	return ConsoleSession{Cookie: text, ExpiresAt: time.UnixMilli(claims.ExpiresMS).UTC()}, err
}

func consoleEvent(name string) audit.Event { return audit.Event{Source: consoleDialect, Name: name} }
