package cognito_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"daypass/internal/access"
	"daypass/internal/api/cognito"
	"daypass/internal/identity"
	"daypass/internal/stacktest"
)

// rootOf accepts every request as the root user of account A.
type rootOf struct{ region, keyID string }

func (a rootOf) Authenticate(_ *http.Request, svc access.Service, _ string) (access.Authenticated, error) {
	if svc != access.ServiceCognitoIDP {
		return access.Authenticated{}, identity.NewError(identity.KindScopeService, "fake", "")
	}
	c := identity.Caller{
		Kind: identity.RootUser, AccountID: stacktest.AccountA, Partition: "aws", PrincipalID: stacktest.AccountA, Name: "root",
		ARN: identity.RootARN("aws", stacktest.AccountA), AccessKeyID: a.keyID,
	}
	c.Request.Region = a.region
	return access.Authenticated{Caller: c}, nil
}

// poolServer serves the administration of user pools over a real core.
func poolServer(t testing.TB) func(op, body string) (int, string) {
	t.Helper()
	s := stacktest.New(t)
	key, err := s.Issuer.RootAccessKey(t.Context(), s.Operator(), stacktest.AccountA)
	if err != nil {
		t.Fatal(err)
	}
	h := cognito.New(cognito.Config{
		Access: rootOf{stacktest.PoolRegion, key.Key.ID}, UserPools: s.Directory, PoolUsers: s.Directory, PoolGroups: s.Directory, AdminSignIn: s.Issuer,
		Log: slog.New(slog.DiscardHandler),
	})
	return func(op, body string) (int, string) {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Header["X-Amz-Target"] = []string{cognito.TargetIDP + "." + op}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
}

// member is one string of an answer.
func member(t testing.TB, answer string, path ...string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(answer), &v); err != nil {
		t.Fatalf("%v in %s", err, answer)
	}
	for _, p := range path {
		m, _ := v.(map[string]any)
		v = m[p]
	}
	s, ok := v.(string)
	if !ok {
		t.Fatalf("%v is no string in %s", path, answer)
	}
	return s
}

