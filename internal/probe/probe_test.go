package probe

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"daypass/internal/identity"
	"daypass/internal/upstream"
)

func check(ctx context.Context, u *upstream.S3) Report {
	return Run(ctx, Options{S3: u, Clock: clock{}, Bucket: NewBucket(), Settle: []time.Duration{0}})
}

// unlike is the findings that are not "works", ID and result.
func (r *Report) unlike() map[string]Result {
	out := map[string]Result{}
	for _, f := range r.Findings {
		if f.Result != Works {
			out[f.ID] = f.Result
		}
	}
	return out
}

func (r *Report) settings() map[string]string {
	out := map[string]string{}
	for _, a := range r.Advice {
		out[a.Setting] = a.Value
		if a.Needed {
			out[a.Setting] += ", needed"
		}
	}
	return out
}

func TestDefects(t *testing.T) {
	t.Parallel()
	sound := map[string]Result{"sts": Untried}
	plus := func(pairs ...any) map[string]Result {
		out := map[string]Result{"sts": Untried}
		for i := 0; i < len(pairs); i += 2 {
			out[pairs[i].(string)] = pairs[i+1].(Result)
		}
		return out
	}
	none := map[string]string{}
	for _, tt := range []struct {
		name   string
		store  *fake
		set    func(*upstream.S3)
		want   map[string]Result
		advice map[string]string
		bad    bool
	}{
		{name: "sound", want: sound},
		{name: "sound, other region", store: &fake{region: "eu-west-9"}, set: func(u *upstream.S3) { u.Region = "eu-west-9" }, want: sound},
		{name: "sound, reframe", set: func(u *upstream.S3) { u.Mode = upstream.Reframe }, want: sound},
		{name: "sound, as paths", set: func(u *upstream.S3) { u.KeySemantics = upstream.KeysArePaths }, want: sound, advice: map[string]string{"key_semantics": "opaque"}},
		{
			name: "no trailers", store: &fake{noTrailers: true}, bad: true,
			want:   plus("trailer", Fails, "cut-trailer", Untried, "cut-part-trailer", Untried, "mode", Fails),
			advice: map[string]string{"mode": "plain, needed"},
		},
		{
			name: "no trailers, plain", store: &fake{noTrailers: true}, set: func(u *upstream.S3) { u.Mode = upstream.Plain },
			want: plus("trailer", Fails, "cut-trailer", Untried, "cut-part-trailer", Untried),
		},
		{
			name: "stores the framing", store: &fake{literal: true}, bad: true,
			want:   plus("trailer", Fails, "cut-trailer", Untried, "cut-part-trailer", Untried, "mode", Fails),
			advice: map[string]string{"mode": "plain, needed"},
		},
		{
			name: "commits what was cut", store: &fake{keepsCut: map[mode]bool{unsigned: true}}, bad: true,
			want: plus("cut-unsigned", Fails, "mode", Fails), advice: map[string]string{"mode": "reframe, needed"},
		},
		{
			name: "commits parts that were cut", store: &fake{keepsCut: map[mode]bool{part: true}}, bad: true,
			want: plus("cut-part", Fails, "mode", Fails), advice: map[string]string{"mode": "reframe, needed"},
		},
		{
			name: "commits what was cut, reframe", store: &fake{keepsCut: map[mode]bool{unsigned: true, part: true}}, set: func(u *upstream.S3) { u.Mode = upstream.Reframe },
			want: plus("cut-unsigned", Fails, "cut-part", Fails),
		},
		{
			name: "commits what was cut, and knows no trailers", store: &fake{noTrailers: true, keepsCut: map[mode]bool{unsigned: true}}, bad: true,
			want: plus("trailer", Fails, "cut-trailer", Untried, "cut-part-trailer", Untried, "cut-unsigned", Fails, "mode", Fails),
		},
		{
			name: "commits trailers that were cut", store: &fake{keepsCut: map[mode]bool{trailer: true}}, bad: true,
			want: plus("cut-trailer", Fails, "cut-part-trailer", Fails, "mode", Fails), advice: map[string]string{"mode": "plain, needed"},
		},
		{name: "commits hashed bodies that were cut", store: &fake{keepsCut: map[mode]bool{hashed: true}}, bad: true, want: plus("cut-hashed", Fails)},
		{
			name: "keys are paths", store: &fake{paths: true}, bad: true, want: plus("keys-apart", Fails, "keys-trailing", Fails),
			advice: map[string]string{"key_semantics": "path, needed"},
		},
		{name: "keys are paths, and set so", store: &fake{paths: true}, set: func(u *upstream.S3) { u.KeySemantics = upstream.KeysArePaths }, want: plus("keys-trailing", Fails)},
		{name: "case is folded", store: &fake{foldsCase: true}, bad: true, want: plus("keys-case", Fails, "keys-odd", Differs)},
		{name: "conditions are ignored", store: &fake{ignoresIf: true}, want: plus("put-if", Fails)},
		{name: "If-Match is ignored", store: &fake{ignoresIfMatch: true}, want: plus("put-if", Differs)},
		{name: "may not list buckets", store: &fake{noRights: true}, want: plus("credentials", Differs, "list-buckets", Fails)},
		{name: "clock", store: &fake{skew: -2 * time.Minute}, want: plus("clock", Differs)},
		{name: "virtual hosts only", store: &fake{virtualOnly: true}, bad: true, want: plus("addressing", Fails), advice: map[string]string{"addressing": "virtual, needed"}},
		{name: "virtual hosts only, and set so", store: &fake{virtualOnly: true}, set: func(u *upstream.S3) { u.VirtualHost = true }, want: sound},
		{name: "aborted uploads stay", store: &fake{keepsAborted: true}, bad: true, want: plus("multipart-abort", Fails, "clean", Fails)},
		{name: "no ranges", store: &fake{losesRange: true}, bad: true, want: plus("range", Fails)},
		{name: "no metadata", store: &fake{noMeta: true}, want: plus("get", Differs, "copy", Fails)},
		{name: "no copy", store: &fake{noCopy: true}, want: plus("copy", Fails, "multipart-copy", Works)},
		{
			name: "few features", store: &fake{noVersions: true, noTags: true, noCORS: true, noLock: true},
			want: plus("versioning", Fails, "tagging", Fails, "bucket-tagging", Fails, "cors", Fails, "object-lock", Fails),
		},
		{name: "tags with an upload are ignored", store: &fake{noHeaderTags: true}, want: plus("tagging", Differs)},
		{name: "overlooks what is known to few", store: &fake{overlooks: "DELETE encryption"}, want: plus("enable", Differs)},
		{
			name: "overlooks what is enabled", store: &fake{overlooks: "DELETE encryption"}, bad: true,
			set:  func(u *upstream.S3) { u.Enable = []string{"GetBucketEncryption", "DeleteBucketEncryption"} },
			want: plus("overlooked", Fails), advice: map[string]string{"enable": "without DeleteBucketEncryption, needed"},
		},
		{name: "the bucket stays", store: &fake{keepsBucket: true}, want: plus("clean", Fails)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.store == nil {
				tt.store = &fake{}
			}
			u := tt.store.serve(t)
			if tt.set != nil {
				tt.set(u)
			}
			if tt.advice == nil {
				tt.advice = none
			}
			for id, result := range tt.want {
				if result == Works {
					delete(tt.want, id)
				}
			}
			r := check(t.Context(), u)
			if d := cmp.Diff(tt.want, r.unlike()); d != "" {
				t.Errorf("findings (-want +got)\n%s\n%+v", d, r.Findings)
			}
			if d := cmp.Diff(tt.advice, r.settings()); d != "" {
				t.Errorf("advice (-want +got)\n%s", d)
			}
			if r.Usable == tt.bad {
				t.Errorf("usable %v, want %v", r.Usable, !tt.bad)
			}
			if left := len(tt.store.buckets) > 0; left != (len(r.Left) > 0) {
				t.Errorf("left in the store %v, reported %v", tt.store.buckets, r.Left)
			}
		})
	}
}

