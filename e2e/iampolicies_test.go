package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// allow is a policy that allows an action on a resource.
func allow(action, resource string) string {
	return `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "` + action + `", "Resource": "` + resource + `"}]}`
}

// goWith is the configuration of aws-sdk-go-v2 in possession of keys.
func (s *Server) goWith(k Keys) aws.Config {
	return aws.Config{
		Region: s.Region, BaseEndpoint: aws.String(s.URL), RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: k.AccessKeyID, SecretAccessKey: k.SecretAccessKey, SessionToken: k.SessionToken}, nil
		}),
	}
}

// TestCLIPolicies is the administration of policies and groups at a shell, with
// every aws CLI that there is.
func TestCLIPolicies(t *testing.T) {
	t.Parallel()
	for _, v := range []struct {
		name string
		find func(testing.TB) string
	}{{"v1", needAWS1}, {"v2", needAWS2}} {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			path := v.find(t)
			s := Start(t)
			c := s.NewClient(t).With(s.RootKeys())
			call := func(args ...string) string {
				t.Helper()
				return c.OK(path, append([]string{"--endpoint-url", s.URL, "--output", "json", "iam"}, args...)...)
			}
			refused := func(code string, args ...string) {
				t.Helper()
				c.Refused(code, path, append([]string{"--endpoint-url", s.URL, "iam"}, args...)...)
			}
			cliManaged(t, s, call, refused)
			cliOwners(t, s, call, refused)
			cliGroups(t, call, refused)
		})
	}
}

type (
	cliCall    = func(args ...string) string
	cliRefused = func(code string, args ...string)
)

func cliManaged(t *testing.T, s *Server, call cliCall, refused cliRefused) {
	t.Helper()
	prefix := "arn:" + s.Partition + ":iam::" + s.AccountID + ":policy"
	document := allow("s3:GetObject", "arn:"+s.Partition+":s3:::b/*")
	made := decode[struct{ Policy types.Policy }](t, call("create-policy", "--policy-name", "reads", "--path", "/team/", "--description", "reads b",
		"--policy-document", document, "--tags", "Key=Team,Value=blue"))
	if p := made.Policy; *p.Arn != prefix+"/team/reads" || *p.DefaultVersionId != "v1" || !p.IsAttachable || *p.AttachmentCount != 0 {
		t.Errorf("create-policy: %+v", p)
	}
	arn := []string{"--policy-arn", prefix + "/team/reads"}
	if got := call(append([]string{"get-policy"}, arn...)...); !strings.Contains(got, `"reads b"`) || !strings.Contains(got, `"blue"`) {
		t.Errorf("get-policy: %s", got)
	}
	// The CLI decodes documents: what comes back is the JSON that went.
	version := decode[struct {
		PolicyVersion struct{ Document map[string]any }
	}](t, call(append([]string{"get-policy-version", "--version-id", "v1"}, arn...)...))
	if got := fmt.Sprint(version.PolicyVersion.Document["Version"]); got != "2012-10-17" {
		t.Errorf("get-policy-version: %v", version)
	}
	for range 4 {
		call(append([]string{"create-policy-version", "--policy-document", document, "--set-as-default"}, arn...)...)
	}
	refused("LimitExceeded", append([]string{"create-policy-version", "--policy-document", document}, arn...)...)
	refused("DeleteConflict", append([]string{"delete-policy-version", "--version-id", "v5"}, arn...)...)
	refused("MalformedPolicyDocument", "create-policy", "--policy-name", "x", "--policy-document", `{"Statement": 1}`)
	refused("EntityAlreadyExists", "create-policy", "--policy-name", "READS", "--policy-document", document)
	refused("NoSuchEntity", "get-policy", "--policy-arn", "arn:"+s.Partition+":iam::000000000000:policy/reads")
	refused("AccessDenied", "delete-policy", "--policy-arn", "arn:"+s.Partition+":iam::aws:policy/ReadOnlyAccess")
	call(append([]string{"set-default-policy-version", "--version-id", "v1"}, arn...)...)
	refused("DeleteConflict", append([]string{"delete-policy"}, arn...)...)
	for _, id := range []string{"v2", "v3", "v4", "v5"} {
		call(append([]string{"delete-policy-version", "--version-id", id}, arn...)...)
	}
	// The CLI pages by itself: four pages of two, the last of which is short.
	list := decode[struct{ Policies []types.Policy }](t, call("list-policies", "--page-size", "2"))
	if len(list.Policies) != 6 {
		t.Errorf("list-policies: %d policies", len(list.Policies))
	}
	call(append([]string{"tag-policy", "--tags", "Key=team,Value=red"}, arn...)...)
	call(append([]string{"untag-policy", "--tag-keys", "none"}, arn...)...)
	if got := call(append([]string{"list-policy-tags"}, arn...)...); !strings.Contains(got, `"red"`) || strings.Contains(got, `"blue"`) {
		t.Errorf("list-policy-tags: %s", got)
	}
}

