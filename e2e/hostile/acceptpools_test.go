package hostile

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// poolRefused are the endpoints of user pools, identity pools, API tokens and the
// console, and what each answers whatever it does not accept: status and code,
// the first for what has the form of a credential, the others for what has not.
//
// gu GetUser; rf REFRESH_TOKEN_AUTH by the client, by another of the pool, by
// one of another pool; gt GetTokensFromRefreshToken; rv RevokeToken by another
// client; se the Session of a challenge, bl its SECRET_BLOCK; pw the password of
// an API token at the pool, the realm and the console; gi GetId under the name of
// the user pool and of its issuer, and, at a pool that takes them, of a realm, of
// a foreign issuer and of a user pool of another account; gc
// GetCredentialsForIdentity of the API token's identity; wi
// AssumeRoleWithWebIdentity for a role that trusts identity pools; b and s the
// bearer and the signer of users/me, s-idp of ListUserPools; ck the cookie of
// the console, and that cookie at S3, the API and GetUser.
var poolRefused = map[string][]string{
	"gu": {"400 NotAuthorizedException"},
	"rf": {"400 NotAuthorizedException"}, "rf-other": {"400 NotAuthorizedException"}, "rf-far": {"400 NotAuthorizedException"},
	"gt":       {"400 NotAuthorizedException", "400 InvalidParameterException"},
	"rv-other": {"400 UnsupportedTokenTypeException", "400 InvalidParameterException"},
	"se":       {"400 NotAuthorizedException", "400 InvalidParameterException"},
	"bl":       {"400 NotAuthorizedException", "400 InvalidParameterException"},
	"pw-pool":  {"400 NotAuthorizedException", "400 InvalidParameterException", "400 TooManyRequestsException"},
	"pw-realm": {"401 invalid_grant", "429 temporarily_unavailable"}, "pw-console": {"401 ", "429 "},
	"gi": {"400 NotAuthorizedException"}, "gi-iss": {"400 NotAuthorizedException"}, "gi-realm": {"400 NotAuthorizedException"},
	"gi-foreign": {"400 NotAuthorizedException"}, "gi-far": {"400 NotAuthorizedException"}, "gc": {"400 NotAuthorizedException"},
	"wi": {"400 InvalidIdentityToken", "403 AccessDenied", "400 ExpiredToken"},
	"b":  {"403 IncompleteSignatureException"}, "s": {"403 UnrecognizedClientException", "403 ExpiredTokenException"},
	"s-idp": {"400 UnrecognizedClientException", "400 ExpiredTokenException"},
	"ck":    {"303 "}, "ck-s3": {"403 AccessDenied"}, "ck-api": {"403 MissingAuthenticationTokenException"}, "ck-gu": {"400 InvalidParameterException"},
}

// poolAccepted is all that is accepted there. What comes then may be a refusal
// of another kind: of a password that is too short, or for want of rights.
var poolAccepted = map[string]map[string]string{
	"api-secret":          {"pw-pool": "200 "},
	"pool-id":             {"gi": "200 ", "gi-iss": "200 "},
	"pool-access":         {"gu": "200 "},
	"pool-refresh":        {"rf": "200 ", "gt": "200 ", "rv-other": "200 "},
	"api-id":              {"gi": "200 ", "gi-iss": "200 ", "gc": "200 "},
	"api-access":          {"gu": "200 "},
	"pool-far-access":     {"gu": "200 "}, // a user call names no pool
	"challenge":           {"se": "400 InvalidPasswordException"},
	"identity-token":      {"wi": "200 "},
	"cookie":              {"ck": "200 "},
	"foreign-id":          {"gi-foreign": "200 "},
	"foreign-root-claims": {"gi-foreign": "200 "},
	"pool-session":        {"s": "200 ", "s-idp": "400 AccessDeniedException"},
	"classic-session":     {"s": "403 AccessDeniedException", "s-idp": "400 AccessDeniedException"},
	"ibm-session":         {"s": "403 AccessDeniedException", "s-idp": "400 AccessDeniedException"},
	"role-session":        {"s": "403 AccessDeniedException", "s-idp": "400 AccessDeniedException"},
	"foreign-session":     {"s": "403 AccessDeniedException", "s-idp": "400 AccessDeniedException"},
	"root-session":        {"s": "200 ", "s-idp": "200 "},
	"long-term":           {"s": "200 ", "s-idp": "200 "},
	// RevokeToken tells nobody whose a refresh token is.
	"pool-far-refresh":  {"rf-far": "200 ", "rv-other": "200 "},
	"pool-gone-refresh": {"rv-other": "200 "},
	"root-refresh":      {"rv-other": "200 "},
	"shasta-refresh":    {"rv-other": "200 "},
	"unknown-refresh":   {"rv-other": "200 "},
}

