package sigv4

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	s3Rules  = Rules{Service: "s3", S3: true, Presigned: true, Region: "us-east-1", Regions: func(r string) bool { return r == "us-east-1" }}
	stsRules = Rules{Service: "sts", Presigned: true}
	apiRules = Rules{Service: "execute-api", Fallbacks: true}
)

func request(method, target string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	r.Host = "127.0.0.1:8080"
	return r
}

func signedS3(t testing.TB) *http.Request {
	t.Helper()
	r := request("GET", "/bucket/key?list-type=2")
	cred := testCredentials
	cred.SessionToken = "TOKENTOKEN"
	if err := Sign(r, cred, "us-east-1", "s3", EmptySHA256, testTime); err != nil {
		t.Fatal(err)
	}
	return r
}

func presigned(t testing.TB, service, target string) *http.Request {
	t.Helper()
	r := request("GET", target)
	cred := testCredentials
	cred.SessionToken = "TOKEN/TOKEN=="
	if err := Presign(r, cred, "us-east-1", service, time.Hour, testTime); err != nil {
		t.Fatal(err)
	}
	r.RequestURI = r.URL.RequestURI()
	return r
}

func keyFor(s *Signed) *SigningKey {
	return Derive(testCredentials.SecretAccessKey, s.Date, s.Region, s.Service)
}

// authorization replaces text in the Authorization header.
func authorization(from, to string) func(*http.Request) {
	return func(r *http.Request) {
		v := r.Header.Get("Authorization")
		if !strings.Contains(v, from) {
			panic("nothing to replace: " + from)
		}
		r.Header.Set("Authorization", strings.Replace(v, from, to, 1))
	}
}

func header(name string, values ...string) func(*http.Request) {
	return func(r *http.Request) {
		if r.Header[name] = values; len(values) == 0 {
			delete(r.Header, name)
		}
	}
}

// uri replaces text in the request target.
func uri(from, to string) func(*http.Request) {
	return func(r *http.Request) {
		if !strings.Contains(r.RequestURI, from) {
			panic("nothing to replace: " + from)
		}
		r.RequestURI = strings.Replace(r.RequestURI, from, to, 1)
	}
}

type refusal struct {
	name   string
	mutate func(*http.Request)
	want   Failure
	s3     string // part of the sentence, if it matters
	query  string
}

