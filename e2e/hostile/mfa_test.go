package hostile

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
)

// passwordDoors is what every way to log in with a right password answers to one
// who owes a second factor and shows none, or a wrong one (…-wrong): a refusal,
// or the question for the factor. "device" has an authenticator, "required" must
// have one and has none, "pool" is anybody once the pool wants one of everybody.
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
passcode       401-                         401-
api-key        200-                         400-BXNIM0400E
key-access     401-BXNIM0407E               401-BXNIM0407E
`

const mfaSite = `
users:
  - {account: "123456789012", name: device, realm: shasta, password: mfa-password-1}
  - {account: "123456789012", name: required, realm: shasta, password: mfa-password-1, mfa_required: %t}
  - {account: "123456789012", name: pool, realm: shasta, password: mfa-password-1}
`

const mfaPassword = "mfa-password-1"

// mfaRig is a rig with those users.
type mfaRig struct {
	*rig
	*poolFacts
	admin string // a client of the pool that takes passwords by signed calls
	seed  string // of the authenticator
}

// TestSecondFactor: who owes a second factor logs in by no password alone, in any
// dialect, and what was given before is not good any more.
func TestSecondFactor(t *testing.T) {
	t.Parallel()
	m := &mfaRig{rig: startRig(t, "")}
	m.apply(fmt.Sprintf(mfaSite, false))
	m.poolFacts = m.pool()
	m.admin = m.newClient("ALLOW_ADMIN_USER_PASSWORD_AUTH")
	m.wantsFactors("OPTIONAL")
	before := map[string]map[string]string{"device": m.proofs("device"), "required": m.proofs("required")}
	m.enrol(before["device"]["pool-user"])
	m.apply(fmt.Sprintf(mfaSite, true))
	m.eachCell(passwordDoors, func(door, user string) (string, bool) {
		if user == "pool" {
			return "", false
		}
		return m.byPassword(door, user), true
	})
	m.eachCell(earlierProofs, func(proof, user string) (string, bool) { return m.byProof(proof, before[user][proof]), true })
	m.wantsFactors("ON")
	m.eachCell(passwordDoors, func(door, user string) (string, bool) { return m.byPassword(door, user), user == "pool" })

	// The right code logs in, once, wherever it is shown again.
	code := m.code()
	if got := m.outcome(m.do(ibmGrant("bx:bx", "password", "username", "device", "password", mfaPassword, "security_code", code, "vendor", "TOTP"))); got != "200-" {
		t.Errorf("the right code: %s", got)
	}
	if got := m.outcome(m.do(m.realmLogin("device", "totp", code))); got != "401-invalid_grant" {
		t.Errorf("the same code at another door: %s", got)
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

func (m *mfaRig) realmLogin(user string, more ...string) call {
	return realmCall("shasta", "token", append([]string{"grant_type", "password", "client_id", "shasta", "username", user, "password", mfaPassword}, more...)...)
}

// byPassword shows the right password at a door.
func (m *mfaRig) byPassword(door, user string) string {
	m.t.Helper()
	door, wrong := strings.CutSuffix(door, "-wrong")
	switch {
	case door == "realm" && wrong:
		return m.outcome(m.do(m.realmLogin(user, "totp", m.wrong())))
	case door == "realm":
		return m.outcome(m.do(m.realmLogin(user)))
	case door == "pool" && wrong:
		return m.answerPool(user, m.wrong())
	case door == "pool-skip":
		return m.answerPool(user, "")
	case door == "pool":
		return m.outcome(m.do(m.poolLogin(m.ClientID, "USER_PASSWORD_AUTH", "USERNAME", user, "PASSWORD", mfaPassword)))
	case door == "srp":
		return m.outcome(m.do(m.beginSRP(m.poolFacts, user, mfaPassword).answer(m.t, m.ClientID, user)))
	case door == "admin":
		q := m.signedPool("AdminInitiateAuth", members{
			"UserPoolId": m.UserPoolID, "ClientId": m.admin, "AuthFlow": "ADMIN_USER_PASSWORD_AUTH",
			"AuthParameters": map[string]string{"USERNAME": user, "PASSWORD": mfaPassword},
		})
		return m.outcome(m.do(q))
	case door == "ibm":
		form := []string{"username", user, "password", mfaPassword}
		if wrong {
			form = append(form, "security_code", m.wrong(), "vendor", "TOTP")
		}
		return m.outcome(m.do(ibmGrant("bx:bx", "password", form...)))
	case door == "console":
		form := url.Values{"place": {"shasta"}, "username": {user}, "password": {mfaPassword}}
		if wrong {
			form.Set("code", m.wrong())
		}
		a, err := m.atConsole("POST", "/login", form.Encode(), "")
		if err != nil {
			m.t.Fatal(err)
		}
		for _, c := range a.header["Set-Cookie"] {
			if strings.HasPrefix(c, "daypass=") && !strings.HasPrefix(c, "daypass=;") {
				m.t.Errorf("%s of %s: a cookie", door, user)
			}
		}
		return m.outcome(a)
	}
	m.t.Fatalf("door %s", door)
	return ""
}

// answerPool answers the pool's question, with a code or, "", as if the question
// were another.
func (m *mfaRig) answerPool(user, code string) string {
	m.t.Helper()
	o := outcomeOf(m.t, m.must(m.poolLogin(m.ClientID, "USER_PASSWORD_AUTH", "USERNAME", user, "PASSWORD", mfaPassword)))
	in := members{
		"ClientId": m.ClientID, "ChallengeName": o.ChallengeName, "Session": o.Session,
		"ChallengeResponses": map[string]string{"USERNAME": user, "SOFTWARE_TOKEN_MFA_CODE": code},
	}
	if code == "" {
		in["ChallengeName"] = "NEW_PASSWORD_REQUIRED"
		in["ChallengeResponses"] = map[string]string{"USERNAME": user, "NEW_PASSWORD": mfaPassword + "2"}
	}
	return m.outcome(m.do(cognitoCall(true, "RespondToAuthChallenge", in)))
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
	cookie := m.cookie("shasta", user, mfaPassword)
	return map[string]string{
		"realm-refresh": realm.Refresh, "userinfo": realm.Access, "web-identity": realm.Access, "cray": realm.Access,
		"pool-refresh": pool.RefreshToken, "pool-user": pool.AccessToken, "identity": pool.IdToken,
		"ibm-refresh": cloud.Refresh, "ibm-access": cloud.Access, "ibm-s3": cloud.Access, "cookie": cookie, "passcode": cookie,
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
	case "cookie", "passcode":
		method, path := "GET", "/profile"
		if proof == "passcode" {
			method, path = "POST", "/passcode"
		}
		a, err := m.atConsole(method, path, "", text)
		if err != nil {
			m.t.Fatal(err)
		}
		return m.outcome(a)
	default:
		m.t.Fatalf("proof %s", proof)
	}
	return m.outcome(m.do(q))
}

// signedPool is a call of the user pools by the root user.
func (m *mfaRig) signedPool(operation string, in any) call {
	q := cognitoCall(true, operation, in)
	q.keys, q.region = m.rootKeys(), m.Region
	return q
}

func (m *mfaRig) newClient(flow string) string {
	m.t.Helper()
	var made struct{ UserPoolClient struct{ ClientId string } }
	a := m.must(m.signedPool("CreateUserPoolClient", members{"UserPoolId": m.UserPoolID, "ClientName": "admin", "ExplicitAuthFlows": []string{flow}}))
	if err := json.Unmarshal(a.body, &made); err != nil {
		m.t.Fatal(err)
	}
	return made.UserPoolClient.ClientId
}

// wantsFactors sets the rule of the pool.
func (m *mfaRig) wantsFactors(rule string) {
	m.t.Helper()
	m.must(m.signedPool("UpdateUserPool", members{"UserPoolId": m.UserPoolID, "MfaConfiguration": rule}))
}

// enrol gives the user of an access token an authenticator.
func (m *mfaRig) enrol(access string) {
	m.t.Helper()
	var out struct{ SecretCode string }
	if err := json.Unmarshal(m.must(cognitoCall(true, "AssociateSoftwareToken", members{"AccessToken": access})).body, &out); err != nil {
		m.t.Fatal(err)
	}
	m.seed = out.SecretCode
	m.secret("the seed of an authenticator", m.seed)
	m.must(cognitoCall(true, "VerifySoftwareToken", members{"AccessToken": access, "UserCode": m.codeAt(time.Now().Add(-30 * time.Second))}))
}

func (m *mfaRig) codeAt(at time.Time) string {
	m.t.Helper()
	code, err := totp.GenerateCode(m.seed, at)
	if err != nil {
		m.t.Fatal(err)
	}
	return code
}

// code is one that no try of before has used up: that of the next step.
func (m *mfaRig) code() string { return m.codeAt(time.Now().Add(30 * time.Second)) }

// wrong is no code of the time around now.
func (m *mfaRig) wrong() string {
	var near []string
	for step := -3; step <= 3; step++ {
		near = append(near, m.codeAt(time.Now().Add(time.Duration(step)*30*time.Second)))
	}
	for n := 0; ; n++ {
		if code := fmt.Sprintf("%06d", n); !slices.Contains(near, code) {
			return code
		}
	}
}
