package sigv4

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// signByHand signs a canonical request that the test wrote itself.
func signByHand(t testing.TB, r *http.Request, service, names, canonical string) {
	t.Helper()
	sum := sha256.Sum256([]byte(canonical))
	text := "AWS4-HMAC-SHA256\n20260102T030405Z\n20260102/us-east-1/" + service + "/aws4_request\n" + hex.EncodeToString(sum[:])
	k := []byte("AWS4" + testCredentials.SecretAccessKey)
	for _, part := range []string{"20260102", "us-east-1", service, "aws4_request", text} {
		h := hmac.New(sha256.New, k)
		h.Write([]byte(part))
		k = h.Sum(nil)
	}
	r.Header.Set("X-Amz-Date", "20260102T030405Z")
	r.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256   Credential=%s/20260102/us-east-1/%s/aws4_request ,SignedHeaders=%s,   Signature=%x",
		testCredentials.AccessKeyID, service, names, k))
}

func verify(t testing.TB, r *http.Request, rules Rules, hash string) (*Signed, error) {
	t.Helper()
	s, err := Parse(r, rules, testTime)
	if err != nil {
		return nil, err
	}
	return s, s.Check(keyFor(s), hash)
}

func TestCanonicalPath(t *testing.T) {
	t.Parallel()
	for _, v := range []struct{ target, s3, other string }{
		{"/", "/", "/"},
		{"*", "%2A", "%2A"},
		{"http://host:80", "/", "/"},
		{"http://host/a%20b?x=y", "/a%20b", "/a%2520b"},
		{"//host/a", "//host/a", "/host/a"},
		{"/a/http://b", "/a/http%3A//b", "/a/http%3A/b"},
		{"/a%2fb", "/a%2Fb", "/a%252fb"},
		{"/a%2Fb/c", "/a%2Fb/c", "/a%252Fb/c"},
		{"/%7Euser/%41", "/~user/A", "/%257Euser/%2541"},
		{"/a//b", "/a//b", "/a/b"},
		{"/a/./b/../c/", "/a/./b/../c/", "/a/c/"},
		{"/../../a", "/../../a", "/a"},
		{"/a/..", "/a/..", "/"},
		{"/...", "/...", "/..."},
		{"/%2e%2e/a", "/../a", "/%252e%252e/a"},
		{"/a+b", "/a%2Bb", "/a%2Bb"},
		{"/a;b=c,d@e:f", "/a%3Bb%3Dc%2Cd%40e%3Af", "/a%3Bb%3Dc%2Cd%40e%3Af"},
		{"/\u1234", "/%E1%88%B4", "/%E1%88%B4"},
		{"/%e1%88%b4", "/%E1%88%B4", "/%25e1%2588%25b4"},
	} {
		path, _ := target(v.target)
		for _, rule := range []struct {
			verbatim bool
			want     string
		}{{true, v.s3}, {false, v.other}} {
			m := message{method: "GET", path: path, verbatim: rule.verbatim}
			c := scratches.New().(*scratch)
			m.build(c, form{}, "")
			if got := strings.Split(string(c.canonical), "\n")[1]; got != rule.want {
				t.Errorf("%s verbatim=%v: got %s, want %s", v.target, rule.verbatim, got, rule.want)
			}
		}
	}
}

