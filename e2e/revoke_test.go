package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"daypass/internal/sigv4"
)

// signedSTS makes one call of STS and returns status and body; 0 when it failed
// otherwise, which fails the test.
func (s *Server) signedSTS(t testing.TB, k Keys, form url.Values) (int, string) {
	form.Set("Version", "2011-06-15")
	r := s.formRequest(form)
	sum := sha256.Sum256([]byte(form.Encode()))
	err := sigv4.Sign(r, sigv4.Credentials{AccessKeyID: k.AccessKeyID, SecretAccessKey: k.SecretAccessKey, SessionToken: k.SessionToken},
		s.Region, "sts", hex.EncodeToString(sum[:]), time.Now())
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	return send(t, r)
}

func (s *Server) formRequest(form url.Values) *http.Request {
	r, err := http.NewRequest(http.MethodPost, s.URL+"/", strings.NewReader(form.Encode()))
	if err != nil {
		panic(err) // the URL is the server's own
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

func send(t testing.TB, r *http.Request) (int, string) {
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Error(err)
	}
	return answer.StatusCode, string(text)
}

// keysIn reads the credentials in an answer of STS.
func keysIn(t testing.TB, body string) Keys {
	var answer struct {
		Keys []Keys `xml:"AssumeRoleResult>Credentials"`
		Web  []Keys `xml:"AssumeRoleWithWebIdentityResult>Credentials"`
	}
	// The field AccessKeyID is AccessKeyId on the wire.
	if err := xml.Unmarshal([]byte(strings.ReplaceAll(body, "AccessKeyId>", "AccessKeyID>")), &answer); err != nil {
		t.Errorf("%v in %s", err, body)
	}
	if all := append(answer.Keys, answer.Web...); len(all) == 1 {
		return all[0]
	}
	t.Errorf("no credentials in %s", body)
	return Keys{}
}

// operator runs a verb of the operator's and returns what it printed.
func (s *Server) operator(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command(s.binary, append(args, "--data", s.Data)...).CombinedOutput()
	if err != nil {
		t.Fatalf("daypass %q: %v\n%s", args, err, out)
	}
	return string(out)
}

// person is a log-in of testuser with the session keys that it gave.
type person struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Sid     string `json:"session_state"`
	keys    Keys
}

