package s3

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"daypass/internal/identity"
	"daypass/internal/upstream"
)

// twoRig is a rig with a second store, "opaque", which takes keys as they are:
// the bucket "far" is kept there, and new buckets that begin with far- go there.
// The bucket "lost" is kept at an upstream that is not configured.
type twoRig struct {
	*rig
	far   *fakeUpstream
	farUp *upstream.S3
	set   *upstream.Set
}

func newTwoRig(t *testing.T) *twoRig {
	t.Helper()
	q := &twoRig{far: &fakeUpstream{t: t}}
	srv := httptest.NewServer(q.far)
	t.Cleanup(srv.Close)
	endpoint, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	q.rig = newRig(t, func(c *Config) {
		main, _ := c.Upstreams.ByName("main")
		far := &upstream.S3{
			Name: "opaque", Endpoint: endpoint, Region: "default", Transport: main.Transport, Clock: main.Clock,
			Credentials: main.Credentials, KeySemantics: upstream.KeysAreOpaque, Mode: upstream.Passthrough,
		}
		q.farUp, q.set = far, c.Upstreams
		if err := c.Upstreams.Replace([]upstream.Member{{S3: main}, {S3: far}}, []upstream.Route{{Prefix: "far-", Upstream: "opaque"}}, "main"); err != nil {
			t.Fatal(err)
		}
	})
	for name, up := range map[string]string{"far": "opaque", "lost": "gone"} {
		q.reg.m[name] = identity.Bucket{Name: name, AccountID: account, Region: "eu-west-1", Upstream: up, State: identity.BucketOwned, CreatedAt: testTime}
	}
	return q
}

