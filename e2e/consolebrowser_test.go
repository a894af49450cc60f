package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
	"github.com/pquerna/otp/totp"
)

// consolePassword is that of the people of consolePeople.
const consolePassword = "Right-horse-77-battery"

// consoleTimeout bounds all that the browser of the console's tests does,
// visitTimeout what a visitor does.
const (
	consoleTimeout = 5 * time.Minute
	visitTimeout   = 2 * time.Minute
)

// partners is a realm whose people come by another provider.
const partners = "partners"

// consolePeople are the site of the console's tests: everybody comes from the
// realm of the demo, and most subtests have a person of their own.
const consolePeople = `realms:
  - name: partners
    account: "ACCOUNT"
    algorithm: ES256
    scope: email
    logins: [{name: example, issuer: "ISSUER", client_id: daypass, client_secret: not-a-secret, ca_bundle: {file: "CA"}}]
users:
  - {account: "ACCOUNT", name: testuser, realm: shasta, email: testuser@example.com, email_verified: true, client_roles: {shasta: [admin]}, pool_groups: [api_readonly],
     managed_policies: ["arn:aws:iam::aws:policy/AmazonS3FullAccess"],
     inline_policies: {reports: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "sts:AssumeRole", Resource: "arn:aws:iam::ACCOUNT:role/reports-reader"}]}}}
PEOPLE
roles:
  - {account: "ACCOUNT", name: reports-reader, max_session_duration: 7200, managed_policies: ["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"],
     trust: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {AWS: "arn:aws:iam::ACCOUNT:user/testuser"}, Action: "sts:AssumeRole"}]}}
`

// consoleSite is a demo site with a console and people, and a browser.
type consoleSite struct {
	*Server
	browser context.Context
}

func newConsoleSite(t *testing.T) *consoleSite {
	t.Helper()
	browser := newBrowserFor(t, consoleTimeout)
	issuer := startIssuer(t)
	s := StartWith(t, []string{"DAYPASS_EGRESS_EXEMPT=" + issuer.Host()})
	var people strings.Builder
	for _, p := range []struct{ name, more string }{
		{"alice", ""},
		{"bob", ""},
		{"carol", ""},
		{"dave", ""},
		{"erin", ""},
		{"newcomer", ", must_change_password: true"},
		{"owing", ", mfa_required: true"},
	} {
		fmt.Fprintf(&people, "  - {account: %q, name: %s, realm: shasta, email: %[2]s@example.com, email_verified: true, password: %q%s}\n", s.AccountID, p.name, consolePassword, p.more)
	}
	s.Apply(t, strings.NewReplacer("ACCOUNT", s.AccountID, "ISSUER", issuer.URL, "CA", s.NewClient(t).Write("ca.pem", issuer.CA), "PEOPLE\n", people.String()).Replace(consolePeople))
	return &consoleSite{s, browser}
}

// visitor is somebody at a browser, with cookies of their own.
type visitor struct {
	t    *testing.T
	site *consoleSite
	ctx  context.Context
	// profile is what the browser keeps apart from other visitors.
	profile cdp.BrowserContextID

	mu       sync.Mutex
	troubles []string // what the browser complains of
}

// visitor opens a window of the browser. What the browser complains of while it
// is open (errors, violations of the Content-Security-Policy) fails the test.
func (s *consoleSite) visitor(t *testing.T) *visitor {
	t.Helper()
	id, profile := s.window(t)
	ctx, stop := chromedp.NewContext(s.browser, chromedp.WithTargetID(id))
	t.Cleanup(stop)
	ctx, stop = context.WithTimeout(ctx, visitTimeout)
	t.Cleanup(stop)
	v := &visitor{t: t, site: s, ctx: ctx, profile: profile}
	chromedp.ListenTarget(ctx, v.listen)
	v.run(log.Enable(), chromedp.EmulateViewport(1280, 900))
	t.Cleanup(v.complaints)
	return v
}

