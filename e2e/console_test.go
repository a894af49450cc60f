package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// TestConsole goes through the pages for people in a browser, as people do.
func TestConsole(t *testing.T) {
	t.Parallel()
	s := newConsoleSite(t)
	for _, v := range []struct {
		name string
		run  func(*consoleSite, *testing.T)
	}{
		{"authenticator and keys", (*consoleSite).authenticatorAndKeys},
		{"root", (*consoleSite).rootLogsIn},
		{"refused", (*consoleSite).refusedLogIns},
		{"ended sessions", (*consoleSite).endedSessions},
		{"ending one's own", (*consoleSite).endsOwnSessions},
		{"without scripts", (*consoleSite).withoutScripts},
		{"passkeys", (*consoleSite).passkeys},
		{"invited", (*consoleSite).invited},
		{"another provider", (*consoleSite).byAnotherProvider},
		{"stored page", (*consoleSite).storedPageSeesNothing},
	} {
		t.Run(v.name, func(t *testing.T) { v.run(s, t) })
	}
}

// authenticatorAndKeys is the demo's user from its first log-in to keys in a
// shell.
func (s *consoleSite) authenticatorAndKeys(t *testing.T) {
	v := s.visitor(t)
	user := s.Realms["shasta"]
	v.logIn("demo", user.Username, user.Password)
	v.at("/profile", user.Username, "arn:aws:iam::"+s.AccountID+":user/testuser", "without a second factor")

	v.pressNamed("Security")
	v.at("/security")
	v.pressNamed("Set up an authenticator")
	v.at("/security/authenticator", "Scan the code")
	code := codesOf(v)
	v.fill("code", "000000")
	v.pressNamed("Turn it on")
	v.at("/security/authenticator/confirm", "That code is not right", "It is not shown twice")
	v.fill("code", code(0), "name", "My phone")
	v.pressNamed("Turn it on")
	v.at("/login", "Your authenticator is on")

	v.logIn("shasta", user.Username, user.Password)
	v.at("/login", "asks for a code")
	v.fill("password", user.Password, "code", code(1))
	v.pressNamed("Log in")
	v.at("/profile", "with a second factor")
	v.pressNamed("Security")
	v.at("/security", "My phone")
	v.pressNamed("Profile")

	v.pressNamed("Get keys")
	v.at("/keys", "Your keys", s.URL)
	s.usesKeys(t, v)
	v.counts()
	v.copies("key-id", "key-secret", "key-token", "block-bash")

	v.pressNamed("Back to your profile")
	role := "arn:aws:iam::" + s.AccountID + ":role/reports-reader"
	v.run(chromedp.SetValue("#role", role, chromedp.ByQuery))
	v.pressNamed("Get keys")
	v.at("/keys", "assumed-role/reports-reader/")
	if status, arn := s.whoami(t, v.keys()); status != http.StatusOK || !strings.Contains(arn, ":assumed-role/reports-reader/") {
		t.Errorf("with the role's keys: %d %s", status, arn)
	}

	keys := v.keys()
	v.pressNamed("Log out")
	v.at("/login", "You have logged out")
	if v.cookie() != nil {
		t.Error("the browser still has a session cookie")
	}
	if !s.endsWithin(t, keys) {
		t.Error("keys work after the log-out")
	}
}

// usesKeys uses exactly what the page shows: the strings, and the lines to
// paste.
func (s *consoleSite) usesKeys(t *testing.T, v *visitor) {
	t.Helper()
	path := needAWS1(t)
	arn := "arn:aws:iam::" + s.AccountID + ":user/testuser"
	shell := s.NewClient(t).With(v.keys())
	if got := shell.OK(path, "sts", "get-caller-identity", "--query", "Arn", "--output", "text"); got != arn+"\n" {
		t.Errorf("the three strings are %q, want %s", got, arn)
	}
	shell.OK(path, "s3", "mb", "s3://console-keys")
	pasted := s.NewClient(t)
	pasted.Set("AWS_ENDPOINT_URL", "")
	pasted.Set("AWS_DEFAULT_REGION", "")
	got := pasted.OK("bash", "-c", v.text("#block-bash")+"\n"+path+" sts get-caller-identity --query Arn --output text && "+path+" s3 ls")
	if !strings.HasPrefix(got, arn+"\n") || !strings.Contains(got, "console-keys") {
		t.Errorf("after pasting: %q", got)
	}
	pasted.Write(".aws/credentials", v.text("#block-credentials"))
	if got := pasted.OK(path, "--profile", "daypass", "s3", "ls"); !strings.Contains(got, "console-keys") {
		t.Errorf("with the profile: %q", got)
	}
}