func (p *poolRig) poolDoors() doors { return closedDoors(poolRefused, poolAccepted, p.show) }

// poolSite adds a user who must change its password, an identity pool that takes
// log-ins of all kinds, and what stands beside them.
const poolSite = `
realms:
  - name: elsewhere
    account: "210987654321"
    clients: [{id: elsewhere, public: true, grants: [password, refresh_token], audience: [shasta]}]
    user_pool:
      region: ap-southeast-2
      clients: [{id: farclient, auth_flows: [ALLOW_USER_PASSWORD_AUTH, ALLOW_REFRESH_TOKEN_AUTH]}]
users:
  - {account: "123456789012", name: late, realm: shasta, password: late-password-1, must_change_password: true}
roles:
  - account: "123456789012"
    name: classic
    managed_policies: ["arn:aws:iam::aws:policy/AmazonS3FullAccess"]
    trust:
      Version: "2012-10-17"
      Statement:
        - Effect: Allow
          Principal: {Federated: cognito-identity.amazonaws.com}
          Action: sts:AssumeRoleWithWebIdentity
          Condition:
            StringEquals: {"cognito-identity.amazonaws.com:aud": "us-east-1:11111111-2222-4333-8444-555555555555"}
            "ForAnyValue:StringLike": {"cognito-identity.amazonaws.com:amr": authenticated}
identity_pools:
  - account: "123456789012"
    id: "us-east-1:11111111-2222-4333-8444-555555555555"
    name: wide
    region: us-east-1
    allow_classic_flow: true
    user_pools: [{realm: shasta, client: daypassdemoclient}]
    roles: {authenticated: classic}
`

const widePool = "us-east-1:11111111-2222-4333-8444-555555555555"

// poolRig is what the columns need besides the credential.
type poolRig struct {
	*rig
	*poolFacts
	foreign       *foreignIssuer
	other         string // another client of the pool
	far           string // provider name of the pool of another account
	tokenIdentity string // of the API token, in the demo's pool
	profile       string // of IBM's dialect
	// passkeyState is of the ceremony whose answer is a kind, passkeyCookie of who
	// has that passkey.
	passkeyState, passkeyCookie string
}

