package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"pgregory.net/rapid"

	"daypass/internal/sigv4"
)

// wireRequest is a request before it is signed, every part as it will stand on
// the wire.
type wireRequest struct {
	Method, Host, Path, Query string
	Headers                   [][2]string
	Body                      string
	Payload                   string // x-amz-content-sha256; "" for services other than S3
}

// signing is what a request is signed with.
type signing struct {
	Key, Secret, Token, Region, Service string
	Time                                time.Time
	Presign                             bool
	Expires                             int // seconds
}

// quirks are what a signer does in its own way, and what is left out for it.
type quirks struct {
	// tabs: white space other than blanks is collapsed too.
	tabs bool
	// normalises: dot segments and empty ones are taken out of the path.
	normalises bool
	// decodedOrder: the query is sorted by the decoded form, which differs
	// from the encoded one for characters that no API uses in keys.
	decodedOrder bool
	// repeats: presigning keeps repeated query keys.
	repeats bool
}

var (
	goQuirks  = quirks{decodedOrder: true, repeats: true}
	pyQuirks  = quirks{tabs: true, normalises: true}
	textRunes = []rune("abcXYZ019-._~!*'();:@&=+$,/?#[]% \"<>\\^`{|}éà漢字🙂\u0301")
)

// awsEscape is AWS's strict percent-encoding.
func awsEscape(s string, slash bool) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~", c) >= 0, c == '/' && slash:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func text(t *rapid.T, label string, least, most int) string {
	return rapid.StringOfN(rapid.SampledFrom(textRunes), least, most, -1).Draw(t, label)
}

func drawPath(t *rapid.T, service string, q quirks) string {
	plain := service != "s3" && !q.normalises
	n := rapid.IntRange(0, 5).Draw(t, "segments")
	var b strings.Builder
	for range n {
		b.WriteByte('/')
		if !plain && rapid.IntRange(0, 5).Draw(t, "odd") == 0 {
			b.WriteString(rapid.SampledFrom([]string{"", ".", ".."}).Draw(t, "segment"))
			continue
		}
		segment := text(t, "segment", 1, 8)
		if plain && strings.Trim(segment, ".") == "" {
			segment = "x"
		}
		b.WriteString(awsEscape(segment, false))
	}
	if n == 0 || rapid.Bool().Draw(t, "slash") {
		b.WriteByte('/')
	}
	return b.String()
}

func drawQuery(t *rapid.T, presign bool, q quirks) string {
	type pair struct{ key, value string }
	var pairs []pair
	for range rapid.IntRange(0, 5).Draw(t, "parameters") {
		key := rapid.SampledFrom([]string{"prefix", "list-type", "a", "a", "A", "Param", "Param-3", "uploads", ""}).Draw(t, "known")
		if key == "" {
			if key = text(t, "key", 1, 6); q.decodedOrder {
				key = strings.Map(func(r rune) rune {
					if strings.ContainsRune("abcXYZ019-._~", r) {
						return r
					}
					return 'k'
				}, key)
			}
		}
		if !q.repeats && presign && slices.ContainsFunc(pairs, func(p pair) bool { return p.key == key }) {
			continue
		}
		pairs = append(pairs, pair{key, text(t, "value", 0, 8)})
	}
	if q.decodedOrder {
		// Repeated keys keep values whose order both forms agree on.
		slices.SortFunc(pairs, func(a, b pair) int { return strings.Compare(a.value, b.value) })
		seen := map[string]string{}
		pairs = slices.DeleteFunc(pairs, func(p pair) bool {
			last, again := seen[p.key]
			if again && awsEscape(last, false) > awsEscape(p.value, false) {
				return true
			}
			seen[p.key] = p.value
			return false
		})
	}
	var out []string
	for _, p := range pairs {
		out = append(out, awsEscape(p.key, false)+"="+awsEscape(p.value, false))
	}
	return strings.Join(out, "&")
}

