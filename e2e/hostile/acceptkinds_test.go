package hostile

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const elsewhereSite = `
realms:
  - name: elsewhere
    account: "210987654321"
    clients: [{id: elsewhere, public: true, grants: [password, refresh_token], audience: [shasta]}]
  - name: brief
    account: "123456789012"
    access_token_seconds: 1
    refresh_token_seconds: 1
    clients: [{id: brief, public: true, grants: [password, refresh_token], audience: [shasta]}]
users:
  - {account: "210987654321", name: eve, realm: elsewhere, password: eve-password-1}
  - {account: "123456789012", name: bob, realm: brief, password: bob-password-1}
providers:
  - {account: "123456789012", realm: brief, client_ids: [shasta]}
  - account: "123456789012"
    url: %[1]q
    client_ids: [workload]
    ca_bundle: %[2]q
roles:
  - account: "123456789012"
    name: foreign
    managed_policies: ["arn:aws:iam::aws:policy/AmazonS3FullAccess"]
    trust:
      Version: "2012-10-17"
      Statement:
        - Effect: Allow
          Principal: {Federated: "arn:aws:iam::123456789012:oidc-provider/%[3]s"}
          Action: sts:AssumeRoleWithWebIdentity
          Condition: {StringEquals: {"%[3]s:aud": workload, "%[3]s:sub": alice}}
token_services:
  - account: "123456789012"
    name: foreign
    hosts: [sts.foreign.localhost]
    providers: [%[1]q]
    audience: [workload]
    rules: [{claim: sub, value: alice, role: foreign}]
`

// credential is one of a kind: as a text, and as what a request is signed with.
type credential struct {
	text string
	keys keys
}

// bearer is a credential that is a text only; the keys try it as a session
// token of a made-up access key.
func bearer(text string) credential {
	return credential{text, keys{AccessKeyID: "ASIAQ7MADEUPKEYID234", SecretAccessKey: text, SessionToken: text}}
}

func signedBy(k keys) credential {
	if k.SessionToken != "" {
		return credential{k.SessionToken, k}
	}
	return credential{k.SecretAccessKey, k}
}

// credentials makes one of each kind.
func (r *rig) credentials(foreign *foreignIssuer) map[string]credential {
	t := r.t
	t.Helper()
	account := r.facts().AccountID
	r.apply(secondSite)
	name := strings.TrimPrefix(foreign.url, "https://")
	r.apply(fmt.Sprintf(elsewhereSite, foreign.url, foreign.ca, name))
	out := map[string]credential{}

	brief := r.logIn("brief", "brief", "bob", "bob-password-1").Access
	short := r.exchange(roleARN(account, "shasta-admin"), r.shastaTokens().Access, "DurationSeconds", "1")
	gone := time.Now().Add(1100 * time.Millisecond)

	root, shasta := r.rootTokens(), r.shastaTokens()
	out["root-access"], out["root-refresh"] = bearer(root.Access), bearer(root.Refresh)
	out["shasta-access"], out["shasta-refresh"] = bearer(shasta.Access), bearer(shasta.Refresh)
	// The refresh tokens end their sessions in the last column, so the access
	// tokens are of other log-ins.
	out["root-access"], out["shasta-access"] = bearer(r.rootTokens().Access), bearer(r.shastaTokens().Access)
	out["unknown-refresh"] = bearer("dpr_" + strings.Repeat("A", 43))
	out["elsewhere-access"] = bearer(r.logIn("elsewhere", "elsewhere", "eve", "eve-password-1").Access)
	out["service-access"] = bearer(r.serviceToken())
	out["brief-expired"] = bearer(brief)

	leaving := r.shastaTokens()
	out["logged-out-session"] = signedBy(r.exchange(roleARN(account, "shasta-admin"), leaving.Access))
	r.must(realmCall("shasta", "logout", "client_id", "shasta", "refresh_token", leaving.Refresh))
	out["logged-out-access"] = bearer(leaving.Access)

	r.foreignTokens(out, foreign)
	rootSession := r.rootSession()
	out["root-session"], out["role-session"] = signedBy(rootSession), signedBy(r.roleSession())
	out["foreign-session"] = signedBy(r.exchange(roleARN(account, "foreign"), foreign.token(t, nil)))
	out["expired-session"] = signedBy(short)
	mixed := r.rootSession()
	mixed.AccessKeyID = rootSession.AccessKeyID
	out["session-other-key"] = signedBy(mixed)

	out["long-term"] = signedBy(r.rootKeys())
	withToken := r.rootKeys()
	withToken.SessionToken = rootSession.SessionToken
	out["long-term-token"] = signedBy(withToken)
	r.must(query("iam", rootSession, "Action", "CreateUser", "UserName", "carol"))
	for kind, change := range map[string]string{"long-term-inactive": "UpdateAccessKey", "long-term-deleted": "DeleteAccessKey"} {
		k := keysOf(r.must(query("iam", rootSession, "Action", "CreateAccessKey", "UserName", "carol")))
		parameters := []string{"Action", change, "UserName", "carol", "AccessKeyId", k.AccessKeyID}
		if change == "UpdateAccessKey" {
			parameters = append(parameters, "Status", "Inactive")
		}
		r.must(query("iam", rootSession, parameters...))
		out[kind] = signedBy(k)
	}
	time.Sleep(time.Until(gone))
	return out
}

