package hostile

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"daypass/internal/passkeytest"
)

// proofRefused are the endpoints of proofs that are good once: codes, assertions
// and answers of authenticators.
//
// code is the authorization code of IBM's token service, code-again the same once
// more, ac-… what it is bound to but for one part, ac-realm the same grant at a realm; dc-… the grant of device
// codes, which nobody serves; pk the log-in by passkey at the console, pk-again
// the same of who is logged in already, pk-new the registration of a passkey;
// saml AssumeRoleWithSAML, saml-again once more, saml-role for a role that does not trust the provider,
// saml-text for an assertion that is not encoded, saml-prov by a provider whose
// key nobody here has.
var proofRefused = map[string][]string{
	"code": {"400 BXNIM0407E", "429 BXNIM0429E"}, "code-again": {"400 BXNIM0407E", "429 BXNIM0429E"},
	"ac-client": {"400 BXNIM0407E", "429 BXNIM0429E"}, "ac-uri": {"400 BXNIM0407E", "429 BXNIM0429E"}, "ac-proof": {"400 BXNIM0407E", "429 BXNIM0429E"},
	"ac-realm": {"400 unsupported_grant_type"}, "dc-realm": {"400 unsupported_grant_type"}, "dc-ibm": {"400 BXNIM0106E"},
	"pk": {"401 "}, "pk-again": {"401 "}, "pk-new": {"400 "},
	"saml": {"400 InvalidIdentityToken"}, "saml-again": {"400 InvalidIdentityToken"}, "saml-role": {"400 InvalidIdentityToken"},
	"saml-text": {"400 InvalidIdentityToken"}, "saml-prov": {"400 InvalidIdentityToken"},
}

// proofAccepted is all that is accepted there. Of an assertion that is good it is
// said when it does not name the role.
var proofAccepted = map[string]map[string]string{
	"authorization-code": {"code": "200 "},
	"passkey-assertion":  {"pk": "303 "},
	"saml-assertion":     {"saml": "200 ", "saml-role": "403 AccessDenied"},
	"saml-elsewhere":     {"saml": "403 AccessDenied", "saml-again": "403 AccessDenied", "saml-role": "403 AccessDenied"},
}

const (
	codeRedirect = "http://127.0.0.1:4000/back"
	codeVerifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
)

// proofSite adds a person for the proofs at the console, who has no other
// one-time code, a provider of SAML assertions and a role that trusts it.
const proofSite = `
users:
  - {account: "123456789012", name: prover, realm: shasta, password: prover-password-1}
saml_providers:
  - {account: "123456789012", name: partner, metadata: %q}
  - {account: "123456789012", name: stranger, metadata: %q}
roles:
  - account: "123456789012"
    name: federated
    trust:
      Version: "2012-10-17"
      Statement:
        - Effect: Allow
          Principal: {Federated: "arn:aws:iam::123456789012:saml-provider/partner"}
          Action: sts:AssumeRoleWithSAML
          Condition: {StringEquals: {"saml:aud": %q}}
`

func (p *poolRig) proofDoors() doors {
	return closedDoors(proofRefused, proofAccepted, func(door string, c credential) (got, body string) {
		a := p.atProofs(door, c)
		return fmt.Sprintf("%d %s", a.status, a.code()), string(a.body)
	})
}

func (p *poolRig) atProofs(door string, c credential) answer {
	p.t.Helper()
	code := func(client, redirect, verifier string) answer {
		return p.do(ibmGrant(client, "authorization_code", "code", c.text, "redirect_uri", redirect, "code_verifier", verifier))
	}
	assertion := func(role, provider, text string) answer {
		account := p.facts().AccountID
		return p.do(query("sts", keys{}, "Action", "AssumeRoleWithSAML", "RoleArn", roleARN(account, role),
			"PrincipalArn", "arn:aws:iam::"+account+":saml-provider/"+provider, "SAMLAssertion", text))
	}
	passkey := url.Values{"state": {p.passkeyState}, "answer": {c.text}, "name": {"another"}}.Encode()
	const device = "urn:ietf:params:oauth:grant-type:device_code"
	switch door {
	case "code", "code-again":
		return code("bx:bx", codeRedirect, codeVerifier)
	case "ac-client":
		return code("my-client:my-secret", codeRedirect, codeVerifier)
	case "ac-uri":
		return code("bx:bx", codeRedirect+"2", codeVerifier)
	case "ac-proof":
		return code("bx:bx", codeRedirect, strings.Repeat("A", len(codeVerifier)))
	case "ac-realm":
		return p.do(realmCall("shasta", "token", "grant_type", "authorization_code", "client_id", "shasta", "code", c.text,
			"redirect_uri", codeRedirect, "code_verifier", codeVerifier))
	case "dc-realm":
		return p.do(realmCall("shasta", "token", "grant_type", device, "client_id", "shasta", "device_code", c.text))
	case "dc-ibm":
		return p.do(ibmGrant("bx:bx", device, "device_code", c.text))
	case "pk":
		return p.console("POST", "/login/passkey", passkey, "")
	case "pk-again":
		return p.console("POST", "/again/passkey", passkey, p.passkeyCookie)
	case "pk-new":
		return p.console("POST", "/security/passkeys", passkey, p.passkeyCookie)
	case "saml", "saml-again":
		return assertion("federated", "partner", c.text)
	case "saml-role":
		return assertion("shasta-admin", "partner", c.text)
	case "saml-text":
		return assertion("federated", "partner", base64.StdEncoding.EncodeToString([]byte(c.text)))
	case "saml-prov":
		return assertion("federated", "stranger", c.text)
	}
	p.t.Fatalf("door %s", door)
	return answer{}
}

