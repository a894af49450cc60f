package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// signer is an issuer's key.
type signer struct {
	key *ecdsa.PrivateKey
	kid string
}

func newSigner(t *testing.T, kid string) signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signer{key, kid}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// jwks is the key set with the public half.
func (s signer) jwks(t *testing.T) string {
	t.Helper()
	point, err := s.key.PublicKey.Bytes() // 4, x, y
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`{"keys":[{"kty":"EC","crv":"P-256","use":"sig","alg":"ES256","kid":%q,"x":%q,"y":%q}]}`, s.kid, b64(point[1:33]), b64(point[33:]))
}

// token signs an ID token that lives for ten minutes.
func (s signer) token(t *testing.T, issuer, subject string) string {
	t.Helper()
	now := time.Now().Unix()
	claims, err := json.Marshal(map[string]any{"iss": issuer, "sub": subject, "aud": "daypass", "iat": now, "exp": now + 600})
	if err != nil {
		t.Fatal(err)
	}
	text := b64(fmt.Appendf(nil, `{"alg":"ES256","typ":"JWT","kid":%q}`, s.kid)) + "." + b64(claims)
	sum := sha256.Sum256([]byte(text))
	r, v, err := ecdsa.Sign(rand.Reader, s.key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	sig := make([]byte, 64)
	r.FillBytes(sig[:32])
	v.FillBytes(sig[32:])
	return text + "." + b64(sig)
}

const clusterSubject = "system:serviceaccount:apps:web"

// cluster is a site with one provider of these lines and a role for one of the
// cluster's service accounts.
func cluster(account, issuer, lines string) string {
	host := strings.TrimPrefix(issuer, "https://")
	return `providers:
  - account: "` + account + `"
    url: ` + issuer + `
    client_ids: [daypass]
` + lines + `
roles:
  - account: "` + account + `"
    name: pods
    managed_policies: ["arn:aws:iam::aws:policy/AmazonS3FullAccess"]
    trust:
      Version: "2012-10-17"
      Statement:
        Effect: Allow
        Principal: {Federated: "arn:aws:iam::` + account + `:oidc-provider/` + host + `"}
        Action: sts:AssumeRoleWithWebIdentity
        Condition: {StringEquals: {"` + host + `:sub": "` + clusterSubject + `"}}
`
}

// assume exchanges a token for session keys of the role pods; the code is "" for
// success.
func assume(t *testing.T, s *Server, token string) (Keys, string) {
	t.Helper()
	a := s.NewClient(t).Boto3([]Call{{Service: "sts", Call: "assume_role_with_web_identity", With: map[string]any{
		"RoleArn": "arn:aws:iam::" + s.AccountID + ":role/pods", "RoleSessionName": "pod", "WebIdentityToken": token,
	}}})[0]
	if a.Code != "" {
		return Keys{}, a.Code
	}
	c := a.Answer["Credentials"].(map[string]any)
	return Keys{AccessKeyID: c["AccessKeyId"].(string), SecretAccessKey: c["SecretAccessKey"].(string), SessionToken: c["SessionToken"].(string)}, ""
}

// TestClusterTokens: a cluster that shows its keys only for a token, and by a
// certificate of its own, as Kubernetes does. The token's file is replaced while
// the server runs, and is seen nowhere.
func TestClusterTokens(t *testing.T) {
	t.Parallel()
	needPython(t, "boto3")
	key := newSigner(t, "k1")
	var valid atomic.Value
	valid.Store("first-cluster-token")
	var asked, refused atomic.Int64
	mux := http.NewServeMux()
	idp := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Header.Get("Authorization") != "Bearer "+valid.Load().(string) {
			refused.Add(1)
			http.Error(w, "forbidden", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(idp.Close)
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, idp.URL, idp.URL+"/openid/v1/jwks")
	})
	mux.HandleFunc("/openid/v1/jwks", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, key.jwks(t)) })

	s := StartWith(t, []string{"DAYPASS_EGRESS_EXEMPT=" + strings.TrimPrefix(idp.URL, "https://")})
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ca := write("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: idp.Certificate().Raw})))
	file := write("token", "an-old-cluster-token\n")
	s.Apply(t, cluster(s.AccountID, idp.URL, "    ca_bundle: {file: "+ca+"}\n    bearer_token_file: "+file))
	token := key.token(t, idp.URL, clusterSubject)
	if _, code := assume(t, s, token); code != "IDPCommunicationError" || refused.Load() == 0 {
		t.Errorf("with an old token: %q, %d refusals", code, refused.Load())
	}
	write("token", "first-cluster-token\n")
	var keys Keys
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(250 * time.Millisecond) { // failures are remembered for some seconds
		var code string
		if keys, code = assume(t, s, token); code == "" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("with the token in force: %s", code)
		}
	}
	c := s.NewClient(t)
	expectAll(t, c, []expectation{
		{bucketCall(keys, "create_bucket", "by-a-pod"), 200, ""},
		{iamCall(keys, "list_roles"), 403, "AccessDenied"},
	})
	if _, code := assume(t, s, key.token(t, idp.URL, "system:serviceaccount:apps:other")); code != "AccessDenied" {
		t.Errorf("another subject: %q", code)
	}
	if _, code := assume(t, s, newSigner(t, "k1").token(t, idp.URL, clusterSubject)); code != "InvalidIdentityToken" {
		t.Errorf("another key of the same name: %q", code)
	}
	root := s.RootKeys()
	arn := "arn:aws:iam::" + s.AccountID + ":oidc-provider/" + strings.TrimPrefix(idp.URL, "https://")
	shown := must(t, c, iamCall(root, "get_open_id_connect_provider", "OpenIDConnectProviderArn", arn))[0]
	text, err := json.Marshal(shown.Answer)
	if err != nil {
		t.Fatal(err)
	}
	for where, text := range map[string]string{"log": s.Log(), "answer": string(text), "output": s.Printed.String()} {
		if strings.Contains(text, "cluster-token") || where == "answer" && strings.Contains(text, file) {
			t.Errorf("the %s shows the token or its file", where)
		}
	}
	// Deleted, the provider takes its sessions along.
	must(t, c, iamCall(root, "delete_open_id_connect_provider", "OpenIDConnectProviderArn", arn))
	expectAll(t, c, []expectation{{Call{Keys: keys, Service: "s3", Call: "list_buckets"}, 400, "ExpiredToken"}})
	if _, code := assume(t, s, token); code != "InvalidIdentityToken" {
		t.Errorf("a token of a provider that is gone: %q", code)
	}
}

