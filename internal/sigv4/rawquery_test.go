package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// signRawQuery signs as the Python library aws_requests_auth does, from its
// description: the query is cut at "&", sorted as text and joined again with
// its bytes untouched; the path is percent-encoded once more; the payload hash
// is sent and not signed. Older curls do the same without sorting.
func signRawQuery(r *http.Request, body, secret, token, region string, sorted bool, now time.Time) {
	stamp := now.UTC().Format("20060102T150405Z")
	sum := func(s string) string { h := sha256.Sum256([]byte(s)); return hex.EncodeToString(h[:]) }
	mac := func(key []byte, s string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(s))
		return h.Sum(nil)
	}

	path, query, _ := strings.Cut(r.RequestURI, "?")
	pairs := strings.Split(query, "&")
	if sorted {
		slices.Sort(pairs)
	}
	var joined []string
	for _, p := range pairs {
		if key, value, _ := strings.Cut(p, "="); key != "" {
			joined = append(joined, key+"="+value)
		}
	}
	headers, names := "host:"+r.Host+"\nx-amz-date:"+stamp+"\n", "host;x-amz-date"
	if token != "" {
		headers, names = headers+"x-amz-security-token:"+token+"\n", names+";x-amz-security-token"
		r.Header.Set("X-Amz-Security-Token", token)
	}
	canonical := strings.Join([]string{r.Method, strings.ReplaceAll(path, "%", "%25"), strings.Join(joined, "&"), headers, names, sum(body)}, "\n")
	scope := stamp[:8] + "/" + region + "/execute-api/aws4_request"
	key := []byte("AWS4" + secret)
	for _, part := range []string{stamp[:8], region, "execute-api", "aws4_request"} {
		key = mac(key, part)
	}
	signature := hex.EncodeToString(mac(key, "AWS4-HMAC-SHA256\n"+stamp+"\n"+scope+"\n"+sum(canonical)))
	r.Header.Set("X-Amz-Date", stamp)
	r.Header.Set("X-Amz-Content-Sha256", sum(body))
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"+scope+", SignedHeaders="+names+", Signature="+signature)
}

func TestRawQuery(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	const secret, body = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", `{"Name":"ab"}`
	for _, c := range []struct {
		name, target, token string
		raw                 bool // only with the bytes of the query untouched
		unsorted            bool
	}{
		{"no query", "/20190206/users/me", "", false, false},
		{"with a token", "/20190206/users/me", "FwoGZXIvYXdzEBY/+=", false, false},
		{"ordered by the signer", "/20190206/api-tokens?status=ACTIVE&id_filter=a", "", false, false},
		{"a plus", "/20190206/api-tokens?id_filter=x+y", "FwoG", true, false},
		{"bytes that others encode", "/20190206/api-tokens?id_filter=a,b:c@d&status=ACTIVE", "", true, false},
		{"lower-case escapes", "/20190206/api-tokens?id_filter=a%2cb", "", true, false},
		{"a key that begins another", "/20190206/api-tokens?a=1+2&a-b=2", "", true, false},
		{"that key and nothing else", "/20190206/api-tokens?a=1&a-b=2", "", true, false},
		{"a key twice", "/20190206/api-tokens?id_filter=b+&id_filter=a+", "", true, false},
		{"as curl sends it", "/20190206/api-tokens?status=ACTIVE&id_filter=a,b", "FwoG", true, true},
		{"as curl sends it, encoded", "/20190206/api-tokens?status=ACTIVE&id_filter=a", "FwoG", true, true},
		{"an escaped path", "/20190206/api-tokens/a%20b?x=1+2", "", true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := &http.Request{Method: "POST", RequestURI: c.target, Host: "127.0.0.1:8080", Header: http.Header{}, ContentLength: int64(len(body))}
			signRawQuery(r, body, secret, c.token, "ap-southeast-2", !c.unsorted, now)
			sum := sha256.Sum256([]byte(body))
			check := func(rules Rules, mangle func(*http.Request)) (*Signed, error) {
				v := &http.Request{Method: r.Method, RequestURI: r.RequestURI, Host: r.Host, Header: r.Header.Clone(), ContentLength: r.ContentLength}
				mangle(v)
				s, err := Parse(v, rules, now)
				if err != nil {
					t.Fatal(err)
				}
				return s, s.Check(Derive(secret, s.Date, s.Region, s.Service), hex.EncodeToString(sum[:]))
			}
			as := func(*http.Request) {}
			s, err := check(apiRules, as)
			if err != nil {
				t.Fatalf("%v\n%s", err, err.(*Error).DetailValue("CanonicalRequest"))
			}
			if s.Reading.RawQuery != c.raw {
				t.Errorf("raw %v, want %v", s.Reading.RawQuery, c.raw)
			}
			if _, err := check(Rules{Service: "execute-api"}, as); (err != nil) != c.raw {
				t.Errorf("without fall-backs: %v", err)
			}
			for name, mangle := range map[string]func(*http.Request){
				"another query":  func(r *http.Request) { r.RequestURI += "&status=DELETED" },
				"another path":   func(r *http.Request) { r.RequestURI = strings.Replace(r.RequestURI, "20190206", "20190207", 1) },
				"another method": func(r *http.Request) { r.Method = "DELETE" },
			} {
				if name == "another query" && !strings.Contains(c.target, "?") {
					continue
				}
				if _, err := check(apiRules, mangle); err == nil {
					t.Errorf("%s passes", name)
				}
			}
		})
	}
}
