package operate_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"daypass/internal/identity"
	"daypass/internal/operate"
	"daypass/internal/stacktest"
	"daypass/internal/store"
	"daypass/internal/upstream"
)

// kept is a store that has buckets and tells of nothing else: its values are
// what it answers to HEAD. It lists two at a time.
type kept map[string]int

func (k kept) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.Trim(r.URL.Path, "/")
	if name != "" {
		status, ok := k[name]
		if !ok {
			status = http.StatusNotFound
		}
		w.WriteHeader(status)
		return
	}
	var names []string
	for name := range k {
		if name > r.URL.Query().Get("continuation-token") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	fmt.Fprint(w, "<ListAllMyBucketsResult><Buckets>")
	for i, name := range names {
		if i == 2 {
			break
		}
		fmt.Fprintf(w, "<Bucket><Name>%s</Name><CreationDate>2025-05-05T05:05:05.000Z</CreationDate></Bucket>", name)
	}
	fmt.Fprint(w, "</Buckets>")
	if len(names) > 2 {
		fmt.Fprintf(w, "<ContinuationToken>%s</ContinuationToken>", names[1])
	}
	fmt.Fprint(w, "</ListAllMyBucketsResult>")
}

func behind(t *testing.T, name string, h http.Handler) *upstream.S3 {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	endpoint, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport := upstream.NewTransport(upstream.TransportConfig{})
	t.Cleanup(transport.CloseIdleConnections)
	return &upstream.S3{
		Name: name, Endpoint: endpoint, Region: "us-east-1", Transport: transport, Clock: identity.SystemClock{},
		Credentials: func() (string, identity.Secret, error) { return "AKUP", "secret", nil },
	}
}

var aged = time.Date(2025, 5, 5, 5, 5, 5, 0, time.UTC)

func bucket(name, account string, created time.Time) identity.Bucket {
	return identity.Bucket{Name: name, AccountID: account, Region: "us-east-1", Upstream: "ceph", State: identity.BucketOwned, CreatedAt: created}
}

func site(t *testing.T) *stacktest.Stack {
	t.Helper()
	ceph := kept{"logs-a": 200, "logs-b": 200, "logs-c": 403, "Logs_D": 200, "logs-taken": 200, "other": 200, "realms": 200}
	away := behind(t, "away", ceph)
	away.Endpoint = &url.URL{Scheme: "http", Host: "127.0.0.1:1"}
	s := stacktest.New(t, stacktest.WithUpstreams(behind(t, "ceph", ceph), away))
	put(t, s, identity.Bucket{Name: "logs-taken", AccountID: stacktest.AccountB, Upstream: "old", State: identity.BucketOwned})
	return s
}

func put(t *testing.T, s *stacktest.Stack, b identity.Bucket) {
	t.Helper()
	if _, err := s.DB.Update(t.Context(), func(tx store.Tx) error { return store.Buckets.Put(tx, &b) }); err != nil {
		t.Fatal(err)
	}
}