// TestOutOfReach is about stores that are not got at: nothing more is tried.
func TestOutOfReach(t *testing.T) {
	t.Parallel()
	tlsStore := httptest.NewTLSServer(&fake{})
	t.Cleanup(tlsStore.Close)
	secure, err := url.Parse(tlsStore.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, id, detail string
		store            *fake
		set              func(*upstream.S3)
		advice           map[string]string
	}{
		{"unreadable keys", "keys", "no such file", &fake{}, func(u *upstream.S3) {
			u.Credentials = func() (string, identity.Secret, error) { return "", "", errors.New("open k: no such file") }
		}, nil},
		{"nobody there", "reach", "refused", &fake{}, func(u *upstream.S3) { u.Endpoint = &url.URL{Scheme: "http", Host: "127.0.0.1:1"} }, nil},
		{"no S3", "reach", "something else than S3's XML", &fake{plainText: true}, nil, nil},
		{"unknown authority", "reach", "unknown authority", &fake{}, func(u *upstream.S3) { u.Endpoint = secure }, map[string]string{"ca_file": "PATH of the CA's certificate, needed"}},
		{"other name", "reach", "another name", &fake{}, func(u *upstream.S3) {
			pool := x509.NewCertPool()
			pool.AddCert(tlsStore.Certificate())
			u.Endpoint = &url.URL{Scheme: "https", Host: "localhost:" + secure.Port()}
			u.Transport = upstream.NewTransport(upstream.TransportConfig{RootCAs: pool})
		}, nil},
		{"TLS where there is none", "reach", "plain HTTP", &fake{}, func(u *upstream.S3) { u.Endpoint = &url.URL{Scheme: "https", Host: u.Endpoint.Host} }, map[string]string{"endpoint": "http://HOST, needed"}},
		{"plain where there is TLS", "reach", "speaks TLS", &fake{}, func(u *upstream.S3) { u.Endpoint = &url.URL{Scheme: "http", Host: secure.Host} }, map[string]string{"endpoint": "https://HOST, needed"}},
		{"wrong secret", "credentials", "the secret key is wrong", &fake{}, func(u *upstream.S3) {
			u.Credentials = func() (string, identity.Secret, error) { return fakeKey, "other", nil }
		}, nil},
		{"wrong key", "credentials", "does not know the access key", &fake{}, func(u *upstream.S3) {
			u.Credentials = func() (string, identity.Secret, error) { return "AKOTHER", fakeSecret, nil }
		}, nil},
		{"wrong secret, or no rights", "credentials", "as to a secret that is wrong for sure", &fake{silent: true}, func(u *upstream.S3) {
			u.Credentials = func() (string, identity.Secret, error) { return fakeKey, "other", nil }
		}, nil},
		{"other region", "credentials", "AuthorizationHeaderMalformed", &fake{region: "eu-west-9"}, nil, map[string]string{"region": "eu-west-9, needed"}},
		{"clock", "clock", "20m0s apart", &fake{skew: 20 * time.Minute}, nil, nil},
		{"no buckets", "make-bucket", "403 AccessDenied", &fake{noBuckets: true}, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u := tt.store.serve(t)
			if tt.set != nil {
				tt.set(u)
			}
			r := check(t.Context(), u)
			if r.Usable {
				t.Error("it is called usable")
			}
			for _, f := range r.Findings {
				if f.ID == tt.id && (f.Result != Fails || !strings.Contains(f.Detail+f.Meaning, tt.detail) || f.Meaning == "") {
					t.Errorf("%+v", f)
				}
			}
			got := r.settings()
			for name, value := range got {
				got[name] = strings.Replace(value, u.Endpoint.Host, "HOST", 1)
			}
			if tt.advice == nil {
				tt.advice = map[string]string{}
			}
			if d := cmp.Diff(tt.advice, got); d != "" {
				t.Errorf("advice (-want +got)\n%s", d)
			}
		})
	}
}