func TestCanonicalQuery(t *testing.T) {
	t.Parallel()
	for _, v := range []struct {
		query, want string
		f           form
	}{
		{query: "uploads", want: "uploads="},
		{query: "b=2&a=1&a=0&a=&a", want: "a=&a=&a=0&a=1&b=2"},
		{query: "Param-3=Value3&Param=Value2", want: "Param=Value2&Param-3=Value3"},
		{query: "a=1;b=2", want: "a=1%3Bb%3D2"},
		{query: "a=b+c%2Bd", want: "a=b%20c%2Bd"},
		{query: "a=b=c", want: "a=b%3Dc"},
		{query: "&&a=1&", want: "a=1"},
		{query: "%61=%2f&%7e=%zz", want: "a=%2F&~=%25zz"},
		{query: "X-Amz-Signature=1&a=2&X%2dAmz-Signature=3", want: "a=2"},
		{query: "a=b+c&B=%7e", want: "B=%7e&a=b+c", f: form{rawQuery: true}},
		{query: "a=1&X-Amz-Security-Token=t", want: "a=1", f: form{withoutToken: true}},
		{query: "a=1&X-Amz-Security-Token=t%2F", want: "X-Amz-Security-Token=REDACTED&a=1", f: form{redact: true}},
		{query: "a=1&x-amz-security-token=t", want: "a=1&x-amz-security-token=REDACTED", f: form{redact: true}},
	} {
		m := message{method: "GET", path: "/", query: v.query}
		c := scratches.New().(*scratch)
		m.build(c, v.f, "")
		if got := strings.Split(string(c.canonical), "\n")[2]; got != v.want {
			t.Errorf("%s: got %s, want %s", v.query, got, v.want)
		}
	}
}

// TestHeadersOutsideTheMap signs what net/http keeps elsewhere.
func TestHeadersOutsideTheMap(t *testing.T) {
	t.Parallel()
	names := "content-length;expect;host;te;transfer-encoding"
	canonical := func(length, te string) string {
		return "PUT\n/\n\ncontent-length:" + length + "\nexpect:100-continue\nhost:127.0.0.1:8080\nte:" + te +
			"\ntransfer-encoding:chunked\n\n" + names + "\n" + EmptySHA256
	}
	for _, v := range []struct {
		name  string
		setup func(*http.Request)
		want  Failure
	}{
		{"fields", func(r *http.Request) {}, ""},
		{"header wins", func(r *http.Request) { r.Header.Set("Content-Length", "7"); r.ContentLength = 0 }, ""},
		{"expect sent", func(r *http.Request) { r.Header.Set("Expect", "100-continue") }, ""},
		{"other expect", func(r *http.Request) { r.Header.Set("Expect", "x") }, FailureSignatureMismatch},
		{"other length", func(r *http.Request) { r.ContentLength = 8 }, FailureSignatureMismatch},
		{"unknown length", func(r *http.Request) { r.ContentLength = -1 }, FailureSignatureMismatch},
		{"no transfer encoding", func(r *http.Request) { r.TransferEncoding = nil }, FailureSignatureMismatch},
		{"no te", func(r *http.Request) { r.Header.Del("Te") }, FailureSignatureMismatch},
		{"other host", func(r *http.Request) { r.Host = "127.0.0.1" }, FailureSignatureMismatch},
		{"host header is not Host", func(r *http.Request) { r.Host, r.Header["Host"] = "x", []string{r.Host} }, FailureSignatureMismatch},
	} {
		r := request("PUT", "/")
		r.ContentLength, r.TransferEncoding = 7, []string{"chunked"}
		r.Header.Set("Te", " trailers,  deflate\t;q=0.5 ")
		signByHand(t, r, "sts", names, canonical("7", "trailers, deflate ;q=0.5"))
		v.setup(r)
		if _, err := verify(t, r, stsRules, EmptySHA256); FailureOf(err) != v.want {
			t.Errorf("%s: %v, want %q", v.name, err, v.want)
		}
	}
}

// TestAbsentSignedHeader: an absent header is not an empty one, and is never
// taken from a query parameter of its name.
func TestAbsentSignedHeader(t *testing.T) {
	t.Parallel()
	for query, value := range map[string]string{"": "", "x-amz-acl=private": "private"} {
		r := request("GET", "/?"+query)
		names := "host;x-amz-acl;x-amz-content-sha256;x-amz-date"
		r.Header.Set("X-Amz-Content-Sha256", EmptySHA256)
		signByHand(t, r, "s3", names, "GET\n/\n"+query+"\nhost:127.0.0.1:8080\nx-amz-acl:"+value+
			"\nx-amz-content-sha256:"+EmptySHA256+"\nx-amz-date:20260102T030405Z\n\n"+names+"\n"+EmptySHA256)
		if _, err := verify(t, r, s3Rules, ""); FailureOf(err) != FailureSignatureMismatch {
			t.Errorf("absent: %v", err)
		}
		r.Header["X-Amz-Acl"] = []string{value}
		if _, err := verify(t, r, s3Rules, ""); err != nil {
			t.Errorf("present: %v", err)
		}
	}
}