// TestGivenKeys: an issuer that cannot be reached, whose keys stand in the site
// file. Other keys in their place end what the old ones opened.
func TestGivenKeys(t *testing.T) {
	t.Parallel()
	needPython(t, "boto3")
	const issuer = "https://cluster.invalid"
	s := Start(t)
	old, next := newSigner(t, "k1"), newSigner(t, "k1")
	apply := func(k signer) {
		t.Helper()
		s.Apply(t, cluster(s.AccountID, issuer, "    jwks: '"+k.jwks(t)+"'"))
	}
	apply(old)
	token := old.token(t, issuer, clusterSubject)
	keys, code := assume(t, s, token)
	if code != "" {
		t.Fatal(code)
	}
	list := Call{Keys: keys, Service: "s3", Call: "list_buckets"}
	expectAll(t, s.NewClient(t), []expectation{{list, 200, ""}})
	apply(next)
	if _, code := assume(t, s, token); code == "" {
		t.Error("a token of the old key, seen before, is still taken")
	}
	expectAll(t, s.NewClient(t), []expectation{{list, 400, "ExpiredToken"}})
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(1100 * time.Millisecond))) // tokens of the second of a revocation are dead
	if _, code := assume(t, s, next.token(t, issuer, clusterSubject)); code != "" {
		t.Errorf("a token of the new key: %s", code)
	}
}
