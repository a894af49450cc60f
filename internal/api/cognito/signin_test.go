package cognito_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"daypass/internal/api/cognito"
	"daypass/internal/identity"
	"daypass/internal/issue"
)

// signers is a fake of issue: the user's name says what comes of a log-in.
type signers struct{}

func (signers) PoolLogin(_ context.Context, r issue.PoolAuth) (issue.PoolOutcome, error) {
	coded := func(kind identity.Kind, code, sentence string) error {
		return &identity.Error{Kind: kind, Public: sentence, Detail: []identity.Detail{{Name: "JSONCode", Value: code}}}
	}
	switch {
	case r.ClientID == "nope":
		return issue.PoolOutcome{}, identity.NewError(identity.KindNotFound, "fake", "User pool client nope does not exist.")
	case r.Flow == "CUSTOM_AUTH":
		return issue.PoolOutcome{}, identity.NewError(identity.KindUnsupportedGrant, "fake", "Unsupported auth flow type.")
	case r.Flow == "REFRESH_TOKEN_AUTH" && r.Parameters["REFRESH_TOKEN"] == "revoked":
		return issue.PoolOutcome{}, identity.NewError(identity.KindInvalidGrant, "fake", "Refresh Token has been revoked")
	case r.Flow == "REFRESH_TOKEN_AUTH":
		return issue.PoolOutcome{Tokens: &issue.PoolTokens{Access: "access", ID: "id", ExpiresIn: 3600}}, nil
	}
	switch r.Parameters["USERNAME"] {
	case "":
		return issue.PoolOutcome{}, identity.NewError(identity.KindMissingParameter, "fake", "Missing required parameter USERNAME")
	case "nobody":
		return issue.PoolOutcome{}, coded(identity.KindNotFound, "UserNotFoundException", "User does not exist.")
	case "wrong":
		return issue.PoolOutcome{}, &identity.Error{Kind: identity.KindInvalidCredentials}
	case "many":
		return issue.PoolOutcome{}, &identity.Error{Kind: identity.KindThrottled, RetryAfterSeconds: 30}
	case "srp":
		return issue.PoolOutcome{Challenge: "PASSWORD_VERIFIER", Parameters: map[string]string{
			"SALT": "1f2e", "SRP_B": "abcd", "SECRET_BLOCK": "AAAA", "USERNAME": "srp", "USER_ID_FOR_SRP": "7d77",
		}}, nil
	case "new":
		return issue.PoolOutcome{Challenge: "NEW_PASSWORD_REQUIRED", Session: "abcdefghijklmnopqrstuvwxyz", Parameters: map[string]string{
			"USER_ID_FOR_SRP": "7d77", "requiredAttributes": "[]", "userAttributes": `{"email":"a@example.com"}`,
		}}, nil
	}
	return issue.PoolOutcome{Tokens: &issue.PoolTokens{Access: "access", ID: "id", Refresh: "dpr_x", ExpiresIn: 3600}}, nil
}

func (signers) PoolAnswer(_ context.Context, r issue.PoolAnswer) (issue.PoolOutcome, error) {
	switch r.Responses["SOFTWARE_TOKEN_MFA_CODE"] {
	case "":
	case "123456":
	default:
		return issue.PoolOutcome{}, &identity.Error{
			Kind: identity.KindAccessDenied, Public: "Invalid code received for user", Detail: []identity.Detail{{Name: "JSONCode", Value: "CodeMismatchException"}},
		}
	}
	return issue.PoolOutcome{Tokens: &issue.PoolTokens{Access: "access", ID: "id", Refresh: "dpr_x", ExpiresIn: 3600}}, nil
}

func (signers) PoolTokensFor(_ context.Context, r issue.PoolRefresh) (issue.PoolTokens, error) {
	if r.Token == "used" {
		return issue.PoolTokens{}, &identity.Error{
			Kind: identity.KindInvalidGrant, Public: "Refresh token reuse detected.", Detail: []identity.Detail{{Name: "JSONCode", Value: "RefreshTokenReuseException"}},
		}
	}
	return issue.PoolTokens{Access: "access", ID: "id", Refresh: "dpr_y", ExpiresIn: 3600}, nil
}

func (signers) PoolRevoke(context.Context, issue.PoolRefresh) error { return nil }

func (signers) PoolEnrol(context.Context, identity.Secret) (seed, next identity.Secret, err error) {
	return "12345678901234567890", "abcdefghijklmnopqrstuvwxyz1", nil
}

func (signers) PoolConfirm(context.Context, identity.Secret, string, string) (identity.Secret, error) {
	return "abcdefghijklmnopqrstuvwxyz2", nil
}