func (s *Server) logInTestuser(t testing.TB) *person {
	t.Helper()
	realm := s.Realms["shasta"]
	r, err := http.PostForm(s.TokenURL("shasta"), url.Values{
		"client_id": {realm.ClientID}, "grant_type": {"password"}, "username": {realm.Username}, "password": {realm.Password},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	p := new(person)
	if err := json.NewDecoder(r.Body).Decode(p); err != nil || p.Access == "" {
		t.Fatalf("log-in: %v, %+v", err, p)
	}
	status, body := s.exchangeJWT(t, p.Access)
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	p.keys = keysIn(t, body)
	return p
}

func (s *Server) roleARN(name string) string {
	return "arn:" + s.Partition + ":iam::" + s.AccountID + ":role/" + name
}

func (s *Server) exchangeJWT(t testing.TB, jwt string) (int, string) {
	t.Helper()
	return send(t, s.formRequest(url.Values{
		"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "RoleSessionName": {"person"},
		"RoleArn": {s.roleARN("shasta-admin")}, "WebIdentityToken": {jwt},
	}))
}

func (s *Server) assume(t testing.TB, k Keys) (int, string) {
	t.Helper()
	return s.signedSTS(t, k, url.Values{"Action": {"AssumeRole"}, "RoleArn": {s.roleARN("chained")}, "RoleSessionName": {"child"}})
}

func (s *Server) alive(t testing.TB, k Keys) (bool, string) {
	t.Helper()
	status, body := s.signedSTS(t, k, url.Values{"Action": {"GetCallerIdentity"}})
	if status != http.StatusOK && !strings.Contains(body, "<Code>ExpiredToken</Code>") {
		t.Errorf("%s: %d %s", k.AccessKeyID, status, body)
	}
	return status == http.StatusOK, body
}

// loop uses a session a hundred times a second, and makes children of it, until
// both are refused.
type loop struct {
	mu       sync.Mutex
	calls    int
	refused  time.Time // the first one
	after    int       // calls that went through after a refusal
	children []Keys
	done     sync.WaitGroup
	stop     chan struct{}
}

func (s *Server) startLoop(t testing.TB, k Keys) *loop {
	l := &loop{stop: make(chan struct{})}
	run := func(every time.Duration, call func()) {
		l.done.Add(1)
		go func() {
			defer l.done.Done()
			tick := time.NewTicker(every)
			defer tick.Stop()
			for {
				select {
				case <-l.stop:
					return
				case <-tick.C:
					call()
				}
			}
		}()
	}
	run(10*time.Millisecond, func() {
		ok, _ := s.alive(t, k)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.calls++
		switch {
		case !ok && l.refused.IsZero():
			l.refused = time.Now()
		case ok && !l.refused.IsZero():
			l.after++
		}
	})
	run(20*time.Millisecond, func() {
		if status, body := s.assume(t, k); status == http.StatusOK {
			keys := keysIn(t, body)
			l.mu.Lock()
			l.children = append(l.children, keys)
			l.mu.Unlock()
		}
	})
	return l
}

// enough waits until so many calls were made and some children.
func (l *loop) enough(t testing.TB, calls int) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		l.mu.Lock()
		ready := l.calls >= calls && len(l.children) > 0
		l.mu.Unlock()
		if ready {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the loop does not run")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (l *loop) awaitRefusal(t testing.TB, from time.Time) time.Duration {
	t.Helper()
	for {
		l.mu.Lock()
		at := l.refused
		l.mu.Unlock()
		if !at.IsZero() {
			return at.Sub(from)
		}
		if time.Since(from) > 10*time.Second {
			t.Fatal("it was never refused")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

const chainedSite = `roles:
  - account: "ACCOUNT"
    name: chained
    trust:
      Version: "2012-10-17"
      Statement:
        - {Effect: Allow, Principal: {AWS: "arn:aws:iam::ACCOUNT:role/shasta-admin"}, Action: sts:AssumeRole}
`

// TestRevokeWithinASecond: a session in use ends within a second of being
// revoked, with the children that it made until then, and no other.
func TestRevokeWithinASecond(t *testing.T) {
	t.Parallel()
	s := Start(t)
	s.Apply(t, strings.ReplaceAll(chainedSite, "ACCOUNT", s.AccountID))
	for name, args := range map[string]func(*person) []string{
		"session": func(p *person) []string { return []string{p.keys.AccessKeyID} },
		"log-in":  func(p *person) []string { return []string{"--login", p.Sid} },
	} {
		victim, other := s.logInTestuser(t), s.logInTestuser(t)
		l := s.startLoop(t, victim.keys)
		l.enough(t, 50)
		begun := time.Now()
		s.operator(t, append([]string{"sessions", "revoke", "--yes", "--reason", "test"}, args(victim)...)...)
		answered := time.Now()
		took := l.awaitRefusal(t, begun)
		time.Sleep(300 * time.Millisecond) // the loop goes on a little
		close(l.stop)
		l.done.Wait()
		t.Logf("%s: refused %s after the command began, %s after it ended; %d calls, %d children",
			name, took.Round(time.Millisecond), took-answered.Sub(begun), l.calls, len(l.children))
		if took-answered.Sub(begun) > time.Second {
			t.Errorf("%s: refused %s after the answer", name, took-answered.Sub(begun))
		}
		if l.after > 0 {
			t.Errorf("%s: %d calls went through after a refusal", name, l.after)
		}
		for _, k := range l.children {
			if ok, _ := s.alive(t, k); ok {
				t.Errorf("%s: the child %s is alive", name, k.AccessKeyID)
			}
		}
		if ok, body := s.alive(t, other.keys); !ok {
			t.Errorf("%s: another session is dead: %s", name, body)
		}
		s.checkLogin(t, name, victim, name == "log-in")
		s.checkLogin(t, name+", another's", other, false)
	}
	list := decode[[]struct {
		ID    string `json:"access_key_id"`
		State string `json:"state"`
	}](t, s.operator(t, "sessions", "list", "--json"))
	states := map[string]int{}
	for _, x := range list {
		states[x.State]++
	}
	if states["revoked"] == 0 || states["active"] == 0 {
		t.Errorf("listed: %v", states)
	}
}

// checkLogin looks whether the tokens of a log-in have ended.
func (s *Server) checkLogin(t testing.TB, name string, p *person, ended bool) {
	t.Helper()
	if status, body := s.exchangeJWT(t, p.Access); (status != http.StatusOK) != ended {
		t.Errorf("%s: the access token: %d %s", name, status, body)
	}
	r, err := http.PostForm(s.TokenURL("shasta"), url.Values{"client_id": {"shasta"}, "grant_type": {"refresh_token"}, "refresh_token": {p.Refresh}})
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if (r.StatusCode != http.StatusOK) != ended {
		t.Errorf("%s: the refresh token: %s", name, r.Status)
	}
}