// poolCredentials makes one of each kind.
func (p *poolRig) poolCredentials(out map[string]credential) {
	t, r := p.t, p.rig
	t.Helper()
	f := r.facts()
	user := f.Realms["shasta"]
	r.apply(poolSite)
	p.poolFacts = r.pool()

	q := cognitoCall(true, "CreateUserPoolClient", members{
		"UserPoolId": p.UserPoolID, "ClientName": "other", "ExplicitAuthFlows": []string{"ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"},
	})
	q.keys, q.region = r.rootKeys(), p.Region
	var made struct{ UserPoolClient struct{ ClientId string } }
	if err := json.Unmarshal(r.must(q).body, &made); err != nil {
		t.Fatal(err)
	}
	p.other = made.UserPoolClient.ClientId

	q = cognitoCall(false, "UpdateIdentityPool", members{
		"IdentityPoolId": widePool, "IdentityPoolName": "wide", "AllowUnauthenticatedIdentities": false, "AllowClassicFlow": true,
		"CognitoIdentityProviders": []members{{"ProviderName": p.provider(), "ClientId": p.ClientID}},
		"OpenIdConnectProviderARNs": []string{
			"arn:aws:iam::" + f.AccountID + ":oidc-provider/" + strings.TrimPrefix(f.URL, "http://") + "/auth/realms/shasta",
			"arn:aws:iam::" + f.AccountID + ":oidc-provider/" + strings.TrimPrefix(p.foreign.url, "https://"),
		},
	})
	q.keys = r.rootKeys()
	r.must(q)

	person := r.poolTokens(p.ClientID, user.Username, user.Password).AuthenticationResult
	out["pool-id"], out["pool-access"], out["pool-refresh"] = bearer(person.IdToken), bearer(person.AccessToken), bearer(person.RefreshToken)
	out["pool-other-id"] = bearer(r.poolTokens(p.other, user.Username, user.Password).AuthenticationResult.IdToken)
	far := r.poolTokens("farclient", "eve", "eve-password-1").AuthenticationResult
	out["pool-far-id"], out["pool-far-access"], out["pool-far-refresh"] = bearer(far.IdToken), bearer(far.AccessToken), bearer(far.RefreshToken)
	issuer := claimOf(t, far.IdToken, "iss")
	p.far = "cognito-idp.ap-southeast-2.amazonaws.com/" + issuer[strings.LastIndexByte(issuer, '/')+1:]

	gone := r.poolTokens(p.ClientID, user.Username, user.Password).AuthenticationResult
	r.must(cognitoCall(true, "RevokeToken", members{"ClientId": p.ClientID, "Token": gone.RefreshToken}))
	out["pool-gone-id"], out["pool-gone-access"], out["pool-gone-refresh"] = bearer(gone.IdToken), bearer(gone.AccessToken), bearer(gone.RefreshToken)

	out["api-secret"] = credential{f.Stax.SecretKey, keys{AccessKeyID: f.Stax.AccessKey, SecretAccessKey: f.Stax.SecretKey}}
	robot := r.poolTokens(p.ClientID, f.Stax.AccessKey, f.Stax.SecretKey).AuthenticationResult
	out["api-id"], out["api-access"] = bearer(robot.IdToken), bearer(robot.AccessToken)
	p.tokenIdentity = r.identityOf(p.IdentityPoolID, p.provider(), robot.IdToken)
	out["pool-session"] = signedBy(r.identityKeys(p.tokenIdentity, p.provider(), robot.IdToken))

	wide := r.identityOf(widePool, p.provider(), person.IdToken)
	a := r.must(cognitoCall(false, "GetOpenIdToken", members{"IdentityId": wide, "Logins": map[string]string{p.provider(): person.IdToken}}))
	var open struct{ Token string }
	if err := json.Unmarshal(a.body, &open); err != nil {
		t.Fatal(err)
	}
	out["identity-token"] = bearer(open.Token)
	out["classic-session"] = signedBy(r.exchange(roleARN(f.AccountID, "classic"), open.Token))

	late := r.poolTokens(p.ClientID, "late", "late-password-1")
	if late.ChallengeName != "NEW_PASSWORD_REQUIRED" {
		t.Fatalf("late: %+v", late)
	}
	out["challenge"] = bearer(late.Session)
	out["secret-block"] = bearer(r.beginSRP(p.poolFacts, user.Username, user.Password).outcome.ChallengeParameters["SECRET_BLOCK"])
	out["cookie"] = bearer(r.cookie("shasta", user.Username, url.QueryEscape(user.Password)))
}

// claimOf reads a claim that is a text, without proof.
func claimOf(t testing.TB, jwt, name string) string {
	t.Helper()
	var claims map[string]any
	if err := json.Unmarshal(decodedURL(t, strings.Split(jwt, ".")[1]), &claims); err != nil {
		t.Fatal(err)
	}
	text, _ := claims[name].(string)
	return text
}

// show shows a credential at an endpoint of pools, the API or the console.
func (p *poolRig) show(column string, c credential) (got, body string) {
	p.t.Helper()
	a := p.showAt(column, c)
	return fmt.Sprintf("%d %s", a.status, a.code()), string(a.body)
}

