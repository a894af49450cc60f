package issue_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/keyring"
	"daypass/internal/stacktest"
)

// TestTokenServiceTakes goes through the kinds of tokens: access tokens of listed
// issuers for a listed audience, and nothing else.
func TestTokenServiceTakes(t *testing.T) {
	t.Parallel()
	p := newClassic(t)
	p.trust("foreign-ops", stacktest.ForeignIssuer, `"sts:AssumeRoleWithWebIdentity"`, `{"StringEquals":{"idp.example.org:aud":"cray"}}`)
	p.trust("github-ops", gitHub, `"sts:AssumeRoleWithWebIdentity"`, `{"StringEquals":{"`+identity.TrimScheme(gitHub)+`:sub":"alice"}}`)
	s := crayService()
	s.Providers, s.Audience = []string{stacktest.ForeignIssuer}, []string{"shasta", "cray"}
	s.Rules = append(s.Rules, identity.TokenServiceRule{Claim: "sub", Value: "alice", Role: "foreign-ops"})
	putService(t, p.Stack, s)

	user := shastaLogin(t, p.Stack)
	foreign := func(pairs ...any) identity.Secret {
		claims := foreignAccess(p.Stack)
		for i := 0; i < len(pairs); i += 2 {
			if claims[pairs[i].(string)] = pairs[i+1]; pairs[i+1] == nil {
				delete(claims, pairs[i].(string))
			}
		}
		return sign(t, p.key, "k1", claims)
	}
	typed := func(typ jose.ContentType, pairs ...any) identity.Secret {
		claims := foreignAccess(p.Stack)
		delete(claims, "typ")
		for i := 0; i < len(pairs); i += 2 {
			claims[pairs[i].(string)] = pairs[i+1]
		}
		return signAs(t, p.key, "k1", typ, claims)
	}
	// own is an access token of the realm with other claims, signed as it would be.
	own := func(set string, pairs ...any) identity.Secret {
		claims := claimsOf(t, user.AccessToken)
		for i := 0; i < len(pairs); i += 2 {
			claims[pairs[i].(string)] = pairs[i+1]
		}
		b, _ := json.Marshal(claims)
		alg := keyring.ES256
		if strings.HasPrefix(set, "pool/") {
			alg = keyring.RS256
		}
		text, err := p.JWTs.Sign(set, alg, b, "JWT")
		if err != nil {
			t.Fatal(err)
		}
		return identity.Secret(text)
	}
	id := p.id(p.login())
	openID, err := p.openID(id, p.login())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Directory.EnableOutboundFederation(t.Context(), p.rootA); err != nil {
		t.Fatal(err)
	}
	outbound, err := p.Issuer.OutboundToken(t.Context(), p.rootA, issue.OutboundTokenRequest{Audience: []string{"shasta"}, Algorithm: "RS256"})
	if err != nil {
		t.Fatal(err)
	}
	poolIssuer := stacktest.ExternalURL + "/" + userPool
	now := p.Clock.Now().Unix()
	for name, c := range map[string]struct {
		tok       identity.Secret
		forwarded bool
		want      identity.Kind
	}{
		"access token":                   {user.AccessToken, false, ""},
		"access token, handed on":        {user.AccessToken, true, ""},
		"foreign access token":           {foreign(), false, ""},
		"foreign, handed on":             {foreign(), true, ""},
		"foreign, RFC 9068":              {typed("at+jwt"), false, ""},
		"foreign, RFC 9068, handed on":   {typed("at+jwt"), true, identity.KindInvalidIdentity},
		"foreign, application/at+jwt":    {typed("application/at+jwt"), false, ""},
		"foreign, token_use":             {typed("", "token_use", "access"), false, ""},
		"foreign ID token":               {foreign("typ", "ID"), false, identity.KindInvalidIdentity},
		"foreign ID token without a typ": {typed(""), false, identity.KindInvalidIdentity},
		"foreign ID token of Cognito":    {typed("", "token_use", "id"), false, identity.KindInvalidIdentity},
		"foreign, two words on its kind": {foreign("token_use", "id"), false, identity.KindInvalidIdentity},
		"foreign refresh token":          {foreign("typ", "Refresh"), false, identity.KindInvalidIdentity},
		"foreign offline token":          {foreign("typ", "Offline"), false, identity.KindInvalidIdentity},
		"foreign logout token":           {typed("logout+jwt", "typ", "Bearer"), false, identity.KindInvalidIdentity},
		"foreign events":                 {foreign("events", map[string]any{"x": map[string]any{}}), false, identity.KindInvalidIdentity},
		"foreign audience":               {foreign("aud", "account"), false, identity.KindInvalidIdentity},
		"foreign, azp alone":             {foreign("aud", "account", "azp", "cray"), false, identity.KindInvalidIdentity},
		"foreign, audience in case":      {foreign("aud", "Cray"), false, identity.KindInvalidIdentity},
		"foreign, the role wants cray":   {foreign("aud", "shasta"), false, identity.KindAccessDenied},
		"foreign, no rule":               {foreign("sub", "bob"), false, identity.KindAccessDenied},
		"foreign, expired":               {foreign("exp", now-61), false, identity.KindExpiredIdentity},
		"foreign, early":                 {foreign("iat", now+120), false, identity.KindInvalidIdentity},
		"foreign, no aud":                {foreign("aud", nil), false, identity.KindInvalidIdentity},
		"foreign, no sub":                {foreign("sub", nil), false, identity.KindInvalidIdentity},
		"foreign issuer with slash":      {foreign("iss", stacktest.ForeignIssuer+"/"), false, identity.KindInvalidIdentity},
		"a provider that is not listed":  {foreign("iss", gitHub), false, identity.KindInvalidIdentity},
		"a foreign token that says ours": {foreign("iss", stacktest.ExternalURL+"/auth/realms/shasta"), false, identity.KindInvalidIdentity},
		"foreign, claims root":           {foreign("https://aws.amazon.com/tags", map[string]any{"principal_tags": map[string]any{"role": []string{rootA}}}), false, identity.KindAccessDenied},
		"own ID token":                   {own("realm/shasta", "typ", "ID"), false, identity.KindInvalidIdentity},
		"own, no kind":                   {own("realm/shasta", "typ", ""), false, identity.KindInvalidIdentity},
		"own, other audience":            {own("realm/shasta", "aud", "other"), false, identity.KindInvalidIdentity},
		"own, no user":                   {own("realm/shasta", "dp_uid", "AIDAEXAMPLE"), false, identity.KindExpiredIdentity},
		"own, the subject of another":    {own("realm/shasta", "sub", "x"), false, identity.KindExpiredIdentity},
		"other realm":                    {rootLogin(t, p.Stack, stacktest.RootEmailA).AccessToken, false, identity.KindInvalidIdentity},
		"signed by another realm":        {own("realm/root-accounts"), false, identity.KindInvalidIdentity},
		"refresh token":                  {user.RefreshToken, false, identity.KindInvalidIdentity},
		"user pool's ID token":           {p.idToken("aud", "shasta"), false, identity.KindInvalidIdentity},
		"user pool's access token":       {own("pool/"+userPool, "iss", poolIssuer, "token_use", "access"), false, identity.KindInvalidIdentity},
		"identity pool's OpenID token":   {openID, false, identity.KindInvalidIdentity},
		"GetWebIdentityToken's":          {outbound.Token, false, identity.KindInvalidIdentity},
		"long-term key":                  {identity.Secret(p.rootA.AccessKeyID), false, identity.KindInvalidIdentity},
		"nothing":                        {"", false, identity.KindInvalidIdentity},
		"garbage":                        {"a.b.c", false, identity.KindInvalidIdentity},
		"unsigned":                       {unsigned(foreignAccess(p.Stack)), false, identity.KindInvalidIdentity},
		"too long":                       {identity.Secret(strings.Repeat("x", 30000)), false, identity.KindInvalidIdentity},
	} {
		got, err := p.Issuer.TokenService(t.Context(), issue.TokenServiceRequest{Host: "h", Token: c.tok, Forwarded: c.forwarded})
		if identity.KindOf(err) != c.want || (got.AccessKeyID != "") != (c.want == "") {
			t.Errorf("%s: got %q, %v, want %q", name, got.AccessKeyID, err, c.want)
		}
		if err != nil && strings.Contains(identity.AsError(err).Public, "ID Token") {
			t.Errorf("%s: speaks of another API: %s", name, identity.AsError(err).Public)
		}
	}
}

func unsigned(claims map[string]any) identity.Secret {
	b, _ := json.Marshal(claims)
	return identity.Secret(base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString(b) + ".")
}
