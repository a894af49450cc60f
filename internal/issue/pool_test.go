package issue_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

// poolPassword logs in with a password.
func poolPassword(t testing.TB, s *stacktest.Stack, name, password string) (issue.PoolOutcome, error) {
	t.Helper()
	return s.Issuer.PoolLogin(t.Context(), issue.PoolAuth{
		ClientID: stacktest.PoolClient, Flow: "USER_PASSWORD_AUTH", Parameters: map[string]string{"USERNAME": name, "PASSWORD": password},
	})
}

// poolSRP begins a log-in by SRP and returns the answer that a client makes of
// it at some time.
func poolSRP(t testing.TB, s *stacktest.Stack, name, password, timestamp string) issue.PoolAnswer {
	t.Helper()
	client := stacktest.NewSRPClient(t, shasta(t, s).PoolName, password)
	out, err := s.Issuer.PoolLogin(t.Context(), issue.PoolAuth{
		ClientID: stacktest.PoolClient, Flow: "USER_SRP_AUTH", Parameters: map[string]string{"USERNAME": name, "SRP_A": client.SRPA()},
	})
	if err != nil {
		t.Fatal(err)
	}
	p := out.Parameters
	if out.Challenge != "PASSWORD_VERIFIER" || out.Session != "" || out.Tokens != nil || p["USERNAME"] != name || p["USER_ID_FOR_SRP"] == "" {
		t.Fatalf("the challenge: %+v", out)
	}
	block, err := base64.StdEncoding.Strict().DecodeString(p["SECRET_BLOCK"])
	if err != nil {
		t.Fatal(err)
	}
	return issue.PoolAnswer{ClientID: stacktest.PoolClient, Challenge: out.Challenge, Responses: map[string]string{
		"USERNAME": name, "TIMESTAMP": timestamp, "PASSWORD_CLAIM_SECRET_BLOCK": p["SECRET_BLOCK"],
		"PASSWORD_CLAIM_SIGNATURE": client.Signature(t, p["SALT"], p["SRP_B"], p["USER_ID_FOR_SRP"], block, timestamp),
	}}
}

// payloadOf reads a token's claims.
func payloadOf(t testing.TB, token identity.Secret) map[string]any {
	t.Helper()
	parts := strings.Split(token.Reveal(), ".")
	if len(parts) != 3 {
		t.Fatalf("a token of %d parts", len(parts))
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims map[string]any
	if err == nil {
		err = json.Unmarshal(b, &claims)
	}
	if err != nil {
		t.Fatal(err)
	}
	return claims
}

const aTime = "Thu Jan 2 11:04:05 UTC 2026" // neither weekday nor hour is right

func TestPoolLogin(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t, stacktest.WithPools())
	for _, c := range []struct {
		what, name, password string
		want                 identity.Kind
	}{
		{"a user", stacktest.TestUser, stacktest.TestPassword, ""},
		{"an API token", stacktest.APIAccessKey, stacktest.APISecretKey, ""},
		{"wrong password", stacktest.TestUser, "wrong", identity.KindInvalidCredentials},
		{"wrong secret", stacktest.APIAccessKey, "wrong", identity.KindInvalidCredentials},
		{"unknown user", "nobody", stacktest.TestPassword, identity.KindInvalidCredentials},
		{"unknown token", "7f9619ff-8b86-4d01-b42d-00cf4fc964ff", stacktest.APISecretKey, identity.KindInvalidCredentials},
		{"disabled", "disabled", stacktest.TestPassword, identity.KindInvalidCredentials},
		{"root of the account", stacktest.RootEmailA, stacktest.RootPassword, identity.KindInvalidCredentials},
	} {
		for flow, login := range map[string]func() (issue.PoolOutcome, error){
			"password": func() (issue.PoolOutcome, error) { return poolPassword(t, s, c.name, c.password) },
			"SRP": func() (issue.PoolOutcome, error) {
				return s.Issuer.PoolAnswer(t.Context(), poolSRP(t, s, c.name, c.password, aTime))
			},
		} {
			out, err := login()
			if identity.KindOf(err) != c.want {
				t.Errorf("%s by %s: got %v, want %q", c.what, flow, err, c.want)
				continue
			}
			if err != nil {
				if public := identity.AsError(err).Public; public != "" && public != "Incorrect username or password." {
					t.Errorf("%s by %s: says %q", c.what, flow, public)
				}
				continue
			}
			if tok := out.Tokens; tok.ExpiresIn != 3600 || strings.ContainsAny(tok.Refresh.Reveal(), "/+") || tok.Refresh == "" {
				t.Errorf("%s by %s: expires in %d, refresh token %q", c.what, flow, tok.ExpiresIn, tok.Refresh.Reveal())
			}
			id, access := payloadOf(t, out.Tokens.ID), payloadOf(t, out.Tokens.Access)
			for claim, want := range map[string]any{
				"token_use": "id", "aud": stacktest.PoolClient, "cognito:username": c.name, "iss": shasta(t, s).PoolIssuer(stacktest.ExternalURL),
				"auth_time": float64(s.Clock.Now().Unix()), "exp": float64(s.Clock.Now().Unix() + 3600),
			} {
				if id[claim] != want {
					t.Errorf("%s by %s: %s = %v, want %v", c.what, flow, claim, id[claim], want)
				}
			}
			for claim, want := range map[string]any{
				"token_use": "access", "client_id": stacktest.PoolClient, "username": c.name, "aud": nil, "scope": "aws.cognito.signin.user.admin",
				"sub": id["sub"], "origin_jti": id["origin_jti"], "event_id": id["event_id"],
			} {
				if access[claim] != want {
					t.Errorf("%s by %s: %s = %v, want %v", c.what, flow, claim, access[claim], want)
				}
			}
			if id["jti"] == access["jti"] {
				t.Errorf("%s by %s: both tokens have one jti", c.what, flow)
			}
			if _, err := s.Authn.PoolToken(t.Context(), shasta(t, s), out.Tokens.ID, "id"); err != nil {
				t.Errorf("%s by %s: the ID token: %v", c.what, flow, err)
			}
			if _, err := s.Authn.PoolToken(t.Context(), shasta(t, s), out.Tokens.ID, "access"); err == nil {
				t.Errorf("%s by %s: the ID token is taken for an access token", c.what, flow)
			}
		}
	}
}

