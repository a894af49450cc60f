package awswire

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"daypass/internal/identity"
)

func post(query, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.URL.RawQuery = query
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	return r
}

func pairsOf(f *Form) (out []string) {
	for n, v := range f.All() {
		out = append(out, n+"="+v)
	}
	return out
}

func TestParseQuery(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, query, body string
		want              []string
		kind              identity.Kind
	}{
		{name: "body", body: "Action=A&Version=2011-06-15", want: []string{"Action=A", "Version=2011-06-15"}},
		{name: "query and body", query: "Action=A", body: "X=1", want: []string{"Action=A", "X=1"}},
		{name: "escapes", body: "A=a%2Bb+c%20d%3D%26&%41B=%c3%a9", want: []string{"A=a+b c d=&", "AB=é"}},
		{name: "semicolon is data", query: "A=1;B=2", body: "C=3;D", want: []string{"A=1;B=2", "C=3;D"}},
		{name: "equals in value", body: "A=b=c=", want: []string{"A=b=c="}},
		{name: "no equals", body: "A", want: []string{"A="}},
		{name: "empty pairs", body: "&&A=1&", want: []string{"A=1"}},
		{name: "nothing"},
		{name: "names mind case", body: "a=1&A=2", want: []string{"a=1", "A=2"}},
		{name: "twice in body", body: "A=1&A=1", kind: identity.KindValidation},
		{name: "twice in query", query: "A=1&A=2", kind: identity.KindValidation},
		{name: "query and body disagree", query: "A=1", body: "A=2", kind: identity.KindValidation},
		{name: "twice by escape", body: "A=1&%41=1", kind: identity.KindValidation},
		{name: "short escape", body: "A=%4", kind: identity.KindValidation},
		{name: "bad escape", body: "A=%zz", kind: identity.KindValidation},
		{name: "bad escape in name", query: "%=1", kind: identity.KindValidation},
		{name: "not UTF-8", body: "A=%ff", kind: identity.KindValidation},
		{name: "empty name", body: "=1", kind: identity.KindValidation},
		{name: "long name", body: strings.Repeat("a", MaxNameLength+1), kind: identity.KindTooLarge},
		{name: "body over limit", body: strings.Repeat("a", 2049), kind: identity.KindTooLarge},
		{name: "too many", query: many(MaxParameters + 1), kind: identity.KindTooLarge},
		{name: "twice among many", query: many(100) + "&p7=x", kind: identity.KindValidation},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, err := ParseQuery(post(tt.query, tt.body), 2048)
			if got := identity.KindOf(err); got != tt.kind {
				t.Fatalf("kind = %q (%v), want %q", got, err, tt.kind)
			}
			if err != nil {
				return
			}
			if got := pairsOf(f); !slices.Equal(got, tt.want) {
				t.Errorf("pairs = %q, want %q", got, tt.want)
			}
			sum := sha256.Sum256([]byte(tt.body))
			if want := hex.EncodeToString(sum[:]); f.BodySHA256 != want {
				t.Errorf("BodySHA256 = %s, want %s", f.BodySHA256, want)
			}
		})
	}
}

func many(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "p%d=%d&", i, i)
	}
	return strings.TrimSuffix(b.String(), "&")
}

func TestParseQueryManyPairs(t *testing.T) {
	t.Parallel()
	f, err := ParseQuery(post(many(300), ""), MaxBody)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"p0", "p24", "p299"} {
		if got := f.String(n); "p"+got != n {
			t.Errorf("String(%s) = %q", n, got)
		}
	}
	if _, ok := f.Lookup("p300"); ok {
		t.Error("p300 was never sent")
	}
}