func cliOwners(t *testing.T, s *Server, call cliCall, refused cliRefused) {
	t.Helper()
	call("create-user", "--user-name", "alice")
	arn := "arn:" + s.Partition + ":iam::" + s.AccountID + ":policy/team/reads"
	document := allow("s3:PutObject", "arn:"+s.Partition+":s3:::b/*")
	for _, who := range [][]string{{"user", "alice"}, {"role", "shasta-admin"}} {
		name := []string{"--" + who[0] + "-name", who[1]}
		call(append([]string{"put-" + who[0] + "-policy", "--policy-name", "writes", "--policy-document", document}, name...)...)
		got := decode[struct{ PolicyDocument map[string]any }](t, call(append([]string{"get-" + who[0] + "-policy", "--policy-name", "writes"}, name...)...))
		if fmt.Sprint(got.PolicyDocument["Version"]) != "2012-10-17" {
			t.Errorf("get-%s-policy: %v", who[0], got)
		}
		call(append([]string{"attach-" + who[0] + "-policy", "--policy-arn", arn}, name...)...)
		call(append([]string{"put-" + who[0] + "-permissions-boundary", "--permissions-boundary", arn}, name...)...)
		if got := call(append([]string{"list-attached-" + who[0] + "-policies"}, name...)...); !strings.Contains(got, arn) {
			t.Errorf("list-attached-%s-policies: %s", who[0], got)
		}
		if got := call(append([]string{"get-" + who[0]}, name...)...); !strings.Contains(got, `"PermissionsBoundaryArn": "`+arn) {
			t.Errorf("get-%s: %s", who[0], got)
		}
		refused("DeleteConflict", append([]string{"delete-" + who[0]}, name...)...)
		refused("NoSuchEntity", append([]string{"attach-" + who[0] + "-policy", "--policy-arn", arn + "x"}, name...)...)
		refused("NoSuchEntity", append([]string{"get-" + who[0] + "-policy", "--policy-name", "none"}, name...)...)
	}
	refused("DeleteConflict", "delete-policy", "--policy-arn", arn)
	if got := call("list-entities-for-policy", "--policy-arn", arn); !strings.Contains(got, `"alice"`) || !strings.Contains(got, `"shasta-admin"`) {
		t.Errorf("list-entities-for-policy: %s", got)
	}
	for _, who := range [][]string{{"user", "alice"}, {"role", "shasta-admin"}} {
		name := []string{"--" + who[0] + "-name", who[1]}
		call(append([]string{"detach-" + who[0] + "-policy", "--policy-arn", arn}, name...)...)
		call(append([]string{"delete-" + who[0] + "-permissions-boundary"}, name...)...)
		call(append([]string{"delete-" + who[0] + "-policy", "--policy-name", "writes"}, name...)...)
	}
	call("delete-policy", "--policy-arn", arn)
}

func cliGroups(t *testing.T, call cliCall, refused cliRefused) {
	t.Helper()
	call("create-group", "--group-name", "devs", "--path", "/team/")
	refused("EntityAlreadyExists", "create-group", "--group-name", "Devs")
	call("add-user-to-group", "--group-name", "devs", "--user-name", "alice")
	refused("NoSuchEntity", "add-user-to-group", "--group-name", "devs", "--user-name", "root")
	call("update-group", "--group-name", "devs", "--new-group-name", "engineers")
	group := decode[struct{ Users []types.User }](t, call("get-group", "--group-name", "engineers"))
	if len(group.Users) != 1 || *group.Users[0].UserName != "alice" {
		t.Errorf("get-group: %+v", group)
	}
	if got := call("list-groups-for-user", "--user-name", "alice"); !strings.Contains(got, `"engineers"`) {
		t.Errorf("list-groups-for-user: %s", got)
	}
	refused("DeleteConflict", "delete-group", "--group-name", "engineers")
	refused("DeleteConflict", "delete-user", "--user-name", "alice")
	call("remove-user-from-group", "--group-name", "engineers", "--user-name", "alice")
	call("delete-group", "--group-name", "engineers")
	call("delete-user", "--user-name", "alice")
}

