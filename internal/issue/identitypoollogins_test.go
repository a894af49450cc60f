package issue_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
)

// TestLoginTokens: each fault has Amazon's sentence, and the one that clients
// try again on is for signatures alone.
func TestLoginTokens(t *testing.T) {
	t.Parallel()
	p := newPools(t)
	now := p.Clock.Now().Unix()
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	const (
		signature   = "Invalid login token. Couldn't verify signed token."
		issuer      = "Invalid login token. Issuer doesn't match providerName"
		noAudience  = "Invalid login token. Missing a required claim: aud"
		audience    = "Invalid login token. Incorrect token audience"
		notID       = "Invalid login token. Not a valid OpenId Connect identity token."
		unsupported = "Token is not from a supported provider of this identity pool."
		expired     = "Invalid login token. Token expired: "
	)
	tamper := func(s identity.Secret) identity.Secret {
		parts := strings.Split(s.Reveal(), ".")
		b, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err != nil {
			t.Fatal(err)
		}
		parts[1] = base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(b), `"sub":"`, `"sub":"x`, 1)))
		return identity.Secret(strings.Join(parts, "."))
	}
	none := func(alg string) identity.Secret {
		parts := strings.Split(p.idToken().Reveal(), ".")
		var h map[string]any
		b, _ := base64.RawURLEncoding.DecodeString(parts[0])
		_ = json.Unmarshal(b, &h)
		h["alg"] = alg
		b, _ = json.Marshal(h)
		parts[0] = base64.RawURLEncoding.EncodeToString(b)
		return identity.Secret(strings.Join(parts, "."))
	}
	access := p.idToken("aud", nil, "token_use", "access", "client_id", poolClient, "scope", "aws.cognito.signin.user.admin")
	for name, c := range map[string]struct {
		logins issue.Logins
		want   string
	}{
		"tampered":              {issue.Logins{poolName: tamper(p.idToken())}, signature},
		"foreign, tampered":     {issue.Logins{foreignName: tamper(p.token(stacktest.ForeignIssuer))}, signature},
		"another key":           {issue.Logins{foreignName: sign(t, other, "k1", map[string]any{"iss": stacktest.ForeignIssuer, "sub": "a", "aud": "app", "exp": now + 9, "iat": now})}, signature},
		"unknown key":           {issue.Logins{foreignName: sign(t, p.key, "k9", map[string]any{"iss": stacktest.ForeignIssuer, "sub": "a", "aud": "app", "exp": now + 9, "iat": now})}, signature},
		"our issuer, their key": {issue.Logins{poolName: sign(t, p.key, "k1", map[string]any{"iss": stacktest.ExternalURL + "/" + userPool, "sub": "a", "aud": poolClient, "token_use": "id", "exp": now + 9, "iat": now})}, signature},
		"HS256":                 {issue.Logins{poolName: none("HS256")}, signature},
		"ES256 for RS256":       {issue.Logins{poolName: none("ES256")}, signature},
		"none":                  {issue.Logins{poolName: none("none")}, signature},
		"another issuer":        {issue.Logins{poolName: p.token(stacktest.ForeignIssuer)}, issuer},
		"foreign, another":      {issue.Logins{foreignName: p.token(gitHub)}, issuer},
		"access token":          {issue.Logins{poolName: access}, noAudience},
		"access token with aud": {issue.Logins{poolName: p.idToken("token_use", "access")}, notID},
		"no token use":          {issue.Logins{poolName: p.idToken("token_use", nil)}, notID},
		"another client":        {issue.Logins{poolName: p.idToken("aud", "5otherclientid000000000000")}, audience},
		"two clients":           {issue.Logins{poolName: p.idToken("aud", []string{poolClient, "x"})}, notID},
		"foreign, audience":     {p.login("aud", "else"), audience},
		"foreign access token":  {p.login("token_use", "access"), notID},
		"expired":               {issue.Logins{poolName: p.idToken("exp", now)}, expired},
		"foreign, expired":      {p.login("exp", now-60), expired},
		"no subject":            {p.login("sub", nil), "Invalid login token. Missing a required claim: sub"},
		"line in subject":       {p.login("sub", "a\nb"), notID},
		"not a token":           {issue.Logins{poolName: "x"}, notID},
		"empty":                 {issue.Logins{poolName: ""}, notID},
		"too long":              {issue.Logins{poolName: identity.Secret(strings.Repeat("x", 50000))}, notID},
		"unknown provider":      {issue.Logins{"graph.facebook.com": p.token(stacktest.ForeignIssuer)}, unsupported},
		"provider of no pool":   {issue.Logins{"token.actions.githubusercontent.com": p.token(gitHub)}, unsupported},
		"another user pool":     {issue.Logins{"cognito-idp.us-east-1.amazonaws.com/us-east-1_Zzz": p.idToken()}, unsupported},
		"realm access token":    {issue.Logins{"daypass.example.com/auth/realms/shasta": shastaLogin(t, p.Stack).AccessToken}, unsupported},
		"twice":                 {issue.Logins{poolName: p.idToken(), "daypass.example.com/" + userPool: p.idToken()}, "Two of the Logins name the same provider."},
		"guest":                 {nil, "Unauthenticated access is not supported for this identity pool."},
	} {
		_, err := p.getID(c.logins)
		wantText(t, name, err, c.want)
		if c.want != signature && err != nil && strings.Contains(identity.AsError(err).Public, "Couldn't verify") {
			t.Errorf("%s: clients would try again on %v", name, err)
		}
	}
	// Each spelling of the provider is the same one.
	id := p.id(p.userLogin())
	for _, name := range []string{"daypass.example.com/" + userPool, stacktest.ExternalURL + "/" + userPool} {
		if got := p.id(issue.Logins{name: p.idToken()}); got != id {
			t.Errorf("%s: got %s, want %s", name, got, id)
		}
	}
	if got := p.id(issue.Logins{stacktest.ForeignIssuer: p.token(stacktest.ForeignIssuer)}); got != p.id(p.login()) {
		t.Errorf("the issuer with its scheme is another provider: %s", got)
	}
}

func TestForeignProviderDown(t *testing.T) {
	t.Parallel()
	p := newPools(t)
	p.Foreign.Down = true
	_, err := p.getID(p.login())
	wantKind(t, "provider down", err, identity.KindProviderUnreachable)
}

// TestIdentityBelongsToLogin: nobody gets another's keys by its identity.
