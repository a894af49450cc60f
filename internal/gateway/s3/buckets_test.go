package s3

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"daypass/internal/identity"
)

// lines are the request lines that the upstream got.
func lines(got []received) []string {
	var out []string
	for _, r := range got {
		if made := "HEAD /daypass-"; strings.HasPrefix(r.Line, made) {
			r.Line = made + "*" // a name that nobody has
		}
		out = append(out, r.Line)
	}
	return out
}

// storeOf answers HEAD by whether the bucket is there, anything else with
// status and body.
func storeOf(there bool, status int, body string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			if !there {
				w.WriteHeader(http.StatusNotFound)
			}
			return
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// forbidden answers 403 below a path, 404 elsewhere.
func forbidden(below string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, below) {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte("<Error><Code>AccessDenied</Code><Message></Message></Error>"))
	}
}

func TestCreateBucket(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		reply  func(http.ResponseWriter, *http.Request)
		status int
		code   string
		state  identity.BucketState
		lines  []string
	}{
		{"created", storeOf(false, 200, ""), 200, "", identity.BucketOwned, []string{"HEAD /new-bucket", "PUT /new-bucket"}},
		{"there without an owner", storeOf(true, 200, ""), 409, "BucketAlreadyExists", "", []string{"HEAD /new-bucket"}},
		{"there, of another's", forbidden("/new-bucket"), 409, "BucketAlreadyExists", "", []string{"HEAD /new-bucket", "HEAD /daypass-*"}},
		{"our credential is refused", forbidden("/"), 503, "SlowDown", "", []string{"HEAD /new-bucket", "HEAD /daypass-*"}},
		{"refused", storeOf(false, 400, "<Error><Code>InvalidBucketName</Code><Message>m</Message></Error>"), 400, "InvalidBucketName", "", []string{"HEAD /new-bucket", "PUT /new-bucket"}},
		{"raced", storeOf(false, 409, "<Error><Code>BucketAlreadyOwnedByYou</Code></Error>"), 409, "BucketAlreadyExists", "", []string{"HEAD /new-bucket", "PUT /new-bucket"}},
		{"failed and not there", storeOf(false, 500, ""), 500, "InternalError", "", []string{"HEAD /new-bucket", "PUT /new-bucket", "HEAD /new-bucket"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			q := newRig(t, nil)
			q.store.reply = tt.reply
			got := q.do(call{
				method: "PUT", target: "/new-bucket", body: `<CreateBucketConfiguration xmlns="` + namespace + `"><LocationConstraint>eu-south-9</LocationConstraint></CreateBucketConfiguration>`,
				header: map[string]string{"X-Amz-Acl": "private", "X-Amz-Object-Ownership": "BucketOwnerEnforced"},
			})
			if got.Status != tt.status || tt.code != "" && !strings.Contains(got.Body, "<Code>"+tt.code+"<") {
				t.Errorf("%d %s", got.Status, got.Body)
			}
			b, _ := q.reg.get("new-bucket")
			if b.State != tt.state || tt.state != "" && b.Region != "eu-south-9" {
				t.Errorf("registry: %+v", b)
			}
			up := q.store.take()
			if diff := cmp.Diff(tt.lines, lines(up)); diff != "" {
				t.Error(diff)
			}
			for _, r := range up {
				if r.Body != "" || r.Header.Get("X-Amz-Acl") != "" {
					t.Errorf("upstream got %q, ACL %q", r.Body, r.Header.Get("X-Amz-Acl"))
				}
			}
		})
	}
}

func TestDeleteBucket(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		reply  func(http.ResponseWriter, *http.Request)
		status int
		state  identity.BucketState
	}{
		{"deleted", storeOf(true, 204, ""), 204, ""},
		{"gone already", storeOf(true, 404, ""), 204, ""},
		{"not empty", storeOf(true, 409, "<Error><Code>BucketNotEmpty</Code></Error>"), 409, identity.BucketOwned},
		{"failed but gone", storeOf(false, 500, ""), 204, ""},
		{"failed and there", storeOf(true, 500, ""), 500, identity.BucketOwned},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			q := newRig(t, nil)
			q.store.reply = tt.reply
			if got := q.do(call{method: "DELETE", target: "/photos"}); got.Status != tt.status {
				t.Errorf("%d %s", got.Status, got.Body)
			}
			if b, _ := q.reg.get("photos"); b.State != tt.state {
				t.Errorf("registry: %+v", b)
			}
		})
	}
}

