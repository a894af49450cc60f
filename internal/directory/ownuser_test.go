package directory_test

import (
	"encoding/base32"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"daypass/internal/authn"
	"daypass/internal/identity"
	"daypass/internal/keyring"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

// withPool is withAPI with signing keys for the user pool.
func withPool(t testing.TB, s *stacktest.Stack) *identity.Realm {
	t.Helper()
	withAPI(t, s)
	r, err := store.Realms.Get(s.DB.Snapshot(), "shasta")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Keyring.EnsureSets(t.Context(), []keyring.SetSpec{{Set: r.PoolKeySet(), Algorithm: "RS256", MaxTokenLife: time.Hour}}); err != nil {
		t.Fatal(err)
	}
	return r
}

// userToken is an access token of the user pool, minted now for a user; change
// may make another of it.
func userToken(t testing.TB, s *stacktest.Stack, r *identity.Realm, u *identity.User, change func(map[string]any)) identity.Secret {
	t.Helper()
	now, at := s.Clock.Now(), s.DB.Snapshot().Position()
	claims := map[string]any{
		"iss": r.PoolIssuer(stacktest.ExternalURL), "sub": u.Subject, "token_use": "access", "client_id": "client", "sid": "login-" + u.Name,
		"origin_jti": "login-" + u.Name, "jti": "x", "iat": now.Unix(), "exp": now.Unix() + 3600,
		"dp_inc": at.Incarnation, "dp_pos": at.N, "dp_uid": u.ID, "dp_ms": now.UnixMilli(),
	}
	if change != nil {
		change(claims)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	text, err := s.JWTs.Sign(r.PoolKeySet(), "RS256", payload, "JWT")
	if err != nil {
		t.Fatal(err)
	}
	return identity.Secret(text)
}

func person(t testing.TB, s *stacktest.Stack, r *identity.Realm, u *identity.User) *identity.Caller {
	t.Helper()
	c, err := s.Access.UserToken(t.Context(), userToken(t, s, r, u, nil))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestUserToken(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	r, ctx := withPool(t, s), t.Context()
	u := userNamed(t, s, stacktest.TestUser)
	c, err := s.Access.UserToken(ctx, userToken(t, s, r, u, func(m map[string]any) { m["dp_mfa"] = s.Clock.Now().UnixMilli() }))
	if err != nil || !c.Interactive || c.Temporary || c.APIToken || c.PrincipalID != u.ID || c.Kind != identity.IAMUser || !c.MFA ||
		c.Lineage.Get(identity.LineageLogin) != "login-testuser" || c.AccessKeyID != "" {
		t.Fatalf("%v, %+v", err, c)
	}
	realmToken := logIn(t, s, "shasta", "shasta", stacktest.TestUser, stacktest.TestPassword).AccessToken
	good := userToken(t, s, r, u, nil).Reveal()
	head, rest, _ := strings.Cut(good, ".")
	for name, c := range map[string]struct {
		token identity.Secret
		want  string
	}{
		"nothing":           {"", "Invalid Access Token"},
		"no token":          {"fred", "Invalid Access Token"},
		"a realm's token":   {realmToken, "Invalid Access Token"},
		"an ID token":       {userToken(t, s, r, u, func(m map[string]any) { m["token_use"] = "id"; m["aud"] = "client" }), "Invalid Access Token"},
		"of no use":         {userToken(t, s, r, u, func(m map[string]any) { delete(m, "token_use") }), "Invalid Access Token"},
		"another issuer":    {userToken(t, s, r, u, func(m map[string]any) { m["iss"] = "https://evil.example.com/" + r.PoolID() }), "Invalid Access Token"},
		"the realm's":       {userToken(t, s, r, u, func(m map[string]any) { m["iss"] = r.IssuerURL(stacktest.ExternalURL) }), "Invalid Access Token"},
		"of nobody":         {userToken(t, s, r, u, func(m map[string]any) { m["dp_uid"] = "AIDANOBODY" }), "Access Token has been revoked"},
		"another feed":      {userToken(t, s, r, u, func(m map[string]any) { m["dp_inc"] = "x" }), "Access Token has been revoked"},
		"expired":           {userToken(t, s, r, u, func(m map[string]any) { m["exp"] = s.Clock.Now().Unix() }), "Access Token has expired"},
		"another signature": {identity.Secret(head + "." + rest[:len(rest)-8] + "AAAAAAAA"), "Invalid Access Token"},
		"alg none":          {identity.Secret("eyJhbGciOiJub25lIn0." + rest), "Invalid Access Token"},
	} {
		_, err := s.Access.UserToken(ctx, c.token)
		expect(t, name, err, identity.KindInvalidBearer, c.want)
	}
	for _, name := range []string{"mfa", "stale", "disabled"} { // no session of theirs can be
		_, err := s.Access.UserToken(ctx, userToken(t, s, r, userNamed(t, s, name), nil))
		expect(t, name, err, identity.KindInvalidBearer, "Access Token has been revoked")
	}
}

// TestSelf lets a person without any policy manage itself, and nothing else.
func TestSelf(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	r, ctx := withPool(t, s), t.Context()
	u := userNamed(t, s, stacktest.TestUser)
	ended := func(what string, token identity.Secret) {
		t.Helper()
		_, err := s.Access.UserToken(ctx, token)
		expect(t, "after "+what, err, identity.KindInvalidBearer, "Access Token has been revoked")
	}
	c := person(t, s, r, u)
	own, err := s.Directory.OwnUser(ctx, c)
	if err != nil || own.ID != u.ID || !own.HasPassword || len(own.Devices) != 0 {
		t.Fatalf("%v, %+v", err, own)
	}
	if _, err := s.Directory.GetUser(ctx, c, ""); identity.KindOf(err) != denied {
		t.Errorf("IAM: %v", err)
	}
	token := userToken(t, s, r, u, nil)
	expect(t, "a wrong old password", s.Directory.ChangePassword(ctx, c, "no", "another password"), identity.KindInvalidInput, "")
	err = s.Directory.ChangePassword(ctx, c, stacktest.TestPassword, "short")
	if expect(t, "a short password", err, identity.KindValidation, ""); identity.AsError(err).DetailValue("JSONCode") != "InvalidPasswordException" {
		t.Errorf("%+v", err)
	}
	must(t, s.Directory.ChangePassword(ctx, c, stacktest.TestPassword, "another password"))
	ended("a new password", token)
	if err := logInAs(t, s, "shasta", stacktest.TestUser, "another password"); err != nil {
		t.Error(err)
	}

	c, token = person(t, s, r, u), userToken(t, s, r, u, nil)
	must(t, s.Directory.SignOut(ctx, c))
	ended("signing out", token)
	expect(t, "signing out by it again", s.Directory.SignOut(ctx, c), identity.KindExpiredToken, "")
	if _, err := s.Access.UserToken(ctx, userToken(t, s, r, u, nil)); err != nil {
		t.Errorf("a new log-in: %v", err)
	}
}

// TestOwnTOTP sets a software token up, replaces it and takes it away.
func TestOwnTOTP(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	r, ctx := withPool(t, s), t.Context()
	u := userNamed(t, s, stacktest.TestUser)
	code := func(seed identity.Secret) string {
		t.Helper()
		text, err := totp.GenerateCode(seedText(seed), s.Clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	devices := func() (serials []string) {
		t.Helper()
		own, err := s.Directory.OwnUser(ctx, person(t, s, r, u))
		must(t, err)
		for _, m := range own.Devices {
			serials = append(serials, m.Serial)
		}
		return serials
	}
	c := person(t, s, r, u)
	expect(t, "a code of nothing", s.Directory.ConfirmTOTP(ctx, c, "123456", ""), absent, "")
	expect(t, "enabled without a token", s.Directory.TOTPPreference(ctx, c, true), identity.KindValidation, "")
	must(t, s.Directory.TOTPPreference(ctx, c, false))
	old, err := s.Directory.EnrolTOTP(ctx, c)
	must(t, err)
	seed, err := s.Directory.EnrolTOTP(ctx, c)
	must(t, err)
	if len(seed) != authn.TOTPSeedBytes || seed == old {
		t.Errorf("a seed of %d bytes", len(seed))
	}
	err = s.Directory.ConfirmTOTP(ctx, c, code(old), "")
	if expect(t, "a code of what was forgotten", err, denied, "Code mismatch"); identity.AsError(err).DetailValue("JSONCode") != "EnableSoftwareTokenMFAException" {
		t.Errorf("%+v", err)
	}
	if len(devices()) != 0 {
		t.Error("a wrong code enabled a device")
	}
	must(t, s.Directory.ConfirmTOTP(ctx, c, code(seed), "phone"))
	first := devices()
	if len(first) != 1 {
		t.Fatalf("devices %v", first)
	}
	expect(t, "the session that did it", s.Directory.SignOut(ctx, c), identity.KindExpiredToken, "")

	// The same code is used up, for log-ins as well.
	if _, err := s.Authn.TOTP(ctx, u.ID, first[0], code(seed)); identity.KindOf(err) != denied {
		t.Errorf("the code again: %v", err)
	}
	c = person(t, s, r, u)
	must(t, s.Directory.TOTPPreference(ctx, c, true))
	second, err := s.Directory.EnrolTOTP(ctx, c)
	must(t, err)
	s.Clock.Advance(time.Minute)
	if _, err := s.Authn.TOTP(ctx, u.ID, first[0], code(seed)); err != nil {
		t.Errorf("the first token while the second is set up: %v", err)
	}
	must(t, s.Directory.ConfirmTOTP(ctx, c, code(second), ""))
	if got := devices(); len(got) != 1 || got[0] == first[0] {
		t.Errorf("devices %v after a second token, the first was %v", got, first)
	}
	s.Clock.Advance(time.Minute)
	if _, err := s.Authn.TOTP(ctx, u.ID, first[0], code(seed)); identity.KindOf(err) != denied {
		t.Errorf("the first token after the second was set up: %v", err)
	}

	setMFA := func(value string) {
		_, err := s.DB.Update(ctx, func(tx store.Tx) error {
			now, err := store.Realms.Get(tx, "shasta")
			if err != nil {
				return err
			}
			v, p := *now, *now.Pool
			p.MFA, v.Pool = value, &p
			return store.Realms.Put(tx, &v)
		})
		must(t, err)
	}
	setMFA(identity.MFAOn)
	c = person(t, s, r, u)
	expect(t, "off where the pool has it on", s.Directory.TOTPPreference(ctx, c, false), identity.KindValidation, "")
	setMFA(identity.MFAOptional)
	must(t, s.Directory.TOTPPreference(ctx, c, false))
	if got := devices(); len(got) != 0 {
		t.Errorf("devices %v after they were taken away", got)
	}
	expect(t, "the session that did it", s.Directory.SignOut(ctx, c), identity.KindExpiredToken, "")
	a := root(t, s, stacktest.AccountA, "aws")
	_, err = s.Directory.CreateMFADevice(ctx, a, "x", "/pool/shasta/", nil)
	expect(t, "a device where those of pools are", err, identity.KindValidation, "")
}

func seedText(seed identity.Secret) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(seed.Reveal()))
}

// TestAPITokenManagesNothing calls what people may do to themselves by the
// access token of an API token.
func TestAPITokenManagesNothing(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	r, ctx := withPool(t, s), t.Context()
	a := root(t, s, stacktest.AccountA, "aws")
	made := newToken(t, s, a, "ci", "api_admin")
	c := person(t, s, r, &made.User)
	if !c.APIToken {
		t.Fatal("not known as an API token")
	}
	// Neither a rule of the account nor a policy of its own opens these.
	_, err := s.DB.Update(ctx, func(tx store.Tx) error {
		acc, err := store.Accounts.Get(tx, stacktest.AccountA)
		if err != nil {
			return err
		}
		v := *acc
		v.PasswordPolicy = &identity.PasswordPolicy{MinimumLength: 8, AllowChange: true}
		if err := store.Accounts.Put(tx, &v); err != nil {
			return err
		}
		u := made.User
		u.Policies = allowing(allowActions("*"))
		return store.Users.Put(tx, &u)
	})
	must(t, err)
	c = person(t, s, r, &made.User)
	_, enrol := s.Directory.EnrolTOTP(ctx, c)
	for name, err := range map[string]error{
		"EnrolTOTP": enrol, "ConfirmTOTP": s.Directory.ConfirmTOTP(ctx, c, "123456", ""),
		"TOTPPreference": s.Directory.TOTPPreference(ctx, c, false),
		"ChangePassword": s.Directory.ChangePassword(ctx, c, made.Secret, "another password"),
	} {
		expect(t, name, err, denied, "")
	}
	if own, err := s.Directory.OwnUser(ctx, c); err != nil || own.Name != made.Name {
		t.Errorf("%v, %+v", err, own)
	}
	must(t, s.Directory.SignOut(ctx, c))
	expect(t, "after signing out", s.Directory.SignOut(ctx, c), identity.KindExpiredToken, "")
}

// TestPolicyMayDenySelf denies in words what needs no permission.
func TestPolicyMayDenySelf(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	r, ctx := withPool(t, s), t.Context()
	u := userNamed(t, s, stacktest.TestUser)
	a := root(t, s, stacktest.AccountA, "aws")
	deny := func(action, resource string) *identity.Caller {
		t.Helper()
		grant(t, s, a, u.ID, allowing(`{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"`+action+`","Resource":"`+resource+`"}}`))
		return person(t, s, r, u)
	}
	pool := identity.UserPoolARN("aws", "ap-southeast-2", stacktest.AccountA, r.PoolID())
	c := deny("cognito-idp:AssociateSoftwareToken", pool)
	_, err := s.Directory.EnrolTOTP(ctx, c)
	expect(t, "a denied operation", err, denied, "")
	if _, err := s.Directory.OwnUser(ctx, c); err != nil {
		t.Errorf("another operation: %v", err)
	}
	if _, err := s.Directory.EnrolTOTP(ctx, deny("cognito-idp:AssociateSoftwareToken", pool+"2")); err != nil {
		t.Errorf("denied on another pool: %v", err)
	}
	c = deny("iam:ChangePassword", "*")
	expect(t, "a denied change", s.Directory.ChangePassword(ctx, c, stacktest.TestPassword, "another password"), denied, "")
}