func (p *poolRig) showAt(column string, c credential) answer {
	p.t.Helper()
	f := p.facts()
	respond := func(challenge string, session string, responses map[string]string) call {
		return cognitoCall(true, "RespondToAuthChallenge", members{"ClientId": p.ClientID, "ChallengeName": challenge, "Session": session, "ChallengeResponses": responses})
	}
	me := call{target: "/20190206/users/me", service: "execute-api", region: p.Region}
	pools := cognitoCall(true, "ListUserPools", members{"MaxResults": 10})
	pools.region = p.Region
	cookie := [2]string{"Cookie", "daypass=" + c.text}
	var q call
	switch column {
	case "gu":
		q = cognitoCall(true, "GetUser", members{"AccessToken": c.text})
	case "rf":
		q = p.poolLogin(p.ClientID, "REFRESH_TOKEN_AUTH", "REFRESH_TOKEN", c.text)
	case "rf-other":
		q = p.poolLogin(p.other, "REFRESH_TOKEN_AUTH", "REFRESH_TOKEN", c.text)
	case "rf-far":
		q = p.poolLogin("farclient", "REFRESH_TOKEN_AUTH", "REFRESH_TOKEN", c.text)
	case "gt":
		q = cognitoCall(true, "GetTokensFromRefreshToken", members{"ClientId": p.ClientID, "RefreshToken": c.text})
	case "rv-other":
		q = cognitoCall(true, "RevokeToken", members{"ClientId": p.other, "Token": c.text})
	case "se":
		q = respond("NEW_PASSWORD_REQUIRED", c.text, map[string]string{"USERNAME": "late", "NEW_PASSWORD": "x"})
	case "bl":
		q = respond("PASSWORD_VERIFIER", "", map[string]string{
			"USERNAME": f.Realms["shasta"].Username, "TIMESTAMP": "now", "PASSWORD_CLAIM_SECRET_BLOCK": c.text,
			"PASSWORD_CLAIM_SIGNATURE": strings.Repeat("A", 43) + "=",
		})
	case "pw-pool":
		q = p.poolLogin(p.ClientID, "USER_PASSWORD_AUTH", "USERNAME", f.Stax.AccessKey, "PASSWORD", c.text)
	case "pw-realm":
		q = realmCall("shasta", "token", "grant_type", "password", "client_id", "shasta", "username", f.Stax.AccessKey, "password", c.text)
	case "pw-console":
		return p.console("POST", "/login", url.Values{"place": {"shasta"}, "username": {f.Stax.AccessKey}, "password": {c.text}}.Encode(), "")
	case "gi":
		q = identityID(p.IdentityPoolID, p.provider(), c.text)
	case "gi-iss":
		q = identityID(p.IdentityPoolID, strings.TrimPrefix(f.URL, "http://")+"/"+p.UserPoolID, c.text)
	case "gi-realm":
		q = identityID(widePool, strings.TrimPrefix(f.URL, "http://")+"/auth/realms/shasta", c.text)
	case "gi-foreign":
		q = identityID(widePool, strings.TrimPrefix(p.foreign.url, "https://"), c.text)
	case "gi-far":
		q = identityID(widePool, p.far, c.text)
	case "gc":
		q = cognitoCall(false, "GetCredentialsForIdentity", members{"IdentityId": p.tokenIdentity, "Logins": map[string]string{p.provider(): c.text}})
	case "wi":
		q = webIdentity(roleARN(f.AccountID, "classic"), c.text)
	case "b":
		q = call{target: me.target, header: [][2]string{{"Authorization", "Bearer " + c.text}}}
	case "s":
		q = me
		q.keys = c.keys
	case "s-idp":
		q = pools
		q.keys = c.keys
	case "ck":
		return p.console("GET", "/profile", "", c.text)
	case "ck-s3":
		q = call{target: "/", header: [][2]string{cookie}}
	case "ck-api":
		q = call{target: me.target, header: [][2]string{cookie}}
	case "ck-gu":
		q = cognitoCall(true, "GetUser", members{})
		q.header = append(q.header, cookie)
	default:
		p.t.Fatalf("column %s", column)
	}
	return p.do(q)
}

func (p *poolRig) console(method, path, form, cookie string) answer {
	p.t.Helper()
	a, err := p.atConsole(method, path, form, cookie)
	if err != nil {
		p.t.Fatal(err)
	}
	return a
}
