package issue_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
)

const (
	verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // of RFC 7636, appendix B
	program  = "http://127.0.0.1:4000/back?from=here"
)

func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func authorization() issue.IBMAuthorization {
	return issue.IBMAuthorization{ClientID: "bx", RedirectURI: program, State: "a&b", Challenge: challengeOf(verifier)}
}

// code is an authorization code of a person, in a grant for it.
func (c *cloud) code(who *identity.Caller) issue.IBMCodeGrant {
	c.t.Helper()
	to, err := c.Issuer.ConsoleAuthorize(c.t.Context(), who, authorization())
	c.check(err)
	u, err := url.Parse(to.Reveal())
	c.check(err)
	q := u.Query()
	if u.Host != "127.0.0.1:4000" || u.Path != "/back" || q.Get("from") != "here" || q.Get("state") != "a&b" || q.Get("iss") != stacktest.ExternalURL+"/identity" {
		c.t.Errorf("sent to %s", u.Redacted())
	}
	return issue.IBMCodeGrant{Code: identity.Secret(q.Get("code")), Verifier: verifier, RedirectURI: program, Client: bx}
}

func TestIBMCode(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	ctx := t.Context()
	who := c.tester()
	typed := c.passcode(who) // the one kind does not end the other
	g := c.code(who)
	tokens, err := c.Issuer.IBMCode(ctx, g)
	c.check(err)
	if v := claimsOf(t, tokens.Access); v["grant_type"] != issue.IBMGrantCode || v["client_id"] != "bx" || v["iam_id"] != c.user(stacktest.TestUser).IAMID() {
		t.Errorf("%v", v)
	}
	next, err := c.refresh(tokens.Refresh)
	if err != nil || !c.accepted(next) {
		t.Fatal(err)
	}
	wrong := g
	wrong.Verifier = identity.Secret(strings.Repeat("x", 43))
	_, err = c.Issuer.IBMCode(ctx, wrong)
	wantKind(t, "used twice, by somebody else", err, identity.KindInvalidCredentials)
	if !c.accepted(next) {
		t.Error("a code that is shown without its verifier ends what it gave")
	}
	_, err = c.Issuer.IBMCode(ctx, g)
	wantKind(t, "used twice", err, identity.KindInvalidCredentials)
	if c.accepted(next) {
		t.Error("what a code gave lives on when the code is used twice")
	}
	_, err = c.refresh(next.Refresh)
	wantKind(t, "refreshed", err, identity.KindExpiredToken)
	if _, err := c.useCode(typed); err != nil {
		t.Errorf("the passcode: %v", err)
	}

	g = c.code(who)
	g.Client, g.ClientID = issue.IBMClient{}, "bx"
	tokens, err = c.Issuer.IBMCode(ctx, g)
	if err != nil || !c.accepted(tokens) {
		t.Errorf("client in the form: %v", err)
	}
	c.check(c.Issuer.ConsoleLogout(ctx, who))
	if c.accepted(tokens) {
		t.Error("the log-out leaves what the code gave")
	}
}

// TestIBMCodeIsBound: a code is good for who asked for it, for a minute.
func TestIBMCodeIsBound(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	for name, change := range map[string]func(*issue.IBMCodeGrant){
		"another verifier": func(g *issue.IBMCodeGrant) { g.Verifier = identity.Secret(strings.Repeat("x", 43)) },
		"the challenge":    func(g *issue.IBMCodeGrant) { g.Verifier = identity.Secret(challengeOf(verifier)) },
		"no verifier":      func(g *issue.IBMCodeGrant) { g.Verifier = "" },
		"another address":  func(g *issue.IBMCodeGrant) { g.RedirectURI = "http://127.0.0.1:4001/back?from=here" },
		"no address":       func(g *issue.IBMCodeGrant) { g.RedirectURI = "" },
		"another client":   func(g *issue.IBMCodeGrant) { g.Client = issue.IBMClient{ID: "app", Secret: "bx"} },
		"no client":        func(g *issue.IBMCodeGrant) { g.Client = issue.IBMClient{} },
		"two clients":      func(g *issue.IBMCodeGrant) { g.ClientID = "app" },
		"cut":              func(g *issue.IBMCodeGrant) { g.Code = g.Code[1:] },
		"a passcode":       func(g *issue.IBMCodeGrant) { g.Code = c.passcode(c.tester()) },
		"a minute later":   func(*issue.IBMCodeGrant) { c.Clock.Advance(time.Minute) },
		"replaced":         func(*issue.IBMCodeGrant) { c.code(c.tester()) },
		"huge":             func(g *issue.IBMCodeGrant) { g.Code = identity.Secret(strings.Repeat("a", 1<<20)) },
		"of a disabled user": func(*issue.IBMCodeGrant) {
			c.change(c.user(stacktest.TestUser).ID, func(u *identity.User) { u.Disabled = true })
		},
		"a verifier too long": func(g *issue.IBMCodeGrant) { g.Verifier = identity.Secret(strings.Repeat("x", 129)) },
	} {
		user := c.user(stacktest.TestUser)
		g := c.code(c.tester())
		change(&g)
		_, err := c.Issuer.IBMCode(t.Context(), g)
		wantKind(t, name, err, identity.KindInvalidCredentials)
		c.change(user.ID, func(u *identity.User) { *u = *user })
	}
	g := c.code(c.tester())
	_, err := c.useCode(g.Code)
	wantKind(t, "as a passcode", err, identity.KindInvalidCredentials)
	g.Account = stacktest.AccountB
	_, err = c.Issuer.IBMCode(t.Context(), g)
	wantKind(t, "for another account", err, identity.KindAccessDenied)
}

