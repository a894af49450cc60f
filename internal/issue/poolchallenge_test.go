package issue_test

import (
	"encoding/base32"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

// codeNow is the code that a device with the seed shows.
func codeNow(t testing.TB, s *stacktest.Stack, seed identity.Secret) string {
	t.Helper()
	code, err := totp.GenerateCode(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(seed.Reveal())), s.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// answerTo answers a challenge.
func answerTo(t testing.TB, s *stacktest.Stack, name string, o issue.PoolOutcome, responses map[string]string) (issue.PoolOutcome, error) {
	t.Helper()
	responses["USERNAME"] = name
	return s.Issuer.PoolAnswer(t.Context(), issue.PoolAnswer{ClientID: stacktest.PoolClient, Challenge: o.Challenge, Session: o.Session, Responses: responses})
}

// setUpDevice logs in as the user "mfa", who owes a second factor and has none,
// and returns the tokens and the device's seed.
func setUpDevice(t testing.TB, s *stacktest.Stack) (issue.PoolTokens, identity.Secret) {
	t.Helper()
	out, err := poolPassword(t, s, "mfa", stacktest.TestPassword)
	if err != nil || out.Challenge != "MFA_SETUP" || out.Tokens != nil {
		t.Fatalf("the log-in: %+v, %v", out, err)
	}
	if _, err := answerTo(t, s, "mfa", out, map[string]string{}); identity.KindOf(err) != identity.KindValidation {
		t.Errorf("nothing was set up: %v", err)
	}
	seed, session, err := s.Issuer.PoolEnrol(t.Context(), out.Session)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Issuer.PoolConfirm(t.Context(), session, "000000", ""); err == nil {
		t.Error("a wrong code sets the device up")
	}
	next, err := s.Issuer.PoolConfirm(t.Context(), session, codeNow(t, s, seed), "phone")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Issuer.PoolEnrol(t.Context(), session); err == nil {
		t.Error("the session sets another device up in the place of the one that is there")
	}
	out.Session = next
	done, err := answerTo(t, s, "mfa", out, map[string]string{})
	if err != nil || done.Tokens == nil {
		t.Fatalf("after the device: %+v, %v", done, err)
	}
	if _, err := answerTo(t, s, "mfa", out, map[string]string{}); err == nil {
		t.Error("a session is good twice")
	}
	return *done.Tokens, seed
}

func TestPoolSecondFactor(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t, stacktest.WithPools())
	first, seed := setUpDevice(t, s)
	if ms := payloadOf(t, first.Access)["dp_mfa"]; ms != float64(s.Clock.Now().UnixMilli()) {
		t.Errorf("dp_mfa is %v", ms)
	}
	if c, err := s.Access.UserToken(t.Context(), first.Access); err != nil || !c.MFA || !c.MFATime.Equal(s.Clock.Now()) {
		t.Errorf("the access token: %+v, %v", c, err)
	}
	s.Clock.Advance(time.Minute)
	for how, begin := range map[string]func() (issue.PoolOutcome, error){
		"password": func() (issue.PoolOutcome, error) { return poolPassword(t, s, "mfa", stacktest.TestPassword) },
		"SRP": func() (issue.PoolOutcome, error) {
			return s.Issuer.PoolAnswer(t.Context(), poolSRP(t, s, "mfa", stacktest.TestPassword, aTime))
		},
	} {
		s.Clock.Advance(time.Minute)
		out, err := begin()
		if err != nil || out.Challenge != "SOFTWARE_TOKEN_MFA" || out.Tokens != nil || out.Parameters["FRIENDLY_DEVICE_NAME"] != "phone" || len(out.Session) > 2048 {
			t.Fatalf("%s: %+v, %v", how, out, err)
		}
		if _, err := answerTo(t, s, "mfa", out, map[string]string{"SOFTWARE_TOKEN_MFA_CODE": "000000"}); identity.AsError(err).DetailValue("JSONCode") != "CodeMismatchException" {
			t.Errorf("%s: a wrong code: %v", how, err)
		}
		code := codeNow(t, s, seed)
		if _, err := answerTo(t, s, stacktest.TestUser, out, map[string]string{"SOFTWARE_TOKEN_MFA_CODE": code}); identity.KindOf(err) != identity.KindInvalidCredentials {
			t.Errorf("%s: another user's name: %v", how, err)
		}
		done, err := answerTo(t, s, "mfa", out, map[string]string{"SOFTWARE_TOKEN_MFA_CODE": code})
		if err != nil || done.Tokens == nil {
			t.Fatalf("%s: %v", how, err)
		}
		if _, err := answerTo(t, s, "mfa", out, map[string]string{"SOFTWARE_TOKEN_MFA_CODE": code}); err == nil {
			t.Errorf("%s: session and code are good twice", how)
		}
		again, err := begin()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := answerTo(t, s, "mfa", again, map[string]string{"SOFTWARE_TOKEN_MFA_CODE": code}); identity.KindOf(err) != identity.KindAccessDenied {
			t.Errorf("%s: a used code: %v", how, err)
		}
		if fresh, err := poolFlow(t, s, done.Tokens.Refresh); err != nil || payloadOf(t, fresh.Tokens.Access)["dp_mfa"] == nil {
			t.Errorf("%s: refreshed: %v", how, err)
		}
		s.Clock.Advance(3 * time.Minute)
		_, err = answerTo(t, s, "mfa", again, map[string]string{"SOFTWARE_TOKEN_MFA_CODE": codeNow(t, s, seed)})
		says(t, how+", too late", err, "Invalid session for the user, session is expired.")
	}
}

func TestPoolNewPassword(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t, stacktest.WithPools())
	out, err := s.Issuer.PoolAnswer(t.Context(), poolSRP(t, s, "stale", stacktest.TestPassword, aTime))
	if err != nil || out.Challenge != "NEW_PASSWORD_REQUIRED" || out.Tokens != nil || out.Parameters["requiredAttributes"] != "[]" || out.Parameters["userAttributes"] != "{}" {
		t.Fatalf("the log-in: %+v, %v", out, err)
	}
	for password, code := range map[string]string{"short": "InvalidPasswordException", stacktest.TestPassword: "InvalidPasswordException"} {
		if _, err := answerTo(t, s, "stale", out, map[string]string{"NEW_PASSWORD": password}); identity.AsError(err).DetailValue("JSONCode") != code {
			t.Errorf("%q: %v", password, err)
		}
	}
	if _, err := answerTo(t, s, "stale", out, map[string]string{"NEW_PASSWORD": "quite another one", "userAttributes.email_verified": "true"}); identity.KindOf(err) != identity.KindInvalidCredentials {
		t.Errorf("a verified address: %v", err)
	}
	// Roles hang on what tokens say: case does not count where claims are read.
	for _, name := range []string{"Cognito:roles", "COGNITO:preferred_role", "cognito:groups", "DP_MFA", "Token_Use", "custom:department", "department", "https://aws.amazon.com/tags"} {
		if _, err := answerTo(t, s, "stale", out, map[string]string{"NEW_PASSWORD": "quite another one", "userAttributes." + name: "1"}); identity.KindOf(err) != identity.KindInvalidCredentials {
			t.Errorf("the attribute %s: %v", name, err)
		}
	}
	done, err := answerTo(t, s, "stale", out, map[string]string{"NEW_PASSWORD": "quite another one", "userAttributes.name": "Stan Stale"})
	if err != nil || done.Tokens == nil {
		t.Fatalf("the new password: %v", err)
	}
	if name := payloadOf(t, done.Tokens.ID)["name"]; name != "Stan Stale" {
		t.Errorf("name is %v", name)
	}
	if _, err := s.Access.UserToken(t.Context(), done.Tokens.Access); err != nil {
		t.Errorf("the access token: %v", err)
	}
	if _, err := poolFlow(t, s, done.Tokens.Refresh); err != nil {
		t.Errorf("the refresh token: %v", err)
	}
	if _, err := answerTo(t, s, "stale", out, map[string]string{"NEW_PASSWORD": "and one more"}); err == nil {
		t.Error("the session is good twice")
	}
	for password, want := range map[string]bool{"quite another one": true, stacktest.TestPassword: false} {
		if out, err := poolPassword(t, s, "stale", password); (err == nil && out.Tokens != nil) != want {
			t.Errorf("%q afterwards: %v", password, err)
		}
	}
}