func TestPoolAdmin(t *testing.T) {
	t.Parallel()
	call := poolServer(t)
	_, answer := call("CreateUserPool", `{"PoolName":"people","Policies":{"PasswordPolicy":{"RequireNumbers":true}},"Schema":[{"Name":"team"}],"AdminCreateUserConfig":null,
		"UserPoolTags":{"k":"v"},"DeletionProtection":"ACTIVE","UsernameAttributes":["email"],"AutoVerifiedAttributes":["email"]}`)
	pool := member(t, answer, "UserPool", "Id")
	_, answer = call("CreateUserPoolClient", `{"UserPoolId":"`+pool+`","ClientName":"app","GenerateSecret":true,"ExplicitAuthFlows":["ALLOW_ADMIN_USER_PASSWORD_AUTH"],
		"AccessTokenValidity":30,"IdTokenValidity":45,"RefreshTokenValidity":2,"TokenValidityUnits":{"AccessToken":"minutes","IdToken":"minutes","RefreshToken":"hours"},
		"RefreshTokenRotation":{"Feature":"ENABLED","RetryGracePeriodSeconds":10},"PreventUserExistenceErrors":"LEGACY","EnableTokenRevocation":false,"AuthSessionValidity":5}`)
	client := member(t, answer, "UserPoolClient", "ClientId")
	if len(member(t, answer, "UserPoolClient", "ClientSecret")) < 24 {
		t.Errorf("no secret in %s", answer)
	}
	in := strings.NewReplacer("POOL", pool, "CLIENT", client)
	for _, step := range []struct{ op, body, answer string }{
		{"DescribeUserPool", `{"UserPoolId":"POOL"}`, `"Policies":{"PasswordPolicy":{"MinimumLength":8,"RequireUppercase":false,"RequireLowercase":false,"RequireNumbers":true,"RequireSymbols":false,"PasswordHistorySize":0,"TemporaryPasswordValidityDays":7}},"SchemaAttributes":[{"Name":"team"}]`},
		{"DescribeUserPool", `{"UserPoolId":"POOL"}`, `"DeletionProtection":"ACTIVE"`},
		{"DescribeUserPool", `{"UserPoolId":"POOL"}`, `"CreationDate":1767323045.000`},
		{"ListUserPools", `{"MaxResults":1}`, `{"UserPools":[{"Id":"POOL","Name":"people","LambdaConfig":{},"LastModifiedDate":1767323045.000,"CreationDate":1767323045.000}]}`},
		{"UpdateUserPool", `{"UserPoolId":"POOL","MfaConfiguration":"OPTIONAL","AccountRecoverySetting":{"RecoveryMechanisms":[]},"DeletionProtection":"INACTIVE"}`, `{}`},
		{"DescribeUserPool", `{"UserPoolId":"POOL"}`, `"MfaConfiguration":"OPTIONAL"`},
		{"DescribeUserPool", `{"UserPoolId":"POOL"}`, `"AccountRecoverySetting":{"RecoveryMechanisms":[]},"Arn":"arn:aws:cognito-idp:ap-southeast-2:` + stacktest.AccountA + `:userpool/POOL"`},
		{"TagResource", `{"ResourceArn":"arn:aws:cognito-idp:ap-southeast-2:` + stacktest.AccountA + `:userpool/POOL","Tags":{"b":"c"}}`, `{}`},
		{"UntagResource", `{"ResourceArn":"arn:aws:cognito-idp:ap-southeast-2:` + stacktest.AccountA + `:userpool/POOL","TagKeys":["k"]}`, `{}`},
		{"ListTagsForResource", `{"ResourceArn":"arn:aws:cognito-idp:ap-southeast-2:` + stacktest.AccountA + `:userpool/POOL"}`, `{"Tags":{"b":"c"}}`},
		{"DescribeUserPoolClient", `{"UserPoolId":"POOL","ClientId":"CLIENT"}`, `"RefreshTokenValidity":2,"AccessTokenValidity":30,"IdTokenValidity":45,"TokenValidityUnits":{"AccessToken":"minutes","IdToken":"minutes","RefreshToken":"hours"},` +
			`"ExplicitAuthFlows":["ALLOW_ADMIN_USER_PASSWORD_AUTH"],"PreventUserExistenceErrors":"LEGACY","EnableTokenRevocation":false,"AuthSessionValidity":5,"RefreshTokenRotation":{"Feature":"ENABLED","RetryGracePeriodSeconds":10}`},
		{"UpdateUserPoolClient", `{"UserPoolId":"POOL","ClientId":"CLIENT","AccessTokenValidity":2,"TokenValidityUnits":{"AccessToken":"hours","IdToken":"hours"}}`, `"AccessTokenValidity":2,"IdTokenValidity":2700,"TokenValidityUnits":{"AccessToken":"hours","IdToken":"seconds","RefreshToken":"hours"}`},
		{"ListUserPoolClients", `{"UserPoolId":"POOL","MaxResults":60}`, `{"UserPoolClients":[{"ClientId":"CLIENT","UserPoolId":"POOL","ClientName":"app"}]}`},
		{"AdminCreateUser", `{"UserPoolId":"POOL","Username":"ann@example.com","UserAttributes":[{"Name":"given_name","Value":"Ann"}]}`, `{"User":{"Username":"ann@example.com","Attributes":[{"Name":"sub",`},
		{"AdminCreateUser", `{"UserPoolId":"POOL","Username":"ann@example.com","MessageAction":"RESEND","TemporaryPassword":"temporary-1"}`, `"Enabled":true,"UserStatus":"FORCE_CHANGE_PASSWORD"`},
		{"AdminSetUserPassword", `{"UserPoolId":"POOL","Username":"ann@example.com","Password":"permanent-1","Permanent":true}`, `{}`},
		{"AdminGetUser", `{"UserPoolId":"POOL","Username":"ann@example.com"}`, `{"Name":"given_name","Value":"Ann"}],"UserCreateDate":1767323045.000,"UserLastModifiedDate":1767323045.000,"Enabled":true,"UserStatus":"CONFIRMED"}`},
		{"AdminUpdateUserAttributes", `{"UserPoolId":"POOL","Username":"ann@example.com","UserAttributes":[{"Name":"custom:team","Value":"blue"}]}`, `{}`},
		{"AdminDeleteUserAttributes", `{"UserPoolId":"POOL","Username":"ann@example.com","UserAttributeNames":["given_name"]}`, `{}`},
		{"ListUsers", `{"UserPoolId":"POOL","Filter":"email ^= \"ann\"","AttributesToGet":["custom:team"],"Limit":10}`, `{"Users":[{"Username":"ann@example.com","Attributes":[{"Name":"custom:team","Value":"blue"}],`},
		{"AdminSetUserMFAPreference", `{"UserPoolId":"POOL","Username":"ann@example.com","SoftwareTokenMfaSettings":{"Enabled":false}}`, `{}`},
		{"CreateGroup", `{"UserPoolId":"POOL","GroupName":"staff","Description":"all","Precedence":0}`, `{"Group":{"GroupName":"staff","UserPoolId":"POOL","Description":"all","Precedence":0,"LastModifiedDate":1767323045.000,"CreationDate":1767323045.000}}`},
		{"UpdateGroup", `{"UserPoolId":"POOL","GroupName":"staff","Precedence":7}`, `"Description":"all","Precedence":7`},
		{"GetGroup", `{"UserPoolId":"POOL","GroupName":"staff"}`, `"Precedence":7`},
		{"ListGroups", `{"UserPoolId":"POOL"}`, `{"Groups":[{"GroupName":"staff"`},
		{"AdminAddUserToGroup", `{"UserPoolId":"POOL","Username":"ann@example.com","GroupName":"staff"}`, ``},
		{"AdminListGroupsForUser", `{"UserPoolId":"POOL","Username":"ann@example.com"}`, `{"Groups":[{"GroupName":"staff"`},
		{"ListUsersInGroup", `{"UserPoolId":"POOL","GroupName":"staff"}`, `{"Users":[{"Username":"ann@example.com"`},
		{"AdminRemoveUserFromGroup", `{"UserPoolId":"POOL","Username":"ann@example.com","GroupName":"staff"}`, ``},
		{"DeleteGroup", `{"UserPoolId":"POOL","GroupName":"staff"}`, ``},
		{"AdminUserGlobalSignOut", `{"UserPoolId":"POOL","Username":"ann@example.com"}`, `{}`},
		{"AdminDisableUser", `{"UserPoolId":"POOL","Username":"ann@example.com"}`, `{}`},
		{"ListUsers", `{"UserPoolId":"POOL","Filter":"status = \"Disabled\""}`, `"Enabled":false`},
		{"AdminEnableUser", `{"UserPoolId":"POOL","Username":"ann@example.com"}`, `{}`},
		{"AdminDeleteUser", `{"UserPoolId":"POOL","Username":"ann@example.com"}`, ``},
		{"ListUsers", `{"UserPoolId":"POOL"}`, `{"Users":[]}`},
		{"DeleteUserPoolClient", `{"UserPoolId":"POOL","ClientId":"CLIENT"}`, ``},
		{"DeleteUserPool", `{"UserPoolId":"POOL"}`, ``},
		{"ListUserPools", `{"MaxResults":1}`, `{"UserPools":[]}`},
	} {
		status, got := call(step.op, in.Replace(step.body))
		want := in.Replace(step.answer)
		if status != 200 || !strings.Contains(got, want) || want == "" && got != "" || want == "{}" && got != "{}" {
			t.Errorf("%s %s: %d %s, want %s", step.op, step.body, status, got, want)
		}
	}
}