func drawHeaders(t *rapid.T, q quirks) [][2]string {
	blanks := []string{"", " ", "  ", "   "}
	if q.tabs {
		blanks = append(blanks, "\t", " \t ")
	}
	var out [][2]string
	seen := map[string]bool{}
	for range rapid.IntRange(0, 4).Draw(t, "headers") {
		name := rapid.SampledFrom([]string{
			"X-Amz-Meta-A", "X-Amz-Meta-B", "X-Amz-Storage-Class", "Content-Type", "Cache-Control", "Range", "If-Match", "My-Header", "X-Amz-Acl",
		}).Draw(t, "name")
		if seen[name] {
			continue
		}
		seen[name] = true
		var value strings.Builder
		for range rapid.IntRange(1, 3).Draw(t, "words") {
			value.WriteString(rapid.StringMatching(`[A-Za-z0-9,;"=*()]{1,6}`).Draw(t, "word"))
			value.WriteString(rapid.SampledFrom(blanks).Draw(t, "blank"))
		}
		out = append(out, [2]string{name, strings.TrimSpace(value.String())})
	}
	return out
}

// drawRequest makes a request as clients of a service send it.
func drawRequest(t *rapid.T, s *signing, q quirks) *wireRequest {
	r := &wireRequest{
		Method: rapid.SampledFrom([]string{"GET", "PUT", "POST", "DELETE", "HEAD"}).Draw(t, "method"),
		Host:   rapid.SampledFrom([]string{"127.0.0.1:8080", "s3.example.test", "b.s3.example.test:9000", "localhost:1"}).Draw(t, "host"),
	}
	r.Path, r.Query = drawPath(t, s.Service, q), drawQuery(t, s.Presign, q)
	if !s.Presign {
		r.Headers = drawHeaders(t, q)
	}
	if r.Method == "PUT" || r.Method == "POST" {
		if !s.Presign || s.Service == "s3" {
			r.Body = text(t, "body", 0, 30)
		}
	}
	if s.Service != "s3" {
		return r
	}
	r.Payload = sha256Hex(r.Body)
	if s.Presign || rapid.Bool().Draw(t, "unsigned") {
		r.Payload = sigv4.UnsignedPayload
	}
	return r
}

func drawSigning(t *rapid.T) *signing {
	s := &signing{
		Key:     "ASIA" + rapid.StringMatching(`[A-Z2-7]{16}`).Draw(t, "access key"),
		Secret:  rapid.StringMatching(`[A-Za-z0-9/+]{40}`).Draw(t, "secret"),
		Region:  rapid.SampledFrom([]string{"us-east-1", "eu-west-3", "my-cluster", "default"}).Draw(t, "region"),
		Service: rapid.SampledFrom([]string{"s3", "sts", "iam", "execute-api"}).Draw(t, "service"),
		Time:    time.Unix(rapid.Int64Range(1_700_000_000, 1_900_000_000).Draw(t, "time"), 0).UTC(),
		Presign: rapid.Bool().Draw(t, "presign"),
		Expires: rapid.IntRange(1, 604800).Draw(t, "expires"),
	}
	if rapid.Bool().Draw(t, "with token") {
		s.Token = rapid.StringMatching(`[A-Za-z0-9/+=]{1,80}`).Draw(t, "token")
	}
	return s
}

func sha256Hex(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// received turns the bytes of a request into what a handler is given.
func received(raw []byte) (*http.Request, error) {
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, raw)
	}
	return r, nil
}

func verify(r *http.Request, s *signing, secret, body string) error {
	rules := sigv4.Rules{Service: s.Service, S3: s.Service == "s3", Presigned: true}
	signed, err := sigv4.Parse(r, rules, s.Time.Add(time.Second))
	if err != nil {
		return err
	}
	if signed.SessionToken != s.Token {
		return fmt.Errorf("session token %q, want %q", signed.SessionToken, s.Token)
	}
	return signed.Check(sigv4.Derive(secret, signed.Date, signed.Region, signed.Service), sha256Hex(body))
}

