package hostile

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
)

// otherRefused are endpoints beside those of one dialect.
//
// pc the passcode of IBM's token service, pw-ibm its grant password, for an API
// token; ln the one-time link of a new user; s3-form the upload by a form with a bearer token; op the operator's calls at the API, adm at the listener
// for probes, both with a bearer token; as the access token and cr the token of a
// compute resource for a trusted profile, which trusts testuser and alice of the
// foreign issuer; sk session keys for a bearer token, ex the end of a session by
// one.
var otherRefused = map[string][]string{
	"pc":      {"400 BXNIM0407E", "400 BXNIM0106E", "429 BXNIM0429E"},
	"pw-ibm":  {"400 BXNIM0602E", "400 BXNIM0106E", "429 BXNIM0429E"},
	"ln":      {"404 ", "410 ", "400 "},
	"s3-form": {"400 InvalidRequest"}, "op": {"404 BXNIM0102E"}, "adm": {"404 "}, // nothing is there, for nobody
	"sk": {"401 BXNIM0407E"}, "ex": {"401 BXNIM0407E"},
	"as": {"401 BXNIM0407E", "400 BXNIM0513E"}, "cr": {"400 BXNIM0407E", "400 BXNIM0513E", "429 BXNIM0429E"},
}

// otherAccepted is all that is accepted there.
var otherAccepted = map[string]map[string]string{
	"passcode": {"pc": "200 "},
	"link":     {"ln": "200 "},
	// The other session is not the one of the token.
	"ibm-access":         {"as": "200 ", "sk": "201 ", "ex": "404 BXNIM0102E"},
	"ibm-service-access": {"sk": "201 ", "ex": "404 BXNIM0102E"},
	"ibm-profile-access": {"sk": "201 ", "ex": "404 BXNIM0102E"},
	"foreign-id":         {"cr": "200 "},
}

func (p *poolRig) otherDoors() doors {
	return closedDoors(otherRefused, otherAccepted, func(door string, c credential) (got, body string) {
		a := p.atOthers(door, c)
		return fmt.Sprintf("%d %s", a.status, a.code()), string(a.body)
	})
}

func (p *poolRig) atOthers(door string, c credential) answer {
	p.t.Helper()
	bearer := [2]string{"Authorization", "Bearer " + c.text}
	f := p.facts()
	switch door {
	case "pc":
		return p.do(ibmGrant("bx:bx", "urn:ibm:params:oauth:grant-type:passcode", "passcode", c.text))
	case "sk":
		return p.do(call{method: "POST", target: "/v1/session_keys", body: "{}", header: [][2]string{bearer}})
	case "ex":
		return p.do(call{method: "DELETE", target: "/v1/sessions/00000000-1111-4222-8333-444444444444", header: [][2]string{bearer}})
	case "as":
		return p.do(ibmGrant("bx:bx", "urn:ibm:params:oauth:grant-type:assume", "access_token", c.text, "profile_id", p.profile))
	case "cr":
		return p.do(ibmGrant("bx:bx", "urn:ibm:params:oauth:grant-type:cr-token", "cr_token", c.text, "profile_id", p.profile))
	case "pw-ibm":
		return p.do(ibmGrant("bx:bx", "password", "username", f.Stax.AccessKey, "password", c.text))
	case "ln":
		return p.console("GET", "/welcome?t="+url.QueryEscape(c.text), "", "")
	case "s3-form":
		return p.do(call{method: "POST", target: "/photos", body: "x", header: [][2]string{
			bearer, {"Content-Type", "multipart/form-data; boundary=b"}, {"ibm-service-instance-id", f.IBM.StorageID},
		}})
	case "op":
		return p.do(call{target: "/v1/keyring", header: [][2]string{bearer}})
	case "adm":
		return p.atAdmin("/v1/keyring", bearer)
	}
	p.t.Fatalf("door %s", door)
	return answer{}
}

