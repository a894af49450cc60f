package console_test

import (
	"bytes"
	"encoding/base32"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"daypass/internal/access"
	"daypass/internal/console"
	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/sigv4"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

const (
	origin = "https://console.example.com"
	cookie = "__Host-daypass"
	boss   = "boss" // may assume its role and nothing else
	role   = "bossrole"
)

var roleARN = identity.RoleARN("aws", stacktest.AccountA, "/", role)

// site is a console over the core.
type site struct {
	*stacktest.Stack
	handler http.Handler
	log     *bytes.Buffer
}

func newSite(t *testing.T, opts ...stacktest.Option) *site {
	t.Helper()
	return newSiteOf(t, func(*directory.SiteSpec) {}, opts...)
}

// newSiteOf makes a site with what else there shall be.
func newSiteOf(t *testing.T, more func(*directory.SiteSpec), opts ...stacktest.Option) *site {
	t.Helper()
	opts = append([]stacktest.Option{stacktest.WithSite(func(s *directory.SiteSpec) {
		more(s)
		secret := identity.Secret(stacktest.TestPassword)
		s.Users = append(s.Users, directory.UserSpec{
			AccountID: stacktest.AccountA, Name: boss, Realm: "shasta", Email: "boss@example.com", Password: &secret,
			InlinePolicies: map[string]string{"assume": `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"` + roleARN + `"}}`},
		})
		s.Roles = append(s.Roles, directory.RoleSpec{
			AccountID: stacktest.AccountA, Name: role, MaxSessionDuration: 3600,
			Trust:           `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"` + identity.UserARN("aws", stacktest.AccountA, "/", boss) + `"},"Action":"sts:AssumeRole"}}`,
			ManagedPolicies: []string{"arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"},
		})
	})}, opts...)
	s := &site{Stack: stacktest.New(t, opts...), log: new(bytes.Buffer)}
	c, err := console.New(console.Config{
		Access: s.Access, Issuer: s.Issuer, Directory: s.Directory, Clock: s.Clock, Log: slog.New(slog.NewTextHandler(s.log, nil)),
		URL: origin + "/", Endpoint: "https://api.example.com", Region: "us-east-1", Version: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	s.handler = c
	return s
}

// browser keeps the session cookie; it follows no redirects.
type browser struct {
	t      *testing.T
	site   *site
	cookie string
}

func (s *site) browser(t *testing.T) *browser { t.Helper(); return &browser{t: t, site: s} }

// answer is what came back, with the body read.
type answer struct {
	*http.Response
	body string
}

func (b *browser) get(path string) answer {
	return b.send(httptest.NewRequest(http.MethodGet, origin+path, nil))
}

// post sends a form as a page of the console would.
func (b *browser) post(path string, pairs ...string) answer {
	return b.send(b.form(path, pairs...))
}

func (b *browser) form(path string, pairs ...string) *http.Request {
	f := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		f.Set(pairs[i], pairs[i+1])
	}
	r := httptest.NewRequest(http.MethodPost, origin+path, strings.NewReader(f.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", origin)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return r
}

func (b *browser) send(r *http.Request) answer {
	b.t.Helper()
	if b.cookie != "" {
		r.AddCookie(&http.Cookie{Name: cookie, Value: b.cookie})
	}
	r = r.WithContext(identity.WithRequest(r.Context(), identity.RequestFacts{
		ID: "REQUEST1", SourceIP: "192.0.2.1", UserAgent: "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0", Secure: true, Dialect: "console",
	}))
	w := httptest.NewRecorder()
	b.site.handler.ServeHTTP(w, r)
	res := w.Result()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, k := range res.Cookies() {
		if k.Name != cookie {
			continue
		}
		if !k.Secure || !k.HttpOnly || k.SameSite != http.SameSiteStrictMode || k.Path != "/" || k.Domain != "" {
			b.t.Errorf("%s %s: cookie %s lacks an attribute", r.Method, r.URL.Path, k.Raw)
		}
		if b.cookie = k.Value; k.MaxAge < 0 {
			b.cookie = ""
		}
	}
	return answer{res, string(body)}
}

// want demands a status and words in the page.
func (b *browser) want(a answer, status int, words ...string) {
	b.t.Helper()
	text := html.UnescapeString(a.body)
	if a.StatusCode != status {
		b.t.Fatalf("%d to %s, want %d\n%s", a.StatusCode, a.Header.Get("Location"), status, text)
	}
	for _, w := range words {
		if !strings.Contains(text, w) {
			b.t.Fatalf("no %q in\n%s", w, text)
		}
	}
}

// wantSent demands that the browser is sent on to another page.
func (b *browser) wantSent(a answer, to string) {
	b.t.Helper()
	if got := a.Header.Get("Location"); a.StatusCode != http.StatusSeeOther || got != to {
		b.t.Fatalf("%d to %q, want to be sent to %q\n%s", a.StatusCode, got, to, a.body)
	}
}

// logIn logs a user of the realm shasta in.
func (s *site) logIn(t *testing.T, user string) *browser {
	t.Helper()
	b := s.browser(t)
	b.wantSent(b.post("/login", "place", "shasta", "username", user, "password", stacktest.TestPassword), "/profile")
	return b
}

var strung = regexp.MustCompile(`(?s)<code id="key-(id|secret|token)"[^>]*>(.*?)</code>`)

// keys are the three strings that a page shows.
func (a answer) keys(t *testing.T) identity.SessionKeys {
	t.Helper()
	found := map[string]string{}
	for _, m := range strung.FindAllStringSubmatch(a.body, -1) {
		found[m[1]] = html.UnescapeString(m[2])
	}
	if len(found) != 3 {
		t.Fatalf("the page shows %d strings, want 3\n%s", len(found), a.body)
	}
	return identity.SessionKeys{AccessKeyID: found["id"], SecretAccessKey: identity.Secret(found["secret"]), SessionToken: identity.Secret(found["token"])}
}

// caller is who keys are accepted as.
func (s *site) caller(t *testing.T, k identity.SessionKeys) (identity.Caller, error) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "https://sts.example.com/", nil)
	cred := sigv4.Credentials{AccessKeyID: k.AccessKeyID, SecretAccessKey: k.SecretAccessKey.Reveal(), SessionToken: k.SessionToken.Reveal()}
	if err := sigv4.Sign(r, cred, "us-east-1", "sts", sigv4.EmptySHA256, s.Clock.Now()); err != nil {
		t.Fatal(err)
	}
	out, err := s.Access.Authenticate(r, access.ServiceSTS, sigv4.EmptySHA256)
	return out.Caller, err
}

// root is the root user of account A.
func (s *site) root(t *testing.T) *identity.Caller {
	t.Helper()
	made, err := s.Issuer.RootAccessKey(t.Context(), s.Operator(), stacktest.AccountA)
	if err != nil {
		t.Fatal(err)
	}
	return &identity.Caller{
		Kind: identity.RootUser, AccountID: stacktest.AccountA, Partition: "aws", PrincipalID: stacktest.AccountA, Name: "root",
		ARN: identity.RootARN("aws", stacktest.AccountA), AccessKeyID: made.Key.ID,
	}
}

// device gives a user an authenticator, and returns what shows its codes.
func (s *site) device(t *testing.T, user string) func() string {
	t.Helper()
	root := s.root(t)
	m, err := s.Directory.CreateMFADevice(t.Context(), root, user+"-phone", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	code := func(at time.Time) string {
		text, err := totp.GenerateCode(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(m.Seed.Reveal())), at)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	now := s.Clock.Now()
	if err := s.Directory.EnableMFADevice(t.Context(), root, user, m.Serial, code(now.Add(-30*time.Second)), code(now)); err != nil {
		t.Fatal(err)
	}
	s.Clock.Advance(30 * time.Second)
	return func() string { return code(s.Clock.Now()) }
}

// withAPI gives account A an API whose tokens are users of the realm shasta.
func (s *site) withAPI(t *testing.T) {
	t.Helper()
	_, err := s.DB.Update(t.Context(), func(tx store.Tx) error {
		r, err := store.Realms.Get(tx, "shasta")
		if err != nil {
			return err
		}
		v := *r
		v.PoolName, v.Pool = "Abc123XYZ", &identity.UserPool{Name: "shasta", Region: "us-east-1", MFA: identity.MFAOff}
		if err := store.Realms.Put(tx, &v); err != nil {
			return err
		}
		return store.StaxAPIs.Put(tx, &identity.StaxAPI{
			Name: "api", AccountID: stacktest.AccountA, Region: "us-east-1", Realm: "shasta", ClientID: "client",
			IdentityPoolID: "us-east-1:0a1b2c3d-1111-4222-8333-444455556666",
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}
