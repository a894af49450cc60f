package s3

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const corsDocument = `<CORSConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
<CORSRule><AllowedOrigin>https://*.app.test</AllowedOrigin><AllowedMethod>PUT</AllowedMethod><AllowedMethod>GET</AllowedMethod>
<AllowedHeader>X-Amz-*</AllowedHeader><AllowedHeader>content-type</AllowedHeader><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>60</MaxAgeSeconds></CORSRule>
<CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>HEAD</AllowedMethod></CORSRule></CORSConfiguration>`

// corsStore answers the configuration of "photos"; "music" has none.
func corsStore(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == "GET" && r.RequestURI == "/photos?cors=":
		_, _ = w.Write([]byte(corsDocument))
	case strings.HasSuffix(r.RequestURI, "?cors=") && r.Method == "GET":
		w.WriteHeader(404)
		_, _ = w.Write([]byte("<Error><Code>NoSuchCORSConfiguration</Code></Error>"))
	default:
		w.Header().Set("Access-Control-Allow-Origin", "https://store")
		w.Header().Set("Vary", "Store")
	}
}

func corsHeaders(h http.Header) map[string]string {
	out := map[string]string{}
	for name := range h {
		if strings.HasPrefix(name, "Access-Control-") {
			out[strings.TrimPrefix(name, "Access-Control-")] = h.Get(name)
		}
	}
	return out
}