// TestPolicyTakesEffectAtOnce changes what a role session and a user may do:
// their next request to S3 is judged by it, with the keys that they have.
func TestPolicyTakesEffectAtOnce(t *testing.T) {
	t.Parallel()
	s := Start(t)
	ctx := t.Context()
	root := iam.NewFromConfig(s.goWith(s.RootKeys()))
	check := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	bucket := aws.String("effect")
	stores := func(k Keys) *s3.Client {
		return s3.NewFromConfig(s.goWith(k), func(o *s3.Options) { o.UsePathStyle = true })
	}
	check(stores(s.RootKeys()).CreateBucket(ctx, &s3.CreateBucketInput{Bucket: bucket}))
	policy, err := root.CreatePolicy(ctx, &iam.CreatePolicyInput{
		PolicyName: aws.String("effect"), PolicyDocument: aws.String(allow("s3:PutObject", "arn:"+s.Partition+":s3:::effect/*")),
	})
	check(policy, err)
	arn := policy.Policy.Arn

	realm := s.Realms["shasta"]
	role := aws.String("shasta-admin")
	attached, err := root.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: role})
	check(attached, err)
	for _, p := range attached.AttachedPolicies {
		check(root.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: role, PolicyArn: p.PolicyArn}))
	}
	session := stores(s.assumeRole(t, "shasta-admin", logIn(t, s.TokenURL("shasta"), realm.ClientID, realm.Username, realm.Password)))

	user := aws.String("carol")
	check(root.CreateUser(ctx, &iam.CreateUserInput{UserName: user}))
	key, err := root.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: user})
	check(key, err)
	carol := stores(Keys{AccessKeyID: *key.AccessKey.AccessKeyId, SecretAccessKey: *key.AccessKey.SecretAccessKey})

	put := func(who *s3.Client) string {
		_, err := who.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: aws.String("k"), Body: strings.NewReader("x")})
		if code := apiCode(err); code != "" || err == nil {
			return code
		}
		return err.Error()
	}
	expect := func(step string, who *s3.Client, want string) {
		t.Helper()
		if got := put(who); got != want {
			t.Errorf("%s: got %q, want %q", step, got, want)
		}
	}
	const denied = "AccessDenied"
	expect("a role without policies", session, denied)
	check(root.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: role, PolicyArn: arn}))
	expect("attached to the role", session, "")
	expect("a user without policies", carol, denied)
	group := aws.String("writers")
	check(root.CreateGroup(ctx, &iam.CreateGroupInput{GroupName: group}))
	check(root.AddUserToGroup(ctx, &iam.AddUserToGroupInput{GroupName: group, UserName: user}))
	expect("in a group without policies", carol, denied)
	check(root.AttachGroupPolicy(ctx, &iam.AttachGroupPolicyInput{GroupName: group, PolicyArn: arn}))
	expect("attached to the group", carol, "")
	check(root.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionInput{
		PolicyArn: arn, PolicyDocument: aws.String(allow("s3:GetObject", "*")), SetAsDefault: true,
	}))
	expect("another version, of the role's", session, denied)
	expect("another version, of the group's", carol, denied)
	check(root.SetDefaultPolicyVersion(ctx, &iam.SetDefaultPolicyVersionInput{PolicyArn: arn, VersionId: aws.String("v1")}))
	expect("the first version again, of the role's", session, "")
	expect("the first version again, of the group's", carol, "")
	check(root.PutUserPermissionsBoundary(ctx, &iam.PutUserPermissionsBoundaryInput{
		UserName: user, PermissionsBoundary: aws.String("arn:" + s.Partition + ":iam::aws:policy/AmazonS3ReadOnlyAccess"),
	}))
	expect("within a boundary", carol, denied)
	check(root.DeleteUserPermissionsBoundary(ctx, &iam.DeleteUserPermissionsBoundaryInput{UserName: user}))
	expect("without it", carol, "")
	check(root.RemoveUserFromGroup(ctx, &iam.RemoveUserFromGroupInput{GroupName: group, UserName: user}))
	expect("out of the group", carol, denied)
	check(root.PutUserPolicy(ctx, &iam.PutUserPolicyInput{
		UserName: user, PolicyName: aws.String("own"), PolicyDocument: aws.String(allow("s3:*", "arn:"+s.Partition+":s3:::effect/*")),
	}))
	expect("with an inline policy", carol, "")
	check(root.PutUserPolicy(ctx, &iam.PutUserPolicyInput{
		UserName: user, PolicyName: aws.String("never"), PolicyDocument: aws.String(strings.Replace(allow("s3:Put*", "*"), "Allow", "Deny", 1)),
	}))
	expect("with a denial beside it", carol, denied)
	check(root.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: user, PolicyName: aws.String("never")}))
	expect("without the denial", carol, "")
	check(root.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: role, PolicyArn: arn}))
	expect("detached from the role", session, denied)
}