// TestPoolAdminRefusals is the table of bad requests.
func TestPoolAdminRefusals(t *testing.T) {
	t.Parallel()
	call := poolServer(t)
	_, answer := call("CreateUserPool", `{"PoolName":"people"}`)
	pool := member(t, answer, "UserPool", "Id")
	call("AdminCreateUser", `{"UserPoolId":"`+pool+`","Username":"ann"}`)
	call("AdminSetUserPassword", `{"UserPoolId":"`+pool+`","Username":"ann","Password":"permanent-1","Permanent":true}`)
	call("CreateGroup", `{"UserPoolId":"`+pool+`","GroupName":"staff"}`)
	_, answer = call("CreateUserPoolClient", `{"UserPoolId":"`+pool+`","ClientName":"app"}`)
	in := strings.NewReplacer("POOL", pool, "CLIENT", member(t, answer, "UserPoolClient", "ClientId"), "WHO", `"UserPoolId":"`+pool+`","Username":"ann"`)
	const invalid = "InvalidParameterException"
	for _, c := range []struct{ op, body, code string }{
		{"CreateUserPool", `{}`, invalid},
		{"CreateUserPool", `[]`, "SerializationException"},
		{"CreateUserPool", `{"PoolName":7}`, "SerializationException"},
		{"CreateUserPool", `{"PoolName":""}`, invalid},
		{"CreateUserPool", `{"PoolName":"a/b"}`, invalid},
		{"CreateUserPool", `{"PoolName":"a","MfaConfiguration":"on"}`, invalid},
		{"CreateUserPool", `{"PoolName":"a","LambdaConfig":{"PreSignUp":"arn:aws:lambda:us-east-1:1:function:x"}}`, invalid},
		{"CreateUserPool", `{"PoolName":"a","UserPoolAddOns":{"AdvancedSecurityMode":"ENFORCED"}}`, invalid},
		{"CreateUserPool", `{"PoolName":"a","UsernameConfiguration":{"CaseSensitive":true}}`, invalid},
		{"CreateUserPool", `{"PoolName":"a","DeletionProtection":"yes"}`, invalid},
		{"CreateUserPool", `{"PoolName":"a","UsernameAttributes":["nickname"]}`, invalid},
		{"CreateUserPool", `{"PoolName":"a","Policies":{"PasswordPolicy":{"MinimumLength":5}}}`, invalid},
		{"CreateUserPool", `{"PoolName":"a","UserPoolTags":{"aws:x":"y"}}`, invalid},
		{"CreateUserPool", `{"PoolName":"a","EmailConfiguration":{"From":"` + strings.Repeat("x", 70000) + `"}}`, invalid},
		{"DescribeUserPool", `{}`, invalid},
		{"DescribeUserPool", `{"UserPoolId":"people"}`, invalid},
		{"DescribeUserPool", `{"UserPoolId":"us-east-1_Nowhere"}`, "ResourceNotFoundException"},
		{"UpdateUserPool", `{"UserPoolId":"POOL","MfaConfiguration":""}`, invalid},
		{"UpdateUserPool", `{"UserPoolId":"POOL","LambdaConfig":{"PreSignUp":"x"}}`, invalid},
		{"ListUserPools", `{}`, invalid},
		{"ListUserPools", `{"MaxResults":61}`, invalid},
		{"ListUserPools", `{"MaxResults":1,"NextToken":"x"}`, invalid},
		{"TagResource", `{"ResourceArn":"POOL","Tags":{}}`, "ResourceNotFoundException"},
		{"TagResource", `{"ResourceArn":"arn:aws:cognito-idp:ap-southeast-2:999999999999:userpool/POOL","Tags":{}}`, "ResourceNotFoundException"},
		{"TagResource", `{"ResourceArn":"arn:aws:cognito-idp:us-east-1:` + stacktest.AccountA + `:userpool/POOL","Tags":{}}`, "ResourceNotFoundException"},
		{"TagResource", `{"ResourceArn":"short","Tags":{}}`, invalid},
		{"TagResource", `{"ResourceArn":"arn:aws:cognito-idp:us-east-1:1:userpool/x_y","Tags":{"a":"b"}}`, "ResourceNotFoundException"},
		{"TagResource", `{"ResourceArn":"arn:aws:cognito-idp:us-east-1:1:userpool/x_y"}`, invalid},
		{"CreateUserPoolClient", `{"UserPoolId":"POOL"}`, invalid},
		{"CreateUserPoolClient", `{"UserPoolId":"POOL","ClientName":"a","ExplicitAuthFlows":["ALLOW_ANYTHING"]}`, invalid},
		{"CreateUserPoolClient", `{"UserPoolId":"POOL","ClientName":"a","AccessTokenValidity":25}`, invalid},
		{"CreateUserPoolClient", `{"UserPoolId":"POOL","ClientName":"a","AccessTokenValidity":-1}`, invalid},
		{"CreateUserPoolClient", `{"UserPoolId":"POOL","ClientName":"a","RefreshTokenValidity":315360000}`, invalid},
		{"CreateUserPoolClient", `{"UserPoolId":"POOL","ClientName":"a","TokenValidityUnits":{"IdToken":"weeks"}}`, invalid},
		{"CreateUserPoolClient", `{"UserPoolId":"POOL","ClientName":"a","AuthSessionValidity":16}`, invalid},
		{"CreateUserPoolClient", `{"UserPoolId":"POOL","ClientName":"a","RefreshTokenRotation":{"Feature":"ON"}}`, invalid},
		{"CreateUserPoolClient", `{"UserPoolId":"POOL","ClientName":"a","PreventUserExistenceErrors":"NO"}`, invalid},
		{"CreateUserPoolClient", `{"UserPoolId":"POOL","ClientName":"a","SupportedIdentityProviders":["Google"]}`, invalid},
		{"CreateUserPoolClient", `{"UserPoolId":"POOL","ClientName":"a","ClientSecret":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}`, invalid},
		{"DescribeUserPoolClient", `{"UserPoolId":"POOL"}`, invalid},
		{"DescribeUserPoolClient", `{"UserPoolId":"POOL","ClientId":"nobody"}`, "ResourceNotFoundException"},
		{"AdminCreateUser", `{"UserPoolId":"POOL"}`, invalid},
		{"AdminCreateUser", `{"UserPoolId":"POOL","Username":"a b"}`, invalid},
		{"AdminCreateUser", `{WHO}`, "UsernameExistsException"},
		{"AdminCreateUser", `{WHO,"MessageAction":"RESEND"}`, "UnsupportedUserStateException"},
		{"AdminCreateUser", `{WHO,"MessageAction":"SEND"}`, invalid},
		{"AdminCreateUser", `{"UserPoolId":"POOL","Username":"eve","MessageAction":"RESEND"}`, "UserNotFoundException"},
		{"AdminCreateUser", `{"UserPoolId":"POOL","Username":"bob","TemporaryPassword":"short"}`, "InvalidPasswordException"},
		{"AdminCreateUser", `{"UserPoolId":"POOL","Username":"bob","UserAttributes":[{"Name":"team","Value":"x"}]}`, invalid},
		{"AdminGetUser", `{"UserPoolId":"POOL","Username":"eve"}`, "UserNotFoundException"},
		{"AdminSetUserPassword", `{WHO}`, invalid},
		{"AdminSetUserPassword", `{WHO,"Password":"short"}`, "InvalidPasswordException"},
		{"AdminUpdateUserAttributes", `{WHO}`, invalid},
		{"AdminUpdateUserAttributes", `{WHO,"UserAttributes":[{"Name":"sub","Value":"x"}]}`, invalid},
		{"AdminDeleteUserAttributes", `{WHO}`, invalid},
		{"AdminSetUserMFAPreference", `{WHO,"SMSMfaSettings":{"Enabled":true}}`, invalid},
		{"AdminSetUserMFAPreference", `{WHO,"SoftwareTokenMfaSettings":{"Enabled":true}}`, invalid},
		{"ListUsers", `{"UserPoolId":"POOL","Limit":61}`, invalid},
		{"ListUsers", `{"UserPoolId":"POOL","Limit":-1}`, invalid},
		{"ListUsers", `{"UserPoolId":"POOL","Filter":"username"}`, invalid},
		{"ListUsers", `{"UserPoolId":"POOL","PaginationToken":"x"}`, invalid},
		{"CreateGroup", `{"UserPoolId":"POOL"}`, invalid},
		{"CreateGroup", `{"UserPoolId":"POOL","GroupName":"staff"}`, "GroupExistsException"},
		{"CreateGroup", `{"UserPoolId":"POOL","GroupName":"a/b"}`, invalid},
		{"CreateGroup", `{"UserPoolId":"POOL","GroupName":"b","Precedence":-1}`, invalid},
		{"CreateGroup", `{"UserPoolId":"POOL","GroupName":"b","RoleArn":"arn:aws:iam::999999999999:role/x"}`, invalid},
		{"GetGroup", `{"UserPoolId":"POOL","GroupName":"none"}`, "ResourceNotFoundException"},
		{"AdminAddUserToGroup", `{WHO,"GroupName":"none"}`, "ResourceNotFoundException"},
		{"AdminAddUserToGroup", `{"UserPoolId":"POOL","Username":"eve","GroupName":"staff"}`, "UserNotFoundException"},
		{"AdminInitiateAuth", `{"UserPoolId":"POOL","AuthFlow":"ADMIN_USER_PASSWORD_AUTH"}`, invalid},
		{"AdminInitiateAuth", `{"UserPoolId":"us-east-1_Nowhere","ClientId":"CLIENT","AuthFlow":"ADMIN_USER_PASSWORD_AUTH"}`, "ResourceNotFoundException"},
		{"AdminInitiateAuth", `{"UserPoolId":"POOL","ClientId":"nobody","AuthFlow":"ADMIN_USER_PASSWORD_AUTH"}`, "ResourceNotFoundException"},
		{"AdminInitiateAuth", `{"UserPoolId":"POOL","ClientId":"CLIENT","AuthFlow":"ADMIN_USER_PASSWORD_AUTH","AuthParameters":{"USERNAME":"ann","PASSWORD":"permanent-1"}}`, invalid},
		{"AdminRespondToAuthChallenge", `{"UserPoolId":"POOL","ClientId":"CLIENT","ChallengeName":"SMS_MFA"}`, invalid},
		{"CreateUserImportJob", `{"UserPoolId":"POOL"}`, "UnknownOperationException"},
	} {
		status, got := call(c.op, in.Replace(c.body))
		if status != 400 || !strings.Contains(got, `"__type":"`+c.code+`"`) {
			t.Errorf("%s %s: %d %s, want %s", c.op, c.body[:min(len(c.body), 120)], status, got, c.code)
		}
	}
}

