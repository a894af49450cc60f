package hostile

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// passwordDoors is what every way to log in with a right password answers to one
// who owes a second factor and shows none, or a wrong one (…-wrong): a refusal,
// or the question for the factor. "device" has an authenticator, "required" must
// have one and has none, "pool" is anybody once the pool wants one of everybody.
// renew is the console's page for a password that must be changed, setup its page
// for who has no factor yet, again the proof that it asks of who is logged in; a
// "-" stands where there is no such person.
const passwordDoors = `
door           device                       required                       pool
realm          400-invalid_grant            400-invalid_grant              400-invalid_grant
realm-wrong    401-invalid_grant            400-invalid_grant              400-invalid_grant
pool           SOFTWARE_TOKEN_MFA           MFA_SETUP                      MFA_SETUP
srp            SOFTWARE_TOKEN_MFA           MFA_SETUP                      MFA_SETUP
admin          SOFTWARE_TOKEN_MFA           MFA_SETUP                      MFA_SETUP
pool-wrong     400-CodeMismatchException    400-InvalidParameterException  400-InvalidParameterException
pool-skip      400-NotAuthorizedException   400-NotAuthorizedException     400-NotAuthorizedException
ibm            400-BXNIM0400E               400-BXNIM0400E                 400-BXNIM0400E
ibm-wrong      400-BXNIM0602E               400-BXNIM0400E                 400-BXNIM0400E
console        401-                         401-                           401-
console-wrong  401-                         401-                           401-
ibm-cli        400-BXNIM0400E               400-BXNIM0400E                 400-BXNIM0400E
ibm-question   501-BXNIM0003E               501-BXNIM0003E                 501-BXNIM0003E
renew          401-                         401-                           401-
renew-wrong    401-                         401-                           401-
setup-wrong    400-                         401-                           401-
again          401-                         -                              -
again-wrong    401-                         -                              -
`

// rootDoors is the same of a root user who has an authenticator; IBM's dialect
// and user pools are for no root at all.
const rootDoors = `
door           root
realm          400-invalid_grant
realm-wrong    401-invalid_grant
console        401-
console-wrong  401-
renew          401-
renew-wrong    401-
setup-wrong    400-
ibm            400-BXNIM0602E
pool           400-NotAuthorizedException
srp            400-NotAuthorizedException
`

// keyDoors is what calls answer that look at a password or a code of a user whose
// long-term key signs them. A key is no password: it gives one who need not have
// a factor a session without one, and it changes the password, which logs in no
// more than the old one.
const keyDoors = `
door                 device            required
session-token        200-              403-AccessDenied
session-token-wrong  403-AccessDenied  403-AccessDenied
federation           200-              403-AccessDenied
assume               403-AccessDenied  403-AccessDenied
assume-wrong         403-AccessDenied  403-AccessDenied
change-wrong         400-InvalidInput  400-InvalidInput
change               200-              200-
`

// earlierProofs is what those answer which were given before the factor was
// owed: none of them is good any more, but for a key, which is no password, of
// one who has an authenticator and need not have one.
const earlierProofs = `
proof          device                       required
realm-refresh  400-invalid_grant            400-invalid_grant
userinfo       401-invalid_token            401-invalid_token
web-identity   400-ExpiredToken             400-ExpiredToken
cray           401-                         401-
pool-refresh   400-NotAuthorizedException   400-NotAuthorizedException
pool-user      400-NotAuthorizedException   400-NotAuthorizedException
identity       400-NotAuthorizedException   400-NotAuthorizedException
ibm-refresh    400-BXNIM0408E               400-BXNIM0408E
ibm-access     401-BXNIM0407E               401-BXNIM0407E
ibm-s3         403-AccessDenied             403-AccessDenied
cookie         303-                         303-
cookie-again   401-                         401-
cookie-change  401-                         401-
pool-change    400-NotAuthorizedException   400-NotAuthorizedException
passcode       401-                         401-
api-key        200-                         400-BXNIM0400E
key-access     401-BXNIM0407E               401-BXNIM0407E
`

const mfaSite = `
users:
  - {account: "123456789012", name: device, realm: shasta, password: mfa-password-1, inline_policies: {own: {Version: "2012-10-17",
      Statement: {Effect: Allow, Action: ["iam:ChangePassword", "sts:AssumeRole", "sts:GetFederationToken"], Resource: "*"}}}}
  - {account: "123456789012", name: required, realm: shasta, password: mfa-password-1, mfa_required: %t, inline_policies: {own: {Version: "2012-10-17",
      Statement: {Effect: Allow, Action: ["iam:ChangePassword", "sts:AssumeRole", "sts:GetFederationToken"], Resource: "*"}}}}
  - {account: "123456789012", name: pool, realm: shasta, password: mfa-password-1}
roles:
  - account: "123456789012"
    name: factor
    trust:
      Version: "2012-10-17"
      Statement: {Effect: Allow, Principal: {AWS: "123456789012"}, Action: sts:AssumeRole, Condition: {Bool: {"aws:MultiFactorAuthPresent": "true"}}}
`

