package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"daypass/internal/identity"
)

type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func open(t *testing.T, cfg Config) *Log {
	t.Helper()
	l, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func readEvents(t *testing.T, path string) (out []map[string]any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) > 0 && b[len(b)-1] != '\n' {
		t.Errorf("%s does not end its last line", path)
	}
	for line := range bytes.Lines(b) {
		var e map[string]any
		if err := json.Unmarshal(line, &e); err != nil {
			t.Errorf("%s: %v in %q", path, err, line)
			continue
		}
		out = append(out, e)
	}
	return out
}

func TestRecord(t *testing.T) {
	t.Parallel()
	for _, d := range []Durability{Fsync, Buffered} {
		dir := filepath.Join(t.TempDir(), "audit")
		l := open(t, Config{Dir: dir, Durability: d, Clock: newClock(), Region: "us-east-1"})
		ctx := identity.WithRequest(context.Background(), identity.RequestFacts{ID: "req-1", SourceIP: "192.0.2.1", UserAgent: "curl/8", Dialect: "sts.amazonaws.com"})
		e := Event{
			Name: "AssumeRole", UserIdentity: UserIdentity{Type: "IAMUser", PrincipalID: "AIDA1", AccountID: "123456789012"},
			RequestParameters: map[string]any{"roleArn": "arn:x", "durationSeconds": 900},
		}
		e.Issued("sessionToken", "the-secret-token")
		e.Issued("refreshToken", "")
		if err := l.Record(ctx, e); err != nil {
			t.Fatal(err)
		}
		if d == Buffered {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
		path := filepath.Join(dir, currentName)
		got := readEvents(t, path)
		if len(got) != 1 {
			t.Fatalf("%s: %d events", d, len(got))
		}
		if id, _ := got[0]["eventID"].(string); len(id) != 36 {
			t.Errorf("eventID = %q", id)
		}
		delete(got[0], "eventID")
		b, _ := json.Marshal(got[0])
		const want = `{"additionalEventData":{"sessionTokenSha256":"b9f514ee4d6bfa30e318de33333b511d66d601d5abd8e8a2f75f709e69787486"},"awsRegion":"us-east-1","eventCategory":"Management","eventName":"AssumeRole","eventSource":"sts.amazonaws.com","eventTime":"2026-01-02T03:04:05.678Z","eventVersion":"1.11","readOnly":false,"recipientAccountId":"123456789012","requestID":"req-1","requestParameters":{"durationSeconds":900,"roleArn":"arn:x"},"responseElements":null,"sourceIPAddress":"192.0.2.1","userAgent":"curl/8","userIdentity":{"accountId":"123456789012","principalId":"AIDA1","type":"IAMUser"}}`
		if got := string(b); got != want {
			t.Errorf("%s\n got %s\nwant %s", d, got, want)
		}
		st, err := os.Stat(path)
		if err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, %v", st.Mode(), err)
		}
		if s := l.Stats(); s.Recorded != 1 || s.Batches != 1 || s.Failed != 0 {
			t.Errorf("stats %+v", s)
		}
	}
}

// The encoder by hand agrees with the tags of Event.
func TestEncode(t *testing.T) {
	t.Parallel()
	hard := "a\"\\\n\r\t\x00\x1f<&>é\u2028\u2029\U0001F600\xff\xe2\x80"
	full := Event{
		UserIdentity: UserIdentity{
			Type: hard, PrincipalID: hard, ARN: "arn", AccountID: "1", AccessKeyID: "A", UserName: "u", UserNameHash: "h", IdentityProvider: "p",
			SessionContext: &SessionContext{SessionIssuer: &SessionIssuer{Type: "Role", PrincipalID: "p", ARN: "a", AccountID: "1", UserName: "u"}, SourceIdentity: "s"},
		},
		Source: "s", Name: "n", Region: "r", SourceIP: "i", UserAgent: hard, ErrorCode: "c", ErrorMessage: "m", ReadOnly: true,
		RequestParameters:   map[string]any{"b": 1, "a": hard, "c": true, "d": []string{"x"}, hard: nil},
		ResponseElements:    map[string]any{},
		AdditionalEventData: map[string]any{"f": 1.5, "m": map[string]int{"z": 1}}, RequestID: "q", RecipientAccountID: "2",
	}
	bare := Event{UserIdentity: UserIdentity{SessionContext: &SessionContext{}}}
	for _, e := range []Event{full, bare, {}, issueEvent()} {
		got, err := e.appendJSON(nil)
		if err != nil {
			t.Fatal(err)
		}
		var w bytes.Buffer
		enc := json.NewEncoder(&w)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(e); err != nil {
			t.Fatal(err)
		}
		want := strings.ReplaceAll(strings.TrimSuffix(w.String(), "\n"), `\ufffd`, "\uFFFD")
		if string(got) != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
	}
}

