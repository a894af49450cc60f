package hostile

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// acceptance is the closed table of what is accepted where, for the kinds of
// credentials that exist. A row is a kind, a column an endpoint. What a cell
// says is what that endpoint must answer:
//
//	ok          accepted
//	on, off     introspection says active or not
//	it  401 invalid_token          ig  400 invalid_grant
//	IIT 400 InvalidIdentityToken   AD  403 AccessDenied           ET4 400 ExpiredToken
//	IA  400 InvalidArgument        IS  400 IncompleteSignature    IT  400 InvalidToken
//	UA  401                        BR  400
//	ICT 403 InvalidClientTokenId   IAK 403 InvalidAccessKeyId     ET3 403 ExpiredToken
//
// Columns: ui userinfo by realm; rf grant refresh_token; in introspect; wi web
// identity for a role that trusts shasta, one that trusts the foreign issuer,
// the root of A and of B; Bearer at S3, there with IBM's instance (b-s3i), at
// STS and IAM; Basic at S3; signed by SigV4: S3 by header and presigned,
// GetCallerIdentity, IAM, both presigned; ts the token service, as bearer, as the header that a proxy sets, and as
// bearer on the host of a service for the foreign issuer; there signed, and
// presigned; lo logout. By then a token has been introspected, which changes nothing.
const acceptance = `
kind                ui-root ui-shasta ui-else rf-root rf-shasta in-root in-shasta wi-role wi-foreign wi-rootA wi-rootB b-s3 b-s3i b-sts b-iam basic s3  s3-q sts iam sts-q iam-q lo-root lo-shasta ts ts-fwd ts-for ts-s ts-q
root-access         ok      it        it      ig      ig        on      off       AD      AD         ok       AD       AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
shasta-access       it      ok        it      ig      ig        off     on        ok      AD         AD       AD       AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        ok ok     UA     BR   BR
elsewhere-access    it      it        ok      ig      ig        off     off       AD      AD         AD       AD       AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
service-access      it      ok        it      ig      ig        off     on        ok      AD         AD       AD       AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        ok ok     UA     BR   BR
brief-expired       it      it        it      ig      ig        off     off       ET4     ET4        ET4      ET4      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
logged-out-access   it      it        it      ig      ig        off     off       ET4     ET4        ET4      ET4      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
root-refresh        it      it        it      ok      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ok      ig        UA UA     UA     BR   BR
shasta-refresh      it      it        it      ig      ok        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ok        UA UA     UA     BR   BR
unknown-refresh     it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
foreign-id          it      it        it      ig      ig        off     off       AD      ok         AD       IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
foreign-root-claims it      it        it      ig      ig        off     off       AD      AD         AD       IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
foreign-wrong-aud   it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
foreign-two-auds    it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
foreign-access      it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     ok     BR   BR
foreign-bearer-typ  it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     ok     BR   BR
foreign-expired     it      it        it      ig      ig        off     off       ET4     ET4        ET4      IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
foreign-early       it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
foreign-no-exp      it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
foreign-crit        it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
foreign-iss-slash   it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
stranger-issuer     it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
stranger-key-root   it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
stranger-jwk-root   it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
shasta-as-root      it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
unsigned-root       it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
root-session        it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    ok  ok   ok  ok  ok    IS    ig      ig        UA UA     UA     BR   BR
role-session        it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    ok  ok   ok  AD  ok    IS    ig      ig        UA UA     UA     BR   BR
foreign-session     it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    ok  ok   ok  AD  ok    IS    ig      ig        UA UA     UA     BR   BR
logged-out-session  it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    ET4 ET4  ET3 ET3 ET3   IS    ig      ig        UA UA     UA     BR   BR
expired-session     it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    ET4 ET4  ET3 ET3 ET3   IS    ig      ig        UA UA     UA     BR   BR
session-other-key   it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
long-term           it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    ok  ok   ok  ok  ok    IS    ig      ig        UA UA     UA     BR   BR
long-term-inactive  it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IAK IAK  ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
long-term-deleted   it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IAK IAK  ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
long-term-token     it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
`

// cells are the meanings of the table.
var cells = map[string]struct {
	status int
	code   string
}{
	"ok": {200, ""}, "on": {200, "on"}, "off": {200, "off"},
	"it": {401, "invalid_token"}, "ig": {400, "invalid_grant"},
	"IIT": {400, "InvalidIdentityToken"}, "AD": {403, "AccessDenied"}, "ET4": {400, "ExpiredToken"}, "ET3": {403, "ExpiredToken"},
	"IA": {400, "InvalidArgument"}, "IS": {400, "IncompleteSignature"}, "IT": {400, "InvalidToken"},
	"UA": {401, ""}, "BR": {400, ""},
	"ICT": {403, "InvalidClientTokenId"}, "IAK": {403, "InvalidAccessKeyId"},
}