// TestBrokenOff ends a check at each of its trials: nothing stays behind.
func TestBrokenOff(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"make-bucket", "list-v1", "cut-hashed", "multipart-abort", "versioning", "object-lock"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			store := &fake{}
			u := store.serve(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r := Run(ctx, Options{S3: u, Clock: clock{}, Bucket: NewBucket(), Settle: []time.Duration{0}, Found: func(f Finding) {
				if f.ID == at {
					cancel()
				}
			}})
			if len(store.buckets) > 0 || len(r.Left) > 0 {
				t.Errorf("left: %v, reported: %v", store.buckets, r.Left)
			}
			if at != "versioning" && at != "object-lock" && r.Usable { // after those nothing is needed
				t.Error("what was not tried is called good")
			}
		})
	}
}

// TestFailingStore lets a store fail from some request on: what is not known
// must not be called good.
func TestFailingStore(t *testing.T) {
	t.Parallel()
	store := &fake{}
	u, needed := store.serve(t), 0
	Run(t.Context(), Options{S3: u, Clock: clock{}, Bucket: NewBucket(), Settle: []time.Duration{0}, Found: func(f Finding) {
		if f.Needed {
			store.mu.Lock()
			defer store.mu.Unlock()
			needed = len(store.asked)
		}
	}})
	if needed < 100 {
		t.Fatalf("all that is needed is tried by %d requests", needed)
	}
	for n := 1; n <= needed; n += 7 {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			if r := check(t.Context(), (&fake{failsFrom: n}).serve(t)); r.Usable {
				t.Errorf("called good: %v", r.unlike())
			}
		})
	}
}