func TestClaim(t *testing.T) {
	t.Parallel()
	s := site(t)
	if err := s.Directory.SetAccountDisabled(t.Context(), s.Operator(), stacktest.AccountB, true); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, account, want string
		claim               operate.Claim
		kind                identity.Kind
	}{
		{"no such upstream", stacktest.AccountA, "There is no upstream cef; there is ceph, away.", operate.Claim{Upstream: "cef", Bucket: "logs-a"}, identity.KindNotFound},
		{"absent", stacktest.AccountA, "has no bucket logs-z", operate.Claim{Upstream: "ceph", Bucket: "logs-z"}, identity.KindNotFound},
		{"not ours to read", stacktest.AccountA, "cannot be read with the credentials", operate.Claim{Upstream: "ceph", Bucket: "logs-c"}, identity.KindUpstream},
		{"somebody's", stacktest.AccountA, "of account " + stacktest.AccountB + ", on upstream old", operate.Claim{Upstream: "ceph", Bucket: "logs-taken"}, identity.KindAlreadyExists},
		{"reserved", stacktest.AccountA, "kept for calls", operate.Claim{Upstream: "ceph", Bucket: "realms"}, identity.KindInvalidBucketName},
		{"no name", stacktest.AccountA, "S3's rules", operate.Claim{Upstream: "ceph", Bucket: "Logs_D"}, identity.KindInvalidBucketName},
		{"no such account", "nobody", "no account nobody", operate.Claim{Upstream: "ceph", Bucket: "logs-a"}, identity.KindNotFound},
		{"no account", "", "no account", operate.Claim{Upstream: "ceph", Bucket: "logs-a"}, identity.KindNotFound},
		{"disabled account", stacktest.AccountB, "is disabled", operate.Claim{Upstream: "ceph", Bucket: "logs-a"}, identity.KindValidation},
		{"nothing named", stacktest.AccountA, "Name one bucket", operate.Claim{Upstream: "ceph"}, identity.KindValidation},
		{"two things named", stacktest.AccountA, "Name one bucket", operate.Claim{Upstream: "ceph", Bucket: "logs-a", Prefix: "l"}, identity.KindValidation},
		{"away", stacktest.AccountA, "cannot be reached", operate.Claim{Upstream: "away", Bucket: "logs-a"}, identity.KindUnavailable},
	} {
		tt.claim.AccountID = tt.account
		_, err := s.Operate.ClaimBuckets(t.Context(), s.Operator(), tt.claim)
		if e := identity.AsError(err); e == nil || e.Kind != tt.kind || !strings.Contains(e.Public, tt.want) {
			t.Errorf("%s: %v, want %s: %s", tt.name, err, tt.kind, tt.want)
		}
	}
	in := operate.Claim{Upstream: "ceph", Bucket: "logs-a", AccountID: stacktest.AccountA, DryRun: true}
	want := operate.Claimed{
		AccountID: stacktest.AccountA, Buckets: []identity.Bucket{bucket("logs-a", stacktest.AccountA, s.Clock.Now())}, Refused: []operate.Refused{}, DryRun: true,
	}
	for range 2 { // of which the first must change nothing
		got, err := s.Operate.ClaimBuckets(t.Context(), s.Operator(), in)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("claimed (-want +got)\n%s", d)
		}
	}
	in.DryRun = false
	if _, err := s.Operate.ClaimBuckets(t.Context(), s.Operator(), in); err != nil {
		t.Fatal(err)
	}
	list, err := s.Operate.ListBuckets(t.Context(), s.Operator(), operate.BucketFilter{AccountID: stacktest.AccountA, Upstream: "ceph"})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want.Buckets, list); d != "" {
		t.Errorf("registry (-want +got)\n%s", d)
	}
	// Neither those that were refused nor the dry runs are recorded as done.
	lines := s.AuditLines(t)
	if want := `"requestParameters":{"account":"` + stacktest.AccountA + `","bucketName":"logs-a","upstream":"ceph"}`; strings.Count(lines, "ClaimBucket") != 1 || !strings.Contains(lines, want) {
		t.Errorf("the audit log has not just the claim:\n%s", lines)
	}
}

func TestClaimByPrefix(t *testing.T) {
	t.Parallel()
	s := site(t)
	got, err := s.Operate.ClaimBuckets(t.Context(), s.Operator(), operate.Claim{Upstream: "ceph", Prefix: "logs-", AccountID: stacktest.AccountA})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]identity.Bucket{bucket("logs-a", stacktest.AccountA, aged), bucket("logs-b", stacktest.AccountA, aged)}, got.Buckets); d != "" {
		t.Errorf("claimed (-want +got)\n%s", d)
	}
	var refused []string
	for _, r := range got.Refused {
		refused = append(refused, r.Bucket)
	}
	if d := cmp.Diff([]string{"logs-c", "logs-taken"}, refused); d != "" {
		t.Errorf("refused (-want +got)\n%s", d)
	}
}