func FuzzString(f *testing.F) {
	f.Add("a\"\\\n\u2028\xff\xed\xa0\x80")
	f.Fuzz(func(t *testing.T, s string) {
		b := appendString(nil, s)
		var got string
		if err := json.Unmarshal(b, &got); err != nil || bytes.ContainsAny(b, "\n\r") {
			t.Fatalf("%q: %v", b, err)
		}
		if want := string([]rune(s)); got != want {
			t.Fatalf("%q reads back as %q", want, got)
		}
	})
}

func TestIdentityOf(t *testing.T) {
	t.Parallel()
	got := IdentityOf(&identity.Caller{
		Kind: identity.RoleSession, AccountID: "1", PrincipalID: "AROA1", UserID: "AROA1:s", ARN: "arn:s", Name: "dev",
		AccessKeyID: "ASIA1", Temporary: true, MFA: true, SourceIdentity: "alice", IssuedAt: time.Unix(1767323045, 0),
	})
	b, _ := json.Marshal(got)
	const want = `{"type":"AssumedRole","principalId":"AROA1:s","arn":"arn:s","accountId":"1","accessKeyId":"ASIA1","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROA1","accountId":"1","userName":"dev"},"attributes":{"creationDate":"2026-01-02T03:04:05Z","mfaAuthenticated":"true"},"sourceIdentity":"alice"}}`
	if string(b) != want {
		t.Errorf("\n got %s\nwant %s", b, want)
	}
	for kind, want := range map[identity.PrincipalKind]string{
		identity.Anonymous: "Unknown", identity.Operator: "Operator", identity.RootUser: "Root",
		identity.IAMUser: "IAMUser", identity.Federated: "FederatedUser", identity.ServiceID: "ServiceID",
	} {
		if got := IdentityOf(&identity.Caller{Kind: kind}).Type; got != want {
			t.Errorf("%q: %s, want %s", kind, got, want)
		}
	}
}

func TestLargeEvents(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, Config{Dir: dir, Clock: newClock()})
	if err := l.Record(context.Background(), Event{UserAgent: strings.Repeat("é", 9000), RequestParameters: map[string]any{"p": strings.Repeat("x", maxLine)}}); err != nil {
		t.Fatal(err)
	}
	e := Event{}
	e.Add("x", strings.Repeat("x", maxLine))
	if err := l.Record(context.Background(), e); identity.KindOf(err) != identity.KindInternal {
		t.Errorf("too large: %v", err)
	}
	if err := l.Record(context.Background(), Event{RequestParameters: map[string]any{"x": func() {}}}); identity.KindOf(err) != identity.KindInternal {
		t.Errorf("unencodable: %v", err)
	}
	got := readEvents(t, filepath.Join(dir, currentName))
	if len(got) != 1 || fmt.Sprint(got[0]["requestParameters"]) != "map[omitted:too large]" || len(got[0]["userAgent"].(string)) > maxText+4 {
		t.Errorf("got %d events: %.300v", len(got), got)
	}
}

