package upstream

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"daypass/internal/identity"
	"daypass/internal/sigv4"
)

// rgwAnswer has the shape of Ceph RGW's: 19 and 39 characters, nine fractional
// digits.
const rgwAnswer = `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>` +
	`<AccessKeyId>xK3vQ9mT2pLs7Rw1ZbN</AccessKeyId><SecretAccessKey>J8S2K5M9Q1W4E7R0T3Y6U8I2O5P7A9S1D4F6G8H</SecretAccessKey>` +
	`<SessionToken>rgw-session-token+/=</SessionToken><Expiration>2026-01-02T04:04:05.484587525Z</Expiration></Credentials>` +
	`<AssumedRoleUser><Arn>arn:aws:sts:::assumed-role/STSRole/alice</Arn></AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>`

func rgwError(code string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><Error><Code>` + code + `</Code><Message></Message><RequestId>tx0-default</RequestId><HostId>1-default-default</HostId></Error>`
}

// fakeSTS answers the tries of one test by turns, the last one again and again.
type fakeSTS struct {
	mu      sync.Mutex
	answers []http.HandlerFunc
	forms   []string // as sent
}

func (f *fakeSTS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	f.mu.Lock()
	n := min(len(f.forms), len(f.answers)-1)
	f.forms = append(f.forms, string(body))
	f.mu.Unlock()
	f.answers[n](w, r)
}

func (f *fakeSTS) asked() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.forms)
}

type stsClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *stsClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *stsClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// newSTS has an upstream that answers by turns, and does not really pause.
func newSTS(t testing.TB, answers ...http.HandlerFunc) (*STS, *fakeSTS, *stsClock) {
	t.Helper()
	f := &fakeSTS{answers: answers}
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	u, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	tr := NewTransport(TransportConfig{})
	t.Cleanup(tr.CloseIdleConnections)
	clock := &stsClock{now: fixedClock{}.Now()}
	return &STS{
		Name: "ceph", Endpoint: u, Region: "r1", Transport: tr, Clock: clock,
		Credentials: func() (string, identity.Secret, error) { return "AKUP", "secret", nil },
		pause:       func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	}, f, clock
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// cut promises more than it sends; hangUp sends nothing.
func cut(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "4000")
	_, _ = io.WriteString(w, rgwAnswer[:100])
	panic(http.ErrAbortHandler)
}

func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

var aliceRequest = RoleRequest{
	RoleARN: "arn:aws:iam:::role/STSRole", SessionName: "alice", DurationSeconds: 3600, Policy: `{"a":"b c+d"}`,
	Tags: []SessionTag{{"team", "two words"}},
}

func TestAssumeRole(t *testing.T) {
	t.Parallel()
	s, f, _ := newSTS(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		sum := sha256.Sum256(body)
		signed, err := sigv4.Parse(r, sigv4.Rules{Service: "sts"}, fixedClock{}.Now())
		if err == nil {
			err = signed.Check(sigv4.Derive("secret", signed.Date, signed.Region, "sts"), hex.EncodeToString(sum[:]))
		}
		if err != nil || signed.AccessKeyID != "AKUP" || signed.Region != "r1" {
			t.Errorf("signature: %v", err)
		}
		says(http.StatusOK, rgwAnswer)(w, r)
	})
	got, err := s.AssumeRole(t.Context(), aliceRequest)
	if err != nil {
		t.Fatal(err)
	}
	want := RoleKeys{
		AccessKeyID: "xK3vQ9mT2pLs7Rw1ZbN", Secret: "J8S2K5M9Q1W4E7R0T3Y6U8I2O5P7A9S1D4F6G8H", SessionToken: "rgw-session-token+/=",
		ExpiresAt: time.Date(2026, 1, 2, 4, 4, 5, 484587525, time.UTC),
	}
	if got != want {
		t.Errorf("got %s until %v", got.AccessKeyID, got.ExpiresAt)
	}
	form, err := url.ParseQuery(f.forms[0])
	if err != nil || strings.Contains(f.forms[0], "+") {
		t.Errorf("RGW keeps a + of %s, %v", f.forms[0], err)
	}
	for name, want := range map[string]string{
		"Action": "AssumeRole", "Version": "2011-06-15", "RoleArn": aliceRequest.RoleARN, "RoleSessionName": "alice", "DurationSeconds": "3600",
		"Policy": aliceRequest.Policy, "Tags.member.1.Key": "team", "Tags.member.1.Value": "two words",
	} {
		if form.Get(name) != want {
			t.Errorf("%s: got %q, want %q", name, form.Get(name), want)
		}
	}
}

func TestAssumeRoleWithWebIdentity(t *testing.T) {
	t.Parallel()
	s, f, _ := newSTS(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("signed")
		}
		says(http.StatusOK, strings.ReplaceAll(rgwAnswer, "AssumeRoleRes", "AssumeRoleWithWebIdentityRes"))(w, r)
	})
	got, err := s.AssumeRoleWithWebIdentity(t.Context(), aliceRequest, "eyJhbGciOiJub25lIn0.e30.")
	if err != nil || got.AccessKeyID != "xK3vQ9mT2pLs7Rw1ZbN" {
		t.Fatalf("got %s, %v", got.AccessKeyID, err)
	}
	form, _ := url.ParseQuery(f.forms[0])
	if form.Get("Action") != "AssumeRoleWithWebIdentity" || form.Get("WebIdentityToken") != "eyJhbGciOiJub25lIn0.e30." || form.Has("Tags.member.1.Key") {
		t.Errorf("got %v", form)
	}
}

func TestSTSAnswers(t *testing.T) {
	t.Parallel()
	ok := says(http.StatusOK, rgwAnswer)
	var many []http.HandlerFunc
	for range 10 {
		many = append(many, says(http.StatusServiceUnavailable, rgwError("SlowDown")))
	}
	for name, tt := range map[string]struct {
		answers []http.HandlerFunc
		want    identity.Kind
		code    string
		tries   int
	}{
		"role absent":            {[]http.HandlerFunc{says(404, rgwError("NoSuchEntity"))}, identity.KindUpstream, "NoSuchEntity", 1},
		"duration out of bounds": {[]http.HandlerFunc{says(400, rgwError("InvalidArgument"))}, identity.KindUpstream, "InvalidArgument", 1},
		"403 without text":       {[]http.HandlerFunc{says(403, "")}, identity.KindUpstream, "", 1},
		"query envelope": {
			[]http.HandlerFunc{says(403, `<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>`)},
			identity.KindUpstream, "AccessDenied", 1,
		},
		"a code that is none": {[]http.HandlerFunc{says(403, rgwError("x y&#10;z"))}, identity.KindUpstream, "", 1},
		"redirect": {[]http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}}, identity.KindUpstream, "", 1},
		"not XML":              {[]http.HandlerFunc{says(200, "<html>hello")}, identity.KindUpstream, "", 1},
		"empty":                {[]http.HandlerFunc{says(200, "")}, identity.KindUpstream, "", 1},
		"huge":                 {[]http.HandlerFunc{says(200, strings.Repeat(" ", 10<<20)+rgwAnswer)}, identity.KindUpstream, "", 1},
		"no secret":            {[]http.HandlerFunc{says(200, strings.Replace(rgwAnswer, "SecretAccessKey", "Secret", 2))}, identity.KindUpstream, "", 1},
		"a control character":  {[]http.HandlerFunc{says(200, strings.Replace(rgwAnswer, "xK3v", "xK3v&#10;", 1))}, identity.KindUpstream, "", 1},
		"no time":              {[]http.HandlerFunc{says(200, strings.Replace(rgwAnswer, "2026-", "never-", 1))}, identity.KindUpstream, "", 1},
		"over already":         {[]http.HandlerFunc{says(200, strings.Replace(rgwAnswer, "2026-", "2025-", 1))}, identity.KindUpstream, "", 1},
		"longer than asked":    {[]http.HandlerFunc{says(200, strings.Replace(rgwAnswer, "T04:", "T14:", 1))}, identity.KindUpstream, "", 1},
		"away for a moment":    {[]http.HandlerFunc{says(503, ""), hangUp, cut, ok}, "", "", 4},
		"away":                 {many, identity.KindUnavailable, "", 4},
		"cut every time":       {[]http.HandlerFunc{cut}, identity.KindUnavailable, "", 4},
		"too many requests":    {[]http.HandlerFunc{says(429, rgwError("TooManyRequests"))}, identity.KindUnavailable, "", 1},
		"refused on the retry": {[]http.HandlerFunc{says(500, rgwError("InternalError")), says(403, rgwError("AccessDenied"))}, identity.KindUpstream, "AccessDenied", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, f, _ := newSTS(t, tt.answers...)
			got, err := s.AssumeRole(t.Context(), aliceRequest)
			if identity.KindOf(err) != tt.want || f.asked() < tt.tries {
				t.Fatalf("got %v after %d tries, want %q after %d", err, f.asked(), tt.want, tt.tries)
			}
			if tt.tries == 1 && f.asked() != 1 {
				t.Errorf("asked %d times", f.asked())
			}
			if err == nil {
				return
			}
			e := identity.AsError(err)
			if got != (RoleKeys{}) || e.Public != "" || e.DetailValue("Code") != tt.code {
				t.Errorf("got %s, public %q, code %q", got.AccessKeyID, e.Public, e.DetailValue("Code"))
			}
			if tt.want == identity.KindUnavailable && e.RetryAfterSeconds == 0 {
				t.Error("no Retry-After")
			}
		})
	}
}

// TestSTSEnds: nothing waits longer than the request's context, whose end says
// nothing of the upstream.
func TestSTSEnds(t *testing.T) {
	t.Parallel()
	came := make(chan struct{})
	s, _, _ := newSTS(t, func(_ http.ResponseWriter, r *http.Request) {
		close(came)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-came; cancel() }()
	if _, err := s.AssumeRole(ctx, aliceRequest); identity.KindOf(err) != identity.KindUnavailable {
		t.Errorf("got %v", err)
	}
	if _, known := s.state.known(s.Clock.Now(), false); known {
		t.Error("a caller that went away counts as the upstream's outcome")
	}
}

func TestSTSErrorsKeepSecrets(t *testing.T) {
	t.Parallel()
	s, _, _ := newSTS(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		form, _ := url.ParseQuery(string(body))
		says(http.StatusBadRequest, `<Error><Code>InvalidIdentityToken</Code><Message>`+form.Get("WebIdentityToken")+`</Message></Error>`)(w, r)
	})
	_, err := s.AssumeRoleWithWebIdentity(t.Context(), aliceRequest, "eyJsecret")
	if err == nil || strings.Contains(err.Error(), "eyJsecret") || strings.Contains(fmt.Sprintf("%+v", err), "eyJsecret") {
		t.Errorf("the error quotes the token: %v", err)
	}
}

func TestSTSReady(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer             http.HandlerFunc
		unsigned, signedOK bool
	}{
		"RGW with good keys":    {says(400, rgwError("InvalidArgument")), true, true},
		"keys refused":          {says(403, rgwError("AccessDenied")), true, false},
		"another store's words": {says(405, rgwError("MethodNotAllowed")), true, true},
		"away":                  {says(503, ""), false, false},
		"not there":             {hangUp, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, f, clock := newSTS(t, tt.answer)
			for _, signed := range []bool{false, true} {
				clock.advance(outcomeLife)
				before := f.asked()
				want := map[bool]bool{false: tt.unsigned, true: tt.signedOK}[signed]
				for range 3 {
					err := s.Ready(t.Context(), signed)
					if (err == nil) != want || err != nil && identity.KindOf(err) != identity.KindUnavailable {
						t.Errorf("signed %v: got %v, want ready %v", signed, err, want)
					}
				}
				if n := f.asked() - before; n < 1 || want && n > 1 {
					t.Errorf("signed %v: three questions asked %d times", signed, n)
				}
			}
			for _, form := range f.forms {
				if strings.Contains(form, "RoleArn") {
					t.Errorf("a probe could make keys: %s", form)
				}
			}
		})
	}
}

// TestSTSReadyRemembers: what became of real requests counts, for a while.
func TestSTSReadyRemembers(t *testing.T) {
	t.Parallel()
	s, f, clock := newSTS(t, says(200, rgwAnswer), says(503, ""), says(503, ""), says(503, ""), says(503, ""), says(400, rgwError("InvalidArgument")))
	if _, err := s.AssumeRole(t.Context(), aliceRequest); err != nil || s.Ready(t.Context(), true) != nil || f.asked() != 1 {
		t.Fatalf("after keys: %v, asked %d times", err, f.asked())
	}
	if _, err := s.AssumeRole(t.Context(), aliceRequest); err == nil || s.Ready(t.Context(), true) == nil || f.asked() != 5 {
		t.Fatalf("after a failure: %v, asked %d times", err, f.asked())
	}
	clock.advance(outcomeLife)
	if err := s.Ready(t.Context(), true); err != nil || f.asked() != 6 {
		t.Errorf("later: %v, asked %d times", err, f.asked())
	}
}

func TestSTSWithoutKeys(t *testing.T) {
	t.Parallel()
	s, f, _ := newSTS(t, says(200, rgwAnswer))
	s.Credentials = func() (string, identity.Secret, error) { return "", "", io.ErrUnexpectedEOF }
	if _, err := s.AssumeRole(t.Context(), aliceRequest); identity.KindOf(err) != identity.KindUnavailable || f.asked() != 0 {
		t.Errorf("got %v, asked %d times", err, f.asked())
	}
}

func FuzzParseRoleKeys(f *testing.F) {
	for _, seed := range []string{rgwAnswer, rgwError("NoSuchEntity"), "", "<Credentials/>", `<!DOCTYPE x [<!ENTITY a "b">]><Credentials><AccessKeyId>&a;</AccessKeyId></Credentials>`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		keys, err := parseRoleKeys(body)
		if err != nil {
			if keys != (RoleKeys{}) {
				t.Errorf("keys with an error: %v", err)
			}
		} else if keys.AccessKeyID == "" || keys.Secret == "" || keys.SessionToken == "" || strings.ContainsAny(keys.AccessKeyID+keys.SessionToken.Reveal(), " \r\n\t") {
			t.Errorf("got %q", keys.AccessKeyID)
		}
		if code := answeredCode(body); len(code) > maxCode || strings.ContainsAny(code, " <>\n") {
			t.Errorf("code %q", code)
		}
	})
}

// TestSTSGate: no more calls at a time than the gate lets through, and who finds
// it full is told to come again.
func TestSTSGate(t *testing.T) {
	t.Parallel()
	in, goOn := make(chan bool), make(chan bool)
	s, f, _ := newSTS(t, func(w http.ResponseWriter, _ *http.Request) {
		in <- true
		<-goOn
		_, _ = io.WriteString(w, rgwAnswer)
	})
	s.Gate = NewGate(1, 0, 0)
	first := make(chan error)
	go func() {
		_, err := s.AssumeRole(t.Context(), aliceRequest)
		first <- err
	}()
	<-in
	if _, err := s.AssumeRole(t.Context(), aliceRequest); identity.KindOf(err) != identity.KindUnavailable || !errors.Is(err, ErrBusy) || f.asked() != 1 {
		t.Errorf("with the gate full: %v, asked %d times", err, f.asked())
	}
	goOn <- true
	if err := <-first; err != nil {
		t.Error(err)
	}
}

// TestSTSTooMany: that too much is asked does not mean that it is away.
func TestSTSTooMany(t *testing.T) {
	t.Parallel()
	s, _, _ := newSTS(t, says(200, rgwAnswer), says(429, ""))
	if _, err := s.AssumeRole(t.Context(), aliceRequest); err != nil {
		t.Fatal(err)
	}
	if _, err := s.AssumeRole(t.Context(), aliceRequest); identity.KindOf(err) != identity.KindUnavailable {
		t.Errorf("too many: %v", err)
	}
	if err := s.Ready(t.Context(), true); err != nil {
		t.Errorf("ready: %v", err)
	}
}

// TestSTSReadyWaits: who asks while another's question is open waits no longer
// than it wants, and does not ask again.
func TestSTSReadyWaits(t *testing.T) {
	t.Parallel()
	in, goOn := make(chan bool), make(chan bool)
	s, f, _ := newSTS(t, func(w http.ResponseWriter, _ *http.Request) {
		in <- true
		<-goOn
		says(400, rgwError("InvalidArgument"))(w, nil)
	})
	gone, leave := context.WithCancel(t.Context())
	first, second := make(chan error), make(chan error)
	go func() { first <- s.Ready(gone, true) }()
	<-in
	go func() { second <- s.Ready(t.Context(), true) }()
	leave()
	if err := <-first; identity.KindOf(err) != identity.KindUnavailable {
		t.Errorf("who went away: %v", err)
	}
	goOn <- true
	if err := <-second; err != nil || f.asked() != 1 {
		t.Errorf("who waited: %v, asked %d times", err, f.asked())
	}
}