// TestPasswordBesidePasskey: who has a passkey sets no other factor up with the
// password alone, also not by a session from before.
func TestPasswordBesidePasskey(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t, stacktest.WithPools())
	out, err := poolPassword(t, s, "mfa", stacktest.TestPassword)
	if err != nil || out.Challenge != "MFA_SETUP" {
		t.Fatalf("the log-in: %+v, %v", out, err)
	}
	_, err = s.DB.Update(t.Context(), func(tx store.Tx) error {
		u, err := store.Users.By(tx, "login", store.Join("shasta", "mfa"))
		if err != nil {
			return err
		}
		return store.Passkeys.Insert(tx, &identity.Passkey{ID: "key", AccountID: u.AccountID, UserID: u.ID, PublicKey: []byte("k")})
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Issuer.PoolEnrol(t.Context(), out.Session); identity.KindOf(err) != identity.KindInvalidCredentials {
		t.Errorf("a device beside the passkey: %v", err)
	}
	if out, err := poolPassword(t, s, "mfa", stacktest.TestPassword); identity.KindOf(err) != identity.KindMFARequired {
		t.Errorf("the log-in with a password alone: %+v, %v", out, err)
	}
}

// TestClaimsOfAttributes: no attribute passes for a claim of ours.
func TestClaimsOfAttributes(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t, stacktest.WithPools())
	_, err := s.DB.Update(t.Context(), func(tx store.Tx) error {
		u, err := store.Users.By(tx, "login", store.Join("shasta", stacktest.TestUser))
		if err != nil {
			return err
		}
		v := *u
		v.Attributes = map[string]string{"COGNITO:ROLES": "r", "Cognito:preferred_role": "r", "Dp_Mfa": "1", "SUB": "x", "Aud": "x", "custom:team": "blue"}
		return store.Users.Put(tx, &v)
	})
	if err != nil {
		t.Fatal(err)
	}
	tokens := poolTokens(t, s)
	claims := payloadOf(t, tokens.ID)
	for _, name := range []string{"COGNITO:ROLES", "Cognito:preferred_role", "Dp_Mfa", "SUB", "Aud"} {
		if v, ok := claims[name]; ok {
			t.Errorf("the claim %s is %v", name, v)
		}
	}
	if claims["custom:team"] != "blue" {
		t.Errorf("custom:team is %v", claims["custom:team"])
	}
	if _, err := s.Access.UserToken(t.Context(), tokens.Access); err != nil {
		t.Error(err)
	}
}

