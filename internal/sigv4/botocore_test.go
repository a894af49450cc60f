package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"testing"
	"time"
)

// TestBotocore verifies what testdata/sign_with_botocore.py had botocore sign.
func TestBotocore(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/botocore.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Secret string
		Time   time.Time
		Cases  []struct {
			Name, Service, Method, Host, Target, Body, Token string
			Headers                                          [][2]string
			Presigned                                        bool
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) < 30 {
		t.Fatalf("only %d cases", len(file.Cases))
	}
	for _, v := range file.Cases {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			r := &http.Request{Method: v.Method, RequestURI: v.Target, Host: v.Host, Header: http.Header{}, ContentLength: int64(len(v.Body))}
			for _, h := range v.Headers {
				switch h[0] {
				case "Transfer-Encoding":
					r.TransferEncoding = []string{h[1]}
				default:
					r.Header.Add(h[0], h[1])
				}
			}
			s, err := Parse(r, Rules{Service: v.Service, S3: v.Service == "s3", Presigned: true}, file.Time)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Mechanism == MechanismPresigned; got != v.Presigned {
				t.Errorf("presigned %v, want %v", got, v.Presigned)
			}
			if s.SessionToken != v.Token {
				t.Errorf("token %q, want %q", s.SessionToken, v.Token)
			}
			sum := sha256.Sum256([]byte(v.Body))
			if err := s.Check(Derive(file.Secret, s.Date, s.Region, s.Service), hex.EncodeToString(sum[:])); err != nil {
				t.Errorf("%v\n%s", err, err.(*Error).DetailValue("CanonicalRequest"))
			}
		})
	}
}