func TestIBMCodeRaces(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	g := c.code(c.tester())
	var good atomic.Int64
	var wg sync.WaitGroup
	for range 12 {
		wg.Go(func() {
			if _, err := c.Issuer.IBMCode(t.Context(), g); err == nil {
				good.Add(1)
			} else if identity.KindOf(err) != identity.KindInvalidCredentials {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if good.Load() != 1 || c.families() != 1 {
		t.Errorf("%d log-ins, %d families", good.Load(), c.families())
	}
}

// TestIBMCodeIsAskedFor: codes go to programs on the person's own computer, of the
// one client, with a challenge, and to people who may have them.
func TestIBMCodeIsAskedFor(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	ctx := t.Context()
	who := c.tester()
	for _, to := range []string{
		"http://127.0.0.1/", "http://127.0.0.1:1", "http://localhost:65535/a/b?c=d&e=f", "http://localhost?x",
	} {
		a := authorization()
		a.RedirectURI = to
		if _, err := c.Issuer.ConsoleAuthorize(ctx, who, a); err != nil {
			t.Errorf("%s: %v", to, err)
		}
	}
	refused := map[string]func(*issue.IBMAuthorization){
		"another client": func(a *issue.IBMAuthorization) { a.ClientID = "app" },
		"no challenge":   func(a *issue.IBMAuthorization) { a.Challenge = "" },
		"short":          func(a *issue.IBMAuthorization) { a.Challenge = a.Challenge[1:] },
		"padded":         func(a *issue.IBMAuthorization) { a.Challenge += "=" },
		"long state":     func(a *issue.IBMAuthorization) { a.State = strings.Repeat("s", 1025) },
	}
	for _, to := range []string{
		"", "back", "https://127.0.0.1/", "http://evil.example.com/", "http://127.0.0.1.evil.example.com/", "http://127.0.0.1@evil.example.com/",
		"http://localhost:80@evil.example.com/", "http://127.0.0.1:4000#x", "http://127.0.0.1:x/", "http://127.0.0.1:/", "http://127.0.0.1\\@evil.example.com/",
		"http:127.0.0.1/", "//127.0.0.1/", "http://[::1]/", "http://127.0.0.2/", "http://localhost./", "HTTP://LOCALHOST/ x", "javascript://127.0.0.1/%0aalert(1)",
		"http://127.0.0.1/;script-src", "http://127.0.0.1/" + strings.Repeat("a", 512), "http://127.0.0.1/ä",
	} {
		refused[to] = func(a *issue.IBMAuthorization) { a.RedirectURI = to }
	}
	for name, change := range refused {
		a := authorization()
		change(&a)
		_, err := c.Issuer.ConsoleAuthorize(ctx, who, a)
		wantKind(t, name, err, identity.KindValidation)
	}
	_, err := c.Issuer.ConsoleAuthorize(ctx, c.person("", stacktest.RootEmailA, stacktest.RootPassword, ""), authorization())
	wantKind(t, "the root user", err, identity.KindAccessDenied)
	_, err = c.Issuer.ConsoleAuthorize(ctx, c.root, authorization())
	wantKind(t, "by keys", err, identity.KindAccessDenied)
	c.Clock.Advance(5 * time.Minute)
	_, err = c.Issuer.ConsoleAuthorize(ctx, who, authorization())
	wantKind(t, "late", err, identity.KindExpiredIdentity)
}

// FuzzIBMRedirect looks for an address that is taken and leads elsewhere.
func FuzzIBMRedirect(f *testing.F) {
	for _, seed := range []string{program, "http://localhost", "http://127.0.0.1@evil/", "http://localhost:80:90/", "http://127.0.0.1%2eevil/", "http://localhost:0x50/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		origin := (issue.IBMAuthorization{RedirectURI: text}).Origin()
		if origin == "" {
			return
		}
		name, port, _ := strings.Cut(strings.TrimPrefix(origin, "http://"), ":")
		if name != "127.0.0.1" && name != "localhost" || strings.Trim(port, "0123456789") != "" {
			t.Fatalf("%q has the origin %q", text, origin)
		}
		rest, ok := strings.CutPrefix(text, origin)
		if !ok || rest != "" && rest[0] != '/' && rest[0] != '?' {
			t.Errorf("%q is not below %q", text, origin)
		}
	})
}