func TestFallbacks(t *testing.T) {
	t.Parallel()
	sign := func(path, query string) *http.Request {
		r := request("GET", "/a%20b/c?q=x+y&p=%7e")
		signByHand(t, r, "execute-api", "host;x-amz-date", "GET\n"+path+"\n"+query+
			"\nhost:127.0.0.1:8080\nx-amz-date:20260102T030405Z\n\nhost;x-amz-date\n"+EmptySHA256)
		return r
	}
	twice, once, strict, raw := "/a%2520b/c", "/a%20b/c", "p=~&q=x%20y", "p=%7e&q=x+y"
	for _, v := range []struct {
		path, query string
		want        Reading
	}{
		{twice, strict, Reading{}},
		{twice, raw, Reading{RawQuery: true}},
		{once, strict, Reading{SinglePath: true}},
		{once, raw, Reading{RawQuery: true, SinglePath: true}},
	} {
		v.want.Host = "127.0.0.1:8080"
		s, err := verify(t, sign(v.path, v.query), apiRules, EmptySHA256)
		if err != nil || s.Reading != v.want {
			t.Errorf("%s %s: %v %+v", v.path, v.query, err, s.Reading)
		}
		plain := v.want == Reading{Host: "127.0.0.1:8080"}
		_, err = verify(t, sign(v.path, v.query), Rules{Service: "execute-api"}, EmptySHA256)
		if (err == nil) != plain {
			t.Errorf("%s %s without fallbacks: %v", v.path, v.query, err)
		}
	}
}

func TestCandidateHosts(t *testing.T) {
	t.Parallel()
	r := signedS3(t)
	r.Host = "backend:9000"
	if _, err := verify(t, r, s3Rules, ""); FailureOf(err) != FailureSignatureMismatch {
		t.Errorf("wrong host: %v", err)
	}
	rules := s3Rules
	rules.Hosts = []string{"a.example", "127.0.0.1:8080"}
	if s, err := verify(t, r, rules, ""); err != nil || s.Reading.Host != "127.0.0.1:8080" {
		t.Errorf("candidate host: %v", err)
	}
}

func TestPresignedToken(t *testing.T) {
	t.Parallel()
	cred := testCredentials
	for _, v := range []struct {
		service string
		rules   Rules
		want    Failure
	}{{"sts", stsRules, ""}, {"s3", s3Rules, FailureSignatureMismatch}} {
		r := request("GET", "/?Action=GetCallerIdentity")
		if err := Presign(r, cred, "us-east-1", v.service, 60e9, testTime); err != nil {
			t.Fatal(err)
		}
		r.RequestURI = r.URL.RequestURI() + "&X-Amz-Security-Token=T%2FT"
		s, err := verify(t, r, v.rules, EmptySHA256)
		if FailureOf(err) != v.want || s.SessionToken != "T/T" || s.Reading.WithoutToken != (v.want == "") {
			t.Errorf("%s: %v %+v", v.service, err, s)
		}
	}
	r := presigned(t, "sts", "/?Action=GetCallerIdentity")
	uri("&X-Amz-Expires=3600", "")(r)
	if s, err := Parse(r, stsRules, testTime); err != nil || s.Expires != DefaultMaxSkew {
		t.Errorf("STS without X-Amz-Expires: %v", err)
	}
	if s, err := verify(t, presigned(t, "sts", "/?Action=GetCallerIdentity"), stsRules, EmptySHA256); err != nil || s.SessionToken != "TOKEN/TOKEN==" {
		t.Errorf("STS: %v", err)
	}
}

