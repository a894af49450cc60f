package client

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"daypass/internal/identity"
)

// RenewalWindow is how much lifetime keys must have left, unless a verb says
// otherwise.
const RenewalWindow = 5 * time.Minute

// Options are what a Keeper needs besides a profile.
type Options struct {
	// Store is where sessions are kept; nil for nowhere.
	Store *Store
	Clock identity.Clock
	// UserAgent names the program to the server.
	UserAgent string
	// Trace gets a line per request and answer, without secrets; nil for none.
	Trace io.Writer
	// Notice tells people what they should know; nil for nobody.
	Notice func(string)
}

// Keeper gets and keeps the keys of one profile.
type Keeper struct {
	profile Profile
	wire    *wire
	store   *Store
	clock   identity.Clock
	notice  func(string)
}

// NewKeeper makes a Keeper. It fails with KindValidation for a profile that is
// not fit.
func NewKeeper(p Profile, o Options) (*Keeper, error) {
	p = p.WithDefaults()
	if err := p.Check(); err != nil {
		return nil, err
	}
	if o.Notice == nil {
		o.Notice = func(string) {}
	}
	k := &Keeper{profile: p, store: o.Store, clock: o.Clock, notice: o.Notice}
	w, err := newWire(&k.profile, o)
	if err != nil {
		return nil, err
	}
	k.wire = w
	return k, nil
}

// Profile is the profile with its defaults.
func (k *Keeper) Profile() Profile { return k.profile }

// Held returns the keys that are kept, and whether they live, without asking
// the server.
func (k *Keeper) Held() (Keys, bool, error) {
	session, err := k.session()
	keys := session.Keys[k.profile.keysName()]
	return keys, keys.Alive(k.clock.Now(), 0), err
}

// session reads what is kept for the profile; what is of another endpoint,
// realm or user counts as nothing.
func (k *Keeper) session() (*Session, error) {
	if k.store == nil {
		return &Session{}, nil
	}
	session, err := k.store.Get(k.profile.Name)
	if err != nil || !session.of(&k.profile) {
		return &Session{}, err
	}
	return session, nil
}

// LogIn shows a password and keeps what comes of it. It fails with
// KindInvalidCredentials, KindAccessDenied and those of the wire.
func (k *Keeper) LogIn(ctx context.Context, username string, password identity.Secret) (Keys, error) {
	unlock, err := k.lock()
	if err != nil {
		return Keys{}, err
	}
	defer unlock()
	tokens, err := k.wire.password(ctx, username, password)
	if err != nil {
		return Keys{}, err
	}
	session := k.newSession(SourcePassword)
	session.Realm, session.ClientID, session.Username = k.profile.Realm, k.profile.ClientID, username
	session.take(tokens, k.clock.Now())
	return k.exchange(ctx, session, tokens.AccessToken)
}

// LogInByFile shows the profile's web-identity token and keeps what comes of
// it.
func (k *Keeper) LogInByFile(ctx context.Context) (Keys, error) {
	unlock, err := k.lock()
	if err != nil {
		return Keys{}, err
	}
	defer unlock()
	return k.byFile(ctx, k.newSession(SourceWebIdentity))
}

func (k *Keeper) newSession(source string) *Session {
	return &Session{Endpoint: k.profile.Endpoint, Source: source, LoggedInAt: k.clock.Now().UTC().Truncate(time.Second)}
}

func (k *Keeper) lock() (unlock func(), err error) {
	if k.store == nil {
		return func() {}, nil
	}
	return k.store.Lock(k.profile.Name)
}

// Keys returns keys of which more than window is left, renewing them if need
// be: by the refresh token, or by reading the web-identity token again. When
// that fails while the old ones live, they are returned, with a notice. Without
// a way to new ones it fails with KindExpiredToken.
func (k *Keeper) Keys(ctx context.Context, window time.Duration) (Keys, error) {
	name := k.profile.keysName()
	session, err := k.session()
	if err != nil {
		return Keys{}, err
	}
	if held, ok := session.Keys[name]; ok && held.Alive(k.clock.Now(), window) {
		return held, nil
	}
	unlock, err := k.lock()
	if err != nil {
		return Keys{}, err
	}
	defer unlock()
	// Another process may have renewed them while this one waited.
	if session, err = k.session(); err != nil {
		return Keys{}, err
	}
	held, ok := session.Keys[name]
	if ok && held.Alive(k.clock.Now(), window) {
		return held, nil
	}
	fresh, err := k.renew(ctx, session)
	if err != nil && ok && held.Alive(k.clock.Now(), 0) {
		k.notice("the keys end in " + Remaining(held.ExpiresAt.Sub(k.clock.Now())) + " and could not be renewed: " + identity.AsError(err).Public)
		return held, nil
	}
	return fresh, err
}

// renew gets new keys without asking anybody.
func (k *Keeper) renew(ctx context.Context, session *Session) (Keys, error) {
	if k.profile.Kind == KindIBM {
		return k.ibmKeys(ctx, session)
	}
	if k.profile.WebIdentityTokenFile != "" {
		if session.Source == "" {
			session = k.newSession(SourceWebIdentity)
		}
		return k.byFile(ctx, session)
	}
	if session.RefreshToken == "" {
		return Keys{}, k.notLoggedIn(session)
	}
	if !session.RefreshExpiresAt.IsZero() && !session.RefreshExpiresAt.After(k.clock.Now()) {
		return Keys{}, k.notLoggedIn(session)
	}
	tokens, err := k.wire.refresh(ctx, session.RefreshToken)
	switch {
	case identity.KindOf(err) == identity.KindExpiredToken:
		session.take(&realmTokens{}, k.clock.Now())
	case err != nil:
		return Keys{}, err
	default:
		session.take(tokens, k.clock.Now())
	}
	// The old token is spent: the new one is kept whatever comes next.
	if putErr := k.put(session); putErr != nil || err != nil {
		return Keys{}, cmp.Or(putErr, err)
	}
	return k.exchange(ctx, session, tokens.AccessToken)
}