// TestRefreshedTokensEndWithTheirLogin: what ends log-ins by time ends what was
// refreshed after that time too.
func TestRefreshedTokensEndWithTheirLogin(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t, stacktest.WithPools())
	first := poolTokens(t, s)
	c, err := s.Access.UserToken(t.Context(), first.Access)
	if err != nil {
		t.Fatal(err)
	}
	s.Clock.Advance(time.Minute)
	before := s.Clock.Now().UnixMilli()
	s.Clock.Advance(time.Minute)
	again, err := poolFlow(t, s, first.Refresh)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.DB.Update(t.Context(), func(tx store.Tx) error {
		return s.Access.Revoke(tx, identity.Revocation{Kind: identity.LineagePrincipal, ID: c.PrincipalID, BeforeMS: before})
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := poolFlow(t, s, first.Refresh); err == nil {
		t.Error("the refresh token lives on")
	}
	if _, err := s.Access.UserToken(t.Context(), again.Tokens.Access); err == nil {
		t.Error("the access token lives on")
	}
}

// TestPoolSessionsEnd: what is revoked between two steps ends the log-in.
func TestPoolSessionsEnd(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t, stacktest.WithPools())
	out, err := poolPassword(t, s, "stale", stacktest.TestPassword)
	if err != nil {
		t.Fatal(err)
	}
	other := out
	if _, err := answerTo(t, s, "stale", other, map[string]string{"NEW_PASSWORD": "quite another one"}); err != nil {
		t.Fatal(err)
	}
	for what, o := range map[string]issue.PoolOutcome{
		"used":           out,
		"of no kind":     {Challenge: "NEW_PASSWORD_REQUIRED", Session: "AAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
		"another's kind": {Challenge: "SOFTWARE_TOKEN_MFA", Session: out.Session},
	} {
		_, err := answerTo(t, s, "stale", o, map[string]string{"NEW_PASSWORD": "yet another one", "SOFTWARE_TOKEN_MFA_CODE": "123456"})
		says(t, what, err, "Invalid session for the user.")
	}
	_, err = s.Issuer.PoolAnswer(t.Context(), issue.PoolAnswer{
		ClientID: stacktest.SecretClient, Challenge: out.Challenge, Session: out.Session,
		Responses: map[string]string{"USERNAME": "stale", "NEW_PASSWORD": "yet another one", "SECRET_HASH": secretHash("stale")},
	})
	says(t, "another client's", err, "Invalid session for the user.")
}

func TestSRPBlocks(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t, stacktest.WithPools())
	answer := poolSRP(t, s, stacktest.TestUser, stacktest.TestPassword, aTime)
	late := poolSRP(t, s, stacktest.TestUser, stacktest.TestPassword, aTime)
	if _, err := s.Issuer.PoolAnswer(t.Context(), answer); err != nil {
		t.Fatal(err)
	}
	_, err := s.Issuer.PoolAnswer(t.Context(), answer)
	says(t, "a block twice", err, "Invalid session for the user.")
	for _, at := range []string{"Fri Jan 2 03:04:05 UTC 2026", "Sat Feb 30 12:00:00 UTC 1999", "noon"} {
		if _, err := s.Issuer.PoolAnswer(t.Context(), poolSRP(t, s, stacktest.TestUser, stacktest.TestPassword, at)); err != nil {
			t.Errorf("TIMESTAMP %q: %v", at, err)
		}
	}
	s.Clock.Advance(3 * time.Minute)
	_, err = s.Issuer.PoolAnswer(t.Context(), late)
	says(t, "a block too late", err, "Invalid session for the user, session is expired.")
	other := poolSRP(t, s, stacktest.TestUser, stacktest.TestPassword, aTime)
	other.ClientID, other.Responses["SECRET_HASH"] = stacktest.SecretClient, secretHash(stacktest.TestUser)
	_, err = s.Issuer.PoolAnswer(t.Context(), other)
	says(t, "another client's block", err, "Invalid session for the user.")
	named := poolSRP(t, s, stacktest.TestUser, stacktest.TestPassword, aTime)
	named.Responses["USERNAME"] = "mfa"
	_, err = s.Issuer.PoolAnswer(t.Context(), named)
	says(t, "another user's name", err, "Invalid session for the user.")
}