// holds checks that raw verifies, and that it does not once anything that its
// signature covers was touched.
func holds(t *rapid.T, raw []byte, s *signing, body string) {
	fresh := func() *http.Request {
		r, err := received(raw)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if err := verify(fresh(), s, s.Secret, body); err != nil {
		t.Fatalf("%v\nwe: %q\nsent: %q", err, canonicalOf(err), raw)
	}
	tampered := fresh()
	what := rapid.SampledFrom([]string{"method", "path", "query", "host", "header", "secret", "body"}).Draw(t, "tamper")
	secret := s.Secret
	switch what {
	case "method":
		tampered.Method += "X"
	case "path":
		path, query, _ := strings.Cut(tampered.RequestURI, "?")
		tampered.RequestURI = path + "x?" + query
	case "query":
		separator := "&"
		if !strings.Contains(tampered.RequestURI, "?") {
			separator = "?"
		}
		tampered.RequestURI += separator + "zzz=1"
	case "host":
		tampered.Host = "evil." + tampered.Host
	case "header":
		if s.Service != "s3" {
			return
		}
		tampered.Header.Set("X-Amz-Copy-Source", "other/secret")
	case "secret":
		secret += "x"
	case "body":
		if s.Service == "s3" {
			return // the hash is in a header, and the body is hashed as it streams
		}
		body += "x"
	}
	if err := verify(tampered, s, secret, body); err == nil {
		t.Fatalf("the signature still holds with another %s: %q", what, raw)
	}
}

func canonicalOf(err error) string {
	if e, ok := err.(*sigv4.Error); ok {
		return e.DetailValue("CanonicalRequest")
	}
	return ""
}

// TestGoSigner holds the verifier against the signer of aws-sdk-go-v2.
func TestGoSigner(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := drawSigning(t)
		in := drawRequest(t, s, goQuirks)
		raw, err := signWithGo(in, s)
		if err != nil {
			t.Fatal(err)
		}
		holds(t, raw, s, in.Body)
	})
}

// signWithGo signs a request and returns what net/http sends of it.
func signWithGo(in *wireRequest, s *signing) ([]byte, error) {
	u, err := url.Parse("http://" + in.Host + in.Path)
	if err != nil {
		return nil, err
	}
	u.RawQuery = in.Query
	r, err := http.NewRequest(in.Method, u.String(), strings.NewReader(in.Body))
	if err != nil {
		return nil, err
	}
	r.URL = u
	for _, h := range in.Headers {
		r.Header.Add(h[0], h[1])
	}
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = s.Service == "s3" })
	credentials := aws.Credentials{AccessKeyID: s.Key, SecretAccessKey: s.Secret, SessionToken: s.Token}
	payload := in.Payload
	if payload == "" {
		payload = sha256Hex(in.Body)
	}
	if !s.Presign {
		if in.Payload != "" {
			r.Header.Set("X-Amz-Content-Sha256", in.Payload)
		}
		if err := signer.SignHTTP(context.Background(), credentials, r, payload, s.Service, s.Region, s.Time); err != nil {
			return nil, err
		}
		return sent(r)
	}
	query := r.URL.Query()
	query.Set("X-Amz-Expires", fmt.Sprint(s.Expires))
	r.URL.RawQuery = query.Encode()
	r.ContentLength = 0 // a presigned URL does not bind a length
	signed, headers, err := signer.PresignHTTP(context.Background(), credentials, r, payload, s.Service, s.Region, s.Time)
	if err != nil {
		return nil, err
	}
	out, err := http.NewRequest(in.Method, signed, strings.NewReader(in.Body))
	if err != nil {
		return nil, err
	}
	for name, values := range headers {
		out.Header[http.CanonicalHeaderKey(name)] = values
	}
	return sent(out)
}

func sent(r *http.Request) ([]byte, error) {
	var b bytes.Buffer
	err := r.Write(&b)
	return b.Bytes(), err
}
