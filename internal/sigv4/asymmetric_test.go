package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func asymmetricRules(service string) Rules {
	return Rules{Service: service, S3: service == "s3", Presigned: true, Asymmetric: true, Region: "us-east-1", Regions: func(r string) bool { return r == "us-east-1" }}
}

// TestSmithy verifies what testdata/sign_with_smithy.mjs had derived and
// signed.
func TestSmithy(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/sigv4a.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Time   time.Time
		Secret string
		Keys   []struct{ AccessKeyID, Secret, PublicKey string }
		Cases  []struct {
			Name, Service, Method, Target, Body, Token string
			Headers                                    map[string]string
			Presigned                                  bool
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Keys) < 50 || len(file.Cases) < 100 {
		t.Fatalf("only %d keys and %d cases", len(file.Keys), len(file.Cases))
	}
	for _, v := range file.Keys {
		public, err := DeriveAsymmetric(v.Secret, v.AccessKeyID).public.Bytes()
		if got := hex.EncodeToString(public); err != nil || got != v.PublicKey {
			t.Errorf("%s: %s, want %s, %v", v.AccessKeyID, got, v.PublicKey, err)
		}
	}
	for _, v := range file.Cases {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			r := &http.Request{Method: v.Method, RequestURI: v.Target, Host: v.Headers["host"], Header: http.Header{}, ContentLength: int64(len(v.Body))}
			for name, value := range v.Headers {
				if name != "host" {
					r.Header.Set(name, value)
				}
			}
			s, err := Parse(r, asymmetricRules(v.Service), file.Time)
			if err != nil {
				t.Fatal(err)
			}
			if !s.Asymmetric || s.Region != "" || s.RegionSet == "" || s.SessionToken != v.Token || (s.Mechanism == MechanismPresigned) != v.Presigned {
				t.Errorf("parsed as %s, region set %q, mechanism %d", s, s.RegionSet, s.Mechanism)
			}
			sum := sha256.Sum256([]byte(v.Body))
			if err := s.CheckAsymmetric(DeriveAsymmetric(file.Secret, s.AccessKeyID), hex.EncodeToString(sum[:])); err != nil {
				t.Errorf("%v\n%s", err, err.(*Error).DetailValue("CanonicalRequest"))
			}
		})
	}
}

// asymmetricRequest signs a GET in one of the two forms.
func asymmetricRequest(t testing.TB, service, regionSet string, query bool) *http.Request {
	t.Helper()
	cred := testCredentials
	cred.SessionToken = "TOKENTOKEN"
	signer, err := NewAsymmetricSigner(cred, regionSet, service)
	if err != nil {
		t.Fatal(err)
	}
	r := request("GET", "/bucket/key?list-type=2")
	if query {
		err = signer.Presign(r, time.Hour, testTime)
	} else {
		err = signer.Sign(r, "", testTime)
	}
	if err != nil {
		t.Fatal(err)
	}
	r.RequestURI = r.URL.RequestURI()
	return r
}

func TestAsymmetricSigner(t *testing.T) {
	t.Parallel()
	key := DeriveAsymmetric(testCredentials.SecretAccessKey, testCredentials.AccessKeyID)
	for _, service := range []string{"s3", "sts"} {
		for _, query := range []bool{false, true} {
			r := asymmetricRequest(t, service, "*", query)
			s, err := Parse(r, asymmetricRules(service), testTime)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.CheckAsymmetric(key, EmptySHA256); err != nil {
				t.Errorf("%s, query %v: %v", service, query, err)
			}
			hmacKey := Derive(testCredentials.SecretAccessKey, s.Date, "us-east-1", s.Service)
			for what, err := range map[string]error{
				"HMAC key":    s.Check(hmacKey, EmptySHA256),
				"no HMAC key": s.Check(nil, EmptySHA256),
				"no key":      s.CheckAsymmetric(nil, EmptySHA256),
				"other key":   s.CheckAsymmetric(DeriveAsymmetric("x", s.AccessKeyID), EmptySHA256),
			} {
				if FailureOf(err) != FailureSignatureMismatch {
					t.Errorf("%s with %s: %v", service, what, err)
				}
			}
		}
	}
	s, err := Parse(signedS3(t), asymmetricRules("s3"), testTime)
	if err != nil {
		t.Fatal(err)
	}
	if s.Asymmetric || s.CheckAsymmetric(key, "") == nil {
		t.Error("an HMAC signature passes as SigV4A")
	}
	for _, v := range []any{key, *key} {
		if got := fmt.Sprintf("%v %+v %#v %s", v, v, v, v); strings.Contains(got, "0x") {
			t.Errorf("the key prints as %s", got)
		}
	}
}

