package issue_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

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
