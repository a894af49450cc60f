package access_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"daypass/internal/access"
	"daypass/internal/identity"
	"daypass/internal/sigv4"
	"daypass/internal/stacktest"
)

func credentials(k identity.SessionKeys) sigv4.Credentials {
	return sigv4.Credentials{AccessKeyID: k.AccessKeyID, SecretAccessKey: k.SecretAccessKey.Reveal(), SessionToken: k.SessionToken.Reveal()}
}

func TestAsymmetricSignatures(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	session := rootKeys(t, s)
	c, err := authenticate(s, request(t, s, session))
	if err != nil {
		t.Fatal(err)
	}
	made, err := s.Issuer.AccessKey(t.Context(), &c, "")
	if err != nil {
		t.Fatal(err)
	}
	for name, keys := range map[string]identity.SessionKeys{
		"session": session, "long-term": {AccessKeyID: made.Key.ID, SecretAccessKey: made.Secret},
	} {
		signer, err := sigv4.NewAsymmetricSigner(credentials(keys), "*", "s3")
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time with the key kept
			r := request(t, s, keys)
			if err := signer.Sign(r, "", s.Clock.Now()); err != nil {
				t.Fatal(err)
			}
			got, err := s.Access.Authenticate(r, access.ServiceS3, "")
			if err != nil || got.Caller.Kind != identity.RootUser || !got.Signed.Asymmetric {
				t.Errorf("%s: %+v, %v", name, got.Caller, err)
			}
			r.Method = http.MethodDelete
			if _, err := authenticate(s, r); identity.KindOf(err) != identity.KindSignatureMismatch {
				t.Errorf("%s, another method: %v", name, err)
			}
		}
		r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8080/bucket/key", nil)
		if err := signer.Presign(r, time.Minute, s.Clock.Now()); err != nil {
			t.Fatal(err)
		}
		r.RequestURI = r.URL.RequestURI()
		if _, err := authenticate(s, r); err != nil {
			t.Errorf("%s presigned: %v", name, err)
		}
	}
}

// formRequest is an upload by form, with the policy signed with keys.
func formRequest(t testing.TB, s *stacktest.Stack, keys identity.SessionKeys, token, bucket string) *http.Request {
	t.Helper()
	now := s.Clock.Now().UTC()
	stamp := now.Format("20060102T150405Z")
	fields := [][2]string{
		{"key", "user/${filename}"},
		{"x-amz-algorithm", "AWS4-HMAC-SHA256"},
		{"x-amz-credential", keys.AccessKeyID + "/" + stamp[:8] + "/us-east-1/s3/aws4_request"},
		{"x-amz-date", stamp},
	}
	if token != "" {
		fields = append(fields, [2]string{"x-amz-security-token", token})
	}
	policy := `{"expiration": "` + now.Add(time.Minute).Format(time.RFC3339) + `", "conditions": [{"bucket": "` + bucket + `"}, ["starts-with", "$key", "user/"]`
	for _, f := range fields[1:] {
		policy += `, {"` + f[0] + `": "` + f[1] + `"}`
	}
	text := base64.StdEncoding.EncodeToString([]byte(policy + "]}"))
	signature := sigv4.Derive(keys.SecretAccessKey.Reveal(), stamp[:8], "us-east-1", "s3").Sign(text)
	fields = append(fields, [2]string{"policy", text}, [2]string{"x-amz-signature", signature})
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, f := range fields {
		if err := w.WriteField(f[0], f[1]); err != nil {
			t.Fatal(err)
		}
	}
	part, err := w.CreateFormFile("file", "a.txt")
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(part, "content")
	w.Close()
	r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:8080/bucket", &b)
	r.Header.Set("Content-Type", w.FormDataContentType())
	return r
}

func TestForms(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	keys := rootKeys(t, s)
	token := keys.SessionToken.Reveal()
	auth, form, err := s.Access.AuthenticateForm(formRequest(t, s, keys, token, "bucket"), "bucket")
	if err != nil || auth.Caller.Kind != identity.RootUser || form.Key != "user/a.txt" || auth.Signed != form.Signed {
		t.Fatalf("%+v, %+v, %v", auth, form, err)
	}
	if content, err := io.ReadAll(form.File); err != nil || string(content) != "content" {
		t.Errorf("%q, %v", content, err)
	}
	other := keys
	other.SecretAccessKey = "another secret"
	for name, v := range map[string]struct {
		request *http.Request
		want    identity.Kind
	}{
		"another secret": {formRequest(t, s, other, token, "bucket"), identity.KindSignatureMismatch},
		"no token":       {formRequest(t, s, keys, "", "bucket"), identity.KindUnknownAccessKey},
		"forged token":   {formRequest(t, s, keys, strings.ToUpper(token), "bucket"), identity.KindInvalidToken},
		"another bucket": {formRequest(t, s, keys, token, "other"), identity.KindFormPolicyRefused},
		"no form":        {request(t, s, keys), identity.KindAuthTwice},
	} {
		auth, form, err := s.Access.AuthenticateForm(v.request, "bucket")
		if identity.KindOf(err) != v.want || form != nil || auth.Signed != nil {
			t.Errorf("%s: %v, want %s", name, err, v.want)
		}
	}
	s.Clock.Advance(12*time.Hour + time.Minute)
	if _, _, err := s.Access.AuthenticateForm(formRequest(t, s, keys, token, "bucket"), "bucket"); identity.KindOf(err) != identity.KindExpiredToken {
		t.Errorf("expired session: %v", err)
	}
}