// foreignHost is the host of the token service for the foreign issuer.
const foreignHost = "sts.foreign.localhost"

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

// TestAcceptance goes through all kinds of credentials and all endpoints.
func TestAcceptance(t *testing.T) {
	t.Parallel()
	foreign := startIssuer(t)
	r := startRig(t, "", "DAYPASS_EGRESS_EXEMPT="+foreign.address, "DAYPASS_STS_MIN_DURATION_SECONDS=1")
	kinds := r.credentials(foreign)

	lines := strings.Split(strings.TrimSpace(acceptance), "\n")
	columns := strings.Fields(lines[0])[1:]
	seen := map[string]bool{}
	count := 0
	for _, line := range lines[1:] {
		row := strings.Fields(line)
		c, ok := kinds[row[0]]
		r.secret("the credential "+row[0], c.text)
		if !ok || len(row) != len(columns)+1 {
			t.Fatalf("row %s: unknown or incomplete", row[0])
		}
		seen[row[0]] = true
		for i, column := range columns {
			want, ok := cells[row[i+1]]
			if !ok {
				t.Fatalf("row %s: cell %q", row[0], row[i+1])
			}
			count++
			status, code, body := r.present(column, c)
			if status != want.status || code != want.code {
				t.Errorf("%s at %s: got %d %q, want %d %q: %.300s", row[0], column, status, code, want.status, want.code, body)
			}
		}
	}
	for kind := range kinds {
		if !seen[kind] {
			t.Errorf("the table has no row %s", kind)
		}
	}
	t.Logf("%d cells", count)
}

// present shows a credential at an endpoint.
func (r *rig) present(column string, c credential) (status int, code, body string) {
	r.t.Helper()
	account := r.facts().AccountID
	realms := map[string][2]string{"root": {"root-accounts", "root-client"}, "shasta": {"shasta", "shasta"}, "else": {"elsewhere", "elsewhere"}}
	verb, where, _ := strings.Cut(column, "-")
	realm := realms[where]
	authorization := func(scheme string, q call) call {
		q.header = append(q.header, [2]string{"Authorization", scheme})
		return q
	}
	identityOf := query("sts", keys{}, "Action", "GetCallerIdentity")
	users := query("iam", keys{}, "Action", "ListUsers")
	var q call
	switch column {
	case "ui-root", "ui-shasta", "ui-else":
		q = authorization("Bearer "+c.text, call{target: "/auth/realms/" + realm[0] + "/protocol/openid-connect/userinfo"})
	case "rf-root", "rf-shasta":
		q = realmCall(realm[0], "token", "grant_type", "refresh_token", "client_id", realm[1], "refresh_token", c.text)
	case "in-root", "in-shasta":
		q = realmCall(realm[0], "token/introspect", "client_id", realm[1], "token", c.text)
	case "lo-root", "lo-shasta":
		q = realmCall(realm[0], "logout", "client_id", realm[1], "refresh_token", c.text)
	case "wi-role":
		q = webIdentity(roleARN(account, "shasta-admin"), c.text)
	case "wi-foreign":
		q = webIdentity(roleARN(account, "foreign"), c.text)
	case "wi-rootA":
		q = webIdentity(rootARN(account), c.text)
	case "wi-rootB":
		q = webIdentity(rootARN(accountB), c.text)
	case "b-s3":
		q = authorization("Bearer "+c.text, call{target: "/"})
	case "b-s3i": // as IBM's clients send it
		q = authorization("Bearer "+c.text, call{target: "/", header: [][2]string{{"ibm-service-instance-id", r.facts().IBM.StorageID}}})
	case "b-sts":
		q = authorization("Bearer "+c.text, identityOf)
	case "b-iam":
		q = authorization("Bearer "+c.text, users)
	case "basic":
		q = authorization("Basic "+base64.StdEncoding.EncodeToString([]byte(c.keys.AccessKeyID+":"+c.text)), call{target: "/"})
	case "s3":
		q = call{target: "/", keys: c.keys}
	case "s3-q":
		q = call{target: "/", keys: c.keys, presign: time.Minute}
	case "sts":
		q = identityOf
		q.keys = c.keys
	case "iam":
		q = users
		q.keys = c.keys
	case "sts-q":
		q = call{target: "/?Action=GetCallerIdentity&Version=2011-06-15", service: "sts", keys: c.keys, presign: time.Minute}
	case "iam-q":
		q = call{target: "/?Action=ListUsers&Version=2010-05-08", service: "iam", keys: c.keys, presign: time.Minute}
	case "ts", "ts-fwd", "ts-for", "ts-s", "ts-q":
		q = r.tokenService(column, c)
	default:
		r.t.Fatalf("column %s", column)
	}
	a := r.do(q)
	code = a.code()
	if verb == "in" && a.status == 200 {
		var out map[string]any
		if err := json.Unmarshal(a.body, &out); err != nil {
			r.t.Fatal(err)
		}
		code = map[bool]string{true: "on", false: "off"}[out["active"] == true]
		if code == "off" && len(out) != 1 {
			r.t.Errorf("introspection tells of what is not active: %s", a.body)
		}
	}
	status = a.status
	if (status == 201 || status == 204) && code == "" {
		status = 200
	}
	return status, code, string(a.body)
}