func TestConcurrent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, Config{Dir: dir, MaxBytes: 20 << 10})
	var wg sync.WaitGroup
	const callers, each = 16, 20
	for c := range callers {
		wg.Go(func() {
			for i := range each {
				e := Event{Name: fmt.Sprintf("e-%d-%d", c, i)}
				if err := l.Record(context.Background(), e); err != nil {
					t.Errorf("Record: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	seen := make(map[any]bool)
	files, _ := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	for _, f := range files {
		for _, e := range readEvents(t, f) {
			seen[e["eventName"]] = true
		}
	}
	if len(seen) != callers*each {
		t.Errorf("%d events in %d files, want %d", len(seen), len(files), callers*each)
	}
	if s := l.Stats(); s.Rotations == 0 || int(s.Rotations)+1 != len(files) {
		t.Errorf("%d rotations, %d files", s.Rotations, len(files))
	}
}

func TestRefuse(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), newClock()
	l := open(t, Config{Dir: dir, Clock: c})
	ctx := func(ip string) context.Context {
		return identity.WithRequest(context.Background(), identity.RequestFacts{SourceIP: ip, UserAgent: "ua"})
	}
	l.Refuse(ctx("192.0.2.1"), Event{Name: "GetObject", ErrorCode: "AccessDenied", UserIdentity: UserIdentity{Type: "IAMUser", PrincipalID: "AIDA1"}})
	stranger := func(ip, code, name string) {
		l.Refuse(ctx(ip), Event{Source: "sts", Name: "AssumeRole", ErrorCode: code, UserIdentity: UserIdentity{UserNameHash: name}})
	}
	stranger("192.0.2.1", "A", "h1")
	stranger("192.0.2.1", "A", "h2")
	stranger("::ffff:192.0.2.1", "B", "h1")
	stranger("2001:db8::1", "A", "")
	stranger("2001:db8::2", "A", "")
	c.advance(time.Minute)
	stranger("2001:db8::3", "A", "")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]int)
	for _, e := range readEvents(t, filepath.Join(dir, currentName)) {
		extra, _ := json.Marshal(e["additionalEventData"])
		got[fmt.Sprint(e["eventName"], " ", e["sourceIPAddress"], " ", string(extra))]++
	}
	want := []string{
		`GetObject 192.0.2.1 null`,
		`RefusedCalls 192.0.2.1 {"count":3,"minute":"2026-01-02T03:04:00Z","reasons":{"sts AssumeRole A":2,"sts AssumeRole B":1},"userNameHashes":["h1","h2"]}`,
		`RefusedCalls 2001:db8::/64 {"count":2,"minute":"2026-01-02T03:04:00Z","reasons":{"sts AssumeRole A":2}}`,
		`RefusedCalls 2001:db8::/64 {"count":1,"minute":"2026-01-02T03:05:00Z","reasons":{"sts AssumeRole A":1}}`,
	}
	for _, w := range want {
		if got[w] != 1 {
			t.Errorf("missing %s", w)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %v", got)
	}
	if s := l.Stats(); s.Refused != 1 || s.Counted != 6 || s.Dropped != 0 {
		t.Errorf("stats %+v", s)
	}
	l.Refuse(ctx("192.0.2.1"), Event{UserIdentity: UserIdentity{PrincipalID: "A"}})
	if s := l.Stats(); s.Dropped != 1 {
		t.Errorf("after Close: %+v", s)
	}
}

func TestRefusalsAreBounded(t *testing.T) {
	t.Parallel()
	r, now := newRefusals(), newClock().Now()
	for i := range maxAddresses + 100 {
		r.count(now, &Event{SourceIP: fmt.Sprintf("10.%d.%d.1", i>>8, i&255)})
	}
	for i := range maxReasons + 10 {
		r.count(now, &Event{SourceIP: "10.0.0.1", ErrorCode: fmt.Sprint(i), UserIdentity: UserIdentity{UserNameHash: fmt.Sprint(i)}})
	}
	if n := len(r.byAddr); n != maxAddresses+1 {
		t.Errorf("%d addresses", n)
	}
	if other := r.byAddr[otherAddresses]; other == nil || other.n != 100 {
		t.Errorf("others: %+v", other)
	}
	if one := r.byAddr["10.0.0.1"]; len(one.reasons) != maxReasons+1 || len(one.names) != maxNames {
		t.Errorf("one address: %d reasons, %d names", len(one.reasons), len(one.names))
	}
	if got := addressKey("junk"); got != "unknown" {
		t.Errorf("addressKey(junk) = %s", got)
	}
}
