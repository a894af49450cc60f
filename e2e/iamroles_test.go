package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// accountTrust lets an account's principals take a role.
func accountTrust(account string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + account + `"},"Action":"sts:AssumeRole"}]}`
}

// cliIAM calls `aws iam` and decodes what it prints. It names the endpoint in the
// call: early releases of version 2 do not read it from the environment.
type cliIAM struct {
	*Client
	path, url string
}

func (c cliIAM) iam(args ...string) map[string]any {
	c.t.Helper()
	out := c.OK(c.path, append([]string{"--endpoint-url", c.url, "iam"}, args...)...)
	if strings.TrimSpace(out) == "" {
		return nil
	}
	return decode[map[string]any](c.t, out)
}

func (c cliIAM) refused(code string, args ...string) {
	c.t.Helper()
	c.Refused(code, c.path, append([]string{"--endpoint-url", c.url, "iam"}, args...)...)
}

// at follows keys and, in lists, the first member.
func at(v any, path ...string) any {
	for _, key := range path {
		if list, ok := v.([]any); ok {
			if len(list) == 0 {
				return nil
			}
			v = list[0]
		}
		m, _ := v.(map[string]any)
		v = m[key]
	}
	return v
}

// TestIAMRolesCLI goes with the aws CLIs through all actions about roles, OIDC
// providers and tags, right and wrong.
func TestIAMRolesCLI(t *testing.T) {
	t.Parallel()
	for _, v := range []struct {
		name string
		need func(testing.TB) string
	}{{"v1", needAWS1}, {"v2", needAWS2}} {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			path := v.need(t)
			s := Start(t)
			c := cliIAM{s.NewClient(t).With(s.RootKeys()), path, s.URL}
			cliRoles(t, s, c)
			cliProviders(t, s, c)
			cliUsers(t, s, c)
		})
	}
}

func cliRoles(t *testing.T, s *Server, c cliIAM) {
	t.Helper()
	trust := "file://" + c.Write("trust.json", accountTrust(s.AccountID))
	boundary := "arn:" + s.Partition + ":iam::aws:policy/ReadOnlyAccess"
	made := c.iam("create-role", "--role-name", "deploy", "--path", "/team/", "--assume-role-policy-document", trust, "--description", "deploys",
		"--max-session-duration", "7200", "--permissions-boundary", boundary, "--tags", "Key=Team,Value=blue", "Key=Cost,Value=")
	if got, want := at(made, "Role", "Arn"), "arn:"+s.Partition+":iam::"+s.AccountID+":role/team/deploy"; got != want {
		t.Errorf("got %v, want %s", got, want)
	}
	c.iam("update-role", "--role-name", "deploy", "--max-session-duration", "43200")
	c.iam("update-role-description", "--role-name", "deploy", "--description", "deploys more")
	c.iam("update-assume-role-policy", "--role-name", "deploy", "--policy-document", trust)
	c.iam("tag-role", "--role-name", "deploy", "--tags", "Key=COST,Value=1", "Key=More,Value=x")
	c.iam("untag-role", "--role-name", "deploy", "--tag-keys", "more", "none")
	role := c.iam("get-role", "--role-name", "deploy")
	for path, want := range map[string]any{
		"Role Description": "deploys more", "Role MaxSessionDuration": 43200.0, "Role AssumeRolePolicyDocument Statement Principal AWS": s.AccountID,
		"Role PermissionsBoundary PermissionsBoundaryArn": boundary, "Role PermissionsBoundary PermissionsBoundaryType": "Policy",
		"Role Tags Key": "COST",
	} {
		if got := at(role, strings.Fields(path)...); got != want {
			t.Errorf("%s: got %v, want %v", path, got, want)
		}
	}
	if tags, _ := c.iam("list-role-tags", "--role-name", "deploy")["Tags"].([]any); len(tags) != 2 {
		t.Errorf("tags: %v", tags)
	}
	if got := at(c.iam("list-roles", "--path-prefix", "/team/"), "Roles", "RoleName"); got != "deploy" {
		t.Errorf("list-roles: %v", got)
	}
	paged := c.iam("list-roles", "--max-items", "1", "--page-size", "1")
	if list, _ := paged["Roles"].([]any); len(list) != 1 || paged["NextToken"] == nil {
		t.Errorf("one role of several: %v", paged)
	}
	if list, ok := c.iam("list-instance-profiles-for-role", "--role-name", "deploy")["InstanceProfiles"].([]any); !ok || len(list) != 0 {
		t.Errorf("instance profiles: %v", list)
	}
	c.refused("EntityAlreadyExists", "create-role", "--role-name", "DEPLOY", "--assume-role-policy-document", trust)
	c.refused("MalformedPolicyDocument", "update-assume-role-policy", "--role-name", "deploy", "--policy-document", "{}")
	c.iam("delete-role", "--role-name", "deploy")
	c.refused("DeleteConflict", "delete-role", "--role-name", "shasta-admin")
}

