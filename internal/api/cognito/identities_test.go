package cognito_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"daypass/internal/api/cognito"
	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/wiretest"
)

const (
	poolID     = "ap-southeast-2:0a1b2c3d-1111-4222-8333-444455556666"
	identityID = "ap-southeast-2:aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
	provider   = "cognito-idp.ap-southeast-2.amazonaws.com/ap-southeast-2_Abc123XYZ"
)

// guests is a fake of the issuer. A token chooses an error: a kind (see
// wiretest.Fault), or one of the sentences of refused.
type guests struct{}

var refused = map[string]*identity.Error{
	"bad-signature": identity.NewError(identity.KindInvalidIdentity, "fake", "Invalid login token. Couldn't verify signed token."),
	"other-issuer":  identity.NewError(identity.KindInvalidIdentity, "fake", "Invalid login token. Issuer doesn't match providerName"),
	"access-token":  identity.NewError(identity.KindInvalidIdentity, "fake", "Invalid login token. Missing a required claim: aud"),
	"unsupported":   identity.NewError(identity.KindInvalidIdentity, "fake", "Token is not from a supported provider of this identity pool."),
	"no-match":      identity.NewError(identity.KindInvalidIdentity, "fake", "Logins don't match. Please include at least one valid login for this identity or identity pool."),
	"conflict":      identity.NewError(identity.KindAlreadyExists, "fake", "The logins are linked to different identities."),
	"bad-role": {
		Kind: identity.KindAccessDenied, Op: "fake", Public: "Invalid identity pool configuration. Check assigned IAM roles for this pool.",
		Detail: []identity.Detail{{Name: "JSONCode", Value: "InvalidIdentityPoolConfigurationException"}},
	},
}

func judge(id string, logins issue.Logins) error {
	for _, token := range logins {
		if err := refused[token.Reveal()]; err != nil {
			return err
		}
		if err := wiretest.Fault(token.Reveal()); err != nil {
			return err
		}
	}
	switch {
	case id == poolID && len(logins) == 0:
		return identity.NewError(identity.KindInvalidIdentity, "fake", "Unauthenticated access is not supported for this identity pool.")
	case id == identityID && len(logins) == 0:
		return identity.NewError(identity.KindInvalidIdentity, "fake", "Access to Identity '"+id+"' is forbidden.")
	case id == poolID || id == identityID:
		return nil
	}
	return identity.NewError(identity.KindNotFound, "fake", "IdentityPool '"+id+"' not found.")
}

func (guests) IdentityID(_ context.Context, r issue.IdentityIDRequest) (string, error) {
	return identityID, judge(r.PoolID, r.Logins)
}

func (guests) PoolCredentials(_ context.Context, r issue.PoolCredentialsRequest) (issue.PoolCredentials, error) {
	if r.CustomRoleARN != "" {
		return issue.PoolCredentials{}, identity.NewError(identity.KindInvalidIdentity, "fake", "The login does not allow the role of CustomRoleArn.")
	}
	return issue.PoolCredentials{IdentityID: r.IdentityID, Keys: identity.SessionKeys{
		AccessKeyID: "ASIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", SessionToken: "FwoG+/==",
		Expiration: time.UnixMilli(1798700000250),
	}}, judge(r.IdentityID, r.Logins)
}

func (guests) PoolOpenIDToken(_ context.Context, r issue.PoolTokenRequest) (issue.PoolToken, error) {
	return issue.PoolToken{IdentityID: r.IdentityID, Token: "eyJ.a.b"}, judge(r.IdentityID, r.Logins)
}

func (guests) UnlinkIdentity(_ context.Context, r issue.UnlinkRequest) error {
	return judge(r.IdentityID, r.Logins)
}

// guestPools is a fake of the directory that has one pool and one identity.
type guestPools struct{}

func onePool() identity.IdentityPool {
	return identity.IdentityPool{
		ID: poolID, AccountID: account, Region: "ap-southeast-2", Name: "main", AllowClassicFlow: true,
		UserPools:     []identity.PoolLogin{{Provider: provider, ClientID: "4exampleclientid", TokenCheck: true}},
		OIDCProviders: []string{"arn:aws:iam::123456789012:oidc-provider/idp.example.org"},
		Roles:         map[string]string{"authenticated": "arn:aws:iam::123456789012:role/members"},
		RoleMappings: map[string]identity.PoolRoleMapping{
			provider + ":4exampleclientid": {Type: "Token", Ambiguous: "Deny"},
			"idp.example.org": {Type: "Rules", Ambiguous: "AuthenticatedRole", Rules: []identity.PoolRoleRule{
				{Claim: "department", MatchType: "Equals", Value: "ops", RoleARN: "arn:aws:iam::123456789012:role/ops"},
			}},
		},
		Tags: map[string]string{"team": "blue"},
	}
}

func found(id string) (identity.IdentityPool, error) {
	if id != poolID {
		return identity.IdentityPool{}, identity.NewError(identity.KindNotFound, "fake", "IdentityPool '"+id+"' not found.")
	}
	return onePool(), nil
}