func TestPreflight(t *testing.T) {
	t.Parallel()
	q := newRig(t, nil)
	q.store.reply = corsStore
	put := map[string]string{
		"Allow-Origin": "https://a.app.test", "Allow-Credentials": "true", "Allow-Methods": "PUT, GET", "Allow-Headers": "x-amz-date, content-type",
		"Expose-Headers": "ETag", "Max-Age": "60",
	}
	for _, tt := range []struct {
		name, target, origin, method, headers string
		status                                int
		want                                  map[string]string
	}{
		{"allowed", "/photos/a", "https://a.app.test", "PUT", "X-Amz-Date, Content-Type", 200, put},
		{"of the bucket", "/photos", "https://a.app.test", "PUT", "X-Amz-Date, Content-Type", 200, put},
		{"any origin", "/photos/a", "https://evil.test", "HEAD", "", 200, map[string]string{"Allow-Origin": "*", "Allow-Methods": "HEAD"}},
		{"origin", "/photos/a", "https://app.test.evil", "PUT", "", 403, map[string]string{}},
		{"method", "/photos/a", "https://a.app.test", "DELETE", "", 403, map[string]string{}},
		{"header", "/photos/a", "https://a.app.test", "PUT", "authorization", 403, map[string]string{}},
		{"no configuration", "/music/a", "https://a.app.test", "PUT", "", 403, map[string]string{}},
		{"no bucket", "/nobody/a", "https://a.app.test", "PUT", "", 403, map[string]string{}},
		{"another's bucket without configuration", "/theirs/a", "https://a.app.test", "PUT", "", 403, map[string]string{}},
	} {
		header := map[string]string{"Origin": tt.origin, "Access-Control-Request-Method": tt.method}
		if tt.headers != "" {
			header["Access-Control-Request-Headers"] = tt.headers
		}
		got := q.do(call{method: "OPTIONS", target: tt.target, unsigned: true, header: header})
		if got.Status != tt.status || got.Status == 403 && !strings.Contains(got.Body, "<Code>AccessForbidden</Code>") {
			t.Errorf("%s: %d %s", tt.name, got.Status, got.Body)
		}
		if diff := cmp.Diff(tt.want, corsHeaders(got.Header)); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
	if up := q.store.take(); len(up) != 3 {
		t.Errorf("the upstream was asked %d times for three configurations", len(up))
	}
	if asked := q.access.take(); len(asked) != 0 {
		t.Errorf("a preflight asked for rights: %v", asked)
	}
}

func TestCrossOriginAnswers(t *testing.T) {
	t.Parallel()
	q := newRig(t, nil)
	q.store.reply = corsStore
	from := func(origin string) map[string]string { return map[string]string{"Origin": origin} }
	want := map[string]string{"Allow-Origin": "https://a.app.test", "Allow-Credentials": "true", "Allow-Methods": "PUT, GET", "Expose-Headers": "ETag", "Max-Age": "60"}
	got := q.do(call{method: "GET", target: "/photos/a", header: from("https://a.app.test")})
	if diff := cmp.Diff(want, corsHeaders(got.Header)); diff != "" || !strings.HasPrefix(got.Header.Get("Vary"), "Origin") {
		t.Errorf("%s %q", diff, got.Header["Vary"])
	}
	q.access.deny["s3:GetObject"] = true
	got = q.do(call{method: "GET", target: "/photos/a", header: from("https://a.app.test")})
	if diff := cmp.Diff(want, corsHeaders(got.Header)); diff != "" || got.Status != 403 {
		t.Errorf("a refusal: %d %s", got.Status, diff)
	}
	q.access.deny = map[string]bool{}
	for _, c := range []call{
		{method: "GET", target: "/photos/a", header: from("https://evil.test")},
		{method: "GET", target: "/music/a", header: from("https://a.app.test")},
		{method: "GET", target: "/photos/a"},
	} {
		if h := corsHeaders(q.do(c).Header); len(h) != 0 {
			t.Errorf("%s from %q: %v", c.target, c.header["Origin"], h)
		}
	}
	for _, up := range q.store.take() {
		if up.Header.Get("Origin") != "" {
			t.Errorf("%s: the origin reached the upstream", up.Line)
		}
	}
}

// TestCORSChange: a change through this gate is seen at once.
func TestCORSChange(t *testing.T) {
	t.Parallel()
	q := newRig(t, nil)
	q.store.reply = corsStore
	ask := func() {
		q.do(call{method: "OPTIONS", target: "/photos/a", unsigned: true, header: map[string]string{"Origin": "https://x", "Access-Control-Request-Method": "GET"}})
	}
	fetched := func() (n int) {
		for _, up := range q.store.take() {
			if up.Line == "GET /photos?cors=" {
				n++
			}
		}
		return n
	}
	for _, c := range []call{{method: "PUT", target: "/photos?cors", body: corsDocument}, {method: "DELETE", target: "/photos?cors"}} {
		ask()
		ask()
		before := fetched()
		if got := q.do(c); got.Status != 200 {
			t.Fatalf("%s: %d %s", c.method, got.Status, got.Body)
		}
		ask()
		if after := fetched(); before > 1 || after != 1 {
			t.Errorf("%s: fetched %d times before, %d after", c.method, before, after)
		}
	}
}

func FuzzParseCORS(f *testing.F) {
	f.Add([]byte(corsDocument))
	f.Add([]byte("<CORSConfiguration><CORSRule><AllowedOrigin>a\r\nb</AllowedOrigin></CORSRule></CORSConfiguration>"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		rules, err := ParseCORS(raw)
		if err != nil {
			return
		}
		for _, r := range rules {
			h := http.Header{}
			r.answer(h, "https://x")
			for name, values := range h {
				if strings.ContainsAny(values[0], "\r\n\x00") {
					t.Errorf("%s: %q", name, values)
				}
			}
		}
	})
}

// TestPreflightAfterClaim: what one owner of a name let in is not kept for the
// next.
func TestPreflightAfterClaim(t *testing.T) {
	t.Parallel()
	q := newRig(t, nil)
	q.store.reply = corsStore
	preflight := call{method: "OPTIONS", target: "/photos/a", unsigned: true, header: map[string]string{"Origin": "https://a.app.test", "Access-Control-Request-Method": "PUT"}}
	if got := q.do(preflight); got.Status != 200 {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	q.store.reply = func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(404)
		_, _ = w.Write([]byte("<Error><Code>NoSuchCORSConfiguration</Code></Error>"))
	}
	if got := q.do(preflight); got.Status != 200 {
		t.Errorf("not kept at all: %d", got.Status)
	}
	b := q.reg.m["photos"]
	b.AccountID = "999988887777"
	q.reg.m["photos"] = b
	if got := q.do(preflight); got.Status != 403 {
		t.Errorf("after it changed hands: %d", got.Status)
	}
}