// TestPoolClients: secrets, flows, and who is told of unknown users.
func TestPoolClients(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t, stacktest.WithPools())
	try := func(client, name string, more map[string]string) error {
		p := map[string]string{"USERNAME": name, "PASSWORD": stacktest.TestPassword}
		for k, v := range more {
			p[k] = v
		}
		_, err := s.Issuer.PoolLogin(t.Context(), issue.PoolAuth{ClientID: client, Flow: "USER_PASSWORD_AUTH", Parameters: p})
		return err
	}
	const user = stacktest.TestUser
	says(t, "no client", try("nope", user, nil), "User pool client nope does not exist.")
	says(t, "no hash", try(stacktest.SecretClient, user, nil), "Client stacksecretclient is configured with secret but SECRET_HASH was not received")
	says(t, "wrong hash", try(stacktest.SecretClient, user, map[string]string{"SECRET_HASH": secretHash("other")}), "Unable to verify secret hash for client stacksecretclient")
	if err := try(stacktest.SecretClient, user, map[string]string{"SECRET_HASH": secretHash(user)}); err != nil {
		t.Errorf("right hash: %v", err)
	}
	says(t, "no name", try(stacktest.PoolClient, "", nil), "Missing required parameter USERNAME")
	says(t, "no password", try(stacktest.PoolClient, user, map[string]string{"PASSWORD": ""}), "Missing required parameter PASSWORD")
	if err := try(stacktest.PoolClient, "nobody", nil); identity.KindOf(err) != identity.KindInvalidCredentials {
		t.Errorf("an unknown user: %v", err)
	}
	editClient(t, s, func(c *identity.PoolClient) { c.TellUnknownUsers = true })
	says(t, "an unknown user, told", try(stacktest.PoolClient, "nobody", nil), "User does not exist.")
	if err := try(stacktest.PoolClient, user, map[string]string{"PASSWORD": "wrong"}); identity.KindOf(err) != identity.KindInvalidCredentials {
		t.Errorf("a wrong password, told: %v", err)
	}
	editClient(t, s, func(c *identity.PoolClient) { c.AuthFlows = nil })
	says(t, "no flow", try(stacktest.PoolClient, user, nil), "USER_PASSWORD_AUTH flow not enabled for this client")
	_, err := s.Issuer.PoolLogin(t.Context(), issue.PoolAuth{ClientID: stacktest.PoolClient, Flow: "ADMIN_USER_PASSWORD_AUTH"})
	says(t, "an administrator's flow", err, "Unsupported auth flow type.")
}