func TestParseQueryRequests(t *testing.T) {
	t.Parallel()
	chunked := post("", "A=1")
	chunked.ContentLength = -1
	chunkedLong := post("", "A="+strings.Repeat("x", 4000))
	chunkedLong.ContentLength = -1
	jsonBody := post("", "{}")
	jsonBody.Header.Set("Content-Type", "application/json")
	noType := post("", "A=1")
	noType.Header.Del("Content-Type")
	jsonNoBody := post("A=1", "")
	jsonNoBody.Header.Set("Content-Type", "application/json")
	get := httptest.NewRequest(http.MethodGet, "/?A=1", nil)
	getBody := httptest.NewRequest(http.MethodGet, "/?A=1", strings.NewReader("B=2"))
	put := httptest.NewRequest(http.MethodPut, "/?A=1", nil)
	claims := post("", "A=1")
	claims.ContentLength = 1 << 40
	cut := post("", "")
	cut.ContentLength, cut.Body = 10, io.NopCloser(iotest.ErrReader(io.ErrUnexpectedEOF))
	capped := post("", "A=12345")
	capped.Body = http.MaxBytesReader(httptest.NewRecorder(), capped.Body, 3)
	slow := post("", "A=1")
	slow.Body = io.NopCloser(iotest.OneByteReader(strings.NewReader("A=1")))
	tests := []struct {
		name string
		r    *http.Request
		kind identity.Kind
	}{
		{"chunked", chunked, ""},
		{"chunked over limit", chunkedLong, identity.KindTooLarge},
		{"json body", jsonBody, identity.KindValidation},
		{"no content type", noType, ""},
		{"json type, no body", jsonNoBody, ""},
		{"get", get, ""},
		{"get with body", getBody, identity.KindValidation},
		{"put", put, identity.KindMethodNotAllowed},
		{"claims too much", claims, identity.KindTooLarge},
		{"cut", cut, identity.KindIncompleteBody},
		{"capped by server", capped, identity.KindTooLarge},
		{"slow", slow, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, err := ParseQuery(tt.r, 2048)
			if got := identity.KindOf(err); got != tt.kind {
				t.Fatalf("kind = %q (%v), want %q", got, err, tt.kind)
			}
			if err == nil && f.String("A") != "1" {
				t.Errorf("A = %q", f.String("A"))
			}
		})
	}
}

func TestAccessors(t *testing.T) {
	t.Parallel()
	f, err := ParseQuery(post("", "Action=Do&Version=1&N=-7&Empty=&Yes=true&Bad=1x&Big=4294967296&Plus=%2B1"), MaxBody)
	if err != nil {
		t.Fatal(err)
	}
	if f.Action() != "Do" || f.Version() != "1" {
		t.Errorf("Action, Version = %q, %q", f.Action(), f.Version())
	}
	if n, sent, err := f.Int("N"); n != -7 || !sent || err != nil {
		t.Errorf("Int(N) = %d, %t, %v", n, sent, err)
	}
	if _, sent, err := f.Int("Empty"); sent || err != nil {
		t.Errorf("Int(Empty) = %t, %v", sent, err)
	}
	for _, name := range []string{"Bad", "Big", "Plus"} {
		if _, _, err := f.Int(name); identity.KindOf(err) != identity.KindValidation {
			t.Errorf("Int(%s) error = %v", name, err)
		}
	}
	if b, sent, err := f.Bool("Yes"); !b || !sent || err != nil {
		t.Errorf("Bool(Yes) = %t, %t, %v", b, sent, err)
	}
	if _, _, err := f.Bool("Bad"); identity.KindOf(err) != identity.KindValidation {
		t.Errorf("Bool(Bad) error = %v", err)
	}
	for _, name := range []string{"Absent", "Empty"} {
		_, err := f.Required(name)
		if e := identity.AsError(err); identity.KindOf(err) != identity.KindMissingParameter || e.DetailValue("Parameter") != name {
			t.Errorf("Required(%s) error = %v", name, err)
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(verb, f); got != "[form of 8 parameters]" {
			t.Errorf("%s prints %q", verb, got)
		}
	}
}

func TestLists(t *testing.T) {
	t.Parallel()
	tests := []struct {
		body string
		want []string
		bad  bool
	}{
		{body: "L.member.1=a&L.member.2=b", want: []string{"a", "b"}},
		{body: "L.member.2=b&L.member.1=a", want: []string{"a", "b"}},
		{body: "Lx.member.1=a"},
		{body: "L="},
		{body: "L=a", bad: true},
		{body: "L=&L.member.1=a", bad: true},
		{body: "L.member.2=b", bad: true},
		{body: "L.member.0=b", bad: true},
		{body: "L.member.01=b", bad: true},
		{body: "L.member.+1=b", bad: true},
		{body: "L.member.x=b", bad: true},
		{body: "L.member.=b", bad: true},
		{body: "L.member.1.Key=b", bad: true},
		{body: "L.member.1=a&L.member.2=b&L.member.3=c&L.member.4=d", bad: true},
		{body: "L.member.99999999999999999999=d", bad: true},
	}
	for _, tt := range tests {
		f, err := ParseQuery(post("", tt.body), MaxBody)
		if err != nil {
			t.Fatal(err)
		}
		got, err := f.List("L", 3)
		if bad := identity.KindOf(err) == identity.KindValidation; bad != tt.bad || !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, %v; want %q, bad %t", tt.body, got, err, tt.want, tt.bad)
		}
	}
}