const (
	mfaPassword     = "mfa-password-1"
	changedPassword = "mfa-password-2"
)

// mfaRig is a rig with those users.
type mfaRig struct {
	*rig
	*poolFacts
	admin         string            // a client of the pool that takes passwords by signed calls
	seeds         map[string]string // of authenticators, by user
	keys          map[string]keys   // long-term, by user
	consoleCookie string            // of device, who showed a code for it
}

// TestSecondFactor: who owes a second factor logs in by no password alone, in any
// dialect, and what was given before is not good any more. TestPasswordChecks of
// the main module says which rows stand for which check in the code.
func TestSecondFactor(t *testing.T) {
	t.Parallel()
	m := &mfaRig{rig: startRig(t, ""), seeds: map[string]string{}, keys: map[string]keys{}}
	m.apply(fmt.Sprintf(mfaSite, false))
	m.poolFacts = m.pool()
	m.admin = m.newClient("ALLOW_ADMIN_USER_PASSWORD_AUTH")
	m.wantsFactors("OPTIONAL")
	before := map[string]map[string]string{}
	for _, user := range []string{"device", "required"} {
		before[user] = m.proofs(user)
		m.keys[user] = keysOf(m.must(query("iam", m.rootKeys(), "Action", "CreateAccessKey", "UserName", user)))
	}
	m.enrol("device", before["device"]["pool-user"])
	m.enrolRoot()
	m.apply(fmt.Sprintf(mfaSite, true))
	m.consoleCookie = m.cookieBy("shasta", "device", mfaPassword, m.codeAt("device", 0))
	m.eachCell(passwordDoors, func(door, user string) (string, bool) {
		if user == "pool" {
			return "", false
		}
		return m.byPassword(door, user), true
	})
	m.eachCell(rootDoors, func(door, user string) (string, bool) { return m.byPassword(door, user), true })
	m.eachCell(earlierProofs, func(proof, user string) (string, bool) { return m.byProof(proof, before[user][proof]), true })
	m.wantsFactors("ON")
	m.eachCell(passwordDoors, func(door, user string) (string, bool) {
		if user != "pool" {
			return "", false
		}
		return m.byPassword(door, user), true
	})

	// The right code logs in, once, wherever it is shown again.
	code := m.codeAt("device", 1)
	if got := m.outcome(m.do(ibmGrant("bx:bx", "password", "username", "device", "password", mfaPassword, "security_code", code, "vendor", "TOTP"))); got != "200-" {
		t.Errorf("the right code: %s", got)
	}
	if got := m.outcome(m.do(m.realmLogin("device", "totp", code))); got != "401-invalid_grant" {
		t.Errorf("the same code at another door: %s", got)
	}
	if got := m.outcome(m.do(m.realmLogin("root", "totp", m.codeAt("root", 1)))); got != "200-" {
		t.Errorf("the right code of root: %s", got)
	}
	m.eachCell(keyDoors, func(door, user string) (string, bool) { return m.byKey(door, user), true })
	for _, user := range []string{"device", "required"} {
		if got := m.outcome(m.do(m.realmLogin(user, "password", changedPassword))); got != "400-invalid_grant" {
			t.Errorf("the new password of %s: %s", user, got)
		}
	}
}

// eachCell judges what try says of each cell; it reports false for those that it
// leaves out.
func (m *mfaRig) eachCell(table string, try func(row, column string) (string, bool)) {
	m.t.Helper()
	lines := strings.Split(strings.TrimSpace(table), "\n")
	columns := strings.Fields(lines[0])[1:]
	for _, line := range lines[1:] {
		row := strings.Fields(line)
		for i, column := range columns {
			if row[i+1] == "-" {
				continue
			}
			if got, ok := try(row[0], column); ok && got != row[i+1] {
				m.t.Errorf("%s of %s: got %s, want %s", row[0], column, got, row[i+1])
			}
		}
	}
}