// TestAPITokensHaveOneDoor: neither realm nor console takes the secret of an API
// token, and a rule of its own about factors refuses it.
func TestAPITokensHaveOneDoor(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t, stacktest.WithPools())
	_, err := s.Issuer.Password(t.Context(), issue.PasswordGrant{
		Realm: "shasta", Client: issue.ClientProof{ID: "shasta"}, Username: stacktest.APIAccessKey, Password: stacktest.APISecretKey,
	})
	if identity.KindOf(err) != identity.KindInvalidCredentials {
		t.Errorf("the realm: %v", err)
	}
	if _, err := s.Issuer.ConsoleLogin(t.Context(), issue.ConsoleLogin{Place: "shasta", Username: stacktest.APIAccessKey, Password: stacktest.APISecretKey}); identity.KindOf(err) != identity.KindInvalidCredentials {
		t.Errorf("the console: %v", err)
	}
	_, err = s.DB.Update(t.Context(), func(tx store.Tx) error {
		u, err := store.Users.By(tx, "login", store.Join("shasta", stacktest.APIAccessKey))
		if err != nil {
			return err
		}
		v := *u
		v.MFARequired = true
		return store.Users.Put(tx, &v)
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := poolPassword(t, s, stacktest.APIAccessKey, stacktest.APISecretKey); identity.KindOf(err) != identity.KindMFARequired {
		t.Errorf("with a rule of its own: %v", err)
	}
}

// TestRealmSecondFactor: the realm's grant takes the code as a field, once, and
// keys got by the token carry the factor.
func TestRealmSecondFactor(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t, stacktest.WithPools())
	_, seed := setUpDevice(t, s)
	s.Clock.Advance(time.Minute)
	grant := func(code string) (issue.TokenSet, error) {
		return s.Issuer.Password(t.Context(), issue.PasswordGrant{
			Realm: "shasta", Client: issue.ClientProof{ID: "shasta"}, Username: "mfa", Password: stacktest.TestPassword, Code: identity.Secret(code),
		})
	}
	if _, err := grant(""); identity.KindOf(err) != identity.KindMFARequired {
		t.Errorf("no code: %v", err)
	}
	if _, err := grant("000000"); identity.KindOf(err) != identity.KindInvalidCredentials {
		t.Errorf("a wrong code: %v", err)
	}
	code := codeNow(t, s, seed)
	set, err := grant(code)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := grant(code); identity.KindOf(err) != identity.KindInvalidCredentials {
		t.Errorf("a used code: %v", err)
	}
	if _, err := s.Issuer.UserInfo(t.Context(), "shasta", set.AccessToken); err != nil {
		t.Errorf("userinfo: %v", err)
	}
	again, err := s.Issuer.Refresh(t.Context(), issue.RefreshGrant{Realm: "shasta", Client: issue.ClientProof{ID: "shasta"}, RefreshToken: set.RefreshToken})
	if err != nil || payloadOf(t, again.AccessToken)["dp_mfa"] != payloadOf(t, set.AccessToken)["dp_mfa"] || payloadOf(t, set.AccessToken)["dp_mfa"] == nil {
		t.Errorf("refreshed: %v, dp_mfa %v", err, payloadOf(t, set.AccessToken)["dp_mfa"])
	}
	got, err := s.Issuer.WebIdentity(t.Context(), issue.WebIdentityRequest{
		RoleARN: identity.RoleARN("aws", stacktest.AccountA, "/", stacktest.RoleName), RoleSessionName: "x", Token: again.AccessToken,
	})
	if err != nil {
		t.Fatal(err)
	}
	claims, _, err := s.Sessions.Open(t.Context(), got.Keys.AccessKeyID, got.Keys.SessionToken.Reveal())
	if err != nil || !claims.MFA || claims.MFATime.IsZero() {
		t.Errorf("the session keys: MFA %v, %v", claims.MFA, err)
	}
}
