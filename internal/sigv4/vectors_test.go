package sigv4

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// rawRequest reads the published request files, which are more liberal than
// net/http: LF line ends, raw blanks and UTF-8 in the target, folded headers.
func rawRequest(t *testing.T, text []byte) (*http.Request, []byte) {
	t.Helper()
	head, body, _ := bytes.Cut(text, []byte("\n\n"))
	lines := strings.Split(strings.TrimSuffix(string(head), "\n"), "\n")
	method, rest, _ := strings.Cut(lines[0], " ")
	uri, ok := strings.CutSuffix(rest, " HTTP/1.1")
	if !ok {
		t.Fatalf("request line %q", lines[0])
	}
	r := &http.Request{Method: method, RequestURI: uri, Header: http.Header{}}
	var last string
	for _, line := range lines[1:] {
		if line[0] == ' ' {
			v := r.Header[last]
			v[len(v)-1] += "\n" + line
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			t.Fatalf("header line %q", line)
		}
		last = http.CanonicalHeaderKey(name)
		r.Header[last] = append(r.Header[last], value)
	}
	r.Host = r.Header.Get("Host")
	delete(r.Header, "Host")
	r.ContentLength, _ = strconv.ParseInt(r.Header.Get("Content-Length"), 10, 64)
	return r, body
}

type vectorContext struct {
	Credentials struct {
		AccessKeyID     string `json:"access_key_id"`
		SecretAccessKey string `json:"secret_access_key"`
		Token           string `json:"token"`
	} `json:"credentials"`
	Expiration int       `json:"expiration_in_seconds"`
	Normalize  bool      `json:"normalize"`
	Region     string    `json:"region"`
	Service    string    `json:"service"`
	SignBody   bool      `json:"sign_body"`
	Timestamp  time.Time `json:"timestamp"`
	OmitToken  bool      `json:"omit_session_token"`
}

func TestVectors(t *testing.T) {
	t.Parallel()
	root := os.Getenv("DAYPASS_VECTORS")
	if root == "" {
		t.Skip("DAYPASS_VECTORS is not set: it must name the directory that holds sigv4/, the published signing vectors")
	}
	cases, err := filepath.Glob(filepath.Join(root, "sigv4", "*", "context.json"))
	if err != nil || len(cases) != 38 {
		t.Fatalf("found %d vectors, want 38 (%v)", len(cases), err)
	}
	for _, file := range cases {
		dir := filepath.Dir(file)
		for _, form := range []string{"header", "query"} {
			t.Run(filepath.Base(dir)+"/"+form, func(t *testing.T) {
				t.Parallel()
				checkVector(t, dir, form)
			})
		}
	}
}

func checkVector(t *testing.T, dir, form string) {
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var v vectorContext
	if err := json.Unmarshal(read("context.json"), &v); err != nil {
		t.Fatal(err)
	}
	r, body := rawRequest(t, read(form+"-signed-request.txt"))
	rules := Rules{Service: v.Service, Presigned: true, VerbatimPath: !v.Normalize, UnsignedToken: v.OmitToken}
	s, err := Parse(r, rules, v.Timestamp)
	if err != nil {
		t.Fatal(err)
	}
	hash := EmptySHA256
	if v.SignBody {
		sum := sha256.Sum256(body)
		hash = hex.EncodeToString(sum[:])
	}
	if s.SessionToken != v.Credentials.Token {
		t.Errorf("token %q, want %q", s.SessionToken, v.Credentials.Token)
	}
	if got, want := s.Signature, string(read(form+"-signature.txt")); got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
	key := Derive(v.Credentials.SecretAccessKey, s.Date, s.Region, s.Service)
	if err := s.Check(key, hash); err != nil {
		t.Errorf("%v\n%s", err, err.(*Error).DetailValue("CanonicalRequest"))
	}
	if want := v.OmitToken && form == "query"; s.Reading.WithoutToken != want {
		t.Errorf("WithoutToken %v, want %v", s.Reading.WithoutToken, want)
	}

	c := scratches.Get().(*scratch)
	defer c.release()
	s.msg.build(c, structForm(s), hash)
	if got, want := string(c.canonical), string(read(form+"-canonical-request.txt")); got != want {
		t.Errorf("canonical request\n%s\nwant\n%s", got, want)
	}
	c.stringToSign(s.algorithm(), s.timestamp, s.Date, s.Region, s.Service)
	if got, want := string(c.text), string(read(form+"-string-to-sign.txt")); got != want {
		t.Errorf("string to sign\n%s\nwant\n%s", got, want)
	}

	other := Derive(v.Credentials.SecretAccessKey+"x", s.Date, s.Region, s.Service)
	if got := FailureOf(s.Check(other, hash)); got != FailureSignatureMismatch {
		t.Errorf("wrong secret: %q", got)
	}
	if got := FailureOf(s.Check(key, strings.Repeat("0", 64))); got != FailureSignatureMismatch {
		t.Errorf("wrong body: %q", got)
	}
}

func structForm(s *Signed) form {
	return form{rawQuery: s.Reading.RawQuery, singlePath: s.Reading.SinglePath, withoutToken: s.Reading.WithoutToken}
}