func TestBucketAnswersOfOurOwn(t *testing.T) {
	t.Parallel()
	q := newRig(t, nil)
	q.store.reply = storeOf(true, 200, "")
	const head = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"
	owner := "<Owner><ID>123456789012</ID><DisplayName>123456789012</DisplayName></Owner>"
	entry := func(name, region string) string {
		return "<Bucket><Name>" + name + "</Name><CreationDate>2026-01-02T03:04:05.000Z</CreationDate>" + region + "</Bucket>"
	}
	acl := head + `<AccessControlPolicy xmlns="` + namespace + `">` + owner + `<AccessControlList><Grant><Grantee xmlns:xsi="` + instanceNamespace +
		`" xsi:type="CanonicalUser"><ID>123456789012</ID><DisplayName>123456789012</DisplayName></Grantee><Permission>FULL_CONTROL</Permission></Grant></AccessControlList></AccessControlPolicy>`
	for _, tt := range []struct{ method, target, want string }{
		{"GET", "/", head + `<ListAllMyBucketsResult xmlns="` + namespace + `">` + owner + "<Buckets>" + entry("music", "") + entry("photos", "") + "</Buckets></ListAllMyBucketsResult>"},
		{"GET", "/?max-buckets=1", head + `<ListAllMyBucketsResult xmlns="` + namespace + `">` + owner + "<Buckets>" + entry("music", "<BucketRegion>eu-west-1</BucketRegion>") + "</Buckets><ContinuationToken>bXVzaWM</ContinuationToken></ListAllMyBucketsResult>"},
		{"GET", "/?max-buckets=1&continuation-token=bXVzaWM", head + `<ListAllMyBucketsResult xmlns="` + namespace + `">` + owner + "<Buckets>" + entry("photos", "") + "</Buckets></ListAllMyBucketsResult>"},
		{"GET", "/?prefix=x", head + `<ListAllMyBucketsResult xmlns="` + namespace + `">` + owner + "<Buckets></Buckets><Prefix>x</Prefix></ListAllMyBucketsResult>"},
		{"GET", "/photos?location", head + `<LocationConstraint xmlns="` + namespace + `">eu-west-1</LocationConstraint>`},
		{"GET", "/photos?acl", acl},
		{"GET", "/photos/a?acl", acl},
		{"HEAD", "/photos", ""},
	} {
		got := q.do(call{method: tt.method, target: tt.target})
		if got.Status != 200 || got.Body != tt.want {
			t.Errorf("%s: %d\n%s", tt.target, got.Status, cmp.Diff(tt.want, got.Body))
		}
		if tt.method == "HEAD" && got.Header.Get("X-Amz-Bucket-Region") != "eu-west-1" {
			t.Errorf("region header %q", got.Header.Get("X-Amz-Bucket-Region"))
		}
	}
	if diff := cmp.Diff([]string{"HEAD /photos/a", "HEAD /photos"}, lines(q.store.take())); diff != "" {
		t.Error(diff)
	}
	own := "<AccessControlPolicy><AccessControlList><Grant><Grantee><ID>" + account + "</ID></Grantee><Permission>FULL_CONTROL</Permission></Grant></AccessControlList></AccessControlPolicy>"
	for _, c := range []call{
		{method: "PUT", target: "/photos?acl", header: map[string]string{"X-Amz-Acl": "public-read"}},
		{method: "PUT", target: "/photos/a?acl", header: map[string]string{"X-Amz-Acl": "private"}},
		{method: "PUT", target: "/photos/a?acl", body: own},
	} {
		if got := q.do(c); got.Status != 200 {
			t.Errorf("%s: %d %s", c.target, got.Status, got.Body)
		}
	}
}

