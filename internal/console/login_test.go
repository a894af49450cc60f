package console_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"daypass/internal/authn"
	"daypass/internal/identity"
	"daypass/internal/stacktest"
)

func TestLogin(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, tc := range []struct {
		name, place, user, password string
		status                      int
		words                       string
	}{
		{"realm", "shasta", stacktest.TestUser, stacktest.TestPassword, http.StatusSeeOther, ""},
		{"e-mail", "shasta", "T@example.com", stacktest.TestPassword, http.StatusSeeOther, ""},
		{"account ID", stacktest.AccountA, stacktest.TestUser, stacktest.TestPassword, http.StatusSeeOther, ""},
		{"account alias", "alias-a", stacktest.TestUser, stacktest.TestPassword, http.StatusSeeOther, ""},
		{"root", "", stacktest.RootEmailA, stacktest.RootPassword, http.StatusSeeOther, ""},
		{"wrong password", "shasta", stacktest.TestUser, "wrong", http.StatusUnauthorized, "do not fit together"},
		{"unknown user", "shasta", "stranger", "wrong", http.StatusUnauthorized, "do not fit together"},
		{"unknown place", "nowhere", "stranger", "wrong", http.StatusUnauthorized, "do not fit together"},
		{"disabled", "shasta", "disabled", stacktest.TestPassword, http.StatusUnauthorized, "do not fit together"},
		{"user at the root realm", "", stacktest.TestUser, stacktest.TestPassword, http.StatusUnauthorized, "do not fit together"},
		{"root by name", "", "root", stacktest.RootPassword, http.StatusUnauthorized, "do not fit together"},
		{"second factor owed, and none there", "shasta", "mfa", stacktest.TestPassword, http.StatusUnauthorized, "Set up an authenticator"},
	} {
		b := s.browser(t)
		a := b.post("/login", "place", tc.place, "username", tc.user, "password", tc.password)
		if a.StatusCode != tc.status || !strings.Contains(a.body, tc.words) {
			t.Errorf("%s: %d %s, want %d with %q", tc.name, a.StatusCode, a.body, tc.status, tc.words)
		}
		if strings.Contains(a.body, tc.password) {
			t.Errorf("%s: the page repeats the password", tc.name)
		}
		if in := b.cookie != ""; in != (tc.status == http.StatusSeeOther) {
			t.Errorf("%s: session %v", tc.name, in)
		}
	}
	if log := s.log.String() + s.AuditLines(t); strings.Contains(log, stacktest.TestPassword) || strings.Contains(log, stacktest.RootPassword) {
		t.Error("a password is in the logs")
	}
}

func TestLoginLimits(t *testing.T) {
	t.Parallel()
	s := newSite(t, stacktest.WithLimits(authn.Limits{PrincipalBurst: 3, PairBurst: 3, AddressBurst: 100}))
	b := s.browser(t)
	for range 3 {
		b.want(b.post("/login", "place", "shasta", "username", stacktest.TestUser, "password", "wrong"), http.StatusUnauthorized)
	}
	b.want(b.post("/login", "place", "shasta", "username", stacktest.TestUser, "password", stacktest.TestPassword), http.StatusTooManyRequests, "Too many tries")
}

// TestNext goes on to the page that was asked for, and nowhere else.
func TestNext(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser(t)
	b.wantSent(b.get("/again"), "/login?next=%2Fagain")
	for next, want := range map[string]string{
		"/again": "/again", "/profile?role=x": "/profile?role=x", "https://evil.example/": "/profile", "//evil.example/profile": "/profile",
		"/\\evil.example": "/profile", "/logout": "/profile", "javascript:alert(1)": "/profile", "": "/profile", "/nosuch": "/profile",
	} {
		b := s.browser(t)
		b.wantSent(b.post("/login", "place", "shasta", "username", stacktest.TestUser, "password", stacktest.TestPassword, "next", next), want)
	}
}

func TestSessionEnds(t *testing.T) {
	t.Parallel()
	ended := func(t *testing.T, b *browser) {
		t.Helper()
		b.wantSent(b.get("/profile"), "/login?next=%2Fprofile&why=ended")
		if b.cookie != "" {
			t.Error("the cookie stays")
		}
	}
	t.Run("idle", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		b := s.logIn(t, boss)
		for range 3 {
			s.Clock.Advance(59 * time.Minute)
			b.want(b.get("/profile"), http.StatusOK)
		}
		s.Clock.Advance(time.Hour)
		ended(t, b)
	})
	t.Run("twelve hours", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		b := s.logIn(t, boss)
		for range 14 {
			s.Clock.Advance(50 * time.Minute)
			b.want(b.get("/profile"), http.StatusOK)
		}
		s.Clock.Advance(50 * time.Minute)
		ended(t, b)
	})
	t.Run("log-out", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		b := s.logIn(t, boss)
		stolen := b.cookie
		keys := b.post("/keys", "role", "", "seconds", "3600").keys(t)
		b.wantSent(b.post("/logout"), "/login?done=logged-out")
		if b.cookie != "" {
			t.Error("the cookie stays")
		}
		b.cookie = stolen
		ended(t, b)
		if _, err := s.caller(t, keys); identity.KindOf(err) != identity.KindExpiredToken {
			t.Errorf("keys of the session: %v, want %s", err, identity.KindExpiredToken)
		}
	})
	t.Run("disabled", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		b := s.logIn(t, boss)
		spec := stacktest.Site()
		spec.Users = append(spec.Users[:1:1], spec.Users[1:]...)
		for i := range spec.Users {
			if spec.Users[i].Name == stacktest.TestUser {
				spec.Users[i].Disabled = true
			}
		}
		other := s.logIn(t, stacktest.TestUser)
		if _, err := s.Directory.Apply(t.Context(), s.Operator(), spec, false); err != nil {
			t.Fatal(err)
		}
		ended(t, other)
		b.want(b.get("/profile"), http.StatusOK)
	})
	t.Run("forged", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		b := s.logIn(t, boss)
		good := b.cookie
		for _, bad := range []string{good[:len(good)-12] + strings.Repeat("A", 12), good + "A", "x", strings.Repeat("A", 5000), strings.ToUpper(good)} {
			b.cookie = bad
			b.wantSent(b.get("/profile"), "/login?next=%2Fprofile")
		}
		// That of another console does not open here.
		b.cookie = newSite(t).logIn(t, boss).cookie
		b.wantSent(b.get("/profile"), "/login?next=%2Fprofile")
		b.cookie = good
		b.want(b.get("/profile"), http.StatusOK)
	})
}