func (guestPools) CreateIdentityPool(_ context.Context, _ *identity.Caller, in directory.IdentityPoolSettings) (identity.IdentityPool, error) {
	return identity.IdentityPool{ID: poolID, Name: in.Name, AllowUnauthenticated: in.AllowUnauthenticated, AllowClassicFlow: in.AllowClassicFlow, UserPools: in.UserPools, OIDCProviders: in.OIDCProviders, Tags: in.Tags}, nil
}

func (g guestPools) UpdateIdentityPool(ctx context.Context, c *identity.Caller, id string, in directory.IdentityPoolSettings) (identity.IdentityPool, error) {
	if _, err := found(id); err != nil {
		return identity.IdentityPool{}, err
	}
	return g.CreateIdentityPool(ctx, c, in)
}

func (guestPools) DescribeIdentityPool(_ context.Context, _ *identity.Caller, id string) (identity.IdentityPool, error) {
	return found(id)
}

func (guestPools) DeleteIdentityPool(_ context.Context, _ *identity.Caller, id string) error {
	_, err := found(id)
	return err
}

func (guestPools) ListIdentityPools(_ context.Context, _ *identity.Caller, p directory.Page) (directory.Listing[identity.IdentityPool], error) {
	if p.Marker != "" {
		return directory.Listing[identity.IdentityPool]{}, nil
	}
	return directory.Listing[identity.IdentityPool]{Items: []identity.IdentityPool{onePool()}, Next: "more"}, nil
}

func (guestPools) GetIdentityPoolRoles(_ context.Context, _ *identity.Caller, id string) (identity.IdentityPool, error) {
	return found(id)
}

func (guestPools) SetIdentityPoolRoles(_ context.Context, _ *identity.Caller, id string, _ map[string]string, _ map[string]identity.PoolRoleMapping) error {
	_, err := found(id)
	return err
}

func oneIdentity() identity.PoolIdentity {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)
	return identity.PoolIdentity{ID: identityID, PoolID: poolID, Logins: []identity.IdentityLogin{{Provider: provider, Subject: "hash"}}, CreatedAt: at, ModifiedAt: at}
}

func (guestPools) ListIdentities(_ context.Context, _ *identity.Caller, id string, _ bool, _ directory.Page) (directory.Listing[identity.PoolIdentity], error) {
	_, err := found(id)
	return directory.Listing[identity.PoolIdentity]{Items: []identity.PoolIdentity{oneIdentity()}}, err
}

func (guestPools) DescribeIdentity(_ context.Context, _ *identity.Caller, id string) (identity.PoolIdentity, error) {
	if id != identityID {
		return identity.PoolIdentity{}, identity.NewError(identity.KindNotFound, "fake", "Identity '"+id+"' not found.")
	}
	return oneIdentity(), nil
}

func (guestPools) DeleteIdentities(_ context.Context, _ *identity.Caller, ids []string) ([]string, error) {
	return ids[1:], nil
}

func (guestPools) TagIdentityPool(context.Context, *identity.Caller, string, map[string]string) error {
	return nil
}

func (guestPools) UntagIdentityPool(context.Context, *identity.Caller, string, []string) error {
	return nil
}

func (guestPools) ListIdentityPoolTags(_ context.Context, _ *identity.Caller, arn string) (map[string]string, error) {
	p, err := found(identity.IdentityPoolOf(arn))
	return p.Tags, err
}

