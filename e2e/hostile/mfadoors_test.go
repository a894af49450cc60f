package hostile

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pquerna/otp/totp"
)

// account is what a user of the tables logs in with; root's are the demo's.
func (m *mfaRig) account(user string) (realm, client, name, password string) {
	if user == "root" {
		f := m.facts()
		return "root-accounts", "root-client", f.Root.Email, f.Root.Password
	}
	return "shasta", "shasta", user, mfaPassword
}

// realmLogin is a log-in at the user's realm; more parameters stand for, or
// beside, the right ones.
func (m *mfaRig) realmLogin(user string, more ...string) call {
	realm, client, name, password := m.account(user)
	return realmCall(realm, "token", append([]string{"grant_type", "password", "client_id", client, "username", name, "password", password}, more...)...)
}

// byPassword shows the right password at a door, and at one that ends in -wrong a
// code that is not the user's.
func (m *mfaRig) byPassword(door, user string) string {
	m.t.Helper()
	door, wrong := strings.CutSuffix(door, "-wrong")
	_, _, name, password := m.account(user)
	var code string
	if wrong {
		code = m.wrong(user)
	}
	switch door {
	case "realm":
		if wrong {
			return m.outcome(m.do(m.realmLogin(user, "totp", code)))
		}
		return m.outcome(m.do(m.realmLogin(user)))
	case "pool":
		if wrong {
			return m.answerPool(user, code)
		}
		return m.outcome(m.do(m.poolLogin(m.ClientID, "USER_PASSWORD_AUTH", "USERNAME", name, "PASSWORD", password)))
	case "pool-skip":
		return m.answerPool(user, "")
	case "srp":
		return m.outcome(m.do(m.beginSRP(m.poolFacts, name, password).answer(m.t, m.ClientID, name)))
	case "admin":
		return m.outcome(m.do(m.signedPool("AdminInitiateAuth", members{
			"UserPoolId": m.UserPoolID, "ClientId": m.admin, "AuthFlow": "ADMIN_USER_PASSWORD_AUTH",
			"AuthParameters": map[string]string{"USERNAME": name, "PASSWORD": password},
		})))
	case "ibm", "ibm-cli", "ibm-question":
		form := []string{"username", name, "password", password}
		switch {
		case wrong:
			form = append(form, "security_code", code, "vendor", "TOTP")
		case door == "ibm-cli": // as IBM's command line asks
			form = append(form, "response_type", "cloud_iam,ims_portal", "bss_account", m.facts().AccountID)
		case door == "ibm-question":
			form = append(form, "security_question_id", "1", "security_question_answer", "blue")
		}
		return m.outcome(m.do(ibmGrant("bx:bx", "password", form...)))
	}
	return m.byConsole(door, user, code)
}

// byConsole is byPassword for the console's pages.
func (m *mfaRig) byConsole(door, user, code string) string {
	m.t.Helper()
	realm, _, name, password := m.account(user)
	form := []string{"place", realm, "username", name, "password", password, "code", code}
	var a answer
	switch door {
	case "console":
		a = m.page("POST", "/login", "", form...)
	case "renew":
		a = m.page("POST", "/login/password", "", append(form, "new", changedPassword, "repeated", changedPassword)...)
	case "setup":
		a = m.page("POST", "/login/authenticator", "", form...)
	case "again":
		a = m.page("POST", "/again", m.consoleCookie, "password", password, "code", code)
	default:
		m.t.Fatalf("door %s", door)
	}
	for _, c := range a.header["Set-Cookie"] {
		if strings.HasPrefix(c, "daypass=") && !strings.HasPrefix(c, "daypass=;") {
			m.t.Errorf("%s of %s: a cookie", door, user)
		}
	}
	return m.outcome(a)
}