func cliProviders(t *testing.T, s *Server, c cliIAM) {
	t.Helper()
	thumb := strings.Repeat("0a", 20)
	arn, _ := c.iam("create-open-id-connect-provider", "--url", "https://idp.example.com/a", "--client-id-list", "app",
		"--thumbprint-list", thumb, "--tags", "Key=Team,Value=blue")["OpenIDConnectProviderArn"].(string)
	if want := "arn:" + s.Partition + ":iam::" + s.AccountID + ":oidc-provider/idp.example.com/a"; arn != want {
		t.Fatalf("got %s, want %s", arn, want)
	}
	provider := []string{"--open-id-connect-provider-arn", arn}
	call := func(name string, args ...string) map[string]any {
		t.Helper()
		return c.iam(append(append([]string{name}, provider...), args...)...)
	}
	call("add-client-id-to-open-id-connect-provider", "--client-id", "second")
	call("remove-client-id-from-open-id-connect-provider", "--client-id", "app")
	call("update-open-id-connect-provider-thumbprint", "--thumbprint-list", strings.Repeat("f", 40))
	call("tag-open-id-connect-provider", "--tags", "Key=Cost,Value=1")
	call("untag-open-id-connect-provider", "--tag-keys", "Team")
	got, err := json.Marshal(call("get-open-id-connect-provider"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"Url":"idp.example.com/a"`, `"ClientIDList":["second"]`, `"ThumbprintList":["ffffffff`, `"Tags":[{"Key":"Cost","Value":"1"}]`} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%s has no %s", got, want)
		}
	}
	if got := at(call("list-open-id-connect-provider-tags"), "Tags", "Key"); got != "Cost" {
		t.Errorf("tags: %v", got)
	}
	list, _ := c.iam("list-open-id-connect-providers")["OpenIDConnectProviderList"].([]any)
	if !slices.ContainsFunc(list, func(v any) bool { return at(v, "Arn") == arn }) || len(list) < 2 {
		t.Errorf("list: %v", list)
	}
	call("delete-open-id-connect-provider")
	call("delete-open-id-connect-provider") // does not fail
	c.refused("NoSuchEntity", append([]string{"get-open-id-connect-provider"}, provider...)...)
}

func cliUsers(t *testing.T, s *Server, c cliIAM) {
	t.Helper()
	boundary := "arn:" + s.Partition + ":iam::aws:policy/ReadOnlyAccess"
	c.iam("create-user", "--user-name", "carol", "--permissions-boundary", boundary, "--tags", "Key=Team,Value=blue")
	c.iam("tag-user", "--user-name", "carol", "--tags", "Key=Cost,Value=1")
	c.iam("untag-user", "--user-name", "carol", "--tag-keys", "team")
	user := c.iam("get-user", "--user-name", "carol")
	if at(user, "User", "PermissionsBoundary", "PermissionsBoundaryArn") != boundary || at(user, "User", "Tags", "Key") != "Cost" {
		t.Errorf("%v", user)
	}
	if got := at(c.iam("list-user-tags", "--user-name", "carol"), "Tags", "Value"); got != "1" {
		t.Errorf("tags: %v", got)
	}
	c.refused("ValidationError", "tag-user", "--user-name", "root", "--tags", "Key=a,Value=b")

	// A user without rights is told of none of them, whether they exist or not.
	k := c.iam("create-access-key", "--user-name", "carol")
	carol := cliIAM{s.NewClient(t).With(Keys{AccessKeyID: at(k, "AccessKey", "AccessKeyId").(string), SecretAccessKey: at(k, "AccessKey", "SecretAccessKey").(string)}), c.path, c.url}
	carol.refused("AccessDenied", "get-role", "--role-name", "shasta-admin")
	carol.refused("AccessDenied", "get-role", "--role-name", "none")
}