func TestTokenService(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name           string
		noRole, noSuch string // the answers to no role, and to one that is not there
		want           Result
	}{
		{"as RGW", "400 InvalidArgument", "404 NoSuchEntity", Works},
		{"as AWS", "400 ValidationError", "403 AccessDenied", Works},
		{"keys refused", "403 AccessDenied", "403 AccessDenied", Fails},
		{"none there", "405 MethodNotAllowed", "405 MethodNotAllowed", Fails},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				answer := tt.noSuch
				if r.PostFormValue("RoleArn") == "" {
					answer = tt.noRole
				}
				status, code, _ := strings.Cut(answer, " ")
				n, _ := strconv.Atoi(status)
				refuse(w, n, code)
			}))
			t.Cleanup(srv.Close)
			endpoint, err := url.Parse(srv.URL)
			if err != nil {
				t.Fatal(err)
			}
			u := (&fake{}).serve(t)
			sts := &upstream.STS{Name: "fake", Endpoint: endpoint, Region: "us-east-1", Credentials: u.Credentials, Transport: u.Transport, Clock: clock{}}
			r := Run(t.Context(), Options{S3: u, STS: sts, Clock: clock{}, Bucket: NewBucket(), Settle: []time.Duration{0}})
			i := slices.IndexFunc(r.Findings, func(f Finding) bool { return f.ID == "sts" })
			if r.Findings[i].Result != tt.want {
				t.Errorf("%+v", r.Findings[i])
			}
		})
	}
}

// TestTouchesNothingElse runs a check beside somebody's bucket, on a store that
// resolves keys as paths.
func TestTouchesNothingElse(t *testing.T) {
	t.Parallel()
	store := &fake{paths: true}
	u := store.serve(t)
	bucket := NewBucket()
	Run(t.Context(), Options{S3: u, Clock: clock{}, Bucket: bucket, Settle: []time.Duration{0}})
	for _, line := range store.asked {
		method, target, _ := strings.Cut(line, " ")
		if method != "GET" && method != "HEAD" && !strings.HasPrefix(target, "/"+bucket) {
			t.Errorf("%s is none of a check's business", line)
		}
	}
}

// TestOverlooked has a store overlook each of the sub-resources, one at a time.
func TestOverlooked(t *testing.T) {
	t.Parallel()
	for _, s := range Subresources {
		t.Run(s.Operation, func(t *testing.T) {
			t.Parallel()
			sub, _, _ := strings.Cut(s.Query, "=")
			store := &fake{overlooks: s.Method + " " + sub, noVersions: sub == "versionId"}
			r := check(t.Context(), store.serve(t))
			id, result := "overlooked", Fails
			if s.OptIn {
				id, result = "enable", Differs
			}
			i := slices.IndexFunc(r.Findings, func(f Finding) bool { return f.ID == id })
			if f := r.Findings[i]; f.Result != result || !slices.Contains(strings.FieldsFunc(f.Detail, func(c rune) bool { return c == ',' || c == ' ' }), strings.Fields(s.Operation)[0]) {
				t.Errorf("%+v", f)
			}
			// Without some of them a bucket cannot be emptied.
			if left := len(store.buckets) > 0; left != (len(r.Left) > 0) {
				t.Errorf("left: %v, reported: %v", store.buckets, r.Left)
			}
		})
	}
}
