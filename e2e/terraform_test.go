package e2e

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

const terraformTranscript = "testdata/terraform_iam.txt"

// recorder writes down what is sent and answered.
type recorder struct {
	next http.RoundTripper
	out  strings.Builder
	// masks are what differs from run to run.
	masks *strings.Replacer
}

func (r *recorder) RoundTrip(q *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return nil, err
	}
	q.Body = io.NopCloser(bytes.NewReader(body))
	p, err := r.next.RoundTrip(q)
	if err != nil {
		return nil, err
	}
	answer, err := io.ReadAll(p.Body)
	if err != nil {
		return nil, err
	}
	p.Body = io.NopCloser(bytes.NewReader(answer))
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(&r.out, "> %s\n", form.Get("Action"))
	for _, name := range slices.Sorted(maps.Keys(form)) {
		if name != "Action" && name != "Version" {
			fmt.Fprintf(&r.out, ">   %s = %s\n", name, r.masks.Replace(form.Get(name)))
		}
	}
	fmt.Fprintf(&r.out, "< %d %s\n\n", p.StatusCode, volatile.ReplaceAllString(r.masks.Replace(string(answer)), "<$1>…</$1>"))
	return p, nil
}

var volatile = regexp.MustCompile(`<(RequestId|CreateDate|UpdateDate|RoleId|UserId|GroupId|PolicyId)>[^<]*</` + `(?:RequestId|CreateDate|UpdateDate|RoleId|UserId|GroupId|PolicyId)>`)