// outcome is "status-code", or the challenge of a pool; it complains of tokens
// and cookies beside them.
func (m *mfaRig) outcome(a answer) string {
	var o poolOutcome
	if a.status == 200 && json.Unmarshal(a.body, &o) == nil && o.ChallengeName != "" {
		if o.AuthenticationResult.AccessToken != "" {
			m.t.Errorf("tokens beside the challenge %s", o.ChallengeName)
		}
		return o.ChallengeName
	}
	if a.status >= 300 && (strings.Contains(string(a.body), "access_token") || strings.Contains(string(a.body), "AccessToken")) && !strings.Contains(string(a.body), "essage") {
		m.t.Errorf("a refusal with tokens: %s", a)
	}
	return fmt.Sprintf("%d-%s", a.status, a.code())
}

// proofs are what a log-in and a key gave a user, by the rows of earlierProofs.
func (m *mfaRig) proofs(user string) map[string]string {
	m.t.Helper()
	realm := m.logIn("shasta", "shasta", user, mfaPassword)
	pool := m.poolTokens(m.ClientID, user, mfaPassword).AuthenticationResult
	var cloud ibmTokens
	if err := json.Unmarshal(m.must(ibmGrant("bx:bx", "password", "username", user, "password", mfaPassword)).body, &cloud); err != nil {
		m.t.Fatal(err)
	}
	var key struct{ APIKey string }
	a := m.must(call{method: "POST", target: "/v1/apikeys", body: `{"name":"of ` + user + `","iam_id":"` + claimOf(m.t, cloud.Access, "iam_id") + `"}`, header: [][2]string{
		{"Authorization", "Bearer " + cloud.Access},
	}})
	if err := json.Unmarshal(a.body, &key); err != nil {
		m.t.Fatal(err)
	}
	cookie := m.cookieBy("shasta", user, mfaPassword, "")
	return map[string]string{
		"realm-refresh": realm.Refresh, "userinfo": realm.Access, "web-identity": realm.Access, "cray": realm.Access,
		"pool-refresh": pool.RefreshToken, "pool-user": pool.AccessToken, "identity": pool.IdToken,
		"ibm-refresh": cloud.Refresh, "ibm-access": cloud.Access, "ibm-s3": cloud.Access, "cookie": cookie, "passcode": cookie,
		"cookie-again": cookie, "cookie-change": cookie, "pool-change": pool.AccessToken,
		"api-key": key.APIKey, "key-access": m.ibmTokens("bx:bx", key.APIKey).Access,
	}
}

// byProof shows what was given earlier.
func (m *mfaRig) byProof(proof, text string) string {
	m.t.Helper()
	bearer := [][2]string{{"Authorization", "Bearer " + text}}
	var q call
	switch proof {
	case "realm-refresh":
		q = realmCall("shasta", "token", "grant_type", "refresh_token", "client_id", "shasta", "refresh_token", text)
	case "userinfo":
		q = call{target: "/auth/realms/shasta/protocol/openid-connect/userinfo", header: bearer}
	case "web-identity":
		q = webIdentity(roleARN(m.facts().AccountID, "shasta-admin"), text)
	case "cray":
		q = call{method: "PUT", target: "/apis/sts/token", header: bearer}
	case "pool-refresh":
		q = m.poolLogin(m.ClientID, "REFRESH_TOKEN_AUTH", "REFRESH_TOKEN", text)
	case "pool-user":
		q = cognitoCall(true, "GetUser", members{"AccessToken": text})
	case "identity":
		q = identityID(m.IdentityPoolID, m.provider(), text)
	case "ibm-refresh":
		q = ibmGrant("bx:bx", "refresh_token", "refresh_token", text)
	case "ibm-access", "key-access":
		q = call{target: "/v1/apikeys", header: bearer}
	case "ibm-s3":
		q = call{target: "/", header: append(bearer, [2]string{"ibm-service-instance-id", m.facts().IBM.StorageID})}
	case "api-key":
		q = ibmGrant("bx:bx", "urn:ibm:params:oauth:grant-type:apikey", "apikey", text)
	case "pool-change":
		q = cognitoCall(true, "ChangePassword", members{"AccessToken": text, "PreviousPassword": mfaPassword, "ProposedPassword": changedPassword})
	case "cookie":
		return m.outcome(m.page("GET", "/profile", text))
	case "passcode":
		return m.outcome(m.page("POST", "/passcode", text))
	case "cookie-again":
		return m.outcome(m.page("POST", "/again", text, "password", mfaPassword))
	case "cookie-change":
		return m.outcome(m.page("POST", "/security/password", text, "password", mfaPassword, "new", changedPassword, "repeated", changedPassword))
	default:
		m.t.Fatalf("proof %s", proof)
	}
	return m.outcome(m.do(q))
}