// proofCredentials makes one of each kind.
func (p *poolRig) proofCredentials(out map[string]credential) {
	p.t.Helper()
	partner, stranger := newSAMLProvider(p.t, "partner"), newSAMLProvider(p.t, "partner")
	at := p.facts().URL
	p.apply(fmt.Sprintf(proofSite, partner.metadata(), stranger.metadata(), at+"/saml"))
	role := roleARN(p.facts().AccountID, "federated") + ",arn:aws:iam::" + p.facts().AccountID + ":saml-provider/partner"
	out["saml-assertion"] = bearer(partner.assert(p.t, at, role, nil))
	out["saml-elsewhere"] = bearer(partner.assert(p.t, at, roleARN(accountB, "federated")+",arn:aws:iam::"+accountB+":saml-provider/partner", nil))
	out["saml-stranger"] = bearer(newSAMLProvider(p.t, "partner").assert(p.t, at, role, nil))
	out["saml-audience"] = bearer(partner.assert(p.t, "https://elsewhere.example.test", role, nil))
	out["saml-changed"] = bearer(partner.assert(p.t, at, role, func(s string) string { return strings.Replace(s, ">ann<", ">bob<", 1) }))

	p.passkeys(out)
	out["authorization-code"] = bearer(p.authorizationCode(p.passkeyCookie))
}

// authorizationCode is a code of the person whose cookie it is.
func (p *poolRig) authorizationCode(cookie string) string {
	p.t.Helper()
	challenge := sha256.Sum256([]byte(codeVerifier))
	a := p.console("POST", "/authorize", url.Values{
		"response_type": {"code"}, "client_id": {"bx"}, "redirect_uri": {codeRedirect}, "code_challenge_method": {"S256"}, "code_challenge": {b64(challenge[:])},
	}.Encode(), cookie)
	to, err := url.Parse(a.header.Get("Location"))
	if err != nil || a.status != 303 || to.Query().Get("code") == "" {
		p.t.Fatalf("no authorization code: %d to %q %v", a.status, a.header.Get("Location"), err)
	}
	return to.Query().Get("code")
}

// passkeys are what an authenticator answers: its registration, which was used,
// and a log-in, which was not.
func (p *poolRig) passkeys(out map[string]credential) {
	p.t.Helper()
	cookie := p.cookie("shasta", "prover", "prover-password-1")
	key := passkeytest.New(p.t, p.facts().ConsoleURL)
	options, state := p.ceremony("/security/passkeys/begin", cookie)
	made := string(key.Create(p.t, options))
	if a := p.console("POST", "/security/passkeys", url.Values{"state": {state}, "answer": {made}, "name": {"of the table"}}.Encode(), cookie); a.status != 303 {
		p.t.Fatalf("no passkey: %s", a)
	}
	out["passkey-registration"] = bearer(made)
	options, p.passkeyState = p.ceremony("/login/passkey/begin", "")
	out["passkey-assertion"], out["passkey-state"] = bearer(string(key.Get(p.t, options))), bearer(p.passkeyState)
	p.passkeyCookie = p.cookie("shasta", "prover", "prover-password-1")
}

// ceremony begins a registration or a log-in by passkey.
func (p *poolRig) ceremony(path, cookie string) (options json.RawMessage, state string) {
	p.t.Helper()
	var out struct {
		Options json.RawMessage
		State   string
	}
	a := p.console("POST", path, "", cookie)
	if err := json.Unmarshal(a.body, &out); err != nil || out.State == "" {
		p.t.Fatalf("no ceremony: %v, %s", err, a)
	}
	return out.Options, out.State
}
