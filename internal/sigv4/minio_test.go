package sigv4

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
)

// TestMinio decodes what testdata/sign_with_minio.go had minio-go sign.
func TestMinio(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/minio.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Name, Method, Host, Target, Body string
		Headers                          http.Header
		ContentLength                    int64
		DecodedLength                    int
	}
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) < 30 {
		t.Fatalf("only %d vectors", len(vectors))
	}
	for _, v := range vectors {
		raw := strings.ReplaceAll(v.Body, "<64K>", strings.Repeat("a", 65536))
		r := &http.Request{Method: v.Method, RequestURI: v.Target, Host: v.Host, Header: v.Headers, ContentLength: v.ContentLength}
		s, err := verify(t, r, s3Rules, "")
		if err != nil {
			t.Fatalf("%s: %v", v.Name, err)
		}
		got, err := io.ReadAll(s.Reader(strings.NewReader(raw), v.ContentLength))
		if err != nil || string(got) != strings.Repeat("a", v.DecodedLength) {
			t.Errorf("%s, %d bytes: %d, %v", v.Name, v.DecodedLength, len(got), err)
		}
		if int64(len(raw)) != v.ContentLength || (s.Trailer != "") != (v.Name != "none") {
			t.Errorf("%s, %d bytes: Content-Length %d of %d, trailer %q", v.Name, v.DecodedLength, v.ContentLength, len(raw), s.Trailer)
		}
	}
}