// assumeRole exchanges a token for a session of a role of the demo account.
func (s *Server) assumeRole(t *testing.T, role, token string) Keys {
	t.Helper()
	c := s.NewClient(t)
	return createdSession(must(t, c, Call{Service: "sts", Call: "assume_role_with_web_identity", With: map[string]any{
		"RoleArn": "arn:" + s.Partition + ":iam::" + s.AccountID + ":role/" + role, "RoleSessionName": "worker", "WebIdentityToken": token,
	}})[0])
}

// TestGoSDKPolicies lets the library page, and reads its typed errors.
func TestGoSDKPolicies(t *testing.T) {
	t.Parallel()
	s := Start(t)
	ctx := t.Context()
	c := iam.NewFromConfig(s.goWith(s.RootSession(t)))
	for i := range 25 {
		if _, err := c.CreatePolicy(ctx, &iam.CreatePolicyInput{
			PolicyName: aws.String(fmt.Sprintf("p%02d", i)), PolicyDocument: aws.String(allow("s3:GetObject", "*")),
		}); err != nil {
			t.Fatal(err)
		}
	}
	pages := iam.NewListPoliciesPaginator(c, &iam.ListPoliciesInput{Scope: types.PolicyScopeTypeLocal, MaxItems: aws.Int32(10)})
	var names []string
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range page.Policies {
			names = append(names, *p.PolicyName)
		}
	}
	if len(names) != 25 || names[0] != "p00" || names[24] != "p24" {
		t.Errorf("policies: %v", names)
	}
	user := aws.String("limits")
	if _, err := c.CreateUser(ctx, &iam.CreateUserInput{UserName: user}); err != nil {
		t.Fatal(err)
	}
	attach := func(i int) error {
		_, err := c.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{
			UserName: user, PolicyArn: aws.String(fmt.Sprintf("arn:%s:iam::%s:policy/p%02d", s.Partition, s.AccountID, i)),
		})
		return err
	}
	for i := range 10 {
		if err := attach(i); err != nil {
			t.Fatal(err)
		}
	}
	var limit *types.LimitExceededException
	if err := attach(10); !errors.As(err, &limit) {
		t.Errorf("an eleventh: %v", err)
	}
	var absent *types.NoSuchEntityException
	if err := attach(99); !errors.As(err, &absent) {
		t.Errorf("a policy that is not there: %v", err)
	}
	var malformed *types.MalformedPolicyDocumentException
	_, err := c.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: user, PolicyName: aws.String("x"), PolicyDocument: aws.String("{}")})
	if !errors.As(err, &malformed) {
		t.Errorf("no policy: %v", err)
	}
	var conflict *types.DeleteConflictException
	if _, err := c.DeleteUser(ctx, &iam.DeleteUserInput{UserName: user}); !errors.As(err, &conflict) || *conflict.Message != "Cannot delete entity, must detach all policies first." {
		t.Errorf("deleted with policies: %v", err)
	}
}