// counts looks whether the countdown goes on by itself.
func (v *visitor) counts() {
	v.t.Helper()
	first := v.text("[data-countdown]")
	if len(strings.Split(first, ":")) < 2 {
		v.t.Fatalf("the countdown shows %q", first)
	}
	v.until(fmt.Sprintf(`document.querySelector("[data-countdown]").textContent !== %q`, first))
}

// copies presses copy buttons, and reads the clipboard.
func (v *visitor) copies(ids ...string) {
	v.t.Helper()
	v.grant(browser.PermissionTypeClipboardReadWrite, browser.PermissionTypeClipboardSanitizedWrite)
	for _, id := range ids {
		button := fmt.Sprintf(`[data-copy=%q]`, id)
		v.run(chromedp.Click(button, chromedp.ByQuery))
		v.until(fmt.Sprintf(`document.querySelector(%q).textContent === "Copied"`, button))
		var got string
		v.run(chromedp.Evaluate(`navigator.clipboard.readText()`, &got, awaited))
		if want := v.text("#" + id); got != want {
			v.t.Errorf("%s: %q was copied, want %q", id, got, want)
		}
	}
}

func (v *visitor) grant(permissions ...browser.PermissionType) {
	v.t.Helper()
	v.run(chromedp.ActionFunc(func(ctx context.Context) error {
		return browser.GrantPermissions(permissions).WithBrowserContextID(v.profile).Do(cdp.WithExecutor(ctx, chromedp.FromContext(ctx).Browser))
	}))
}

// endsWithin says whether keys stop working within a second or so.
func (s *consoleSite) endsWithin(t *testing.T, k Keys) bool {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
		if status, _ := s.whoami(t, k); status == http.StatusForbidden {
			return true
		}
	}
	return false
}

// rootLogsIn is the root user: by e-mail alone, or at its realm.
func (s *consoleSite) rootLogsIn(t *testing.T) {
	for _, place := range []string{"", "root-accounts"} {
		v := s.visitor(t)
		v.logIn(place, s.Root.Email, s.Root.Password)
		v.at("/profile", s.RootARN())
		v.pressNamed("Get keys")
		v.at("/keys")
		if status, arn := s.whoami(t, v.keys()); status != http.StatusOK || arn != s.RootARN() {
			t.Errorf("root's keys: %d %s", status, arn)
		}
		v.pressNamed("API tokens")
		v.at("/tokens", "demo", "api_admin")
		name := "e2e" + place
		v.fill("name", name, "description", "made in a browser")
		v.pressNamed("Create token")
		v.at("/tokens", "Your new API token", name)
		access, secret := v.text("#token-key"), v.text("#token-secret")
		if len(access) != 36 || len(secret) != 32 {
			t.Errorf("a token of %d and %d characters", len(access), len(secret))
		}
		v.pressNamed("Back to API tokens")
		v.at("/tokens", name, access)
		v.press(fmt.Sprintf(`button[aria-label^="Delete the token %s,"]`, name))
		v.at("/tokens", "The token is deleted")
	}
}