// atAdmin is a request to the listener for probes.
func (r *rig) atAdmin(path string, header [2]string) answer {
	r.t.Helper()
	q, err := r.request(call{target: path, header: [][2]string{header}})
	if err != nil {
		r.t.Fatal(err)
	}
	q.URL.Host = strings.TrimPrefix(r.facts().AdminURL, "http://")
	q.URL.Opaque, q.URL.Path, q.Host = "", path, q.URL.Host
	resp, err := r.client.Do(q)
	if err != nil {
		r.t.Fatal(err)
	}
	a, err := read(resp)
	if err != nil {
		r.t.Fatal(err)
	}
	return a
}

var shownCode = regexp.MustCompile(`<code id="passcode"[^>]*>([^<]*)</code>`)

// otherCredentials makes one of each kind: a token for others, a passcode, a
// one-time link, and the token of a trusted profile.
func (p *poolRig) otherCredentials(out map[string]credential) {
	t, r := p.t, p.rig
	t.Helper()
	user := r.facts().Realms["shasta"]
	root := r.rootKeys()
	r.must(query("iam", root, "Action", "EnableOutboundWebIdentityFederation"))
	r.must(query("iam", root, "Action", "PutRolePolicy", "RoleName", "shasta-admin", "PolicyName", "outbound", "PolicyDocument",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:GetWebIdentityToken","Resource":"*"}]}`))
	a := r.must(query("sts", r.roleSession(), "Action", "GetWebIdentityToken", "Audience.member.1", "shasta", "SigningAlgorithm", "RS256"))
	out["outbound-token"] = bearer(a.between("WebIdentityToken"))

	cookie := r.cookie("shasta", user.Username, url.QueryEscape(user.Password))
	page, err := r.atConsole("POST", "/passcode", "", cookie)
	if err != nil {
		t.Fatal(err)
	}
	shown := shownCode.FindSubmatch(page.body)
	if shown == nil {
		t.Fatalf("no passcode: %s", page)
	}
	out["passcode"] = bearer(string(shown[1]))

	invite := exec.Command(r.binary, "user", "invite", "invited", "--account", r.facts().AccountID, "--realm", "shasta", "--data", r.data())
	link, err := invite.Output()
	if err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(strings.TrimSpace(string(link)))
	if err != nil {
		t.Fatal(err)
	}
	out["link"] = bearer(at.Query().Get("t"))

	access := r.ibmTokens("bx:bx", r.facts().IBM.APIKey).Access
	made := r.ibmAPI("POST", "/v1/profiles", `{"name":"deployer","account_id":"`+r.facts().AccountID+`"}`)
	p.profile, _ = made["id"].(string)
	r.ibmAPI("POST", "/v1/profiles/"+p.profile+"/identities/user", `{"type":"user","identifier":"`+claimOf(t, access, "iam_id")+`"}`)
	r.ibmAPI("POST", "/v1/profiles/"+p.profile+"/rules", `{"type":"Profile-CR","cr_type":"VSI","realm_name":"`+p.foreign.url+`",`+
		`"conditions":[{"claim":"sub","operator":"EQUALS","value":"\"alice\""}]}`)
	var profile ibmTokens
	assumed := r.must(ibmGrant("bx:bx", "urn:ibm:params:oauth:grant-type:assume", "access_token", access, "profile_id", p.profile))
	if err := json.Unmarshal(assumed.body, &profile); err != nil {
		t.Fatal(err)
	}
	out["ibm-profile-access"] = bearer(profile.Access)

	var signing struct {
		ID     string `json:"access_key_id"`
		Secret string `json:"secret_access_key"`
		Token  string `json:"session_token"`
	}
	given := r.must(call{method: "POST", target: "/v1/session_keys", body: "{}", header: [][2]string{{"Authorization", "Bearer " + access}}})
	if err := json.Unmarshal(given.body, &signing); err != nil {
		t.Fatal(err)
	}
	out["ibm-session"] = signedBy(keys{AccessKeyID: signing.ID, SecretAccessKey: signing.Secret, SessionToken: signing.Token})
}
