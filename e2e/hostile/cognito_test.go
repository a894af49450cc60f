package hostile

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	cognitosrp "github.com/alexrudd/cognito-srp/v4"
)

// cognitoCall is one call of Cognito's: idp for user pools, else identity pools.
func cognitoCall(idp bool, operation string, in any) call {
	body, err := json.Marshal(in)
	if err != nil {
		panic(err)
	}
	q := call{method: "POST", target: "/", body: string(body), service: "cognito-identity"}
	prefix := "AWSCognitoIdentityService."
	if idp {
		prefix, q.service = "AWSCognitoIdentityProviderService.", "cognito-idp"
	}
	q.header = [][2]string{{"Content-Type", "application/x-amz-json-1.1"}, {"X-Amz-Target", prefix + operation}}
	return q
}

type members = map[string]any

// poolFacts are what the config document of the API names.
type poolFacts struct {
	Region         string `json:"region"`
	UserPoolID     string `json:"userPoolId"`
	ClientID       string `json:"userPoolWebClientId"`
	IdentityPoolID string `json:"identityPoolId"`
}

// provider is how Logins name the user pool.
func (p *poolFacts) provider() string {
	return "cognito-idp." + p.Region + ".amazonaws.com/" + p.UserPoolID
}

func (r *rig) pool() *poolFacts {
	r.t.Helper()
	var out struct{ ApiAuth poolFacts }
	if err := json.Unmarshal(r.must(call{target: "/20190206/public/config"}).body, &out); err != nil || out.ApiAuth.ClientID == "" {
		r.t.Fatalf("the config document: %v", err)
	}
	return &out.ApiAuth
}

// poolOutcome is the answer of InitiateAuth and of what goes on from there.
type poolOutcome struct {
	ChallengeName, Session string
	ChallengeParameters    map[string]string
	AuthenticationResult   struct{ AccessToken, IdToken, RefreshToken string }
}

// poolLogin begins a log-in at a user pool.
func (r *rig) poolLogin(client, flow string, pairs ...string) call {
	parameters := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		parameters[pairs[i]] = pairs[i+1]
	}
	return cognitoCall(true, "InitiateAuth", members{"ClientId": client, "AuthFlow": flow, "AuthParameters": parameters})
}

func outcomeOf(t testing.TB, a answer) (o poolOutcome) {
	t.Helper()
	if err := json.Unmarshal(a.body, &o); err != nil {
		t.Fatalf("%v: %s", err, a)
	}
	return o
}

// poolTokens logs in with a password.
func (r *rig) poolTokens(client, name, password string) poolOutcome {
	r.t.Helper()
	o := outcomeOf(r.t, r.must(r.poolLogin(client, "USER_PASSWORD_AUTH", "USERNAME", name, "PASSWORD", password)))
	for what, text := range map[string]string{
		"an access token": o.AuthenticationResult.AccessToken, "an ID token": o.AuthenticationResult.IdToken,
		"a refresh token": o.AuthenticationResult.RefreshToken, "a challenge's session": o.Session,
	} {
		r.secret(what, text)
	}
	return o
}

// srp is a log-in by SRP whose first message was answered.
type srp struct {
	*cognitosrp.CognitoSRP
	outcome poolOutcome
}

func (r *rig) beginSRP(p *poolFacts, name, password string) *srp {
	r.t.Helper()
	c, err := cognitosrp.NewCognitoSRP(name, password, p.UserPoolID, p.ClientID, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	a := c.GetAuthParams()
	return &srp{c, outcomeOf(r.t, r.must(r.poolLogin(p.ClientID, "USER_SRP_AUTH", "USERNAME", name, "SRP_A", a["SRP_A"])))}
}

// answer is the second message, by a client for a user.
func (s *srp) answer(t testing.TB, client, name string) call {
	t.Helper()
	responses, err := s.PasswordVerifierChallenge(s.outcome.ChallengeParameters, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	responses["USERNAME"] = name
	return cognitoCall(true, "RespondToAuthChallenge", members{"ClientId": client, "ChallengeName": "PASSWORD_VERIFIER", "ChallengeResponses": responses})
}

func decodedURL(t testing.TB, text string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// identityID is GetId with one log-in.
func identityID(poolID, provider, token string) call {
	return cognitoCall(false, "GetId", members{"IdentityPoolId": poolID, "Logins": map[string]string{provider: token}})
}

func (r *rig) identityOf(poolID, provider, token string) string {
	r.t.Helper()
	var out struct{ IdentityId string }
	if err := json.Unmarshal(r.must(identityID(poolID, provider, token)).body, &out); err != nil {
		r.t.Fatal(err)
	}
	return out.IdentityId
}

// identityKeys are GetCredentialsForIdentity's.
func (r *rig) identityKeys(id, provider, token string) keys {
	r.t.Helper()
	var out struct {
		Credentials struct{ AccessKeyId, SecretKey, SessionToken string }
	}
	a := r.must(cognitoCall(false, "GetCredentialsForIdentity", members{"IdentityId": id, "Logins": map[string]string{provider: token}}))
	if err := json.Unmarshal(a.body, &out); err != nil {
		r.t.Fatal(err)
	}
	c := out.Credentials
	return keys{AccessKeyID: c.AccessKeyId, SecretAccessKey: c.SecretKey, SessionToken: c.SessionToken}
}

// atConsole is a request of the console; a cookie of "" sends none.
func (r *rig) atConsole(method, path, form, cookie string) (answer, error) {
	q, err := http.NewRequest(method, strings.TrimSuffix(r.facts().ConsoleURL, "/")+path, strings.NewReader(form))
	if err != nil {
		return answer{}, err
	}
	if form != "" {
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if cookie != "" {
		q.Header.Set("Cookie", "daypass="+cookie)
	}
	resp, err := r.client.Do(q)
	if err != nil {
		return answer{}, err
	}
	return read(resp)
}

// cookie logs in at the console.
func (r *rig) cookie(place, name, password string) string {
	r.t.Helper()
	a, err := r.atConsole("POST", "/login", "place="+place+"&username="+name+"&password="+password, "")
	if err != nil {
		r.t.Fatal(err)
	}
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.Name == "daypass" && c.Value != "" {
			r.secret("a cookie", c.Value)
			return c.Value
		}
	}
	r.t.Fatal(fmt.Errorf("no cookie: %s", a))
	return ""
}