func TestBodyHashOutsideS3(t *testing.T) {
	t.Parallel()
	r := request("POST", "/")
	if err := Sign(r, testCredentials, "us-east-1", "sts", "", testTime); err != nil {
		t.Fatal(err)
	}
	for hash, want := range map[string]Failure{EmptySHA256: "", strings.Repeat("0", 64): FailureSignatureMismatch, "": FailureSignatureMismatch} {
		if _, err := verify(t, r, stsRules, hash); FailureOf(err) != want {
			t.Errorf("hash %q: %v", hash, err)
		}
	}
	s, err := Parse(r, stsRules, testTime)
	if err != nil {
		t.Fatal(err)
	}
	if FailureOf(s.Check(nil, EmptySHA256)) != FailureSignatureMismatch {
		t.Error("a missing key verifies")
	}
}

func TestMismatchIsRedacted(t *testing.T) {
	t.Parallel()
	const secret = "SECRETVALUE"
	r := request("GET", "/b/k?X-Amz-Security-Token="+secret)
	cred := testCredentials
	cred.SessionToken = secret
	r.Header.Set("X-Amz-Server-Side-Encryption-Customer-Key", secret)
	if err := Sign(r, cred, "us-east-1", "s3", "", testTime); err != nil {
		t.Fatal(err)
	}
	q := presigned(t, "s3", "/b/k")
	uri("TOKEN%2FTOKEN%3D%3D", secret)(q)
	for _, r := range []*http.Request{r, q} {
		s, err := Parse(r, s3Rules, testTime)
		if err != nil {
			t.Fatal(err)
		}
		err = s.Check(Derive("wrong", s.Date, s.Region, s.Service), "")
		e, ok := err.(*Error)
		if !ok || e.Failure != FailureSignatureMismatch {
			t.Fatal(err)
		}
		names := []string{"AWSAccessKeyId", "StringToSign", "SignatureProvided", "StringToSignBytes", "CanonicalRequest", "CanonicalRequestBytes"}
		for _, name := range names {
			if e.DetailValue(name) == "" {
				t.Errorf("no detail %s", name)
			}
		}
		everything := fmt.Sprint(e.Detail, e, fmt.Sprintf("%v %+v %#v", s, s, s))
		if strings.Contains(everything, secret) || strings.Contains(everything, spacedHex(secret)) {
			t.Errorf("the token is shown in %s", everything)
		}
		if !strings.Contains(e.DetailValue("CanonicalRequest"), redacted) {
			t.Error("nothing redacted")
		}
		if got, want := e.DetailValue("StringToSignBytes"), fmt.Sprintf("% x", e.DetailValue("StringToSign")); got != want {
			t.Errorf("bytes %s, want %s", got, want)
		}
	}
	for _, v := range []any{cred, &cred, Derive(secret, "20260102", "r", "s"), *Derive(secret, "20260102", "r", "s")} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			got := fmt.Sprintf(verb, v)
			if strings.Contains(got, secret) || len(got) > 100 {
				t.Errorf("%T prints %s", v, got)
			}
		}
	}
}

func TestSigningKeyIsHMAC(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		secret, msg := rapid.String().Draw(t, "secret"), rapid.SliceOf(rapid.Byte()).Draw(t, "msg")
		k := []byte("AWS4" + secret)
		for _, part := range []string{"d", "r", "s", "aws4_request", string(msg)} {
			h := hmac.New(sha256.New, k)
			h.Write([]byte(part))
			k = h.Sum(nil)
		}
		c := scratches.New().(*scratch)
		Derive(secret, "d", "r", "s").mac(c, msg)
		if !bytes.Equal(c.sum[:], k) {
			t.Fatalf("got %x, want %x", c.sum, k)
		}
	})
}