func TestRelease(t *testing.T) {
	t.Parallel()
	s := site(t)
	put(t, s, bucket("logs-a", stacktest.AccountA, aged))
	changing := bucket("logs-b", stacktest.AccountA, aged)
	changing.State = identity.BucketDeleting
	put(t, s, changing)
	if _, err := s.DB.Update(t.Context(), func(tx store.Tx) error {
		return store.BucketPolicies.Put(tx, &identity.BucketPolicy{Bucket: "logs-a", Document: "{}"})
	}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		kind identity.Kind
	}{{"logs-b", identity.KindConflict}, {"logs-z", identity.KindNotFound}} {
		if _, err := s.Operate.ReleaseBucket(t.Context(), s.Operator(), tt.name, false); identity.KindOf(err) != tt.kind {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.kind)
		}
	}
	for _, dry := range []bool{true, false} {
		b, err := s.Operate.ReleaseBucket(t.Context(), s.Operator(), "logs-a", dry)
		if err != nil || b.AccountID != stacktest.AccountA {
			t.Errorf("%+v %v", b, err)
		}
		_, err = store.Buckets.Get(s.DB.Snapshot(), "logs-a")
		if gone := identity.KindOf(err) == identity.KindNotFound; gone == dry {
			t.Errorf("dry run %v, gone %v", dry, gone)
		}
	}
	if _, err := store.BucketPolicies.Get(s.DB.Snapshot(), "logs-a"); identity.KindOf(err) != identity.KindNotFound {
		t.Errorf("its policy stayed: %v", err)
	}
	// Of an upstream that is configured no more, everything can be released.
	changing.Name, changing.Upstream = "stuck", "old"
	put(t, s, changing)
	if _, err := s.Operate.ReleaseBucket(t.Context(), s.Operator(), "stuck", false); err != nil {
		t.Error(err)
	}
}

func TestUpstreams(t *testing.T) {
	t.Parallel()
	s := site(t)
	put(t, s, bucket("logs-a", stacktest.AccountA, aged))
	put(t, s, bucket("lost", stacktest.AccountA, aged))
	list, err := s.Operate.ListUpstreams(t.Context(), s.Operator())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, u := range list {
		got = append(got, fmt.Sprint(u.Name, " ", u.Buckets, " ", u.Gone))
	}
	if d := cmp.Diff([]string{"away 0 false", "ceph 2 false", "old 1 true"}, got); d != "" {
		t.Errorf("upstreams (-want +got)\n%s", d)
	}
	there, err := s.Operate.UpstreamBuckets(t.Context(), s.Operator(), "ceph")
	if err != nil {
		t.Fatal(err)
	}
	got = nil
	for _, b := range there {
		got = append(got, fmt.Sprint(b.Name, " ", b.AccountID, " ", b.Missing, " ", b.Why != ""))
	}
	if d := cmp.Diff([]string{
		"Logs_D  false true", "logs-a " + stacktest.AccountA + " false false", "logs-b  false false", "logs-c  false false", "logs-taken  false true",
		"lost " + stacktest.AccountA + " true false", "other  false false", "realms  false true",
	}, got); d != "" {
		t.Errorf("buckets (-want +got)\n%s", d)
	}
	for name, kind := range map[string]identity.Kind{"away": identity.KindUnavailable, "nope": identity.KindNotFound} {
		if _, err := s.Operate.UpstreamBuckets(t.Context(), s.Operator(), name); identity.KindOf(err) != kind {
			t.Errorf("%s: %v, want %s", name, err, kind)
		}
	}
}

func TestCheckIsRecorded(t *testing.T) {
	t.Parallel()
	s := site(t)
	bucket, found := "", 0
	r, err := s.Operate.CheckUpstream(t.Context(), s.Operator(), "away", operate.CheckWatch{
		Began: func(b string) { bucket = b }, Found: func(operate.CheckFinding) { found++ },
	})
	if err != nil || r.Usable || r.Upstream != "away" || len(r.Findings) != found {
		t.Errorf("%+v %v, told of %d", r, err, found)
	}
	if _, err := s.Operate.CheckUpstream(t.Context(), s.Operator(), "nope", operate.CheckWatch{}); identity.KindOf(err) != identity.KindNotFound {
		t.Errorf("%v", err)
	}
	if lines := s.AuditLines(t); strings.Count(lines, "CheckUpstream") != 1 || !strings.Contains(lines, bucket) {
		t.Errorf("the audit log has not just the check:\n%s", lines)
	}
}