// refusedLogIns are those that do not succeed, each with its words and nothing
// lost that was typed, but the password.
func (s *consoleSite) refusedLogIns(t *testing.T) {
	v := s.visitor(t)
	for _, c := range []struct{ place, name, password string }{
		{"shasta", "alice", "Wrong-horse-77-battery"},
		{"shasta", "nobody", consolePassword},
		{"nowhere", "alice", consolePassword},
		{"", "alice@example.com", consolePassword},
	} {
		v.logIn(c.place, c.name, c.password)
		v.at("/login", "Name and password do not fit together")
		if got := v.value("username") + "," + v.value("place") + "," + v.value("password"); got != c.name+","+c.place+"," {
			t.Errorf("the form comes back with %q", got)
		}
		if v.cookie() != nil {
			t.Errorf("%+v: a cookie", c)
		}
	}
	v.to("/no/such/page")
	v.at("/no/such/page", "Nothing here")
}

func (v *visitor) value(id string) (text string) {
	v.t.Helper()
	v.run(chromedp.Value("#"+id, &text, chromedp.ByQuery))
	return text
}

// endedSessions comes back to pages with a cookie that is no good any more.
func (s *consoleSite) endedSessions(t *testing.T) {
	v := s.visitor(t)
	goOn := func(words ...string) {
		t.Helper()
		v.at("/login", words...)
		v.fill("place", "shasta", "username", "alice", "password", consolePassword)
		v.pressNamed("Log in")
		v.at("/sessions", "this one") // where it was heading
	}
	v.to("/sessions") // never logged in
	goOn()
	if k := v.cookie(); !k.HTTPOnly || k.SameSite != network.CookieSameSiteStrict || k.Session || k.Path != "/" || k.Domain != "localhost" {
		t.Errorf("the cookie is %+v", k)
	}
	v.run(network.DeleteCookies("daypass").WithURL(s.ConsoleURL)) // the browser let it go when it was over
	v.to("/sessions")
	goOn()
	v.setCookie(v.cookie().Value + "A")
	v.to("/sessions")
	goOn()

	s.NewClient(t).OK(s.binary, "sessions", "revoke", "--data", s.Data, "--yes", "--principal", "arn:aws:iam::"+s.AccountID+":user/alice")
	v.pressNamed("End all other sessions")
	v.at("/sessions/end-others", "Your session has ended", "not carried out")
	v.pressNamed("Log in again")
	v.at("/login")
	v.logIn("shasta", "alice", consolePassword)
	v.at("/profile")
	s.NewClient(t).OK(s.binary, "sessions", "revoke", "--data", s.Data, "--yes", "--principal", "arn:aws:iam::"+s.AccountID+":user/alice")
	v.to("/sessions")
	goOn("Your session has ended")
}

// endsOwnSessions looks at one window from another, and ends it.
func (s *consoleSite) endsOwnSessions(t *testing.T) {
	here, there := s.visitor(t), s.visitor(t)
	there.logIn("shasta", "dave", consolePassword)
	there.pressNamed("Get keys")
	keys := there.keys()
	here.logIn("demo", "dave@example.com", consolePassword)
	here.pressNamed("Sessions")
	here.at("/sessions", "Console", "this one", "Chrome on Linux")
	here.press(`#logins ~ table tr:not(:has(.mark)) button`)
	here.at("/sessions", "That session has ended")
	if !s.endsWithin(t, keys) {
		t.Error("the other window's keys still work")
	}
	there.to("/profile")
	there.at("/login", "Your session has ended")
	there.logIn("shasta", "dave", consolePassword)
	here.pressNamed("End all other sessions")
	here.at("/sessions", "All your other sessions and keys have ended", "this one")
	there.to("/profile")
	there.at("/login", "Your session has ended")

	here.pressNamed("Security")
	here.fill("password", consolePassword, "new", "Another-horse-78-battery", "repeated", "Another-horse-78-battery")
	here.pressNamed("Change password")
	here.at("/login", "Your password is changed")
	here.logIn("shasta", "dave", consolePassword)
	here.at("/login", "Name and password do not fit together")
	here.logIn("shasta", "dave", "Another-horse-78-battery")
	here.at("/profile")
}

