package issue

import (
	"context"
	"slices"
	"strings"
	"time"

	"daypass/internal/audit"
	"daypass/internal/authn"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// Grant types of realms (RFC 6749).
const (
	grantPassword = "password"
	grantRefresh  = "refresh_token"
	grantClient   = "client_credentials"
)

const realmDialect = "oidc"

// RealmFacts are what a realm says of itself in discovery.
type RealmFacts struct {
	Issuer, Algorithm string
	Grants            []string
}

// Realm describes a realm; KindNotFound when there is none.
func (i *Issuer) Realm(name string) (RealmFacts, error) {
	r, err := store.Realms.Get(i.db.Snapshot(), name)
	if err != nil {
		return RealmFacts{}, err
	}
	return RealmFacts{Issuer: r.IssuerURL(i.external), Algorithm: r.Algorithm, Grants: []string{grantPassword, grantRefresh, grantClient}}, nil
}

// JWKS is a realm's key set as JSON (RFC 7517), the active key first.
func (i *Issuer) JWKS(name string) ([]byte, error) {
	if _, err := store.Realms.Get(i.db.Snapshot(), name); err != nil {
		return nil, err
	}
	return i.keys.JWKS(identity.RealmKeySet(name)), nil
}

// login is what a grant of a realm needs to mint.
type login struct {
	realm   *identity.Realm
	client  *identity.Client
	user    *identity.User
	scope   string
	sid     string
	at      time.Time
	lineage identity.Lineage
	pos     identity.Position
	// passwordSince is since when the password that was shown is the user's;
	// zero for other proofs.
	passwordSince time.Time
	// mfa says that a second factor was shown, mfaMS when (Unix ms, 0 for now).
	mfa   bool
	mfaMS int64
	code  *authn.TOTPCode // that was shown in this call; nil for none
}

// provedMS is when the log-in that a token goes back to was proved (Unix ms),
// however late the token is signed: a revocation by time that ends the one ends
// the other.
func (l *login) provedMS() int64 {
	for _, a := range l.lineage {
		if a.Kind == identity.LineagePrincipal && a.IssuedMS != 0 {
			return a.IssuedMS
		}
	}
	return l.at.UnixMilli()
}

// Password is the password grant: KindInvalidCredentials for any wrong proof,
// KindPasswordExpired or KindMFARequired for a right one that is not enough.
func (i *Issuer) Password(ctx context.Context, g PasswordGrant) (TokenSet, error) {
	ev := realmEvent("PasswordGrant", g.Realm, g.Client.ID)
	set, err := i.password(ctx, g, &ev)
	if err != nil {
		err = rootRealmError(i, g.Realm, err)
		i.refused(ctx, ev, err)
	}
	return set, err
}

func (i *Issuer) password(ctx context.Context, g PasswordGrant, ev *audit.Event) (TokenSet, error) {
	l, err := i.begin(ctx, g.Realm, g.Client, grantPassword, g.Scope)
	if err != nil {
		return TokenSet{}, err
	}
	ev.UserIdentity.UserNameHash = i.keys.Hash("audit-user", []byte(store.Fold(g.Username)))
	// 1 prove
	l.pos = i.db.Snapshot().Position()
	if l.user, l.passwordSince, err = i.authn.Password(ctx, g.Realm, g.Username, g.Password); err != nil {
		return TokenSet{}, err
	}
	describeUser(ev, l.user)
	if l.code, err = i.authn.SecondFactor(ctx, l.user, l.realm, g.Code); err != nil {
		return TokenSet{}, wrongCode(err)
	}
	if l.code != nil {
		l.mfa, l.mfaMS = true, l.at.UnixMilli()
	}
	set, err := i.logIn(ctx, l, ev)
	if err == nil {
		i.access.PasswordUsed(l.user.ID)
	}
	return set, err
}

// ClientCredentials is the client_credentials grant: the client's service
// account logs in.
func (i *Issuer) ClientCredentials(ctx context.Context, g ClientGrant) (TokenSet, error) {
	ev := realmEvent("ClientCredentialsGrant", g.Realm, g.Client.ID)
	set, err := i.clientCredentials(ctx, g, &ev)
	if err != nil {
		i.refused(ctx, ev, err)
	}
	return set, err
}

func (i *Issuer) clientCredentials(ctx context.Context, g ClientGrant, ev *audit.Event) (TokenSet, error) {
	// The client's secret is the proof: what is revoked while it is checked counts.
	pos := i.db.Snapshot().Position()
	l, err := i.begin(ctx, g.Realm, g.Client, grantClient, g.Scope)
	if err != nil {
		return TokenSet{}, err
	}
	l.pos = pos
	if l.client.Public || l.client.ServiceAccount == "" {
		return TokenSet{}, &identity.Error{Kind: identity.KindUnauthorizedClient, Op: "issue.client"}
	}
	if l.user, err = store.Lookup(ctx, i.db, store.Users, l.client.ServiceAccount); err != nil {
		return TokenSet{}, notFoundAs(err, identity.KindUnauthorizedClient)
	}
	describeUser(ev, l.user)
	return i.logIn(ctx, l, ev)
}

// begin finds the realm and checks the client and whether it may use a grant.
func (i *Issuer) begin(ctx context.Context, realm string, cp ClientProof, grant, scope string) (*login, error) {
	if err := i.ready(); err != nil {
		return nil, err
	}
	r, err := store.Realms.Get(i.db.Snapshot(), realm)
	if err != nil {
		return nil, err
	}
	c, err := i.authn.Client(ctx, realm, cp.ID, cp.Secret, cp.HasSecret)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(c.Grants, grant) {
		return nil, &identity.Error{Kind: identity.KindUnauthorizedClient, Op: "issue.client"}
	}
	return &login{realm: r, client: c, scope: grantedScope(r, scope), at: i.clock.Now()}, nil
}

// grantedScope is the realm's scope, with "openid" where it was asked for.
func grantedScope(r *identity.Realm, asked string) string {
	scope := r.Scope
	if slices.Contains(strings.Fields(asked), "openid") && !slices.Contains(strings.Fields(scope), "openid") {
		scope = strings.TrimSpace("openid " + scope)
	}
	return scope
}

// logIn is steps 2 to 5 of a new log-in session.
func (i *Issuer) logIn(ctx context.Context, l *login, ev *audit.Event) (TokenSet, error) {
	// 2 permit
	if err := i.permitLogin(l); err != nil {
		return TokenSet{}, err
	}
	var err error
	if l.sid, err = identity.NewUUID(i.random); err != nil {
		return TokenSet{}, err
	}
	ms := l.at.UnixMilli()
	l.lineage = identity.Lineage{
		{Kind: identity.LineagePrincipal, ID: l.user.ID, IssuedMS: ms},
		{Kind: identity.LineageLogin, ID: l.sid, IssuedMS: ms},
	}
	// 3 bound the lifetime: the realm's own.
	if !slices.Contains(l.client.Grants, grantRefresh) || l.realm.RefreshTokenSeconds == 0 {
		// 4 mint, 5 record
		set, err := i.mintAccess(l)
		if err != nil {
			return TokenSet{}, err
		}
		ev.Issued("accessToken", set.AccessToken)
		if l.code == nil {
			return set, i.audit.Record(ctx, *ev)
		}
		_, err = i.audit.Commit(ctx, i.db, *ev, func(tx store.Tx) error { return i.loginLive(tx, l) })
		return set, err
	}
	return i.mintFamily(ctx, l, ev)
}

// permitLogin is step 2 of a log-in in one call.
func (i *Issuer) permitLogin(l *login) error {
	if err := permitUser(l.user, l.mfa); err != nil {
		return err
	}
	aged, err := i.permitPlace(l)
	if err != nil {
		return err
	}
	if aged {
		return &identity.Error{Kind: identity.KindPasswordExpired, Op: "issue.permit"}
	}
	// An API token has its role from the identity pool alone: realms and the
	// console, whose tokens other roles may trust, do not take it.
	if l.user.Token != nil {
		return &identity.Error{Kind: identity.KindInvalidCredentials, Op: "issue.permit"}
	}
	return nil
}

// permitPlace judges the account and the realm of a log-in, and says whether
// its password is too old.
func (i *Issuer) permitPlace(l *login) (aged bool, err error) {
	acc, err := store.Accounts.Get(i.db.Snapshot(), l.user.AccountID)
	if err != nil || acc.Disabled || l.user.Realm != l.realm.Name || l.realm.RootLoginDisabled && l.user.Root {
		return false, &identity.Error{Kind: identity.KindInvalidCredentials, Op: "issue.permit", Err: err}
	}
	p := acc.PasswordPolicy
	return p != nil && p.MaxAgeDays > 0 && !l.user.Root && l.user.Token == nil && !l.passwordSince.IsZero() &&
		l.at.After(l.passwordSince.AddDate(0, 0, p.MaxAgeDays)), nil
}

// mintFamily mints an access token and the first refresh token of a new
// family, which commits with its event.
func (i *Issuer) mintFamily(ctx context.Context, l *login, ev *audit.Event) (TokenSet, error) {
	set, err := i.mintAccess(l)
	if err != nil {
		return TokenSet{}, err
	}
	text, hash, err := i.authn.NewRefreshToken()
	if err != nil {
		return TokenSet{}, err
	}
	expires := l.at.Add(time.Duration(l.realm.RefreshTokenSeconds) * time.Second).UTC()
	family := l.family(ctx, realmDialect, l.realm.Name, l.client.ID, expires)
	family.Scope, family.MFAMS = l.scope, l.mfaMS
	set.RefreshToken, set.RefreshExpiresIn = text, l.realm.RefreshTokenSeconds
	ev.Issued("accessToken", set.AccessToken)
	ev.Issued("refreshToken", set.RefreshToken)
	_, err = i.audit.Commit(ctx, i.db, *ev, func(tx store.Tx) error {
		if err := i.loginLive(tx, l); err != nil {
			return err
		}
		if err := store.RefreshFamilies.Insert(tx, family); err != nil {
			return err
		}
		return store.RefreshTokens.Insert(tx, &store.RefreshToken{Hash: hash, Family: l.sid, ExpiresAt: expires})
	})
	if err != nil {
		return TokenSet{}, err
	}
	return set, nil
}

// family is the record of a new log-in session.
func (l *login) family(ctx context.Context, dialect, issuer, client string, expires time.Time) *store.RefreshFamily {
	f := identity.RequestOf(ctx)
	return &store.RefreshFamily{
		ID: l.sid, Dialect: dialect, Issuer: issuer, ClientID: client, UserID: l.user.ID, Lineage: l.lineage, Position: l.pos,
		LoginAt: l.at.UTC(), ExpiresAt: expires, SourceIP: f.SourceIP, UserAgent: f.UserAgent,
	}
}

// loginLive judges a log-in again in the transaction that yields its tokens, and
// uses its code up.
func (i *Issuer) loginLive(tx store.Tx, l *login) error {
	if err := i.access.LineageLive(tx, l.user.AccountID, l.lineage, l.pos, l.at); err != nil {
		return &identity.Error{Kind: identity.KindInvalidCredentials, Op: "issue.login", Err: err}
	}
	if l.code == nil {
		return nil
	}
	return wrongCode(l.code.Use(tx))
}

// wrongCode makes a wrong code a wrong proof like any other.
func wrongCode(err error) error {
	if identity.KindOf(err) == identity.KindAccessDenied {
		return &identity.Error{Kind: identity.KindInvalidCredentials, Op: "issue.login", Err: err}
	}
	return err
}

// mintAccess signs an access token.
func (i *Issuer) mintAccess(l *login) (TokenSet, error) {
	acc, err := store.Accounts.Get(i.db.Snapshot(), l.user.AccountID)
	if err != nil {
		return TokenSet{}, err
	}
	jti, err := identity.NewUUID(i.random)
	if err != nil {
		return TokenSet{}, err
	}
	now := i.clock.Now()
	claims := accessClaims{
		Expiry: now.Unix() + int64(l.realm.AccessTokenSeconds), IssuedAt: now.Unix(), ID: jti,
		Issuer: l.realm.IssuerURL(i.external), Audience: audience(l.client), Subject: l.user.Subject, Type: "Bearer",
		Azp: l.client.ID, SessionState: l.sid, ACR: "1", Scope: l.scope, SID: l.sid,
		EmailVerified: l.user.EmailVerified, Email: l.user.Email,
		Incarnation: l.pos.Incarnation, Position: l.pos.N, UserID: l.user.ID, IssuedMS: l.provedMS(), MFAMS: l.mfaMS,
	}
	if l.user.Root {
		claims.Tags = &tagsClaim{PrincipalTags: map[string][]string{"role": {identity.RootARN(acc.Partition, acc.ID)}}}
	} else {
		claims.PreferredUsername = l.user.Name
	}
	for client, roles := range l.user.ClientRoles {
		if claims.ResourceAccess == nil {
			claims.ResourceAccess = map[string]rolesClaim{}
		}
		claims.ResourceAccess[client] = rolesClaim{Roles: roles}
	}
	text, err := i.jwts.SignClaims(l.realm.KeySet(), l.realm.Algorithm, claims, "JWT")
	if err != nil {
		return TokenSet{}, err
	}
	return TokenSet{AccessToken: identity.Secret(text), ExpiresIn: l.realm.AccessTokenSeconds, SessionState: l.sid, Scope: l.scope}, nil
}

// accessClaims is the payload of a realm's access token, members in the order
// that Keycloak's have.
type accessClaims struct {
	Expiry            int64                 `json:"exp"`
	IssuedAt          int64                 `json:"iat"`
	ID                string                `json:"jti"`
	Issuer            string                `json:"iss"`
	Audience          any                   `json:"aud"`
	Subject           string                `json:"sub"`
	Type              string                `json:"typ"`
	Azp               string                `json:"azp"`
	SessionState      string                `json:"session_state"`
	ACR               string                `json:"acr"`
	ResourceAccess    map[string]rolesClaim `json:"resource_access,omitempty"`
	Scope             string                `json:"scope"`
	SID               string                `json:"sid"`
	Tags              *tagsClaim            `json:"https://aws.amazon.com/tags,omitempty"`
	EmailVerified     bool                  `json:"email_verified"`
	PreferredUsername string                `json:"preferred_username,omitempty"`
	Email             string                `json:"email,omitempty"`
	// Private: where in the feed it was minted, for whom, and when its log-in was
	// proved in ms.
	Incarnation string `json:"dp_inc"`
	Position    uint64 `json:"dp_pos"`
	UserID      string `json:"dp_uid"`
	IssuedMS    int64  `json:"dp_ms"`
	// When a second factor was shown, in ms.
	MFAMS int64 `json:"dp_mfa,omitempty"`
}

type rolesClaim struct {
	Roles []string `json:"roles"`
}

type tagsClaim struct {
	PrincipalTags map[string][]string `json:"principal_tags"`
}

// audience is a string for one, a list for several, as Keycloak writes it.
func audience(c *identity.Client) any {
	switch len(c.Audience) {
	case 0:
		return c.ID
	case 1:
		return c.Audience[0]
	default:
		return c.Audience
	}
}

// rootRealmError gives every failed log-in at the realm of root users the same
// text: who logs in here, and whom to ask.
func rootRealmError(i *Issuer, realm string, err error) error {
	if realm != identity.RootRealm || identity.KindOf(err) != identity.KindInvalidCredentials {
		return err
	}
	e := *identity.AsError(err)
	e.Public = "Invalid user credentials. Only root users log in here."
	if r, rerr := store.Realms.Get(i.db.Snapshot(), realm); rerr == nil && r.SupportContact != "" {
		e.Public += " For help contact " + r.SupportContact + "."
	}
	return &e
}

func realmEvent(name, realm, client string) audit.Event {
	return audit.Event{Source: realmDialect, Name: name, RequestParameters: map[string]any{"realm": realm, "clientId": client}}
}

// describeUser names a user whose proof was good.
func describeUser(ev *audit.Event, u *identity.User) {
	ev.UserIdentity = audit.UserIdentity{Type: "IAMUser", PrincipalID: u.ID, AccountID: u.AccountID, UserName: u.Name}
	switch {
	case u.Root:
		ev.UserIdentity.Type = "Root"
	case u.ServiceID != nil || u.Profile != nil:
		ev.UserIdentity.Type = "ServiceID"
	}
}

func notFoundAs(err error, kind identity.Kind) error {
	if identity.KindOf(err) == identity.KindNotFound {
		return &identity.Error{Kind: kind, Op: "issue", Err: err}
	}
	return err
}