// TestTerraformCalls makes the calls of Terraform's AWS provider for a role, a
// user, an OIDC provider, policies and a group, in its order, with the library
// that it uses: create, read, update, read, destroy. The transcript is what is
// promised. TestTerraform runs the real thing.
func TestTerraformCalls(t *testing.T) {
	t.Parallel()
	s := Start(t)
	r := &recorder{next: http.DefaultTransport, masks: strings.NewReplacer(s.AccountID, "ACCOUNT")}
	c, ctx := s.goIAM(r), t.Context()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	name, user, url := aws.String("tf-role"), aws.String("tf-user"), aws.String("https://idp.example.com/tf")
	trust := accountTrust(s.AccountID)
	tags := []types.Tag{{Key: aws.String("Team"), Value: aws.String("blue")}}

	readRole := func() {
		t.Helper()
		check(second(c.GetRole(ctx, &iam.GetRoleInput{RoleName: name})))
		check(second(c.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: name})))
		check(second(c.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: name})))
		check(second(c.ListRoleTags(ctx, &iam.ListRoleTagsInput{RoleName: name})))
	}
	// aws_iam_role
	check(second(c.CreateRole(ctx, &iam.CreateRoleInput{
		RoleName: name, Path: aws.String("/"), AssumeRolePolicyDocument: aws.String(trust), MaxSessionDuration: aws.Int32(3600),
		Description: aws.String("made"), Tags: tags,
	})))
	readRole()
	check(second(c.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: name, PolicyDocument: aws.String(strings.Replace(trust, "AssumeRole\"", "*\"", 1))})))
	check(second(c.UpdateRoleDescription(ctx, &iam.UpdateRoleDescriptionInput{RoleName: name, Description: aws.String("changed")})))
	check(second(c.UpdateRole(ctx, &iam.UpdateRoleInput{RoleName: name, MaxSessionDuration: aws.Int32(7200)})))
	check(second(c.PutRolePermissionsBoundary(ctx, &iam.PutRolePermissionsBoundaryInput{RoleName: name, PermissionsBoundary: aws.String("arn:aws:iam::aws:policy/ReadOnlyAccess")})))
	check(second(c.UntagRole(ctx, &iam.UntagRoleInput{RoleName: name, TagKeys: []string{"Team"}})))
	check(second(c.TagRole(ctx, &iam.TagRoleInput{RoleName: name, Tags: []types.Tag{{Key: aws.String("Cost"), Value: aws.String("1")}}})))
	readRole()
	check(second(c.ListInstanceProfilesForRole(ctx, &iam.ListInstanceProfilesForRoleInput{RoleName: name})))
	check(second(c.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: name})))
	if got := apiCode(second(c.GetRole(ctx, &iam.GetRoleInput{RoleName: name}))); got != "NoSuchEntity" {
		t.Errorf("after the role's destruction: %s", got)
	}

	// aws_iam_user
	check(second(c.CreateUser(ctx, &iam.CreateUserInput{UserName: user, Path: aws.String("/"), Tags: tags})))
	check(second(c.GetUser(ctx, &iam.GetUserInput{UserName: user})))
	check(second(c.ListUserTags(ctx, &iam.ListUserTagsInput{UserName: user})))
	check(second(c.UpdateUser(ctx, &iam.UpdateUserInput{UserName: user, NewUserName: user, NewPath: aws.String("/tf/")})))
	check(second(c.PutUserPermissionsBoundary(ctx, &iam.PutUserPermissionsBoundaryInput{UserName: user, PermissionsBoundary: aws.String("arn:aws:iam::aws:policy/ReadOnlyAccess")})))
	check(second(c.UntagUser(ctx, &iam.UntagUserInput{UserName: user, TagKeys: []string{"Team"}})))
	check(second(c.TagUser(ctx, &iam.TagUserInput{UserName: user, Tags: []types.Tag{{Key: aws.String("Cost"), Value: aws.String("1")}}})))
	check(second(c.GetUser(ctx, &iam.GetUserInput{UserName: user})))
	check(second(c.ListGroupsForUser(ctx, &iam.ListGroupsForUserInput{UserName: user})))
	check(second(c.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: user})))
	check(second(c.DeleteUser(ctx, &iam.DeleteUserInput{UserName: user})))
	if got := apiCode(second(c.GetUser(ctx, &iam.GetUserInput{UserName: user}))); got != "NoSuchEntity" {
		t.Errorf("after the user's destruction: %s", got)
	}

	// aws_iam_openid_connect_provider
	made, err := c.CreateOpenIDConnectProvider(ctx, &iam.CreateOpenIDConnectProviderInput{Url: url, ClientIDList: []string{"app"}, Tags: tags})
	check(err)
	arn := made.OpenIDConnectProviderArn
	readProvider := func() {
		t.Helper()
		check(second(c.GetOpenIDConnectProvider(ctx, &iam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn})))
		check(second(c.ListOpenIDConnectProviderTags(ctx, &iam.ListOpenIDConnectProviderTagsInput{OpenIDConnectProviderArn: arn})))
	}
	readProvider()
	check(second(c.UpdateOpenIDConnectProviderThumbprint(ctx, &iam.UpdateOpenIDConnectProviderThumbprintInput{OpenIDConnectProviderArn: arn, ThumbprintList: []string{strings.Repeat("0a", 20)}})))
	check(second(c.AddClientIDToOpenIDConnectProvider(ctx, &iam.AddClientIDToOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn, ClientID: aws.String("second")})))
	check(second(c.RemoveClientIDFromOpenIDConnectProvider(ctx, &iam.RemoveClientIDFromOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn, ClientID: aws.String("app")})))
	check(second(c.UntagOpenIDConnectProvider(ctx, &iam.UntagOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn, TagKeys: []string{"Team"}})))
	check(second(c.TagOpenIDConnectProvider(ctx, &iam.TagOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn, Tags: []types.Tag{{Key: aws.String("Cost"), Value: aws.String("1")}}})))
	readProvider()
	check(second(c.DeleteOpenIDConnectProvider(ctx, &iam.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn})))
	if got := apiCode(second(c.GetOpenIDConnectProvider(ctx, &iam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn}))); got != "NoSuchEntity" {
		t.Errorf("after the provider's destruction: %s", got)
	}

	terraformPolicies(t, c, check)

	if *update {
		check(os.WriteFile(terraformTranscript, []byte(r.out.String()), 0o644))
	}
	want, err := os.ReadFile(terraformTranscript)
	check(err)
	got := strings.Split(r.out.String(), "\n")
	for i, line := range strings.Split(string(want), "\n") {
		if i >= len(got) || got[i] != line {
			t.Fatalf("line %d: got %q, want %q", i+1, append(got, "")[min(i, len(got))], line)
		}
	}
}