func TestSecondFactor(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	code := s.device(t, boss)
	b := s.browser(t)
	try := func(code string) answer {
		return b.post("/login", "place", "shasta", "username", boss, "password", stacktest.TestPassword, "code", code)
	}
	b.want(try(""), http.StatusUnauthorized, "code from your authenticator")
	b.want(try("000000"), http.StatusUnauthorized, "code is not right")
	b.want(b.post("/login", "place", "shasta", "username", boss, "password", "wrong", "code", code()), http.StatusUnauthorized, "do not fit together")
	shown := code()
	b.wantSent(try(shown[:3]+" "+shown[3:]), "/profile")
	b.want(b.get("/profile"), http.StatusOK, "with a second factor")
	c, err := s.caller(t, b.post("/keys", "role", "", "seconds", "900").keys(t))
	if err != nil || !c.MFA || !c.MFATime.Equal(s.Clock.Now()) {
		t.Errorf("keys have second factor %v of %s, %v", c.MFA, c.MFATime, err)
	}
	b.want(try(shown), http.StatusUnauthorized, "code is not right")
	s.Clock.Advance(5 * time.Minute)
	b.want(b.post("/again", "password", stacktest.TestPassword), http.StatusUnauthorized, "asks for a code")
	b.wantSent(b.post("/again", "password", stacktest.TestPassword, "code", code()), "/profile?done=proved")
}

func TestMustChangePassword(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const fresh = "another password"
	b := s.browser(t)
	b.want(b.post("/login", "place", "shasta", "username", "stale", "password", "wrong"), http.StatusUnauthorized, "do not fit together")
	b.want(b.post("/login", "place", "shasta", "username", "stale", "password", stacktest.TestPassword), http.StatusUnauthorized, "Choose a new password")
	change := func(user, old, first, second string) answer {
		return b.post("/login/password", "place", "shasta", "username", user, "password", old, "new", first, "repeated", second)
	}
	b.want(change("stale", stacktest.TestPassword, fresh, fresh+"x"), http.StatusBadRequest, "differ")
	b.want(change("stale", stacktest.TestPassword, "short", "short"), http.StatusBadRequest, "minimum length")
	b.want(change("stale", stacktest.TestPassword, stacktest.TestPassword, stacktest.TestPassword), http.StatusBadRequest, "is the old one")
	b.want(change("stale", "wrong", fresh, fresh), http.StatusUnauthorized, "do not fit together")
	b.want(change("disabled", stacktest.TestPassword, fresh, fresh), http.StatusUnauthorized, "do not fit together")
	b.want(change(boss, stacktest.TestPassword, fresh, fresh), http.StatusBadRequest, "need not be changed")
	a := change("stale", stacktest.TestPassword, fresh, fresh)
	b.wantSent(a, "/login?done=password-changed&next=&realm=shasta&user=stale")
	b.want(b.get(a.Header.Get("Location")), http.StatusOK, "Your password is changed", `value="stale"`)
	b.want(b.post("/login", "place", "shasta", "username", "stale", "password", stacktest.TestPassword), http.StatusUnauthorized, "do not fit together")
	b.wantSent(b.post("/login", "place", "shasta", "username", "stale", "password", fresh), "/profile")
	if lines := s.log.String() + s.AuditLines(t); strings.Contains(lines, fresh) {
		t.Error("a password is in the logs")
	}
}

// TestChangeTakesSecondFactor: who only knows the password cannot set another.
func TestChangeTakesSecondFactor(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	code := s.device(t, "stale")
	b := s.browser(t)
	change := func(code string) answer {
		return b.post("/login/password", "place", "shasta", "username", "stale", "password", stacktest.TestPassword, "new", "another password", "repeated", "another password", "code", code)
	}
	b.want(b.post("/login", "place", "shasta", "username", "stale", "password", stacktest.TestPassword), http.StatusUnauthorized, "asks for a code")
	b.want(change(""), http.StatusUnauthorized, "asks for a code")
	b.want(change("000000"), http.StatusUnauthorized, "code is not right")
	if a := change(code()); a.StatusCode != http.StatusSeeOther {
		t.Errorf("with a code: %d\n%s", a.StatusCode, a.body)
	}
}