// withoutScripts logs in and gets keys in a browser that runs no scripts.
func (s *consoleSite) withoutScripts(t *testing.T) {
	v := s.visitor(t)
	v.run(emulation.SetScriptExecutionDisabled(true))
	v.logIn("shasta", "bob", consolePassword)
	v.at("/profile", "UTC")
	v.pressNamed("Get keys")
	v.at("/keys", "in 1 hour")
	var offered int
	v.run(chromedp.Evaluate(`[...document.querySelectorAll(".copy")].filter(b => b.checkVisibility()).length`, &offered))
	if offered != 0 {
		t.Errorf("%d copy buttons that do nothing", offered)
	}
	if status, arn := s.whoami(t, v.keys()); status != http.StatusOK || arn != "arn:aws:iam::"+s.AccountID+":user/bob" {
		t.Errorf("bob's keys: %d %s", status, arn)
	}
	v.pressNamed("Sessions")
	v.at("/sessions", "this one")
	v.pressNamed("Security")
	v.pressNamed("Set up an authenticator")
	v.at("/security/authenticator", "Scan the code")
	v.pressNamed("Log out")
	v.at("/login", "You have logged out")
}

// storedScript is a page in a bucket that tries to read the console.
const storedScript = `<!doctype html><title>stored</title><iframe id=frame src="CONSOLEprofile"></iframe><script>
const get = (options) => fetch("CONSOLEprofile", options).then(async r => r.type + " " + (await r.text()), e => "blocked");
const framed = () => { try { return document.getElementById("frame").contentDocument ? "read" : "other origin"; } catch { return "other origin"; } };
addEventListener("load", async () => {
  window.seen = {
    cookie: document.cookie, origin: location.origin, opener: String(window.opener), framed: framed(),
    credentials: await get({credentials: "include"}), blind: await get({credentials: "include", mode: "no-cors"}),
    posted: await fetch("CONSOLEkeys", {method: "POST", credentials: "include", mode: "no-cors", body: new URLSearchParams({role: "", seconds: "3600"})}).then(r => r.type, e => "blocked"),
  };
});
</script>`

// storedPageSeesNothing opens a page from a bucket next to a console that is
// logged in: it gets neither pages nor cookies.
func (s *consoleSite) storedPageSeesNothing(t *testing.T) {
	v := s.visitor(t)
	v.logIn("shasta", "erin", consolePassword)
	v.at("/profile")
	client := s3.NewFromConfig(aws.Config{Region: s.Region, BaseEndpoint: aws.String(s.URL), Credentials: s.RootSession(t).provider()}, func(o *s3.Options) { o.UsePathStyle = true })
	bucket, key := aws.String("stored-pages"), aws.String("index.html")
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: bucket}); err != nil {
		t.Fatal(err)
	}
	page := strings.NewReader(strings.ReplaceAll(storedScript, "CONSOLE", s.ConsoleURL))
	if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: key, Body: page, ContentType: aws.String("text/html")}); err != nil {
		t.Fatal(err)
	}
	signed, err := s3.NewPresignClient(client).PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	v.run(chromedp.Navigate(signed.URL))
	v.until(`window.seen`)
	var seen struct{ Cookie, Origin, Opener, Framed, Credentials, Blind, Posted string }
	v.run(chromedp.Evaluate(`window.seen`, &seen))
	v.mu.Lock()
	complaints := strings.Join(v.troubles, "\n")
	v.troubles = nil // the browser tells of each attempt
	v.mu.Unlock()
	if seen.Cookie != "" || seen.Origin != s.URL || seen.Opener != "null" || seen.Framed != "other origin" || seen.Credentials != "blocked" ||
		strings.Contains(seen.Blind, "erin") || strings.Contains(seen.Posted, "basic") {
		t.Errorf("the stored page sees %+v", seen)
	}
	if !strings.Contains(complaints, "frame-ancestors") {
		t.Errorf("the console was framed, or not refused by frame-ancestors: %s", complaints)
	}
	v.to("/sessions")
	v.at("/sessions", "You have no session keys")
}