// notLoggedIn says that somebody has to log in.
func (k *Keeper) notLoggedIn(session *Session) error {
	p := &k.profile
	why := "not logged in"
	switch {
	case k.store == nil:
		return identity.NewError(identity.KindMissingAuthentication, "client.keys",
			"not logged in at "+p.Endpoint+" (profile "+p.Name+"), and nothing is cached; leave out --no-cache and DAYPASS_NO_CACHE, or use a profile with a web_identity_token_file")
	case session.Source != "":
		why = "the log-in of " + session.LoggedInAt.Local().Format("2006-01-02 15:04 MST") + " has ended"
	}
	return identity.NewError(identity.KindExpiredToken, "client.keys",
		why+" at "+p.Endpoint+" (profile "+p.Name+"); run: "+p.loginCommand())
}

// exchange turns a JWT into keys and keeps the session with them.
func (k *Keeper) exchange(ctx context.Context, session *Session, token string) (Keys, error) {
	c := claimsOf(token)
	role, err := k.roleOf(&c)
	if err != nil {
		return Keys{}, err
	}
	name := sessionName(cmp.Or(k.profile.SessionName, c.Username, c.Email, session.Username, c.Subject))
	keys, err := k.wire.assumeRole(ctx, role, name, identity.Secret(token))
	if err != nil {
		return Keys{}, err
	}
	keys.Source = session.Source
	session.put(k.profile.keysName(), keys, k.clock.Now())
	return keys, k.put(session)
}

// roleOf is the profile's role, or the one that the token names.
func (k *Keeper) roleOf(c *claims) (string, error) {
	named := c.Tags.Principal.Role
	switch {
	case k.profile.Role != "":
		return k.profile.Role, nil
	case len(named) == 1:
		return named[0], nil
	case len(named) > 1:
		return "", identity.NewError(identity.KindValidation, "client.role",
			"the token of realm "+k.profile.Realm+" names several roles; choose one with --role: "+strings.Join(named, ", "))
	}
	return "", identity.NewError(identity.KindValidation, "client.role",
		"the token of realm "+k.profile.Realm+" at "+k.profile.Endpoint+" (profile "+k.profile.Name+") names no role; give one with --role ARN")
}

// byFile exchanges the token in the profile's file.
func (k *Keeper) byFile(ctx context.Context, session *Session) (Keys, error) {
	token, err := k.tokenIn(k.profile.WebIdentityTokenFile, "name its file with --web-identity-token-file")
	if err != nil {
		return Keys{}, err
	}
	return k.exchange(ctx, session, token.Reveal())
}

// tokenIn reads a token that somebody else puts into a file. KindValidation when
// it cannot be read; cure says what to do then.
func (k *Keeper) tokenIn(file, cure string) (identity.Secret, error) {
	data, err := os.ReadFile(file)
	token := strings.TrimSpace(string(data))
	if err == nil && token == "" {
		err = errors.New(file + " is empty")
	}
	if err != nil {
		return "", &identity.Error{
			Kind: identity.KindValidation, Op: "client.token", Err: err,
			Public: "the token for " + k.profile.Endpoint + " (profile " + k.profile.Name + ") cannot be read: " + err.Error() + "; " + cure,
		}
	}
	return identity.Secret(token), nil
}

func (k *Keeper) put(session *Session) error {
	if k.store == nil {
		return nil
	}
	return k.store.Put(k.profile.Name, session)
}

// WhoAmI asks the server whose the keys are.
func (k *Keeper) WhoAmI(ctx context.Context, keys Keys) (Identity, error) {
	return k.wire.callerIdentity(ctx, &keys)
}

// LogOut ends the log-in session at the server that it is of, whatever the
// profile says by now, and forgets it here, which it does also when the server
// cannot be reached. It returns when the last keys that the server was not told
// about end, zero for none.
func (k *Keeper) LogOut(ctx context.Context) (alive time.Time, err error) {
	unlock, err := k.lock()
	if err != nil {
		return time.Time{}, err
	}
	defer unlock()
	session, err := k.store.Get(k.profile.Name)
	if err != nil {
		return time.Time{}, err
	}
	told, ended := true, error(nil)
	p := &k.profile
	p.Endpoint, p.Realm, p.ClientID = session.Endpoint, session.Realm, session.ClientID
	switch {
	case session.IBM != nil:
		ended = k.ibmLogout(ctx, session)
	case session.RefreshToken != "":
		ended = k.wire.logout(ctx, session.RefreshToken)
	default:
		told = false
	}
	if last := session.latest(); last.Alive(k.clock.Now(), 0) && (!told || ended != nil) {
		alive = last.ExpiresAt
	}
	if err := k.store.Remove(k.profile.Name); err != nil {
		return alive, err
	}
	return alive, ended
}

// Kept returns the keys that a store keeps for a profile, the latest when there
// are none of its role, and whether they live. store may be nil.
func Kept(store *Store, p Profile, now time.Time) (Keys, bool, error) {
	k := Keeper{profile: p.WithDefaults(), store: store}
	session, err := k.session()
	keys, ok := session.Keys[k.profile.keysName()]
	if !ok {
		keys = session.latest()
	}
	return keys, keys.Alive(now, 0), err
}