func shasta(t testing.TB, s *stacktest.Stack) *identity.Realm {
	t.Helper()
	r, err := store.Realms.Get(s.DB.Snapshot(), "shasta")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// editClient changes the public app client.
func editClient(t testing.TB, s *stacktest.Stack, change func(*identity.PoolClient)) {
	t.Helper()
	_, err := s.DB.Update(t.Context(), func(tx store.Tx) error {
		c, err := store.PoolClients.Get(tx, stacktest.PoolClient)
		if err != nil {
			return err
		}
		v := *c
		change(&v)
		return store.PoolClients.Put(tx, &v)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func poolTokens(t testing.TB, s *stacktest.Stack) issue.PoolTokens {
	t.Helper()
	out, err := poolPassword(t, s, stacktest.TestUser, stacktest.TestPassword)
	if err != nil {
		t.Fatal(err)
	}
	return *out.Tokens
}

func poolFlow(t testing.TB, s *stacktest.Stack, token identity.Secret) (issue.PoolOutcome, error) {
	t.Helper()
	return s.Issuer.PoolLogin(t.Context(), issue.PoolAuth{
		ClientID: stacktest.PoolClient, Flow: "REFRESH_TOKEN_AUTH", Parameters: map[string]string{"REFRESH_TOKEN": token.Reveal()},
	})
}

// says demands an error with a sentence.
func says(t testing.TB, what string, err error, want string) {
	t.Helper()
	if err == nil || identity.AsError(err).Public != want {
		t.Errorf("%s: got %v, want %q", what, err, want)
	}
}

func TestPoolRefresh(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t, stacktest.WithPools())
	first := poolTokens(t, s)
	began := payloadOf(t, first.ID)["auth_time"]
	s.Clock.Advance(time.Hour)
	for range 2 { // the token stays good
		out, err := poolFlow(t, s, first.Refresh)
		if err != nil {
			t.Fatal(err)
		}
		id := payloadOf(t, out.Tokens.ID)
		if out.Tokens.Refresh != "" || id["auth_time"] != began || id["origin_jti"] != payloadOf(t, first.ID)["origin_jti"] || id["iat"] == began {
			t.Errorf("refreshed: %v, refresh token %q", id, out.Tokens.Refresh)
		}
	}
	kept, err := s.Issuer.PoolTokensFor(t.Context(), issue.PoolRefresh{ClientID: stacktest.PoolClient, Token: first.Refresh})
	if err != nil || kept.Refresh != "" {
		t.Errorf("without rotation: %v, %q", err, kept.Refresh)
	}
	realm := shastaLogin(t, s)
	for what, token := range map[string]identity.Secret{"an access token": first.Access, "nonsense": "dpr_x", "a realm's": realm.RefreshToken} {
		_, err := poolFlow(t, s, token)
		says(t, what, err, "Invalid Refresh Token.")
	}
	if _, err := s.Issuer.Refresh(t.Context(), issue.RefreshGrant{Realm: "shasta", Client: issue.ClientProof{ID: "shasta"}, RefreshToken: first.Refresh}); identity.KindOf(err) != identity.KindInvalidGrant {
		t.Errorf("the pool's token at the realm: %v", err)
	}
	s.Clock.Advance(24 * time.Hour)
	_, err = poolFlow(t, s, first.Refresh)
	says(t, "after its time", err, "Refresh Token has expired")
}

func TestPoolRevoke(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t, stacktest.WithPools())
	tokens := poolTokens(t, s)
	if _, err := s.Access.UserToken(t.Context(), tokens.Access); err != nil {
		t.Fatal(err)
	}
	revoke := func(token identity.Secret) error {
		return s.Issuer.PoolRevoke(t.Context(), issue.PoolRefresh{ClientID: stacktest.PoolClient, Token: token})
	}
	if err := revoke(tokens.Access); identity.AsError(err).DetailValue("JSONCode") != "UnsupportedTokenTypeException" {
		t.Errorf("an access token: %v", err)
	}
	if err := revoke(shastaLogin(t, s).RefreshToken); err != nil {
		t.Errorf("a realm's token: %v", err)
	}
	for range 2 {
		if err := revoke(tokens.Refresh); err != nil {
			t.Fatal(err)
		}
	}
	_, err := poolFlow(t, s, tokens.Refresh)
	says(t, "after that", err, "Refresh Token has been revoked")
	if _, err := s.Access.UserToken(t.Context(), tokens.Access); identity.KindOf(err) != identity.KindInvalidBearer {
		t.Errorf("the access token lives on: %v", err)
	}
	editClient(t, s, func(c *identity.PoolClient) { c.NoRevocation = true })
	if err := revoke(tokens.Refresh); identity.AsError(err).DetailValue("JSONCode") != "UnsupportedOperationException" {
		t.Errorf("where it is not allowed: %v", err)
	}
}

func TestPoolRotation(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what   string
		grace  int
		after  time.Duration
		reused bool
	}{
		{"within the grace", 10, 5 * time.Second, false},
		{"after the grace", 10, 11 * time.Second, true},
		{"without a grace", 0, 0, true},
	} {
		s := stacktest.New(t, stacktest.WithPools())
		editClient(t, s, func(p *identity.PoolClient) { p.RotateRefresh, p.RetryGraceSeconds = true, c.grace })
		first := poolTokens(t, s)
		if _, err := poolFlow(t, s, first.Refresh); identity.KindOf(err) != identity.KindInvalidCredentials {
			t.Errorf("REFRESH_TOKEN_AUTH with rotation: %v", err)
		}
		rotate := func(token identity.Secret) (issue.PoolTokens, error) {
			return s.Issuer.PoolTokensFor(t.Context(), issue.PoolRefresh{ClientID: stacktest.PoolClient, Token: token})
		}
		second, err := rotate(first.Refresh)
		if err != nil || second.Refresh == "" || second.Refresh == first.Refresh {
			t.Fatalf("%s: %v", c.what, err)
		}
		s.Clock.Advance(c.after)
		again, err := rotate(first.Refresh)
		if !c.reused {
			if err != nil || again.Refresh != second.Refresh {
				t.Errorf("%s: got %v", c.what, err)
			}
			continue
		}
		if identity.AsError(err).DetailValue("JSONCode") != "RefreshTokenReuseException" {
			t.Errorf("%s: got %v", c.what, err)
		}
		_, err = rotate(second.Refresh)
		says(t, c.what+", the successor", err, "Refresh Token has been revoked")
		if _, err := s.Access.UserToken(t.Context(), second.Access); err == nil {
			t.Errorf("%s: access tokens live on", c.what)
		}
	}
}

// secretHash is SECRET_HASH for the client that has a secret.
func secretHash(name string) string {
	mac := hmac.New(sha256.New, []byte(stacktest.PoolSecret))
	mac.Write([]byte(name + stacktest.SecretClient))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