func TestStructs(t *testing.T) {
	t.Parallel()
	f, err := ParseQuery(post("", "T.member.1.Key=k&T.member.1.Value=&T.member.2.Key=l&T.member.2.V.member.1=x&S.member.1=a&D.member.1.=a"), MaxBody)
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.Structs("T", 50)
	if err != nil || len(got) != 2 {
		t.Fatalf("got %d members, %v", len(got), err)
	}
	if v, sent := got[0].Lookup("Value"); got[0].String("Key") != "k" || v != "" || !sent {
		t.Errorf("first member: %q, %q, %t", got[0].String("Key"), v, sent)
	}
	if l, err := got[1].List("V", 5); err != nil || !slices.Equal(l, []string{"x"}) {
		t.Errorf("nested list: %q, %v", l, err)
	}
	if _, err := got[1].Required("Value"); identity.AsError(err).DetailValue("Parameter") != "T.member.2.Value" {
		t.Errorf("Required: %v", err)
	}
	for _, name := range []string{"S", "D"} {
		if _, err := f.Structs(name, 5); identity.KindOf(err) != identity.KindValidation {
			t.Errorf("Structs(%s) error = %v", name, err)
		}
	}
}

func FuzzParseQuery(f *testing.F) {
	f.Add("Action=A", "Version=1&Tags.member.1.Key=a%20b&Tags.member.1.Value=+")
	f.Add("", "a=%")
	f.Add("a;b=1", "L.member.1=x&L.member.2=y")
	f.Add("x=1&x=2", "%41=1&A=2")
	f.Fuzz(func(t *testing.T, query, body string) {
		form, err := ParseQuery(post(query, body), 4096)
		if err != nil {
			if k := identity.KindOf(err); k == identity.KindInternal {
				t.Fatalf("internal error: %v", err)
			}
			return
		}
		// What is accepted reads the same to the standard library, which
		// differs only in refusing ';'.
		if !strings.Contains(query+body, ";") {
			std, err := url.ParseQuery(strings.Trim(query+"&"+body, "&"))
			if err != nil {
				t.Fatalf("standard library refuses: %v", err)
			}
			n := 0
			for name, value := range form.All() {
				n++
				if got := std[name]; len(got) != 1 || got[0] != value {
					t.Fatalf("%q = %q, standard library %q", name, value, got)
				}
			}
			if n != len(std) {
				t.Fatalf("%d parameters, standard library %d", n, len(std))
			}
		}
		_, _ = form.List("L", 10)
		_, _ = form.Structs("Tags", 10)
	})
}

func BenchmarkParseQuery(b *testing.B) {
	body := "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fdev&RoleSessionName=s&WebIdentityToken=" + strings.Repeat("a", 900)
	r := post("", "")
	r.ContentLength = int64(len(body))
	rd := strings.NewReader(body)
	r.Body = io.NopCloser(rd)
	b.ReportAllocs()
	for b.Loop() {
		rd.Reset(body)
		if _, err := ParseQuery(r, MaxBody); err != nil {
			b.Fatal(err)
		}
	}
}
