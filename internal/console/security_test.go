package console_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"daypass/internal/identity"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

var seedShown = regexp.MustCompile(`<code id="seed"[^>]*>([A-Z2-7]{32})</code>`)

func TestAuthenticator(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.logIn(t, boss)
	b.want(b.get("/security"), http.StatusOK, "Set up an authenticator")
	s.Clock.Advance(5 * time.Minute)
	b.wantSent(b.post("/security/authenticator"), "/again?next=%2Fsecurity")
	b.wantSent(b.post("/again", "password", stacktest.TestPassword, "next", "/security"), "/security?done=proved")

	a := b.post("/security/authenticator")
	b.want(a, http.StatusOK, "Scan the code", `src="data:image/png;base64,`)
	m := seedShown.FindStringSubmatch(a.body)
	if m == nil {
		t.Fatalf("no secret in\n%s", a.body)
	}
	code := func() string {
		text, err := totp.GenerateCode(m[1], s.Clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	a = b.post("/security/authenticator/confirm", "code", "000000")
	b.want(a, http.StatusForbidden, "code is not right", "not shown twice")
	if strings.Contains(a.body, m[1]) {
		t.Error("the secret is shown twice")
	}
	old := b.cookie
	b.wantSent(b.post("/security/authenticator/confirm", "code", code(), "name", "My phone"), "/login?done=authenticator-on")
	b.cookie = old
	b.wantSent(b.get("/profile"), "/login?next=%2Fprofile&why=ended")

	login := func(code string) answer {
		return b.post("/login", "place", "shasta", "username", boss, "password", stacktest.TestPassword, "code", code)
	}
	b.want(login(""), http.StatusUnauthorized, "asks for a code")
	b.want(login(code()), http.StatusUnauthorized, "code is not right") // it set the device up
	s.Clock.Advance(30 * time.Second)
	b.wantSent(login(code()), "/profile")
	b.want(b.get("/security"), http.StatusOK, "My phone", "Replace it")
	b.wantSent(b.post("/security/authenticator/remove"), "/login?done=authenticator-off")
	b.wantSent(login(""), "/profile")
	if lines := s.log.String() + s.AuditLines(t); strings.Contains(lines, m[1]) {
		t.Error("the secret is in the logs")
	}
}

func TestChangePassword(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b, other := s.logIn(t, boss), s.logIn(t, boss)
	const fresh = "another password"
	change := func(old, first, second string) answer {
		return b.post("/security/password", "password", old, "new", first, "repeated", second)
	}
	b.want(change(stacktest.TestPassword, fresh, "different"), http.StatusBadRequest, "differ")
	b.want(change("wrong", fresh, fresh), http.StatusBadRequest, "old password was incorrect")
	b.want(change(stacktest.TestPassword, "short", "short"), http.StatusBadRequest, "minimum length")
	b.want(other.get("/profile"), http.StatusOK)
	b.wantSent(change(stacktest.TestPassword, fresh, fresh), "/login?done=password-changed")
	other.wantSent(other.get("/profile"), "/login?next=%2Fprofile&why=ended")
	b.want(b.post("/login", "place", "shasta", "username", boss, "password", stacktest.TestPassword), http.StatusUnauthorized)
	b.wantSent(b.post("/login", "place", "shasta", "username", boss, "password", fresh), "/profile")
}

// TestRootChangesItsPassword: with its e-mail address, nobody else's.
func TestRootChangesItsPassword(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser(t)
	const fresh = "another root password"
	login := func(email, password string) answer { return b.post("/login", "username", email, "password", password) }
	b.wantSent(login(stacktest.RootEmailA, stacktest.RootPassword), "/profile")
	b.wantSent(b.post("/security/password", "password", stacktest.RootPassword, "new", fresh, "repeated", fresh), "/login?done=password-changed")
	b.want(login(stacktest.RootEmailA, stacktest.RootPassword), http.StatusUnauthorized)
	b.wantSent(login(stacktest.RootEmailA, fresh), "/profile")
	b.wantSent(login(stacktest.RootEmailB, stacktest.RootPassword), "/profile")
}

// TestFactorBeforeLogin: who owes a second factor and has none sets one up.
func TestFactorBeforeLogin(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser(t)
	login := func(code string) answer {
		return b.post("/login", "place", "shasta", "username", "mfa", "password", stacktest.TestPassword, "code", code)
	}
	confirm := func(user, password, code string) answer {
		return b.post("/login/authenticator", "place", "shasta", "username", user, "password", password, "code", code)
	}
	m := seedShown.FindStringSubmatch(login("").body)
	if m == nil {
		t.Fatal("no secret is shown")
	}
	code := func() string {
		text, err := totp.GenerateCode(m[1], s.Clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	b.want(confirm("mfa", "wrong", code()), http.StatusUnauthorized, "do not fit together")
	b.want(confirm("mfa", stacktest.TestPassword, "000000"), http.StatusUnauthorized, "code is not right", "not shown twice")
	b.want(confirm(boss, stacktest.TestPassword, code()), http.StatusBadRequest, "logs in as it is")
	b.wantSent(confirm("mfa", stacktest.TestPassword, code()), "/login?done=authenticator-on&next=&realm=shasta&user=mfa")
	// The password alone sets up no second one.
	b.want(confirm("mfa", stacktest.TestPassword, code()), http.StatusBadRequest, "logs in as it is")
	b.want(login(""), http.StatusUnauthorized, "asks for a code")
	s.Clock.Advance(30 * time.Second)
	b.wantSent(login(code()), "/profile")
}

// TestPasskeyIsAFactor: who has a passkey gets no second way in by the password
// alone.
func TestPasskeyIsAFactor(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, err := s.DB.Update(t.Context(), func(tx store.Tx) error {
		u, err := store.Users.By(tx, "login", store.Join("shasta", "mfa"))
		if err != nil {
			return err
		}
		return store.Passkeys.Insert(tx, &identity.Passkey{ID: "key", UserID: u.ID})
	})
	if err != nil {
		t.Fatal(err)
	}
	b := s.browser(t)
	b.want(b.post("/login", "place", "shasta", "username", "mfa", "password", stacktest.TestPassword), http.StatusUnauthorized, "logs in with a passkey")
}