// TestIAMRolesRefusals: each wrong call gets the code that boto3 knows.
func TestIAMRolesRefusals(t *testing.T) {
	t.Parallel()
	needPython(t, "boto3")
	s := Start(t)
	c, k := s.NewClient(t), s.RootKeys()
	trust := accountTrust(s.AccountID)
	made := must(t, c, iamCall(k, "create_user", "UserName", "carol"), iamCall(k, "create_access_key", "UserName", "carol"))
	carol := createdKeys(made[1])
	role := func(k Keys, more ...any) Call {
		return iamCall(k, "create_role", append([]any{"RoleName", "x", "AssumeRolePolicyDocument", trust}, more...)...)
	}
	tags := []map[string]string{{"Key": "a", "Value": "b"}}
	provider := "arn:" + s.Partition + ":iam::" + s.AccountID + ":oidc-provider/none"
	shared := strings.Replace(strings.Replace(trust, `"AWS":"`+s.AccountID, `"Federated":"arn:aws:iam::`+s.AccountID+`:oidc-provider/token.actions.githubusercontent.com`, 1), "AssumeRole", "AssumeRoleWithWebIdentity", 1)
	expectAll(t, c, []expectation{
		{role(k, "AssumeRolePolicyDocument", shared), 400, "MalformedPolicyDocument"},
		{role(k, "AssumeRolePolicyDocument", strings.Replace(trust, s.AccountID, "arn:aws:iam::"+s.AccountID+":user/nobody", 1)), 400, "MalformedPolicyDocument"},
		{role(k, "PermissionsBoundary", "arn:aws:iam::aws:policy/None"), 404, "NoSuchEntity"},
		{role(k, "MaxSessionDuration", 43201), 400, "ValidationError"},
		{role(k, "Tags", []map[string]string{{"Key": "aws:x", "Value": "b"}}), 400, "InvalidInput"},
		{iamCall(k, "get_role", "RoleName", "none"), 404, "NoSuchEntity"},
		{iamCall(k, "delete_role", "RoleName", "none"), 404, "NoSuchEntity"},
		{iamCall(k, "list_instance_profiles_for_role", "RoleName", "none"), 404, "NoSuchEntity"},
		{iamCall(k, "create_open_id_connect_provider", "Url", "http://idp.example.net"), 400, "InvalidInput"},
		{iamCall(k, "get_open_id_connect_provider", "OpenIDConnectProviderArn", provider), 404, "NoSuchEntity"},
		{iamCall(k, "create_user", "UserName", "dave", "PermissionsBoundary", "arn:aws:iam::"+s.AccountID+":policy/none"), 404, "NoSuchEntity"},
		{iamCall(k, "tag_user", "UserName", "nobody", "Tags", tags), 404, "NoSuchEntity"},
		// Who has no rights is told of nothing, whether it exists or not.
		{role(carol), 403, "AccessDenied"},
		{iamCall(carol, "list_roles"), 403, "AccessDenied"},
		{iamCall(carol, "get_role", "RoleName", "none"), 403, "AccessDenied"},
		{iamCall(carol, "tag_user", "UserName", "root", "Tags", tags), 403, "AccessDenied"},
		{iamCall(carol, "get_open_id_connect_provider", "OpenIDConnectProviderArn", provider), 403, "AccessDenied"},
		{iamCall(carol, "delete_open_id_connect_provider", "OpenIDConnectProviderArn", provider), 403, "AccessDenied"},
	})
}

// goIAM is a client of aws-sdk-go-v2 with root's long-term keys.
func (s *Server) goIAM(transport http.RoundTripper) *iam.Client {
	return iam.New(iam.Options{
		Region: s.Region, BaseEndpoint: aws.String(s.URL), RetryMaxAttempts: 1, HTTPClient: &http.Client{Transport: transport},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: s.Root.AccessKeyID, SecretAccessKey: s.Root.SecretAccessKey}, nil
		}),
	})
}

// TestIAMRolesGo looks with aws-sdk-go-v2 at what typed clients make of the
// answers: times, numbers, pages, codes.
func TestIAMRolesGo(t *testing.T) {
	t.Parallel()
	s := Start(t)
	c, ctx := s.goIAM(http.DefaultTransport), t.Context()
	trust := accountTrust(s.AccountID)
	for _, name := range []string{"a", "b", "c"} {
		out, err := c.CreateRole(ctx, &iam.CreateRoleInput{
			RoleName: aws.String(name), Path: aws.String("/pages/"), AssumeRolePolicyDocument: aws.String(trust),
			Tags: []types.Tag{{Key: aws.String("Ünicode key"), Value: aws.String("a+b=c/d:e@f")}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if r := out.Role; r.CreateDate.IsZero() || *r.MaxSessionDuration != 3600 || len(r.Tags) != 1 || *r.Tags[0].Key != "Ünicode key" {
			t.Errorf("%+v", r)
		}
	}
	var names []string
	pages := iam.NewListRolesPaginator(c, &iam.ListRolesInput{PathPrefix: aws.String("/pages/"), MaxItems: aws.Int32(1)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Roles {
			names = append(names, *r.RoleName)
		}
	}
	if got := strings.Join(names, " "); got != "a b c" {
		t.Errorf("pages: %s", got)
	}
	for want, err := range map[string]error{
		"NoSuchEntity":        second(c.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String("none")})),
		"LimitExceeded":       second(c.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: aws.String("a"), PolicyDocument: aws.String(`{"Statement":{"Sid":"` + strings.Repeat("a", 5000) + `"}}`)})),
		"EntityAlreadyExists": second(c.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("A"), AssumeRolePolicyDocument: aws.String(trust)})),
	} {
		if got := apiCode(err); got != want {
			t.Errorf("got %q (%v), want %s", got, err, want)
		}
	}
}

func second[T any](_ T, err error) error { return err }