func TestReconcile(t *testing.T) {
	t.Parallel()
	q := newRig(t, nil)
	for name, state := range map[string]identity.BucketState{
		"made": identity.BucketReserved, "unmade": identity.BucketReserved, "left": identity.BucketDeleting,
		"gone": identity.BucketDeleting, "unclear": identity.BucketReserved,
	} {
		q.reg.m[name] = identity.Bucket{Name: name, Upstream: "main", State: state}
	}
	q.reg.m["elsewhere"] = identity.Bucket{Name: "elsewhere", Upstream: "other", State: identity.BucketReserved}
	q.store.reply = func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/unmade", "/gone":
			w.WriteHeader(http.StatusNotFound)
		case "/unclear":
			w.WriteHeader(http.StatusForbidden)
		}
	}
	err := q.gw.Reconcile(context.Background(), &identity.Caller{Kind: identity.Operator})
	if identity.KindOf(err) != identity.KindUnavailable {
		t.Errorf("error %v", err)
	}
	for name, want := range map[string]identity.BucketState{
		"made": identity.BucketOwned, "unmade": "", "left": identity.BucketOwned, "gone": "",
		"unclear": identity.BucketReserved, "elsewhere": identity.BucketReserved,
	} {
		if b, _ := q.reg.get(name); b.State != want {
			t.Errorf("%s: %q, want %q", name, b.State, want)
		}
	}
}

func TestDeleteObjects(t *testing.T) {
	t.Parallel()
	q := newRig(t, nil)
	q.access.deny["s3:DeleteObject photos/secret"] = true
	q.access.deny["s3:DeleteObjectVersion"] = true
	q.store.reply = func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`<DeleteResult xmlns="` + namespace + `"><Deleted><Key>a&#xD;b</Key></Deleted><Error><Key>locked</Key><Code>AccessDenied</Code><Message>m</Message></Error></DeleteResult>`))
	}
	got := q.do(call{method: "POST", target: "/photos?delete", body: `<Delete xmlns="` + namespace + `"><Object><Key>a&#13;b</Key></Object><Object><Key>secret</Key></Object>` +
		`<Object><Key>old</Key><VersionId>v1</VersionId></Object><Object><Key>locked</Key></Object></Delete>`})
	refusal := func(key, version, action string) string {
		return "<Error><Key>" + key + "</Key>" + version + "<Code>AccessDenied</Code><Message>not allowed: " + action + " on photos/" + key + "</Message></Error>"
	}
	want := `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<DeleteResult xmlns="` + namespace + `"><Deleted><Key>a&#xD;b</Key></Deleted>` +
		refusal("secret", "", "s3:DeleteObject") + refusal("old", "<VersionId>v1</VersionId>", "s3:DeleteObjectVersion") +
		"<Error><Key>locked</Key><Code>AccessDenied</Code><Message>Access Denied</Message></Error></DeleteResult>"
	if got.Status != 200 || got.Body != want {
		t.Errorf("%d\n%s", got.Status, cmp.Diff(want, got.Body))
	}
	up := q.store.take()
	body := `<Delete xmlns="` + namespace + `"><Object><Key>a&#xD;b</Key></Object><Object><Key>locked</Key></Object></Delete>`
	if len(up) != 1 || up[0].Line != "POST /photos?delete=" || up[0].Body != body ||
		up[0].Header.Get("Content-Md5") != md5Base64(body) || up[0].Header.Get("X-Amz-Content-Sha256") != sha256Hex(body) {
		t.Errorf("upstream got %+v", up)
	}
	q.access.deny["s3:DeleteObject"] = true
	if got := q.do(call{method: "POST", target: "/photos?delete", body: "<Delete><Object><Key>x</Key></Object></Delete>"}); got.Status != 200 || !strings.Contains(got.Body, "<Code>AccessDenied</Code>") {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	if up := q.store.take(); len(up) != 0 {
		t.Errorf("upstream asked to delete nothing: %v", lines(up))
	}
}

func FuzzDeleteList(f *testing.F) {
	for _, s := range []string{"", "<Delete/>", "<Delete><Quiet>true</Quiet><Object><Key>a</Key><VersionId>v</VersionId></Object></Delete>", "<Delete><Object><Key>&#13;</Key></Object></Delete><x/>", "<!DOCTYPE a>"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		list, err := ParseDeleteList(raw)
		if err != nil {
			return
		}
		if n := len(list.Objects); n == 0 || n > maxDeletes {
			t.Fatalf("%d objects", n)
		}
		for _, o := range list.Objects {
			if o.Key == "" {
				t.Fatal("an object without a key")
			}
		}
	})
}