// complaints reports what the browser complained of since the last time.
func (v *visitor) complaints() {
	v.t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, trouble := range v.troubles {
		v.t.Errorf("the browser complains: %s", trouble)
	}
	v.troubles = nil
}

// window opens a window with cookies of its own. A new browser context has no
// window, in which chromedp would open a tab.
func (s *consoleSite) window(t *testing.T) (id target.ID, profile cdp.BrowserContextID) {
	t.Helper()
	ctx := cdp.WithExecutor(s.browser, chromedp.FromContext(s.browser).Browser)
	profile, err := target.CreateBrowserContext().Do(ctx)
	if err == nil {
		id, err = target.CreateTarget("about:blank").WithBrowserContextID(profile).WithNewWindow(true).Do(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := target.DisposeBrowserContext(profile).Do(ctx); err != nil {
			t.Error(err)
		}
	})
	return id, profile
}

func (v *visitor) listen(event any) {
	trouble := ""
	switch e := event.(type) {
	case *log.EventEntryAdded:
		if !isRefusal(e.Entry) && !strings.HasPrefix(e.Entry.Text, "Autofocus processing was blocked") { // these tests type early
			trouble = fmt.Sprintf("%s %s: %s (%s)", e.Entry.Source, e.Entry.Level, e.Entry.Text, e.Entry.URL)
		}
	case *runtime.EventConsoleAPICalled:
		trouble = "console." + string(e.Type)
	case *runtime.EventExceptionThrown:
		trouble = e.ExceptionDetails.Error()
	}
	if trouble != "" {
		v.mu.Lock()
		v.troubles = append(v.troubles, trouble)
		v.mu.Unlock()
	}
}

// isRefusal tells a page that was refused, which browsers log as an error, from
// real ones.
func isRefusal(e *log.Entry) bool {
	u, err := url.Parse(e.URL)
	return err == nil && e.Source == log.SourceNetwork && strings.Contains(e.Text, "responded with a status of 4") && !strings.HasPrefix(u.Path, "/assets/")
}

func (v *visitor) run(actions ...chromedp.Action) {
	v.t.Helper()
	if err := chromedp.Run(v.ctx, actions...); err != nil {
		v.t.Fatalf("%v\n%s", err, v.shown())
	}
}

// shown is the text of the page, "" where there is none.
func (v *visitor) shown() (text string) {
	_ = chromedp.Run(v.ctx, chromedp.Evaluate(`location.href + "\n" + document.body.innerText`, &text))
	return text
}

// to opens a page of the console, by typing its address.
func (v *visitor) to(path string) {
	v.t.Helper()
	v.open(strings.TrimSuffix(v.site.ConsoleURL, "/") + path)
}

// press clicks on what leads to another page.
func (v *visitor) press(selector string) {
	v.t.Helper()
	if _, err := chromedp.RunResponse(v.ctx, chromedp.Click(selector, chromedp.ByQuery)); err != nil {
		v.t.Fatalf("%s: %v\n%s", selector, err, v.shown())
	}
}

// pressNamed clicks on the button or link with these words.
func (v *visitor) pressNamed(words string) {
	v.t.Helper()
	by := fmt.Sprintf(`//*[self::button or self::a][not(@hidden)][normalize-space()=%q]`, words)
	if _, err := chromedp.RunResponse(v.ctx, chromedp.Click(by, chromedp.BySearch)); err != nil {
		v.t.Fatalf("%s: %v\n%s", words, err, v.shown())
	}
}

// fill types into fields, by their IDs.
func (v *visitor) fill(pairs ...string) {
	v.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		v.run(chromedp.Focus("#"+pairs[i], chromedp.ByQuery), chromedp.Evaluate(`document.activeElement.select()`, nil), input.InsertText(pairs[i+1]))
	}
}

// logIn logs somebody in, from the log-in page.
func (v *visitor) logIn(place, name, password string) {
	v.t.Helper()
	v.to("/login")
	v.fill("place", place, "username", name, "password", password)
	v.pressNamed("Log in")
}