func askIdentity(h http.Handler, op, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/", strings.NewReader(body))
	r.Header.Set("X-Amz-Target", cognito.TargetIdentity+"."+op)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 …")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestIdentityBounds: whatever is out of the model's bounds is refused before
// anything is asked, and no token is repeated.
func TestIdentityBounds(t *testing.T) {
	t.Parallel()
	var logged bytes.Buffer
	h := newHandler(cognito.Config{Log: slog.New(slog.NewTextHandler(&logged, nil))})
	many := map[string]string{}
	for i := range 11 {
		many[strings.Repeat("x", i+1)] = "SECRET"
	}
	logins := func(m map[string]string) string { b, _ := json.Marshal(m); return string(b) }
	pool := func(id, rest string) string { return `{"IdentityPoolId":"` + id + `"` + rest + `}` }
	for _, c := range []struct{ op, body string }{
		{"GetId", `{}`},
		{"GetId", pool("", "")},
		{"GetId", pool("x", "")},
		{"GetId", pool("us-east-1:XYZ", "")},
		{"GetId", pool("us-east-1:"+strings.Repeat("0", 50), "")},
		{"GetId", pool(poolID+`\n`, "")},
		{"GetId", pool(poolID, `,"AccountId":"`+strings.Repeat("1", 64)+`"`)},
		{"GetId", pool(poolID, `,"AccountId":"a/b"`)},
		{"GetId", pool(poolID, `,"Logins":`+logins(many))},
		{"GetId", pool(poolID, `,"Logins":`+logins(map[string]string{strings.Repeat("x", 129): "SECRET"}))},
		{"GetId", pool(poolID, `,"Logins":`+logins(map[string]string{"": "SECRET"}))},
		{"GetId", pool(poolID, `,"Logins":`+logins(map[string]string{"x": ""}))},
		{"GetId", pool(poolID, `,"Logins":`+logins(map[string]string{"x": strings.Repeat("SECRET", 10000)}))},
		{"GetCredentialsForIdentity", `{}`},
		{"GetCredentialsForIdentity", `{"IdentityId":"x"}`},
		{"GetCredentialsForIdentity", `{"IdentityId":"` + identityID + `","CustomRoleArn":"arn:aws:iam::1"}`},
		{"GetCredentialsForIdentity", `{"IdentityId":"` + identityID + `","CustomRoleArn":""}`},
		{"GetCredentialsForIdentity", `{"IdentityId":"` + identityID + `","CustomRoleArn":"` + strings.Repeat("x", 2049) + `"}`},
		{"GetOpenIdToken", `{"IdentityId":"x"}`},
		{"UnlinkIdentity", `{"IdentityId":"` + identityID + `"}`},
		{"UnlinkIdentity", `{"IdentityId":"` + identityID + `","Logins":{"x":"SECRET"}}`},
		{"UnlinkIdentity", `{"IdentityId":"` + identityID + `","Logins":{"x":"SECRET"},"LoginsToRemove":["1","2","3","4","5","6","7","8","9","10","11"]}`},
		{"CreateIdentityPool", `{}`},
		{"CreateIdentityPool", `{"IdentityPoolName":"x"}`},
		{"CreateIdentityPool", `{"IdentityPoolName":"x","AllowUnauthenticatedIdentities":true,"DeveloperProviderName":"x"}`},
		{"CreateIdentityPool", `{"IdentityPoolName":"x","AllowUnauthenticatedIdentities":true,"SupportedLoginProviders":{"graph.facebook.com":"1"}}`},
		{"CreateIdentityPool", `{"IdentityPoolName":"x","AllowUnauthenticatedIdentities":true,"SamlProviderARNs":["arn:aws:iam::123456789012:saml-provider/x"]}`},
		{"UpdateIdentityPool", `{"IdentityPoolName":"x","AllowUnauthenticatedIdentities":true}`},
		{"ListIdentityPools", `{}`},
		{"ListIdentityPools", `{"MaxResults":0}`},
		{"ListIdentityPools", `{"MaxResults":61}`},
		{"ListIdentities", `{"MaxResults":1}`},
		{"SetIdentityPoolRoles", pool(poolID, "")},
		{"DeleteIdentities", `{"IdentityIdsToDelete":["x"]}`},
		{"TagResource", `{"ResourceArn":"x"}`},
	} {
		w := askIdentity(h, c.op, c.body)
		if w.Code != 400 || !strings.Contains(w.Body.String(), `"__type":"InvalidParameterException"`) || strings.Contains(w.Body.String(), "SECRET") {
			t.Errorf("%s %.100s: got %d %.300s", c.op, c.body, w.Code, w.Body)
		}
	}
	for _, body := range []string{`{"IdentityPoolId":7}`, `[]`, `{"Logins":["SECRET"]}`, `{"Logins":{"x":{"SECRET":1}}}`, `{`} {
		if w := askIdentity(h, "GetId", body); w.Code != 400 || !strings.Contains(w.Body.String(), "SerializationException") || strings.Contains(w.Body.String(), "SECRET") {
			t.Errorf("%s: got %d %s", body, w.Code, w.Body)
		}
	}
	if strings.Contains(logged.String(), "SECRET") {
		t.Errorf("the log holds a token:\n%s", logged.String())
	}
}

func FuzzIdentityCalls(f *testing.F) {
	f.Add("GetId", `{"IdentityPoolId":"`+poolID+`","Logins":{"`+provider+`":"x"}}`)
	f.Add("GetCredentialsForIdentity", `{"IdentityId":"`+identityID+`","Logins":{"`+provider+`":"x"},"CustomRoleArn":null}`)
	f.Add("UnlinkIdentity", `{"IdentityId":"`+identityID+`","Logins":{"`+provider+`":"x"},"LoginsToRemove":["`+provider+`"]}`)
	f.Add("CreateIdentityPool", `{"IdentityPoolName":"x","AllowUnauthenticatedIdentities":true,"CognitoIdentityProviders":[{"ProviderName":"x"}]}`)
	f.Add("SetIdentityPoolRoles", `{"IdentityPoolId":"`+poolID+`","Roles":{},"RoleMappings":{"x":{"Type":"Rules","RulesConfiguration":null}}}`)
	h := newHandler(cognito.Config{})
	f.Fuzz(func(t *testing.T, op, body string) {
		switch op {
		case "GetId", "GetCredentialsForIdentity", "GetOpenIdToken", "UnlinkIdentity", "CreateIdentityPool", "UpdateIdentityPool", "SetIdentityPoolRoles", "ListIdentities":
		default:
			return
		}
		w := askIdentity(h, op, body)
		if w.Code != 200 && w.Code != 400 || w.Body.Len() > 0 && !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s %q: %d %s", op, body, w.Code, w.Body)
		}
	})
}