// TestSignThenCheck: what Sign and Presign sign verifies, and not after any one
// byte of it changed.
func TestSignThenCheck(t *testing.T) {
	t.Parallel()
	text := rapid.StringMatching(`[a-zA-Z0-9 ~+%/;=&*().\x{e9}\x{1234}-]{0,12}`)
	rapid.Check(t, func(t *rapid.T) {
		service := rapid.SampledFrom([]string{"s3", "sts"}).Draw(t, "service")
		rules := Rules{Service: service, S3: service == "s3", Presigned: true}
		u := &url.URL{Scheme: "http", Host: "h.example:8080", Path: "/" + text.Draw(t, "path")}
		q := url.Values{}
		for range rapid.IntRange(0, 4).Draw(t, "parameters") {
			q.Add("k"+text.Draw(t, "key"), text.Draw(t, "value"))
		}
		u.RawQuery = q.Encode()
		r := &http.Request{Method: rapid.SampledFrom([]string{"GET", "PUT", "DELETE"}).Draw(t, "method"), URL: u, Header: http.Header{}}
		r.Header.Set("Content-Type", "text/"+rapid.StringMatching(`[a-z]{1,8}( +[a-z]{1,3})?`).Draw(t, "type"))
		r.Header.Set("X-Amz-Meta-A", rapid.StringMatching(`[a-z]{1,8}`).Draw(t, "meta"))
		cred := testCredentials
		cred.SessionToken = rapid.StringMatching(`([A-Z+/]{1,20}=)?`).Draw(t, "token")
		var err error
		query := rapid.Bool().Draw(t, "presigned")
		if query {
			err = Presign(r, cred, "us-east-1", service, 60e9, testTime)
		} else {
			err = Sign(r, cred, "us-east-1", service, "", testTime)
		}
		if err != nil {
			t.Fatal(err)
		}
		received := &http.Request{Method: r.Method, RequestURI: u.RequestURI(), Host: u.Host, Header: r.Header, ContentLength: 0}
		if err := accepts(received, rules); err != nil {
			t.Fatalf("%s: %v", received.RequestURI, err)
		}
		where := mutateOne(t, received)
		if err := accepts(received, rules); err == nil {
			t.Fatalf("accepted after a change of the %s: %+v", where, received)
		}
	})
}

func accepts(r *http.Request, rules Rules) error {
	s, err := Parse(r, rules, testTime)
	if err != nil {
		return err
	}
	return s.Check(keyFor(s), EmptySHA256)
}

// mutateOne changes one letter or digit into another that means something else.
func mutateOne(t *rapid.T, r *http.Request) string {
	change := func(s string) (string, bool) {
		var places []int
		for i := range s {
			inEscape := i > 0 && s[i-1] == '%' || i > 1 && s[i-2] == '%'
			if ch := s[i]; !inEscape && (ch >= 'a' && ch <= 'z' || ch >= 'A' && ch <= 'Z' || ch >= '0' && ch <= '9') {
				places = append(places, i)
			}
		}
		if len(places) == 0 {
			return s, false
		}
		i := rapid.SampledFrom(places).Draw(t, "place")
		to := byte('q')
		if s[i] == to {
			to = 'w'
		}
		return s[:i] + string(to) + s[i+1:], true
	}
	targets := []string{"method", "target", "host"}
	for _, name := range []string{"Authorization", "X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-Sha256", "Content-Type", "X-Amz-Meta-A"} {
		if r.Header.Get(name) != "" {
			targets = append(targets, name)
		}
	}
	where := rapid.SampledFrom(targets).Draw(t, "where")
	ok := true
	switch where {
	case "method":
		r.Method, ok = change(r.Method)
	case "target":
		r.RequestURI, ok = change(r.RequestURI)
	case "host":
		r.Host, ok = change(r.Host)
	default:
		var v string
		v, ok = change(r.Header.Get(where))
		// The access key ID is looked up, not signed.
		if id := testCredentials.AccessKeyID; where == "Authorization" && !strings.Contains(v, id) {
			v += "0"
		}
		r.Header.Set(where, v)
	}
	if id := testCredentials.AccessKeyID; where == "target" && strings.Contains(r.RequestURI, "X-Amz-Credential=") && !strings.Contains(r.RequestURI, id) {
		ok = false
	}
	if !ok {
		r.Method += "X"
	}
	return where
}