func FuzzPoolAdmin(f *testing.F) {
	call := poolServer(f)
	_, answer := call("CreateUserPool", `{"PoolName":"people"}`)
	pool := member(f, answer, "UserPool", "Id")
	f.Add(uint8(0), `{"UserPoolId":"POOL"}`)
	f.Add(uint8(1), `{"UserPoolId":"POOL","Username":"a","UserAttributes":[{"Name":"email","Value":"a@b"}]}`)
	f.Add(uint8(2), `{"UserPoolId":"POOL","Filter":"email ^= \"a\"","Limit":3}`)
	f.Add(uint8(3), `{"UserPoolId":"POOL","GroupName":"a","Precedence":1}`)
	f.Add(uint8(4), `{"UserPoolId":"POOL","MfaConfiguration":"OPTIONAL","Schema":[{}],"Policies":{"PasswordPolicy":{"MinimumLength":8}}}`)
	ops := []string{"DescribeUserPool", "AdminCreateUser", "ListUsers", "CreateGroup", "UpdateUserPool"}
	f.Fuzz(func(t *testing.T, op uint8, body string) {
		if int(op) >= len(ops) {
			return
		}
		status, got := call(ops[op], strings.ReplaceAll(body, "POOL", pool))
		if status != 200 && status != 400 || !json.Valid([]byte(got)) {
			t.Errorf("%s %q: %d %s", ops[op], body, status, got)
		}
	})
}