var headerRefusals = []refusal{
	{"no authorization", header("Authorization"), FailureMissingAuthentication, "Access Denied", "Request is missing Authentication Token"},
	{"two authorizations", header("Authorization", "AWS4-HMAC-SHA256 a", "AWS4-HMAC-SHA256 b"), FailureAuthTwice, "", ""},
	{"header and query algorithm", uri("?", "?X-Amz-Algorithm=AWS4-HMAC-SHA256&"), FailureAuthTwice, "", ""},
	{"header and query signature", uri("?", "?X-Amz-Signature=0&"), FailureAuthTwice, "", ""},
	{"header and escaped query algorithm", uri("?", "?X%2DAmz-Algorithm=x&"), FailureAuthTwice, "", ""},
	{"header and v2 query", uri("?", "?AWSAccessKeyId=a&Signature=b&"), FailureAuthTwice, "", ""},
	{"empty authorization", header("Authorization", ""), FailureAuthAlgorithm, "one and only one", ""},
	{"no blank", header("Authorization", "secret"), FailureAuthAlgorithm, "one and only one", ""},
	{"bearer", header("Authorization", "Bearer x"), FailureAuthAlgorithm, "Unsupported Authorization Type", "does not conform"},
	{"sigv2", header("Authorization", "AWS AKIDEXAMPLE:abc="), FailureSignatureV2, "signature_version = s3v4", ""},
	{"sigv4a", authorization("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), FailureAuthAlgorithm, "Please use AWS4-HMAC-SHA256", ""},
	{"other hash", authorization("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA512"), FailureAuthAlgorithm, "", ""},
	{"lower-case algorithm", authorization("AWS4-HMAC-SHA256", "aws4-hmac-sha256"), FailureAuthAlgorithm, "", ""},
	{"algorithm alone", header("Authorization", "AWS4-HMAC-SHA256"), FailureAuthMalformed, "missing Credential.", "requires 'Credential' parameter. (Hashed with SHA-256"},
	{"no credential", authorization("Credential=", "Credentials="), FailureAuthMalformed, "three components", ""},
	{"empty credential", header("Authorization", "AWS4-HMAC-SHA256 Credential=, SignedHeaders=host, Signature=0"), FailureAuthMalformed, "missing Credential.", ""},
	{"no signature", header("Authorization", "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host"), FailureAuthMalformed, "missing Signature.", ""},
	{"no signed headers", header("Authorization", "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, Signature=00"), FailureAuthMalformed, "missing SignedHeaders.", ""},
	{"four components", authorization(", Signature", ", Extra=1, Signature"), FailureAuthMalformed, "", ""},
	{"repeated component", authorization(", Signature", ", SignedHeaders=host, Signature"), FailureAuthMalformed, "", ""},
	{"trailing comma", authorization(", Signature", ",, Signature"), FailureAuthMalformed, "", ""},
	{"short signature", authorization("Signature=", "Signature=0"), FailureAuthMalformed, "", ""},
	{"upper-case signature", func(r *http.Request) {
		v := r.Header.Get("Authorization")
		i := len(v) - 64
		r.Header.Set("Authorization", v[:i]+strings.Repeat("A", 64))
	}, FailureAuthMalformed, "Signature is mal-formed", ""},
	{"four scope parts", authorization("/us-east-1/", "/"), FailureAuthCredential, `expecting "<YOUR-AKID>/`, "exactly 5 slash-delimited elements"},
	{"empty region", authorization("/us-east-1/", "//"), FailureScopeRegion, `the region "" is wrong`, ""},
	{"empty key", authorization("Credential=ASIAIOSFODNN7EXAMPLE/", "Credential=/"), FailureAuthCredential, "", ""},
	{"long key", authorization("ASIAIOSFODNN7EXAMPLE", strings.Repeat("A", 129)), FailureAuthCredential, "", ""},
	{"blank in key", authorization("ASIA", "AS A"), FailureAuthCredential, "", ""},
	{"wrong region", authorization("/us-east-1/", "/eu-west-1/"), FailureScopeRegion, `the region "eu-west-1" is wrong; expecting "us-east-1"`, "valid region. "},
	{"wrong service", authorization("/s3/", "/iam/"), FailureScopeService, `incorrect service "iam". This endpoint belongs to "s3".`, "correct service: 's3'."},
	{"wrong terminator", authorization("/aws4_request", "/aws5_request"), FailureScopeTerminator, `incorrect terminal "aws5_request"`, "valid terminator"},
	{"malformed scope date", authorization("/20260102/", "/2026010/"), FailureScopeDate, `incorrect date format "2026010"`, ""},
	{"other scope date", authorization("/20260102/", "/20260103/"), FailureScopeDate, "Date is not the same", "does not match YYYYMMDD"},
	{"no date", header("X-Amz-Date"), FailureDateMissing, "valid Date", "existence of either"},
	{"garbage date", header("X-Amz-Date", "yesterday"), FailureDateMissing, "", "Got 'yesterday'"},
	{"extended date", header("X-Amz-Date", "2026-01-02T03:04:05Z"), FailureDateMissing, "", ""},
	{"impossible date", header("X-Amz-Date", "20260231T030405Z"), FailureDateMissing, "", ""},
	{"impossible hour", header("X-Amz-Date", "20260102T240405Z"), FailureDateMissing, "", ""},
	{"repeated date", header("X-Amz-Date", "20260102T030405Z", "20260102T030405Z"), FailureDateMissing, "", ""},
	{"bad date header", func(r *http.Request) { r.Header.Del("X-Amz-Date"); r.Header.Set("Date", "x") }, FailureDateMissing, "", ""},
	{"host unsigned", authorization("SignedHeaders=host;", "SignedHeaders="), FailureHostNotSigned, "", "'Host' or ':authority'"},
	{"unsorted names", authorization("SignedHeaders=host;x-amz-content-sha256", "SignedHeaders=x-amz-content-sha256;host"), FailureAuthMalformed, "", ""},
	{"repeated names", authorization("SignedHeaders=host;", "SignedHeaders=host;host;"), FailureAuthMalformed, "", ""},
	{"empty name", authorization("SignedHeaders=host;", "SignedHeaders=;host;"), FailureAuthMalformed, "", ""},
	{"trailing semicolon", authorization(", Signature", ";, Signature"), FailureAuthMalformed, "", ""},
	{"upper-case name", authorization("SignedHeaders=host;", "SignedHeaders=Host;"), FailureAuthMalformed, "", ""},
	{"too many names", authorization("SignedHeaders=host;", "SignedHeaders="+manyNames()+";host;"), FailureAuthMalformed, "", ""},
	{"authorization signed", authorization("SignedHeaders=host;", "SignedHeaders=authorization;host;"), FailureAuthMalformed, "", ""},
	{"unsigned copy source", header("X-Amz-Copy-Source", "/a/b"), FailureHeadersNotSigned, "", "Header(s) not signed: x-amz-copy-source."},
	{"unsigned token", authorization(";x-amz-security-token", ""), FailureHeadersNotSigned, "", "x-amz-security-token"},
	{"repeated token", header("X-Amz-Security-Token", "a", "b"), FailureAuthMalformed, "", ""},
	{"no payload hash", header("X-Amz-Content-Sha256"), FailurePayloadHashMissing, "Missing required header", ""},
	{"garbage payload hash", header("X-Amz-Content-Sha256", "x"), FailurePayloadHashInvalid, "UNSIGNED-PAYLOAD", ""},
	{"repeated payload hash", header("X-Amz-Content-Sha256", EmptySHA256, EmptySHA256), FailurePayloadHashInvalid, "", ""},
	{"signed chunks without length", header("X-Amz-Content-Sha256", StreamingSigned), FailureMissingContentLength, "", ""},
	{"signed chunks and trailer without length", header("X-Amz-Content-Sha256", StreamingSignedTrailer), FailureMissingContentLength, "", ""},
	{"sigv4a chunks and trailer", header("X-Amz-Content-Sha256", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER"), FailurePayloadModeUnserved, "", ""},
	{"sigv4a chunks", header("X-Amz-Content-Sha256", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"), FailurePayloadModeUnserved, "", ""},
	{"event stream", header("X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-EVENTS"), FailurePayloadModeUnserved, "", ""},
	{"trailer without length", header("X-Amz-Content-Sha256", StreamingUnsignedTrailer), FailureMissingContentLength, "", ""},
	{"query percent", uri("list-type", "list%2type"), FailureAuthMalformed, "", ""},
	{"query cut percent", uri("=2", "=%2"), FailureAuthMalformed, "", ""},
	{"path percent", uri("/key", "/k%zzy"), FailureAuthMalformed, "", ""},
	{"too many parameters", uri("?", "?"+strings.Repeat("a&", maxParameters)), FailureAuthMalformed, "", ""},
}

func manyNames() string {
	var names []string
	for i := range maxSignedHeaders {
		names = append(names, "a"+string(rune('a'+i/26))+string(rune('a'+i%26)))
	}
	return strings.Join(names, ";")
}

var presignedRefusals = []refusal{
	{"no algorithm", uri("X-Amz-Algorithm=AWS4-HMAC-SHA256&", ""), FailurePresignMalformed, "version 4 requires", "must include 'X-Amz-Algorithm'"},
	{"no credential", uri("X-Amz-Credential=", "Credential="), FailurePresignMalformed, "version 4 requires", "must include 'X-Amz-Credential'"},
	{"no date", uri("X-Amz-Date=", "Date="), FailurePresignMalformed, "version 4 requires", "must include 'X-Amz-Date'"},
	{"no expires", uri("X-Amz-Expires=", "Expires="), FailurePresignMalformed, "version 4 requires", "must include 'X-Amz-Expires'"},
	{"no signed headers", uri("X-Amz-SignedHeaders=", "SignedHeaders="), FailurePresignMalformed, "version 4 requires", ""},
	{"no signature", uri("X-Amz-Signature=", "Sig="), FailurePresignMalformed, "version 4 requires", ""},
	{"other algorithm", uri("=AWS4-HMAC-SHA256", "=AWS4-HMAC-SHA1"), FailurePresignMalformed, "X-Amz-Algorithm only supports", "Missing Authentication Token"},
	{"sigv4a", uri("=AWS4-HMAC-SHA256", "=AWS4-ECDSA-P256-SHA256"), FailureAuthAlgorithm, "", ""},
	{"repeated algorithm", uri("X-Amz-Date", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date"), FailurePresignMalformed, "", ""},
	{"repeated token", uri("X-Amz-Date", "X-Amz-Security-Token=x&X-Amz-Date"), FailurePresignMalformed, "", ""},
	{"repeated hoisted header", uri("X-Amz-Date", "x-amz-acl=a&X-Amz-Acl=b&X-Amz-Date"), FailurePresignMalformed, "", ""},
	{"misspelt", uri("X-Amz-Date", "x-amz-date"), FailurePresignMalformed, "", ""},
	{"bad date", uri("20260102T030405Z", "20260102"), FailurePresignMalformed, "ISO8601 Long Format", "Got '20260102'"},
	{"expires text", uri("X-Amz-Expires=3600", "X-Amz-Expires=1h"), FailurePresignMalformed, "should be a number", ""},
	{"expires empty", uri("X-Amz-Expires=3600", "X-Amz-Expires="), FailurePresignMalformed, "should be a number", ""},
	{"expires signed plus", uri("X-Amz-Expires=3600", "X-Amz-Expires=%2B36"), FailurePresignMalformed, "should be a number", ""},
	{"expires negative", uri("X-Amz-Expires=3600", "X-Amz-Expires=-1"), FailurePresignMalformed, "must be non-negative", ""},
	{"expires zero", uri("X-Amz-Expires=3600", "X-Amz-Expires=0"), FailurePresignMalformed, "", ""},
	{"expires over a week", uri("X-Amz-Expires=3600", "X-Amz-Expires=604801"), FailurePresignMalformed, "less than 604800 seconds", ""},
	{"expires overflow", uri("X-Amz-Expires=3600", "X-Amz-Expires=99999999999999999999"), FailurePresignMalformed, "less than 604800 seconds", ""},
	{"wrong region", uri("%2Fus-east-1%2F", "%2Feu-west-1%2F"), FailurePresignMalformed, `X-Amz-Credential parameter; the region "eu-west-1" is wrong`, ""},
	{"wrong service", uri("%2Fs3%2F", "%2Fsts%2F"), FailurePresignMalformed, `incorrect service "sts"`, ""},
	{"other scope date", uri("%2F20260102%2F", "%2F20260101%2F"), FailurePresignMalformed, "Invalid credential date", ""},
	{"line break in region", uri("us-east-1", "us%0Aeast-1"), FailurePresignMalformed, "Credential is mal-formed", ""},
	{"host unsigned", uri("X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders=date"), FailureHostNotSigned, "", ""},
	{"bad signed headers", uri("X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders=host%3B"), FailurePresignMalformed, "", ""},
	{"short signature", uri("X-Amz-Signature=", "X-Amz-Signature=0"), FailurePresignMalformed, "", ""},
	{"unsigned copy source", header("X-Amz-Copy-Source", "/a/b"), FailureHeadersNotSigned, "", ""},
	{"unsigned metadata", header("X-Amz-Meta-A", "b"), FailureHeadersNotSigned, "", ""},
	{"token header", header("X-Amz-Security-Token", "b"), FailurePresignMalformed, "", ""},
	{"two payload hashes", func(r *http.Request) {
		uri("X-Amz-Date", "X-Amz-Content-Sha256=UNSIGNED-PAYLOAD&X-Amz-Date")(r)
		r.Header.Set("X-Amz-Content-Sha256", EmptySHA256)
	}, FailurePayloadHashInvalid, "", ""},
	{"sigv2 query", func(r *http.Request) { r.RequestURI = "/b/k?AWSAccessKeyId=a&Signature=b&Expires=1" }, FailureSignatureV2, "", ""},
	{"header too", header("Authorization", "AWS4-HMAC-SHA256 x"), FailureAuthTwice, "", ""},
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	check := func(t *testing.T, v refusal, r *http.Request) {
		v.mutate(r)
		_, err := Parse(r, s3Rules, testTime)
		if got := FailureOf(err); got != v.want {
			t.Fatalf("got %q (%v), want %q", got, err, v.want)
		}
		e := err.(*Error)
		if !strings.Contains(e.S3Message(), v.s3) {
			t.Errorf("S3 says %q, want %q", e.S3Message(), v.s3)
		}
		if !strings.Contains(e.QueryMessage(), v.query) {
			t.Errorf("STS says %q, want %q", e.QueryMessage(), v.query)
		}
		if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "TOKENTOKEN") {
			t.Errorf("secret in %q", err)
		}
	}
	for _, v := range headerRefusals {
		t.Run("header/"+v.name, func(t *testing.T) { t.Parallel(); check(t, v, signedS3(t)) })
	}
	for _, v := range presignedRefusals {
		t.Run("presigned/"+v.name, func(t *testing.T) { t.Parallel(); check(t, v, presigned(t, "s3", "/bucket/key")) })
	}
}

func TestPresignedScopeOutsideS3(t *testing.T) {
	t.Parallel()
	for _, v := range []refusal{
		{"service", uri("%2Fsts%2F", "%2Fiam%2F"), FailureScopeService, "", "correct service: 'sts'."},
		{"terminator", uri("aws4_request", "aws5_request"), FailureScopeTerminator, "", "valid terminator"},
		{"date", uri("%2F20260102%2F", "%2F20260101%2F"), FailureScopeDate, "", "does not match YYYYMMDD"},
		{"algorithm", uri("=AWS4-HMAC-SHA256", "=x"), FailureMissingAuthentication, "", "Missing Authentication Token"},
	} {
		r := presigned(t, "sts", "/?Action=GetCallerIdentity")
		v.mutate(r)
		_, err := Parse(r, stsRules, testTime)
		if got := FailureOf(err); got != v.want || !strings.Contains(err.(*Error).QueryMessage(), v.query) {
			t.Errorf("%s: got %q (%v), want %q", v.name, got, err, v.want)
		}
	}
	r := presigned(t, "iam", "/?Action=ListUsers")
	if _, err := Parse(r, Rules{Service: "iam"}, testTime); FailureOf(err) != FailurePresignMalformed {
		t.Errorf("presigned where it is not allowed: %v", err)
	}
}

// TestEmptyRegion: where any region will do, S3 takes the empty one too. It is
// part of what is signed.
func TestEmptyRegion(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		sign func(r *http.Request, region, service string) error
	}{
		{"header", func(r *http.Request, region, service string) error {
			return Sign(r, testCredentials, region, service, EmptySHA256, testTime)
		}},
		{"presigned", func(r *http.Request, region, service string) error {
			err := Presign(r, testCredentials, region, service, time.Hour, testTime)
			r.RequestURI = r.URL.RequestURI()
			return err
		}},
	}
	for _, v := range cases {
		r := request("GET", "/bucket/key")
		if err := v.sign(r, "", "s3"); err != nil {
			t.Fatal(err)
		}
		s, err := Parse(r, Rules{Service: "s3", S3: true, Presigned: true}, testTime)
		if err != nil {
			t.Errorf("%s: %v", v.name, err)
			continue
		}
		if err := s.Check(keyFor(s), ""); err != nil {
			t.Errorf("%s: %v", v.name, err)
		}
		if err := s.Check(Derive(testCredentials.SecretAccessKey, s.Date, "us-east-1", "s3"), ""); FailureOf(err) != FailureSignatureMismatch {
			t.Errorf("%s, under the key of another region: got %v", v.name, err)
		}
		r = request("GET", "/")
		if err := v.sign(r, "", "sts"); err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(r, stsRules, testTime); err == nil {
			t.Errorf("%s: STS takes an empty region", v.name)
		}
	}
}

func TestWindow(t *testing.T) {
	t.Parallel()
	for _, v := range []struct {
		name  string
		at    time.Duration
		pre   bool
		want  Failure
		query string
	}{
		{"now", 0, false, "", ""},
		{"15 minutes late", 15 * time.Minute, false, "", ""},
		{"15 minutes early", -15 * time.Minute, false, "", ""},
		{
			"late", 15*time.Minute + time.Second, false, FailureTimeSkewed,
			"Signature expired: 20260102T030405Z is now earlier than 20260102T030406Z (20260102T031906Z - 15 min.)",
		},
		{
			"early", -15*time.Minute - time.Second, false, FailureTimeSkewed,
			"Signature not yet current: 20260102T030405Z is still later than 20260102T030404Z (20260102T024904Z + 15 min.)",
		},
		{"presigned end", time.Hour, true, "", ""},
		{"presigned late", time.Hour + time.Second, true, FailurePresignExpired, "Signature expired: 20260102T040405Z"},
		{"presigned before", -15 * time.Minute, true, "", ""},
		{"presigned early", -15*time.Minute - time.Second, true, FailurePresignNotYet, "Signature not yet current"},
	} {
		r := signedS3(t)
		if v.pre {
			r = presigned(t, "s3", "/b/k")
		}
		_, err := Parse(r, s3Rules, testTime.Add(v.at))
		if got := FailureOf(err); got != v.want {
			t.Errorf("%s: got %q, want %q", v.name, got, v.want)
			continue
		}
		if err != nil && !strings.HasPrefix(err.(*Error).QueryMessage(), v.query) {
			t.Errorf("%s: %q", v.name, err.(*Error).QueryMessage())
		}
	}
	_, err := Parse(signedS3(t), s3Rules, testTime.Add(time.Hour))
	want := []Detail{{"RequestTime", "20260102T030405Z"}, {"ServerTime", "2026-01-02T04:04:05Z"}, {"MaxAllowedSkewMilliseconds", "900000"}}
	if got := err.(*Error).Detail; !slices.Equal(got, want) {
		t.Errorf("details %v, want %v", got, want)
	}
	_, err = Parse(presigned(t, "s3", "/b/k"), s3Rules, testTime.Add(2*time.Hour))
	want = []Detail{{"X-Amz-Expires", "3600"}, {"Expires", "2026-01-02T04:04:05Z"}, {"ServerTime", "2026-01-02T05:04:05Z"}}
	if got := err.(*Error).Detail; !slices.Equal(got, want) {
		t.Errorf("details %v, want %v", got, want)
	}
}

func TestParsePayload(t *testing.T) {
	t.Parallel()
	hash := strings.Repeat("0a", 32)
	for _, v := range []struct {
		name    string
		headers map[string]string
		want    Payload
		failure Failure
	}{
		{"hash", map[string]string{"X-Amz-Content-Sha256": hash}, Payload{PayloadMode: PayloadHashed, PayloadHash: hash}, ""},
		{"upper-case hash", map[string]string{"X-Amz-Content-Sha256": strings.ToUpper(hash)}, Payload{PayloadMode: PayloadHashed, PayloadHash: strings.ToUpper(hash)}, ""},
		{"unsigned", map[string]string{"X-Amz-Content-Sha256": UnsignedPayload}, Payload{PayloadMode: PayloadUnsigned, PayloadHash: UnsignedPayload}, ""},
		{"none", nil, Payload{PayloadMode: PayloadUnsigned, PayloadHash: UnsignedPayload}, ""},
		{
			"trailer",
			map[string]string{"X-Amz-Content-Sha256": StreamingUnsignedTrailer, "X-Amz-Decoded-Content-Length": "12", "X-Amz-Trailer": "X-Amz-Checksum-CRC64NVME"},
			Payload{PayloadMode: PayloadTrailer, PayloadHash: StreamingUnsignedTrailer, DecodedLength: 12, Trailer: CRC64NVME},
			"",
		},
		{"negative length", map[string]string{"X-Amz-Content-Sha256": StreamingUnsignedTrailer, "X-Amz-Decoded-Content-Length": "-1", "X-Amz-Trailer": "x-amz-checksum-crc32"}, Payload{}, FailureMissingContentLength},
		{"huge length", map[string]string{"X-Amz-Content-Sha256": StreamingUnsignedTrailer, "X-Amz-Decoded-Content-Length": "9223372036854775808", "X-Amz-Trailer": "x-amz-checksum-crc32"}, Payload{}, FailureMissingContentLength},
		{"no trailer", map[string]string{"X-Amz-Content-Sha256": StreamingUnsignedTrailer, "X-Amz-Decoded-Content-Length": "1"}, Payload{}, FailureTrailerMismatch},
		{"unknown trailer", map[string]string{"X-Amz-Content-Sha256": StreamingUnsignedTrailer, "X-Amz-Decoded-Content-Length": "1", "X-Amz-Trailer": "x-amz-meta-a"}, Payload{}, FailureTrailerMismatch},
		{"bare trailer", map[string]string{"X-Amz-Content-Sha256": StreamingUnsignedTrailer, "X-Amz-Decoded-Content-Length": "1", "X-Amz-Trailer": "crc32"}, Payload{}, FailureTrailerMismatch},
		{"signed chunks", map[string]string{"X-Amz-Content-Sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}, Payload{}, FailurePayloadHashInvalid},
	} {
		r := request("PUT", "/b/k")
		for k, h := range v.headers {
			r.Header.Set(k, h)
		}
		got, err := AnonymousPayload(r)
		if got != v.want || FailureOf(err) != v.failure {
			t.Errorf("%s: got %+v, %v; want %+v, %q", v.name, got, err, v.want, v.failure)
		}
		if v.name == "signed chunks" && !strings.HasPrefix(err.(*Error).S3Message(), "Anonymous requests don't support") {
			t.Errorf("%q", err.(*Error).S3Message())
		}
	}
}

func TestSentences(t *testing.T) {
	t.Parallel()
	if got, want := len(Failures()), len(sentences); got != want {
		t.Errorf("%d failures, %d sentences", got, want)
	}
	for _, f := range Failures() {
		if f.S3Message() == "" || f.QueryMessage() == "" {
			t.Errorf("%s has no sentence", f)
		}
	}
}
