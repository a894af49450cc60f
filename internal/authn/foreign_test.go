package authn_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"daypass/internal/authn"
	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

// foreignStack is a stack whose realm has two foreign log-ins.
func foreignStack(t testing.TB) (*stacktest.Stack, *stacktest.Issuer, *stacktest.Issuer) {
	t.Helper()
	now := func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }
	one, two := stacktest.NewIssuer(t, now), stacktest.NewIssuer(t, now)
	s := stacktest.New(t, stacktest.WithWeb(stacktest.Web(t, one, two)), stacktest.WithSite(func(spec *directory.SiteSpec) {
		r := &spec.Realms[1]
		trusted := one.Login("trusted")
		trusted.TrustMFA = true
		r.Logins = []identity.ForeignLogin{one.Login("one"), two.Login("two"), trusted}
		r.LoginSecrets = map[string]identity.Secret{
			"one": identity.Secret(one.ClientSecret), "two": identity.Secret(two.ClientSecret), "trusted": identity.Secret(one.ClientSecret),
		}
	}))
	return s, one, two
}

func start(t testing.TB, s *stacktest.Stack, login string) authn.ForeignStart {
	t.Helper()
	b, err := s.Authn.BeginForeign(t.Context(), "shasta", login, authn.ForeignFor{Purpose: authn.ForeignToLogIn})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestForeignLogin(t *testing.T) {
	t.Parallel()
	s, one, _ := foreignStack(t)
	b := start(t, s, "one")
	q := b.URL[strings.IndexByte(b.URL, '?')+1:]
	asked, err := url.ParseQuery(q)
	if err != nil || asked.Get("redirect_uri") != stacktest.ConsoleURL+"login/callback/shasta/one" || asked.Get("scope") != "openid email" {
		t.Errorf("%s, %v", q, err)
	}
	answer := one.Code(t, b.URL, map[string]any{"preferred_username": "ann", "amr": []string{"pwd", "mfa"}})
	p, err := s.Authn.Foreign(t.Context(), "shasta", "one", b.Cookie, answer)
	if err != nil {
		t.Fatal(err)
	}
	if p.Issuer != one.URL || p.Subject != "foreign-1" || p.Label != "ann" || p.MFA || p.For.Purpose != authn.ForeignToLogIn {
		t.Errorf("%+v", p)
	}
	// The code again, the cookie again with another code, the proof again.
	if _, err := s.Authn.Foreign(t.Context(), "shasta", "one", b.Cookie, answer); identity.KindOf(err) != identity.KindInvalidIdentity {
		t.Errorf("the code again: %v", err)
	}
	again, err := s.Authn.Foreign(t.Context(), "shasta", "one", b.Cookie, one.Code(t, b.URL, nil))
	if err != nil {
		t.Fatal(err)
	}
	if n := winners(s, p.Use, again.Use, p.Use); n != 1 {
		t.Errorf("one beginning was used %d times", n)
	}

	sealed, err := s.Authn.SealForeign(p)
	if err != nil {
		t.Fatal(err)
	}
	back, err := s.Authn.OpenForeign(sealed)
	if err != nil || *back != *p {
		t.Errorf("%+v, %v", back, err)
	}
	s.Clock.Advance(3 * time.Minute)
	if _, err := s.Authn.OpenForeign(sealed); identity.KindOf(err) != identity.KindInvalidGrant {
		t.Errorf("a late second factor: %v", err)
	}
	if _, err := s.Authn.OpenForeign(b.Cookie); identity.KindOf(err) != identity.KindValidation {
		t.Errorf("a cookie in place of it: %v", err)
	}
}

func TestForeignMFA(t *testing.T) {
	t.Parallel()
	s, one, _ := foreignStack(t)
	for _, c := range []struct {
		login  string
		claims map[string]any
		want   bool
	}{
		{"trusted", map[string]any{"amr": []string{"pwd", "mfa"}}, true},
		{"trusted", map[string]any{"amr": "mfa"}, true},
		{"trusted", map[string]any{"acr": "mfa"}, true},
		{"trusted", map[string]any{"amr": []string{"pwd"}, "acr": "1"}, false},
		{"trusted", map[string]any{"amr": 7, "acr": []string{"mfa"}}, false},
		{"trusted", nil, false},
		{"one", map[string]any{"amr": []string{"mfa"}, "acr": "mfa"}, false},
	} {
		b := start(t, s, c.login)
		p, err := s.Authn.Foreign(t.Context(), "shasta", c.login, b.Cookie, one.Code(t, b.URL, c.claims))
		if err != nil || p.MFA != c.want {
			t.Errorf("%s %v: %+v, %v", c.login, c.claims, p, err)
		}
	}
}

// TestForeignAttacks tells of answers that must not log anybody in, and of
// codes that must not even be exchanged.
func TestForeignAttacks(t *testing.T) {
	t.Parallel()
	s, one, two := foreignStack(t)
	now := s.Clock.Now().Unix()
	for _, c := range []struct {
		name   string
		claims map[string]any
		bend   func(b *authn.ForeignStart, answer url.Values)
		login  string // of the redirect URI, when another
		asked  bool   // the code reaches the token endpoint
		want   identity.Kind
	}{
		{"another nonce", map[string]any{"nonce": "other"}, nil, "", true, identity.KindInvalidIdentity},
		{"no nonce", map[string]any{"nonce": ""}, nil, "", true, identity.KindInvalidIdentity},
		{"another issuer's token", map[string]any{"iss": two.URL}, nil, "", true, identity.KindInvalidIdentity},
		{"another audience", map[string]any{"aud": "somebody"}, nil, "", true, identity.KindInvalidIdentity},
		{"another party", map[string]any{"azp": "somebody"}, nil, "", true, identity.KindInvalidIdentity},
		{"several audiences without a party", map[string]any{"aud": []string{"console", "somebody"}}, nil, "", true, identity.KindInvalidIdentity},
		{"expired", map[string]any{"exp": now - 61}, nil, "", true, identity.KindExpiredIdentity},
		{"from the future", map[string]any{"iat": now + 120}, nil, "", true, identity.KindInvalidIdentity},
		{"no subject", map[string]any{"sub": ""}, nil, "", true, identity.KindInvalidIdentity},
		{"an access token", map[string]any{"token_use": "access"}, nil, "", true, identity.KindInvalidIdentity},
		{"another state", nil, func(_ *authn.ForeignStart, q url.Values) { q.Set("state", "x") }, "", false, identity.KindInvalidIdentity},
		{"no state", nil, func(_ *authn.ForeignStart, q url.Values) { q.Del("state") }, "", false, identity.KindInvalidIdentity},
		{"another browser's cookie", nil, func(b *authn.ForeignStart, _ url.Values) { b.Cookie = start(t, s, "one").Cookie }, "", false, identity.KindInvalidIdentity},
		{"no cookie", nil, func(b *authn.ForeignStart, _ url.Values) { b.Cookie = "" }, "", false, identity.KindInvalidIdentity},
		{"another log-in's redirect URI", nil, nil, "two", false, identity.KindInvalidIdentity},
		{"mix-up: told another issuer", nil, func(_ *authn.ForeignStart, q url.Values) { q.Set("iss", two.URL) }, "", false, identity.KindInvalidIdentity},
		{"told two issuers", nil, func(_ *authn.ForeignStart, q url.Values) { q["iss"] = []string{one.URL, two.URL} }, "", false, identity.KindInvalidIdentity},
		{"refused", nil, func(_ *authn.ForeignStart, q url.Values) { q.Set("error", "access_denied") }, "", false, identity.KindIdentityRejected},
		{"no code", nil, func(_ *authn.ForeignStart, q url.Values) { q.Del("code") }, "", false, identity.KindInvalidIdentity},
		{"unknown log-in", nil, nil, "three", false, identity.KindNotFound},
	} {
		b := start(t, s, "one")
		answer := one.Code(t, b.URL, c.claims)
		if c.bend != nil {
			c.bend(&b, answer)
		}
		before := one.Asked() + two.Asked()
		login := "one"
		if c.login != "" {
			login = c.login
		}
		_, err := s.Authn.Foreign(t.Context(), "shasta", login, b.Cookie, answer)
		if identity.KindOf(err) != c.want {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
		if asked := one.Asked()+two.Asked() != before; asked != c.asked {
			t.Errorf("%s: the token endpoint was asked: %v", c.name, asked)
		}
		if err != nil && strings.Contains(err.Error(), "a secret of the issuer") {
			t.Errorf("%s: the error repeats the issuer's answer: %v", c.name, err)
		}
	}
	b := start(t, s, "one")
	answer := one.Code(t, b.URL, nil)
	one.Algorithm = "none"
	if _, err := s.Authn.Foreign(t.Context(), "shasta", "one", b.Cookie, answer); identity.KindOf(err) != identity.KindInvalidIdentity {
		t.Errorf("algorithm none: %v", err)
	}
	one.Algorithm = "ES256"
	b = start(t, s, "one")
	answer = one.Code(t, b.URL, nil)
	s.Clock.Advance(10 * time.Minute)
	if _, err := s.Authn.Foreign(t.Context(), "shasta", "one", b.Cookie, answer); identity.KindOf(err) != identity.KindInvalidIdentity {
		t.Errorf("late: %v", err)
	}
	one.TellsIssuer = true
	b = start(t, s, "one") // discovery was read ten minutes ago
	answer = one.Code(t, b.URL, map[string]any{"exp": s.Clock.Now().Unix() + 60})
	answer.Del("iss")
	if _, err := s.Authn.Foreign(t.Context(), "shasta", "one", b.Cookie, answer); identity.KindOf(err) != identity.KindInvalidIdentity {
		t.Errorf("an issuer that tells who it is did not: %v", err)
	}
}

// TestForeignCode exchanges a code with another beginning's verifier: PKCE holds.
func TestForeignCode(t *testing.T) {
	t.Parallel()
	s, one, _ := foreignStack(t)
	mine, theirs := start(t, s, "one"), start(t, s, "one")
	stolen := one.Code(t, theirs.URL, nil)
	injected := one.Code(t, mine.URL, nil)
	injected.Set("code", stolen.Get("code"))
	if _, err := s.Authn.Foreign(t.Context(), "shasta", "one", mine.Cookie, injected); identity.KindOf(err) != identity.KindInvalidIdentity {
		t.Errorf("an injected code: %v", err)
	}
}

func TestForeignClientAuthentication(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"client_secret_basic", "client_secret_post"} {
		s, one, _ := foreignStack(t)
		one.AuthMethods = []string{method}
		b := start(t, s, "one")
		if _, err := s.Authn.Foreign(t.Context(), "shasta", "one", b.Cookie, one.Code(t, b.URL, nil)); err != nil {
			t.Errorf("%s: %v", method, err)
		}
	}
}

func TestForeignLoginsApplied(t *testing.T) {
	t.Parallel()
	s, one, two := foreignStack(t)
	spec := stacktest.Site()
	r := &spec.Realms[1]
	r.Logins = []identity.ForeignLogin{one.Login("one"), two.Login("trusted")}
	r.LoginSecrets = map[string]identity.Secret{"one": identity.Secret(one.ClientSecret)}
	changes, err := s.Directory.Apply(t.Context(), s.Operator(), spec, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		if strings.Contains(c.From+c.To, one.ClientSecret) || c.Kind == "login" {
			t.Errorf("%+v", c)
		}
	}
	for _, name := range []string{"two", "trusted"} { // removed, and another issuer's now
		if _, err := store.Revocations.By(s.DB.Snapshot(), "target", store.Join(string(identity.LineageProvider), identity.LoginProvider("shasta", name))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Authn.BeginForeign(t.Context(), "shasta", "two", authn.ForeignFor{}); identity.KindOf(err) != identity.KindNotFound {
		t.Errorf("a log-in that is gone: %v", err)
	}
	for name, bend := range map[string]func(*directory.SiteSpec){
		"root realm": func(s *directory.SiteSpec) { s.Realms[0].Logins = []identity.ForeignLogin{one.Login("one")} },
		"twice": func(s *directory.SiteSpec) {
			s.Realms[1].Logins = []identity.ForeignLogin{one.Login("one"), two.Login("one")}
		},
		"bad name": func(s *directory.SiteSpec) { s.Realms[1].Logins = []identity.ForeignLogin{one.Login("../x")} },
		"own realm": func(s *directory.SiteSpec) {
			s.Realms[1].Logins = []identity.ForeignLogin{{Name: "x", ClientID: "x", Issuer: stacktest.ExternalURL + "/auth/realms/shasta"}}
		},
		"lost secret": func(s *directory.SiteSpec) { s.Realms[1].LoginSecrets = map[string]identity.Secret{"x": "y"} },
	} {
		spec := stacktest.Site()
		bend(&spec)
		if _, err := s.Directory.Apply(t.Context(), s.Operator(), spec, true); identity.KindOf(err) != identity.KindValidation {
			t.Errorf("%s: %v", name, err)
		}
	}
}
