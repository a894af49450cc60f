package client

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/zalando/go-keyring"
)

// TestMain gives all tests a keyring in memory and a bus that leads to it.
func TestMain(m *testing.M) {
	keyring.MockInit()
	os.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/none")
	os.Exit(m.Run())
}

// handClock is moved by hand.
type handClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *handClock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// installation is a server as small as the client's view of one: refresh
// tokens rotate, keys are numbered.
type installation struct {
	*httptest.Server
	clock *handClock

	mu       sync.Mutex
	lifetime time.Duration     // of keys
	current  string            // the one good refresh token
	count    map[string]int    // calls by grant or action
	refuse   map[string]string // STS error code by action
	claims   string            // payload of the access tokens
}

const rootClaims = `{"sub":"123456789012","email":"demo@example.com","https://aws.amazon.com/tags":{"principal_tags":{"role":["arn:aws:iam::123456789012:root"]}}}`

func newInstallation(t *testing.T) *installation {
	t.Helper()
	f := &installation{
		clock:    &handClock{now: time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)},
		lifetime: time.Hour, count: map[string]int{}, refuse: map[string]string{}, claims: rootClaims,
	}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func (f *installation) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.Header().Set("X-Request-Id", "REQ1")
	switch r.URL.Path {
	case "/auth/realms/root-accounts/protocol/openid-connect/token":
		f.token(w, r)
	case "/auth/realms/root-accounts/protocol/openid-connect/logout":
		f.count["logout"]++
		w.WriteHeader(http.StatusNoContent)
	case "/":
		f.sts(w, r)
	default:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"error":"Realm does not exist"}`)
	}
}

func (f *installation) token(w http.ResponseWriter, r *http.Request) {
	grant := r.FormValue("grant_type")
	f.count[grant]++
	switch {
	case grant == "password" && r.FormValue("password") != "right":
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"error":"invalid_grant","error_description":"Invalid user credentials"}`)
		return
	case grant == "refresh_token" && (f.current == "" || r.FormValue("refresh_token") != f.current):
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":"invalid_grant","error_description":"Token is not active"}`)
		return
	}
	f.current = fmt.Sprintf("refresh-%d", f.count["password"]+f.count["refresh_token"])
	payload := base64.RawURLEncoding.EncodeToString([]byte(f.claims))
	fmt.Fprintf(w, `{"access_token":"e30.%s.c2ln","refresh_token":%q,"refresh_expires_in":7200,"expires_in":300}`, payload, f.current)
}

func (f *installation) sts(w http.ResponseWriter, r *http.Request) {
	action := r.FormValue("Action")
	f.count[action]++
	if code := f.refuse[action]; code != "" {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, `<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>No.</Message></Error><RequestId>REQ1</RequestId></ErrorResponse>`, code)
		return
	}
	if action == "GetCallerIdentity" {
		fmt.Fprint(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><UserId>u</UserId><Account>123456789012</Account><Arn>arn:aws:iam::123456789012:root</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>`)
		return
	}
	fmt.Fprintf(w, `<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIA%d</AccessKeyId>`+
		`<SecretAccessKey>secret</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>%s</Expiration></Credentials>`+
		`<AssumedRoleUser><AssumedRoleId>root</AssumedRoleId><Arn>%s</Arn></AssumedRoleUser></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`,
		f.count[action], r.FormValue("RoleSessionName"), f.clock.Now().Add(f.lifetime).Format(time.RFC3339), r.FormValue("RoleArn"))
}

// calls returns how often something was asked.
func (f *installation) calls(what string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count[what]
}

// set changes the installation.
func (f *installation) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// person is a machine with a store of its own.
type person struct {
	t       *testing.T
	f       *installation
	dir     string
	profile Profile
	notices []string
}

func newPerson(t *testing.T, f *installation) *person {
	t.Helper()
	return &person{t: t, f: f, dir: t.TempDir(), profile: Profile{Name: "p", Endpoint: f.URL}}
}

// keeper is a new process of this person.
func (p *person) keeper() *Keeper {
	p.t.Helper()
	store, err := OpenStore(StoreOptions{Dir: p.dir, Backend: BackendFile})
	if err != nil {
		p.t.Fatal(err)
	}
	k, err := NewKeeper(p.profile, Options{Store: store, Clock: p.f.clock, Notice: func(text string) { p.notices = append(p.notices, text) }})
	if err != nil {
		p.t.Fatal(err)
	}
	return k
}

// logIn logs in, and fails the test when that fails.
func (p *person) logIn() Keys {
	p.t.Helper()
	keys, err := p.keeper().LogIn(p.t.Context(), "demo@example.com", "right")
	if err != nil {
		p.t.Fatal(err)
	}
	return keys
}