// byKey is a call signed with the user's long-term key.
func (m *mfaRig) byKey(door, user string) string {
	m.t.Helper()
	door, wrong := strings.CutSuffix(door, "-wrong")
	account := m.facts().AccountID
	var parameters []string
	service := "sts"
	if wrong {
		parameters = []string{"SerialNumber", "arn:aws:iam::" + account + ":mfa/" + user, "TokenCode", m.wrong(user)}
	}
	switch door {
	case "session-token":
		parameters = append(parameters, "Action", "GetSessionToken")
	case "federation":
		parameters = append(parameters, "Action", "GetFederationToken", "Name", "guest")
	case "assume":
		parameters = append(parameters, "Action", "AssumeRole", "RoleSessionName", "session", "RoleArn", roleARN(account, "factor"))
	case "change":
		old := mfaPassword
		if wrong {
			old = changedPassword
		}
		service, parameters = "iam", []string{"Action", "ChangePassword", "OldPassword", old, "NewPassword", changedPassword}
	default:
		m.t.Fatalf("door %s", door)
	}
	return m.outcome(m.do(query(service, m.keys[user], parameters...)))
}

// page is a request of the console with a form.
func (m *mfaRig) page(method, path, cookie string, form ...string) answer {
	m.t.Helper()
	v := url.Values{}
	for i := 0; i < len(form); i += 2 {
		v.Set(form[i], form[i+1])
	}
	a, err := m.atConsole(method, path, v.Encode(), cookie)
	if err != nil {
		m.t.Fatal(err)
	}
	return a
}

// cookieBy logs in at the console with a code, or with none where none is owed.
func (m *mfaRig) cookieBy(place, name, password, code string) string {
	m.t.Helper()
	a := m.page("POST", "/login", "", "place", place, "username", name, "password", password, "code", code)
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.Name == "daypass" && c.Value != "" {
			m.secret("a cookie", c.Value)
			return c.Value
		}
	}
	m.t.Fatalf("no cookie: %s", a)
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
func (m *mfaRig) enrol(user, access string) {
	m.t.Helper()
	var out struct{ SecretCode string }
	if err := json.Unmarshal(m.must(cognitoCall(true, "AssociateSoftwareToken", members{"AccessToken": access})).body, &out); err != nil {
		m.t.Fatal(err)
	}
	m.hasSeed(user, out.SecretCode)
	m.must(cognitoCall(true, "VerifySoftwareToken", members{"AccessToken": access, "UserCode": m.codeAt(user, -1)}))
}

var shownSeed = regexp.MustCompile(`[A-Z2-7]{32}`)

// enrolRoot gives the root user an authenticator, at the console.
func (m *mfaRig) enrolRoot() {
	m.t.Helper()
	_, _, name, password := m.account("root")
	cookie := m.cookieBy("", name, password, "")
	seed := shownSeed.FindString(string(m.page("POST", "/security/authenticator", cookie).body))
	m.hasSeed("root", seed)
	if a := m.page("POST", "/security/authenticator/confirm", cookie, "code", m.codeAt("root", -1)); a.status != http.StatusSeeOther {
		m.t.Fatalf("root has no authenticator: %s", a)
	}
}

func (m *mfaRig) hasSeed(user, seed string) {
	m.seeds[user] = seed
	m.secret("the seed of an authenticator", seed)
}

// codeAt is the code of a user's authenticator, some steps from now. Each is good
// once: tests take them in order.
func (m *mfaRig) codeAt(user string, steps int) string {
	m.t.Helper()
	code, err := totp.GenerateCode(m.seeds[user], time.Now().Add(time.Duration(steps)*30*time.Second))
	if err != nil {
		m.t.Fatal(err)
	}
	return code
}

// wrong is no code of the time around now, of anybody who has an authenticator.
func (m *mfaRig) wrong(user string) string {
	m.t.Helper()
	if m.seeds[user] == "" {
		user = "device"
	}
	var near []string
	for step := -3; step <= 3; step++ {
		near = append(near, m.codeAt(user, step))
	}
	for n := 0; ; n++ {
		if code := fmt.Sprintf("%06d", n); !slices.Contains(near, code) {
			return code
		}
	}
}