// tokenService shows a credential at a token service.
func (r *rig) tokenService(column string, c credential) call {
	q := call{method: "PUT", target: "/apis/sts/token"}
	name, value := "Authorization", "Bearer "+c.text
	switch column {
	case "ts-fwd":
		name, value = "X-Forwarded-Access-Token", c.text
	case "ts-for":
		q.host = foreignHost
	case "ts-s":
		q.keys = c.keys
		return q
	case "ts-q":
		q.keys, q.presign = c.keys, time.Minute
		return q
	}
	q.header = [][2]string{{name, value}}
	return q
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

// TestOperatorDoors: the operator's calls are on the socket only, and that is
// the owner's.
func TestOperatorDoors(t *testing.T) {
	t.Parallel()
	r := startRig(t, "")
	info, err := os.Stat(filepath.Join(r.data(), "admin.sock"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("the socket has mode %s", info.Mode())
	}
	root := r.rootKeys()
	for _, path := range []string{"/v1/keyring", "/v1/keyring/rotate", "/v1/apply"} {
		for _, method := range []string{"GET", "POST"} {
			for name, k := range map[string]keys{"nobody": {}, "root": root} {
				if a := r.do(call{method: method, target: path, keys: k}); a.status < 400 {
					t.Errorf("%s %s by %s on the main port: %s", method, path, name, a)
				}
			}
			q, err := r.request(call{method: method, target: path})
			if err != nil {
				t.Fatal(err)
			}
			q.URL.Host = strings.TrimPrefix(r.facts().AdminURL, "http://")
			q.URL.Opaque, q.URL.Path, q.Host = "", path, q.URL.Host
			resp, err := r.client.Do(q)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != 404 && resp.StatusCode != 405 {
				t.Errorf("%s %s on the admin listener: %d", method, path, resp.StatusCode)
			}
		}
	}
	q, err := http.NewRequest("GET", r.facts().AdminURL+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	q.Host = "evil.test"
	resp, err := r.client.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 403 {
		t.Errorf("the admin listener under another name: %d", resp.StatusCode)
	}
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		if a := r.do(call{target: path}); a.status != 403 || a.code() != "AccessDenied" {
			t.Errorf("GET %s on the main port: %s", path, a)
		}
	}
}

// TestIssuersOutOfReach: an issuer on an address that nobody exempted is never
// called, and one that may be called leads nowhere else.
func TestIssuersOutOfReach(t *testing.T) {
	t.Parallel()
	near, far := startIssuer(t), startIssuer(t)
	r := startRig(t, "", "DAYPASS_EGRESS_EXEMPT="+near.address)
	near.elsewhere = far.url + "/keys"
	for _, f := range []*foreignIssuer{far, near} {
		r.apply(fmt.Sprintf(issuerSite, f.url, f.ca))
		a := r.do(webIdentity(roleARN(r.facts().AccountID, "shasta-admin"), f.token(t, nil)))
		if a.status != 400 || a.code() != "IDPCommunicationError" && a.code() != "InvalidIdentityToken" {
			t.Errorf("%s: %s", f.url, a)
		}
	}
	if n := far.calls.Load(); n != 0 {
		t.Errorf("the issuer that is not exempt was called %d times", n)
	}
	if n := near.calls.Load(); n == 0 {
		t.Error("the issuer that is exempt was never called")
	}
}

const issuerSite = `
providers:
  - {account: "123456789012", url: %[1]q, client_ids: [workload], ca_bundle: %[2]q}
`