func TestAsymmetricRefusals(t *testing.T) {
	t.Parallel()
	other := asymmetricRules("s3")
	other.Asymmetric = false
	for _, v := range []struct {
		name   string
		query  bool
		set    string
		mutate func(*http.Request)
		want   Failure
		s3     string
	}{
		{"other region", false, "eu-west-1", nil, FailureScopeRegion, `the region set "eu-west-1" is wrong; expecting "us-east-1"`},
		{"other regions", false, "eu-west-1,us-west-*,*-2", nil, FailureScopeRegion, ""},
		{"empty region", false, "eu-west-1,,us-east-1", nil, FailureAuthMalformed, ""},
		{"blank in region", false, "us east-1", nil, FailureAuthMalformed, ""},
		{"long set", false, strings.Repeat("eu-west-1,", 200) + "us-east-1", nil, FailureAuthMalformed, "too long"},
		{"no set", false, "*", header("X-Amz-Region-Set"), FailureAuthMalformed, "X-Amz-Region-Set"},
		{"set twice", false, "*", header("X-Amz-Region-Set", "*", "*"), FailureAuthMalformed, "repeated"},
		{"set in the query only", false, "*", func(r *http.Request) { header("X-Amz-Region-Set")(r); uri("?", "?X-Amz-Region-Set=*&")(r) }, FailureAuthMalformed, ""},
		{"set unsigned", false, "*", authorization("x-amz-region-set;", ""), FailureHeadersNotSigned, ""},
		{"five parts", false, "*", authorization("/s3/", "/us-east-1/s3/"), FailureScopeDate, ""},
		{"three parts", false, "*", authorization("/20260102", ""), FailureAuthCredential, `expecting "<YOUR-AKID>/YYYYMMDD/SERVICE/aws4_request".`},
		{"other service", false, "*", authorization("/s3/", "/sts/"), FailureScopeService, ""},
		{"other date", false, "*", authorization("/20260102/", "/20260103/"), FailureScopeDate, ""},
		{"odd signature", false, "*", authorization("Signature=", "Signature=0"), FailureAuthMalformed, ""},
		{"upper-case signature", false, "*", authorization("Signature=30", "Signature=3A"), FailureAuthMalformed, ""},
		{"long signature", false, "*", authorization("Signature=", "Signature="+strings.Repeat("0", 80)), FailureAuthMalformed, ""},
		{"HMAC chunks", false, "*", header("X-Amz-Content-Sha256", StreamingSigned), FailurePayloadHashInvalid, ""},
		{"ECDSA chunks", false, "*", header("X-Amz-Content-Sha256", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"), FailurePayloadModeUnserved, ""},
		{"query: other region", true, "eu-west-1", nil, FailurePresignMalformed, ""},
		{"query: no set", true, "*", uri("X-Amz-Region-Set", "x-ignored"), FailurePresignMalformed, ""},
		{"query: set twice", true, "*", uri("X-Amz-Region-Set", "X-Amz-Region-Set=*&X-Amz-Region-Set"), FailurePresignMalformed, ""},
		{"query: set misspelt", true, "*", uri("X-Amz-Region-Set", "X-Amz-region-set"), FailurePresignMalformed, ""},
		{"query: set in a header", true, "*", header("X-Amz-Region-Set", "*"), FailurePresignMalformed, ""},
		{"query: no signature", true, "*", uri("X-Amz-Signature", "X-Signature"), FailurePresignMalformed, ""},
	} {
		r := asymmetricRequest(t, "s3", v.set, v.query)
		if v.mutate != nil {
			v.mutate(r)
		}
		_, err := Parse(r, asymmetricRules("s3"), testTime)
		if FailureOf(err) != v.want || !strings.Contains(err.(*Error).S3Message(), v.s3) {
			t.Errorf("%s: %v, want %q", v.name, err, v.want)
		}
		if _, err := Parse(asymmetricRequest(t, "s3", "*", v.query), other, testTime); FailureOf(err) != FailureAuthAlgorithm {
			t.Errorf("where SigV4A is not allowed: %v", err)
		}
	}
	r := asymmetricRequest(t, "sts", "*", false)
	authorization("x-amz-region-set;", "")(r)
	if _, err := Parse(r, asymmetricRules("sts"), testTime); FailureOf(err) != FailureHeadersNotSigned {
		t.Errorf("unsigned region set outside S3: %v", err)
	}
}

// TestAsymmetricTampering changes every byte of a signature, and what it
// covers.
func TestAsymmetricTampering(t *testing.T) {
	t.Parallel()
	key := DeriveAsymmetric(testCredentials.SecretAccessKey, testCredentials.AccessKeyID)
	r := asymmetricRequest(t, "s3", "us-*", false)
	good := r.Header.Get("Authorization")
	refused := func(what string) {
		s, err := Parse(r, asymmetricRules("s3"), testTime)
		if err == nil {
			err = s.CheckAsymmetric(key, "")
		}
		if FailureOf(err) == "" {
			t.Errorf("%s: %v", what, err)
		}
	}
	for i := strings.Index(good, "Signature=") + 10; i < len(good); i++ {
		b := []byte(good)
		b[i] ^= 1
		r.Header.Set("Authorization", string(b))
		refused(fmt.Sprintf("byte %d", i))
		if i%2 == 0 {
			r.Header.Set("Authorization", good[:i])
			refused(fmt.Sprintf("cut at %d", i))
		}
	}
	r.Header.Set("Authorization", good)
	r.Header.Set("X-Amz-Region-Set", "*")
	refused("region set")
	r.Header.Set("X-Amz-Region-Set", "us-*")
	r.Header.Set("X-Amz-Security-Token", "OTHER")
	refused("token")
}

func TestKeyArithmetic(t *testing.T) {
	t.Parallel()
	for _, v := range []struct {
		add   int // to the last byte of the order less two
		above bool
	}{{-1, false}, {0, false}, {1, true}, {2, true}} {
		k := orderMinusTwo
		k[31] = byte(int(k[31]) + v.add)
		if got := aboveBound(&k); got != v.above {
			t.Errorf("%+d: %v", v.add, got)
		}
	}
	for i := range 32 {
		more, less := orderMinusTwo, orderMinusTwo
		if more[i] < 255 {
			if more[i]++; !aboveBound(&more) {
				t.Errorf("more at %d is not above", i)
			}
		}
		if less[i] > 0 {
			if less[i]--; aboveBound(&less) {
				t.Errorf("less at %d is above", i)
			}
		}
	}
	k := [32]byte{30: 1, 31: 255}
	if increment(&k); k != ([32]byte{30: 2}) {
		t.Errorf("%x", k)
	}
}

func TestWildcardMatch(t *testing.T) {
	t.Parallel()
	for _, v := range []struct {
		pattern, s string
		want       bool
	}{
		{"*", "us-east-1", true},
		{"us-*", "us-east-1", true},
		{"*-1", "us-east-1", true},
		{"us-*-1", "us-east-1", true},
		{"us-**-1", "us-east-1", true},
		{"us-east-1*", "us-east-1", true},
		{"*us*east*1*", "us-east-1", true},
		{"us-*-2", "us-east-1", false},
		{"us", "us-east-1", false},
		{"*x*", "us-east-1", false},
		{"us-east-1-*", "us-east-1", false},
	} {
		if got := wildcardMatch(v.pattern, v.s); got != v.want {
			t.Errorf("%s on %s: %v", v.pattern, v.s, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.StringMatching("[ab]{0,3}"), 1, 5).Draw(t, "parts")
		fill := rapid.StringMatching("[ab]{0,3}").Draw(t, "fill")
		if !wildcardMatch(strings.Join(parts, "*"), strings.Join(parts, fill)) {
			t.Fatalf("%q with %q", parts, fill)
		}
	})
}

func FuzzAsymmetric(f *testing.F) {
	good := asymmetricRequest(f, "s3", "us-*", false)
	f.Add(good.Header.Get("Authorization"), "us-*", "/b/k")
	f.Add("", "", asymmetricRequest(f, "s3", "eu-west-1,*", true).RequestURI)
	f.Fuzz(func(t *testing.T, authorization, regions, uri string) {
		for _, service := range []string{"s3", "sts"} {
			r := request("GET", "/")
			r.Header.Set("X-Amz-Content-Sha256", UnsignedPayload)
			r.Header.Set("X-Amz-Date", "20260102T030405Z")
			if authorization != "" {
				r.Header.Set("Authorization", authorization)
			}
			if regions != "" {
				r.Header.Set("X-Amz-Region-Set", regions)
			}
			if uri != "" {
				r.RequestURI = uri
			}
			s, err := Parse(r, asymmetricRules(service), testTime)
			if err == nil {
				if s.Asymmetric {
					err = s.CheckAsymmetric(DeriveAsymmetric("a secret nobody signs with", s.AccessKeyID), EmptySHA256)
				} else {
					err = s.Check(Derive("a secret nobody signs with", s.Date, s.Region, s.Service), EmptySHA256)
				}
			}
			if FailureOf(err) == "" {
				t.Fatalf("got %v", err)
			}
		}
	})
}