// signIn calls an operation and returns status and body.
func signIn(op, body string) (int, string) {
	h := cognito.New(cognito.Config{SignIn: signers{}, Log: slog.New(slog.DiscardHandler)})
	r := httptest.NewRequest("POST", "/", strings.NewReader(body))
	r.Header.Set("X-Amz-Target", cognito.TargetIDP+"."+op)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// TestSignInBounds: what the service's model does not allow reaches nobody.
func TestSignInBounds(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 300)
	for _, c := range []struct{ op, body, want string }{
		{"InitiateAuth", `{"ClientId":"c"}`, "'authFlow'"},
		{"InitiateAuth", `{"AuthFlow":"GUESS","ClientId":"c"}`, "enum value set"},
		{"InitiateAuth", `{"AuthFlow":"USER_AUTH"}`, "'clientId'"},
		{"InitiateAuth", `{"AuthFlow":"USER_AUTH","ClientId":""}`, "'clientId'"},
		{"InitiateAuth", `{"AuthFlow":"USER_AUTH","ClientId":"a b"}`, "pattern"},
		{"InitiateAuth", `{"AuthFlow":"USER_AUTH","ClientId":"` + long + `"}`, "less than or equal to 128"},
		{"InitiateAuth", `{"AuthFlow":"USER_AUTH","ClientId":"c","Session":"short"}`, "'session'"},
		{"InitiateAuth", `{"AuthFlow":"USER_AUTH","ClientId":"c","AuthParameters":{"USERNAME":"` + long + `"}}`, "'username'"},
		{"InitiateAuth", `{"AuthFlow":"USER_AUTH","ClientId":"c","AuthParameters":{"PASSWORD":"` + long + `"}}`, "'password'"},
		{"InitiateAuth", `{"AuthFlow":"USER_AUTH","ClientId":"c","AuthParameters":{"SRP_A":"` + strings.Repeat("f", 131073) + `"}}`, "less than or equal to 131072"},
		{"InitiateAuth", `{"AuthFlow":"USER_AUTH","ClientId":"c","AuthParameters":{"USERNAME":null}}`, "USERNAME"},
		{"RespondToAuthChallenge", `{"ClientId":"c"}`, "'challengeName'"},
		{"RespondToAuthChallenge", `{"ClientId":"c","ChallengeName":"RIDDLE"}`, "enum value set"},
		{"RespondToAuthChallenge", `{"ClientId":"c","ChallengeName":"MFA_SETUP","Session":"` + strings.Repeat("s", 2049) + `"}`, "'session'"},
		{"GetTokensFromRefreshToken", `{"ClientId":"c"}`, "'refreshToken'"},
		{"GetTokensFromRefreshToken", `{"ClientId":"c","RefreshToken":"a/b"}`, "pattern"},
		{"GetTokensFromRefreshToken", `{"ClientId":"c","RefreshToken":"a","ClientSecret":"short"}`, "'clientSecret'"},
		{"RevokeToken", `{"ClientId":"c","RefreshToken":"a"}`, "'token'"},
		{"AssociateSoftwareToken", `{"Session":"short"}`, "'session'"},
		{"VerifySoftwareToken", `{"Session":"abcdefghijklmnopqrstuvwxyz","UserCode":"12"}`, "six digits"},
	} {
		status, body := signIn(c.op, c.body)
		if status != 400 || !strings.Contains(body, `"InvalidParameterException"`) || !strings.Contains(body, c.want) {
			t.Errorf("%s %.80s: got %d %.200s, want %s", c.op, c.body, status, body, c.want)
		}
		if strings.Contains(body, long) {
			t.Errorf("%s: the value is repeated", c.op)
		}
	}
}

func FuzzSignIn(f *testing.F) {
	ops := []string{"InitiateAuth", "RespondToAuthChallenge", "GetTokensFromRefreshToken", "RevokeToken"}
	f.Add(uint(0), `{"AuthFlow":"USER_SRP_AUTH","ClientId":"c","AuthParameters":{"USERNAME":"srp","SRP_A":"1"}}`)
	f.Add(uint(1), `{"ClientId":"c","ChallengeName":"PASSWORD_VERIFIER","ChallengeResponses":{"USERNAME":"u","TIMESTAMP":null}}`)
	f.Add(uint(2), `{"ClientId":"c","RefreshToken":"dpr_x"}`)
	f.Add(uint(3), `[]`)
	f.Fuzz(func(t *testing.T, n uint, body string) {
		status, answer := signIn(ops[n%uint(len(ops))], body)
		if status != 200 && status != 400 || !json.Valid([]byte(answer)) {
			t.Errorf("%q: %d %q", body, status, answer)
		}
	})
}