// serviceToken is an access token of the client_credentials grant.
func (r *rig) serviceToken() string {
	r.t.Helper()
	raw, err := os.ReadFile(filepath.Join(r.data(), "dev-credentials.json"))
	if err != nil {
		r.t.Fatal(err)
	}
	var creds map[string]any
	if err := json.Unmarshal(raw, &creds); err != nil {
		r.t.Fatal(err)
	}
	secret, _ := creds["admin_client_secret"].(string)
	if secret == "" {
		r.t.Fatalf("no secret of admin-client in dev-credentials.json")
	}
	return tokensOf(r.t, r.must(realmCall("shasta", "token", "grant_type", "client_credentials", "client_id", "admin-client", "client_secret", secret))).Access
}

// foreignTokens are good and bad tokens of the registered issuer, and forged
// ones of our own realms.
func (r *rig) foreignTokens(out map[string]credential, f *foreignIssuer) {
	t := r.t
	t.Helper()
	account := r.facts().AccountID
	now := time.Now()
	rootTag := map[string]any{"principal_tags": map[string]any{"role": []string{rootARN(account)}}}
	rootClaims := map[string]any{
		"sub": account, "aud": "root-client", "azp": "root-client", "typ": "Bearer", "https://aws.amazon.com/tags": rootTag,
	}
	ownRoot := map[string]any{
		"iss": r.facts().URL + "/auth/realms/root-accounts", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	for k, v := range rootClaims {
		ownRoot[k] = v
	}
	for kind, claims := range map[string]map[string]any{
		"foreign-id":          nil,
		"foreign-root-claims": {"sub": account, "https://aws.amazon.com/tags": rootTag},
		"foreign-wrong-aud":   {"aud": "shasta"},
		"foreign-two-auds":    {"aud": []string{"workload", "shasta"}},
		"foreign-access":      {"token_use": "access"},
		"foreign-bearer-typ":  {"typ": "Bearer"},
		"foreign-expired":     {"iat": now.Add(-time.Hour).Unix(), "exp": now.Add(-2 * time.Minute).Unix()},
		"foreign-early":       {"nbf": now.Add(5 * time.Minute).Unix()},
		"foreign-no-exp":      {"exp": nil},
		"foreign-iss-slash":   {"iss": f.url + "/"},
		"stranger-issuer":     {"iss": "https://stranger.example.test"},
	} {
		out[kind] = bearer(f.token(t, claims))
	}
	good := map[string]any{"iss": f.url, "sub": "alice", "aud": "workload", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}
	out["foreign-crit"] = bearer(f.sign(t, map[string]any{"alg": "ES256", "kid": foreignKeyID, "crit": []string{"x"}, "x": 1}, good))
	// Root's claims under our own issuer, with a key that is not ours: as the
	// key ID of ours, and with the key itself in the header.
	_, kid := unverified(t, out["root-access"].text)
	out["stranger-key-root"] = bearer(f.sign(t, map[string]any{"alg": "ES256", "kid": kid}, ownRoot))
	point, err := f.key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	out["stranger-jwk-root"] = bearer(f.sign(t, map[string]any{"alg": "ES256", "jku": f.url + "/keys", "jwk": map[string]any{
		"kty": "EC", "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:]),
	}}, ownRoot))
	parts := strings.Split(out["shasta-access"].text, ".")
	payload, _ := unverified(t, out["root-access"].text)
	out["shasta-as-root"] = bearer(parts[0] + "." + payload + "." + parts[2])
	out["unsigned-root"] = bearer(b64([]byte(`{"alg":"none"}`)) + "." + payload + ".")
}

// unverified returns the payload part and the key ID of a JWT.
func unverified(t testing.TB, jwt string) (payload, kid string) {
	t.Helper()
	parts := strings.Split(jwt, ".")
	raw, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		t.Fatal(err)
	}
	var h struct{ Kid string }
	if err := json.Unmarshal(raw, &h); err != nil {
		t.Fatal(err)
	}
	return parts[1], h.Kid
}