// TestUpstreamOfBucket: each request goes to the store of its bucket alone.
func TestUpstreamOfBucket(t *testing.T) {
	t.Parallel()
	absent := func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			w.WriteHeader(http.StatusNotFound)
		}
	}
	copying := func(from string) map[string]string { return map[string]string{"X-Amz-Copy-Source": from} }
	for _, tt := range []struct {
		name   string
		call   call
		status int
		main   []string
		far    []string
	}{
		{"here", call{method: "GET", target: "/photos/a"}, 200, []string{"GET /photos/a"}, nil},
		{"there", call{method: "GET", target: "/far/a"}, 200, nil, []string{"GET /far/a"}},
		{"put there", call{method: "PUT", target: "/far/a", body: "x"}, 200, nil, []string{"PUT /far/a"}},
		{"list there", call{method: "GET", target: "/far?list-type=2&prefix=a%2F%2F"}, 200, nil, []string{"GET /far?list-type=2&prefix=a%2F%2F"}},
		{"new here", call{method: "PUT", target: "/new-bucket"}, 200, []string{"HEAD /new-bucket", "PUT /new-bucket"}, nil},
		{"new there", call{method: "PUT", target: "/far-bucket"}, 200, nil, []string{"HEAD /far-bucket", "PUT /far-bucket"}},
		{"delete there", call{method: "DELETE", target: "/far"}, 204, nil, []string{"DELETE /far"}},
		{"copy within", call{method: "PUT", target: "/far/b", header: copying("far/a//b")}, 200, nil, []string{"PUT /far/b"}},
		{"copy from there", call{method: "PUT", target: "/photos/b", header: copying("far/a")}, 501, nil, nil},
		{"copy to there", call{method: "PUT", target: "/far/b", header: copying("photos/a")}, 501, nil, nil},
		{"part from there", call{method: "PUT", target: "/photos/b?partNumber=1&uploadId=u", header: copying("far/a")}, 501, nil, nil},
		{"lost", call{method: "GET", target: "/lost/a"}, 503, nil, nil},
		{"lost, an odd key", call{method: "GET", target: "/lost/a//../b"}, 503, nil, nil},
		{"write to the lost", call{method: "PUT", target: "/lost/a", body: "x"}, 503, nil, nil},
		{"delete in the lost", call{method: "POST", target: "/lost?delete", body: "<Delete><Object><Key>a</Key></Object></Delete>"}, 503, nil, nil},
		{"delete the lost", call{method: "DELETE", target: "/lost"}, 503, nil, nil},
		{"copy from the lost", call{method: "PUT", target: "/far/b", header: copying("lost/a")}, 501, nil, nil},
		{"make the lost again", call{method: "PUT", target: "/lost"}, 409, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			q := newTwoRig(t)
			q.store.reply, q.far.reply = absent, absent
			got := q.do(tt.call)
			if got.Status != tt.status {
				t.Errorf("%d %s", got.Status, got.Body)
			}
			if diff := cmp.Diff([][]string{tt.main, tt.far}, [][]string{lines(q.store.take()), lines(q.far.take())}); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("registry", func(t *testing.T) {
		t.Parallel()
		q := newTwoRig(t)
		q.store.reply, q.far.reply = absent, absent
		q.do(call{method: "PUT", target: "/far-bucket"})
		if b, _ := q.reg.get("far-bucket"); b.Upstream != "opaque" || b.State != identity.BucketOwned {
			t.Errorf("%+v", b)
		}
		// What is there stays there when routes change.
		if err := q.set.Replace([]upstream.Member{{S3: q.up}, {S3: q.farUp}}, nil, "main"); err != nil {
			t.Fatal(err)
		}
		q.far.take()
		q.do(call{method: "GET", target: "/far-bucket/a"})
		if diff := cmp.Diff([]string{"GET /far-bucket/a"}, lines(q.far.take())); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("denied", func(t *testing.T) {
		t.Parallel()
		q := newTwoRig(t)
		q.access.deny["s3:GetObject"] = true
		if got := q.do(call{method: "GET", target: "/lost/a"}); got.Status != 403 {
			t.Errorf("whoever has no right learns where a bucket is: %d", got.Status)
		}
	})
	t.Run("made meanwhile", func(t *testing.T) {
		t.Parallel()
		q := newTwoRig(t)
		// far-source does not exist when its key is judged, and is made at the store
		// of paths before the copy is allowed.
		q.access.then = func(action string) {
			if action != "s3:GetObject" {
				return
			}
			q.reg.mu.Lock()
			defer q.reg.mu.Unlock()
			q.reg.m["far-source"] = identity.Bucket{Name: "far-source", AccountID: account, Upstream: "main", State: identity.BucketOwned}
		}
		got := q.do(call{method: "PUT", target: "/photos/b", header: copying("far-source/../victim/key")})
		if got.Status != 400 || len(q.store.take()) != 0 {
			t.Errorf("a key that leads out of its bucket: %d %s", got.Status, got.Body)
		}
	})
	t.Run("moved meanwhile", func(t *testing.T) {
		t.Parallel()
		q := newTwoRig(t)
		// Released and claimed at another store between the right and the deed.
		q.reg.deleting = func() {
			q.reg.mu.Lock()
			defer q.reg.mu.Unlock()
			q.reg.m["far"] = identity.Bucket{Name: "far", AccountID: account, Upstream: "main", State: identity.BucketOwned}
		}
		got := q.do(call{method: "DELETE", target: "/far"})
		if b, there := q.reg.get("far"); got.Status < 400 || !there || b.State != identity.BucketOwned || len(q.far.take())+len(q.store.take()) != 0 {
			t.Errorf("%d, registry %+v", got.Status, b)
		}
	})
	t.Run("settled", func(t *testing.T) {
		t.Parallel()
		q := newTwoRig(t)
		q.far.reply = absent
		for _, up := range []string{"main", "opaque", "gone"} {
			q.reg.m["half-"+up] = identity.Bucket{Name: "half-" + up, Upstream: up, State: identity.BucketReserved}
		}
		if err := q.gw.Reconcile(t.Context(), &identity.Caller{Kind: identity.Operator}); err != nil {
			t.Error(err)
		}
		for up, want := range map[string]identity.BucketState{"main": identity.BucketOwned, "opaque": "", "gone": identity.BucketReserved} {
			if b, _ := q.reg.get("half-" + up); b.State != want {
				t.Errorf("at %s: %q, want %q", up, b.State, want)
			}
		}
	})
}

// TestOpaqueKeys: a store that takes keys as they are gets each exactly, however
// the client wrote it, and one that makes paths of them gets no alias.
func TestOpaqueKeys(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		key, sent string
		alias     bool
	}{
		{"a//b", "/a//b", true},
		{"./x", "/./x", true},
		{"../y", "/../y", true},
		{"a/../b", "/a/../b", true},
		{"a/./b", "/a/./b", true},
		{"/lead", "//lead", true},
		{"a//", "/a//", true},
		{".", "/.", true},
		{"..", "/..", true},
		{"trailing/", "/trailing/", false},
		{"...", "/...", false},
		{"a..b/.c", "/a..b/.c", false},
		{"100%", "/100%25", false},
		{"a%2Fb", "/a%252Fb", false},
		{"%2e%2e/x", "/%252e%252e/x", false},
		{"sp ace+plus", "/sp%20ace%2Bplus", false},
		{"ünï/日本/🙂", "/%C3%BCn%C3%AF/%E6%97%A5%E6%9C%AC/%F0%9F%99%82", false},
		{"u\u0308", "/u%CC%88", false},
		{"a?b#c&d=e;f", "/a%3Fb%23c%26d%3De%3Bf", false},
		{`back\slash`, "/back%5Cslash", false},
		{"tab\tnew\nline", "/tab%09new%0Aline", false},
		{".sgwtmp/x", "/.sgwtmp/x", true},
		{strings.Repeat("k", 1024), "/" + strings.Repeat("k", 1024), false},
	} {
		t.Run(fmt.Sprintf("%.20q", tt.key), func(t *testing.T) {
			t.Parallel()
			q := newTwoRig(t)
			for _, written := range []string{encode(tt.key, true), encodeAll(tt.key)} {
				for _, method := range []string{"PUT", "GET", "HEAD", "DELETE"} {
					c := call{method: method, target: "/far/" + written}
					if got := q.do(c); got.Status != 200 {
						t.Errorf("%s %s: %d %s", method, written, got.Status, got.Body)
					}
					want := []string{method + " /far" + tt.sent}
					if diff := cmp.Diff(want, lines(q.far.take())); diff != "" {
						t.Errorf("%s: %s", written, diff)
					}
					c.target = "/photos/" + written
					if got := q.do(c); tt.alias != (got.Status == 400) {
						t.Errorf("a store of paths: %s %s: %d", method, written, got.Status)
					}
					q.store.take()
				}
			}
			q.do(call{method: "PUT", target: "/far/copy", header: map[string]string{"X-Amz-Copy-Source": "far/" + encodeAll(tt.key)}})
			if up := q.far.take(); len(up) != 1 || up[0].Header.Get("X-Amz-Copy-Source") != "far"+tt.sent {
				t.Errorf("copied from %+v", up)
			}
			q.farUp.VirtualHost = true
			q.do(call{method: "GET", target: "/far/" + encodeAll(tt.key)})
			if diff := cmp.Diff([]string{"GET " + tt.sent}, lines(q.far.take())); diff != "" {
				t.Errorf("virtual host: %s", diff)
			}
		})
	}
}

// encodeAll writes every byte in percent-encoding.
func encodeAll(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, "%%%02x", s[i])
	}
	return b.String()
}