// text is that of an element.
func (v *visitor) text(selector string) (text string) {
	v.t.Helper()
	v.run(chromedp.TextContent(selector, &text, chromedp.ByQuery))
	return text
}

// invite makes a one-time link for somebody, as an operator does.
func (s *consoleSite) invite(t *testing.T, verb, name, realm string) string {
	t.Helper()
	out := s.NewClient(t).OK(s.binary, "user", verb, name, "--data", s.Data, "--account", s.AccountID, "--realm", realm, "--json")
	link := decode[struct{ Link string }](t, out).Link
	if !strings.HasPrefix(link, s.ConsoleURL+"welcome?") {
		t.Fatalf("the link is %q", out)
	}
	return link
}

// open opens any address.
func (v *visitor) open(address string) {
	v.t.Helper()
	if _, err := chromedp.RunResponse(v.ctx, chromedp.Navigate(address)); err != nil {
		v.t.Fatalf("%s: %v", address, err)
	}
}

// device gives the browser an authenticator that makes passkeys, and knows its
// owner.
func (v *visitor) device() {
	v.t.Helper()
	v.run(webauthn.Enable(), chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := webauthn.AddVirtualAuthenticator(&webauthn.VirtualAuthenticatorOptions{
			Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
			HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
		}).Do(ctx)
		return err
	}))
}

// at demands to be on a page of the console, whose text has certain words.
func (v *visitor) at(path string, words ...string) {
	v.t.Helper()
	address, text, _ := strings.Cut(v.shown(), "\n")
	u, err := url.Parse(address)
	if err != nil {
		v.t.Fatal(err)
	}
	if u.Path != path {
		v.t.Fatalf("at %s, want %s\n%s", u.RequestURI(), path, text)
	}
	for _, w := range words {
		if !strings.Contains(text, w) {
			v.t.Fatalf("no %q on %s:\n%s", w, path, text)
		}
	}
}

// codesOf reads the secret of a new authenticator from the page, and returns
// what makes its codes, by their distance from now in steps.
func codesOf(v *visitor) func(steps int) string {
	v.t.Helper()
	seed, now := v.text("#seed"), time.Now()
	return func(steps int) string {
		code, err := totp.GenerateCode(seed, now.Add(time.Duration(steps)*totpStep*time.Second))
		if err != nil {
			v.t.Fatal(err)
		}
		return code
	}
}

// keys are the three strings that the page shows.
func (v *visitor) keys() Keys {
	v.t.Helper()
	return Keys{AccessKeyID: v.text("#key-id"), SecretAccessKey: v.text("#key-secret"), SessionToken: v.text("#key-token")}
}

// cookie is the session cookie of the browser, nil if it has none.
func (v *visitor) cookie() (found *network.Cookie) {
	v.t.Helper()
	v.run(chromedp.ActionFunc(func(ctx context.Context) error {
		list, err := network.GetCookies().WithURLs([]string{v.site.ConsoleURL}).Do(ctx)
		for _, k := range list {
			if k.Name == "daypass" {
				found = k
			}
		}
		return err
	}))
	return found
}

// setCookie replaces the value of the session cookie.
func (v *visitor) setCookie(value string) {
	v.t.Helper()
	v.run(network.SetCookie("daypass", value).WithURL(v.site.ConsoleURL).WithHTTPOnly(true).WithSameSite(network.CookieSameSiteStrict))
}

// whoami is the ARN that STS says for keys.
func (s *consoleSite) whoami(t *testing.T, k Keys) (int, string) {
	t.Helper()
	status, body := s.signedSTS(t, k, url.Values{"Action": {"GetCallerIdentity"}})
	if status != http.StatusOK {
		return status, body
	}
	_, arn, _ := strings.Cut(body, "<Arn>")
	arn, _, _ = strings.Cut(arn, "</Arn>")
	return status, arn
}

// until waits for what an expression of the page says to become true.
func (v *visitor) until(expression string) {
	v.t.Helper()
	v.run(chromedp.Poll(expression, nil, chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(20*time.Second)))
}