// terraformPolicies are the calls for aws_iam_policy, aws_iam_role_policy,
// aws_iam_role_policy_attachment, aws_iam_group, aws_iam_group_policy_attachment
// and aws_iam_user_group_membership.
func terraformPolicies(t *testing.T, c *iam.Client, check func(error)) {
	ctx := t.Context()
	role, user, group, inline := aws.String("tf-owner"), aws.String("tf-member"), aws.String("tf-group"), aws.String("own")
	document := aws.String(`{"Version":"2012-10-17","Statement":[{"Sid":"Read","Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}`)
	changed := aws.String(strings.Replace(*document, "s3:GetObject", "s3:Get*", 1))
	check(second(c.CreateRole(ctx, &iam.CreateRoleInput{RoleName: role, AssumeRolePolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:PrincipalTag/Team":"blue"}}}]}`)})))
	check(second(c.CreateUser(ctx, &iam.CreateUserInput{UserName: user})))

	// aws_iam_policy
	made, err := c.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: aws.String("tf-policy"), Path: aws.String("/"), PolicyDocument: document, Tags: []types.Tag{{Key: aws.String("Team"), Value: aws.String("blue")}}})
	check(err)
	arn := made.Policy.Arn
	readPolicy := func(version string) {
		t.Helper()
		check(second(c.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: arn})))
		check(second(c.GetPolicyVersion(ctx, &iam.GetPolicyVersionInput{PolicyArn: arn, VersionId: aws.String(version)})))
	}
	readPolicy("v1")
	check(second(c.ListPolicyVersions(ctx, &iam.ListPolicyVersionsInput{PolicyArn: arn})))
	check(second(c.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionInput{PolicyArn: arn, PolicyDocument: changed, SetAsDefault: true})))
	readPolicy("v2")

	// aws_iam_role_policy, aws_iam_role_policy_attachment
	check(second(c.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: role, PolicyName: inline, PolicyDocument: document})))
	check(second(c.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: role, PolicyName: inline})))
	check(second(c.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: role, PolicyArn: arn})))
	check(second(c.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: role})))

	// aws_iam_group, its attachment, aws_iam_user_group_membership
	check(second(c.CreateGroup(ctx, &iam.CreateGroupInput{GroupName: group, Path: aws.String("/")})))
	check(second(c.GetGroup(ctx, &iam.GetGroupInput{GroupName: group})))
	check(second(c.AttachGroupPolicy(ctx, &iam.AttachGroupPolicyInput{GroupName: group, PolicyArn: aws.String("arn:aws:iam::aws:policy/ReadOnlyAccess")})))
	check(second(c.ListAttachedGroupPolicies(ctx, &iam.ListAttachedGroupPoliciesInput{GroupName: group})))
	check(second(c.AddUserToGroup(ctx, &iam.AddUserToGroupInput{UserName: user, GroupName: group})))
	check(second(c.ListGroupsForUser(ctx, &iam.ListGroupsForUserInput{UserName: user})))

	// destroyed in the other order
	check(second(c.RemoveUserFromGroup(ctx, &iam.RemoveUserFromGroupInput{UserName: user, GroupName: group})))
	check(second(c.DetachGroupPolicy(ctx, &iam.DetachGroupPolicyInput{GroupName: group, PolicyArn: aws.String("arn:aws:iam::aws:policy/ReadOnlyAccess")})))
	check(second(c.DeleteGroup(ctx, &iam.DeleteGroupInput{GroupName: group})))
	check(second(c.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: role, PolicyArn: arn})))
	check(second(c.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: role, PolicyName: inline})))
	check(second(c.ListPolicyVersions(ctx, &iam.ListPolicyVersionsInput{PolicyArn: arn})))
	check(second(c.DeletePolicyVersion(ctx, &iam.DeletePolicyVersionInput{PolicyArn: arn, VersionId: aws.String("v1")})))
	check(second(c.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: arn})))
	if got := apiCode(second(c.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: arn}))); got != "NoSuchEntity" {
		t.Errorf("after the policy's destruction: %s", got)
	}
}
