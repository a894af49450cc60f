package e2e

import (
	"encoding/base32"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/pquerna/otp/totp"
)

const (
	caraPassword = "Nine-lives-by-the-sea-9"
	// engineering is what the group may: read, upload with a second factor,
	// delete, and manage one's own factor.
	engineering = `{"Version":"2012-10-17","Statement":[
		{"Sid":"Look","Effect":"Allow","Action":["s3:ListBucket","s3:GetObject","s3:DeleteObject"],"Resource":["arn:PARTITION:s3:::day","arn:PARTITION:s3:::day/*"]},
		{"Sid":"UploadWithFactor","Effect":"Allow","Action":"s3:PutObject","Resource":"arn:PARTITION:s3:::day/secure/*","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}},
		{"Sid":"OwnFactor","Effect":"Allow","Action":["iam:CreateVirtualMFADevice","iam:EnableMFADevice","iam:ResyncMFADevice","iam:ListMFADevices"],
		 "Resource":["arn:PARTITION:iam::ACCOUNT:mfa/${aws:username}","arn:PARTITION:iam::ACCOUNT:user/*/${aws:username}"]}]}`
	// noDeletes is a boundary.
	noDeletes = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":"s3:DeleteObject","Resource":"*"}]}`
	deploying = `{"Version":"2012-10-17","Statement":[
		{"Sid":"Everywhere","Effect":"Allow","Action":["s3:PutObject","s3:GetObject"],"Resource":"arn:PARTITION:s3:::day/*"},
		{"Sid":"NoReleases","Effect":"Deny","Action":"s3:PutObject","Resource":"arn:PARTITION:s3:::day/%s/*"}]}`
)

// adminDay is a day of an administrator's, who has the root user's keys.
type adminDay struct {
	*policyLab
	aws              string // the aws CLI
	shell            *Client
	cara             *actor
	caraKeys         Keys
	seed             string // of cara's device, as apps read it
	serial           string
	issuer           *foreignIssuer
	live             Keys // of the workload
	liveS3           *actor
	managed          map[string]string // name -> ARN
	sessionWithCodes Keys
}

// TestAdministratorsDay is one story, from an empty account to an empty account.
func TestAdministratorsDay(t *testing.T) {
	t.Parallel()
	path := needAWS1(t)
	needPython(t, "boto3")
	issuer := startIssuer(t)
	s := StartWith(t, []string{"DAYPASS_EGRESS_EXEMPT=" + issuer.Host()})
	d := &adminDay{policyLab: &policyLab{Server: s, t: t}, aws: path, issuer: issuer, managed: map[string]string{}}
	d.shell = s.NewClient(t).With(s.RootKeys())
	d.root = d.actor(s.RootARN(), s.RootKeys())
	_, err := d.root.s3.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("day")})
	d.check("CreateBucket", err)
	for _, step := range []struct {
		name string
		run  func(*adminDay)
	}{
		{"the account", (*adminDay).account},
		{"people", (*adminDay).people},
		{"a second factor", (*adminDay).factor},
		{"a boundary", (*adminDay).boundary},
		{"a workload", (*adminDay).workload},
		{"a denied upload", (*adminDay).denial},
		{"a lost session", (*adminDay).revocation},
		{"reports", (*adminDay).reports},
		{"leaving", (*adminDay).leaving},
	} {
		if !t.Run(step.name, func(t *testing.T) { d.t = t; d.shell.t = t; step.run(d) }) {
			t.FailNow()
		}
	}
}

// boto makes calls of IAM as the root user, which all succeed.
func (d *adminDay) boto(calls ...Call) []Answer {
	d.t.Helper()
	return must(d.t, d.shell, calls...)
}

func (d *adminDay) arn(resource string) string {
	return "arn:" + d.Partition + ":iam::" + d.AccountID + ":" + resource
}

func (d *adminDay) upload(a *actor, key string) error {
	_, err := a.s3.PutObject(d.t.Context(), &s3.PutObjectInput{Bucket: aws.String("day"), Key: &key, Body: strings.NewReader("x")})
	return err
}

// want looks for the code of an error, "" for none.
func (d *adminDay) want(what, code string, err error) {
	d.t.Helper()
	if apiCode(err) != code || (err == nil) != (code == "") {
		d.t.Errorf("%s: got %v, want %q", what, err, code)
	}
}

func (d *adminDay) account() {
	d.shell.OK(d.aws, "iam", "create-account-alias", "--account-alias", "day-shift")
	if got := d.shell.OK(d.aws, "iam", "list-account-aliases", "--query", "AccountAliases[0]", "--output", "text"); got != "day-shift\n" {
		d.t.Errorf("the alias is %q", got)
	}
	d.shell.OK(d.aws, "iam", "update-account-password-policy", "--minimum-password-length", "14", "--require-numbers", "--require-symbols", "--max-password-age", "90")
	got := d.boto(iamCall(d.RootKeys(), "get_account_password_policy"))[0].Answer["PasswordPolicy"].(map[string]any)
	if got["MinimumPasswordLength"] != 14.0 || got["RequireSymbols"] != true || got["MaxPasswordAge"] != 90.0 {
		d.t.Errorf("the password policy is %v", got)
	}
}

func (d *adminDay) policy(name, document string) string {
	d.t.Helper()
	out, err := d.root.iam.CreatePolicy(d.t.Context(), &iam.CreatePolicyInput{PolicyName: &name, PolicyDocument: aws.String(d.in(document))})
	d.check("CreatePolicy "+name, err)
	d.managed[name] = *out.Policy.Arn
	return *out.Policy.Arn
}

func (d *adminDay) people() {
	k, user := d.RootKeys(), func(more ...any) []any { return append([]any{"UserName", "cara"}, more...) }
	engineers := d.policy("engineering", engineering)
	d.boto(iamCall(k, "create_group", "GroupName", "engineers"), iamCall(k, "attach_group_policy", "GroupName", "engineers", "PolicyArn", engineers),
		iamCall(k, "create_user", user("Path", "/eng/")...), iamCall(k, "add_user_to_group", user("GroupName", "engineers")...))
	weak := d.shell.Boto3([]Call{iamCall(k, "create_login_profile", user("Password", "Short-1")...)})[0]
	if weak.Code != "PasswordPolicyViolation" || weak.Status != 400 {
		d.t.Errorf("a weak password: %d %s", weak.Status, weak.Code)
	}
	made := d.boto(iamCall(k, "create_login_profile", user("Password", caraPassword)...), iamCall(k, "create_access_key", user()...))
	d.caraKeys = createdKeys(made[1])
	d.cara = d.actor(d.arn("user/eng/cara"), d.caraKeys)

	// She logs in at the realm.
	p := newPerson(d.t, d.Server)
	login := func(password string) Result {
		return p.Run(d.binary, "login", "--endpoint", d.URL, "--realm", "shasta", "--username", "cara", "--role", d.roleARN("shasta-admin"),
			"--password-file", p.Write("password", password+"\n"))
	}
	if r := login(caraPassword + "!"); r.Code == 0 {
		d.t.Errorf("a wrong password logs in: %s", r.Stdout)
	}
	if r := login(caraPassword); r.Code != 0 {
		d.t.Fatalf("log-in: %d %s", r.Code, r.Stderr)
	}
	if got := p.OK(d.binary, "whoami"); !strings.Contains(got, "assumed-role/shasta-admin/") {
		d.t.Errorf("whoami: %s", got)
	}
	// Her key is a member's of the group, and no more.
	d.want("upload without a factor", "AccessDenied", d.upload(d.cara, "secure/1"))
	_, err := d.cara.s3.ListObjectsV2(d.t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("day")})
	d.want("list", "", err)
	_, err = d.cara.iam.ListUsers(d.t.Context(), nil)
	d.want("list users", "AccessDenied", err)
}

const totpStep = 30 // seconds

// code is the device's code of a step, counted from now.
func (d *adminDay) code(from time.Time, steps int) *string {
	code, err := totp.GenerateCode(d.seed, from.Add(time.Duration(steps)*totpStep*time.Second))
	d.check("code", err)
	return &code
}

func (d *adminDay) factor() {
	ctx, cara := d.t.Context(), aws.String("cara")
	_, err := d.cara.iam.CreateVirtualMFADevice(ctx, &iam.CreateVirtualMFADeviceInput{VirtualMFADeviceName: aws.String("another")})
	d.want("a device by another name", "AccessDenied", err)
	made, err := d.cara.iam.CreateVirtualMFADevice(ctx, &iam.CreateVirtualMFADeviceInput{VirtualMFADeviceName: cara})
	d.check("CreateVirtualMFADevice", err)
	d.seed, d.serial = string(made.VirtualMFADevice.Base32StringSeed), *made.VirtualMFADevice.SerialNumber
	if raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(d.seed); err != nil || len(raw) != 20 {
		d.t.Fatalf("the seed is of %d bytes: %v", len(raw), err)
	}
	// Codes of the past enable, so that those of now can be used.
	now := time.Now()
	enable := func(one, two *string) error {
		_, err := d.cara.iam.EnableMFADevice(ctx, &iam.EnableMFADeviceInput{UserName: cara, SerialNumber: &d.serial, AuthenticationCode1: one, AuthenticationCode2: two})
		return err
	}
	d.want("the codes in the wrong order", "InvalidAuthenticationCode", enable(d.code(now, -2), d.code(now, -3)))
	d.want("enable", "", enable(d.code(now, -3), d.code(now, -2)))
	d.want("enable twice", "EntityAlreadyExists", enable(d.code(now, -3), d.code(now, -2)))
	_, err = d.cara.iam.ResyncMFADevice(ctx, &iam.ResyncMFADeviceInput{UserName: cara, SerialNumber: &d.serial, AuthenticationCode1: d.code(now, -3), AuthenticationCode2: d.code(now, -2)})
	d.want("resync by used codes", "InvalidAuthenticationCode", err)

	shell := d.shell.With(d.caraKeys)
	ask := []string{"sts", "get-session-token", "--serial-number", d.serial, "--token-code", *d.code(time.Now(), 0)}
	d.sessionWithCodes = decode[struct{ Credentials Keys }](d.t, shell.OK(d.aws, ask...)).Credentials
	shell.Refused("AccessDenied", d.aws, ask...) // the same code
	plain, err := d.cara.sts.GetSessionToken(ctx, nil)
	d.check("GetSessionToken", err)
	without := d.actor(d.cara.arn, Keys{*plain.Credentials.AccessKeyId, *plain.Credentials.SecretAccessKey, *plain.Credentials.SessionToken})
	d.want("upload with the factor", "", d.upload(d.actor(d.cara.arn, d.sessionWithCodes), "secure/1"))
	d.want("upload by a session without", "AccessDenied", d.upload(without, "secure/1"))
	d.want("upload by the key", "AccessDenied", d.upload(d.cara, "secure/1"))
}

func (d *adminDay) boundary() {
	remove := func(key string) error {
		_, err := d.cara.s3.DeleteObject(d.t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("day"), Key: &key})
		return err
	}
	d.check("upload", d.upload(d.root, "old/1"))
	d.check("upload", d.upload(d.root, "old/2"))
	d.want("delete before", "", remove("old/1"))
	d.shell.OK(d.aws, "iam", "put-user-permissions-boundary", "--user-name", "cara", "--permissions-boundary", d.policy("no-deletes", noDeletes))
	d.want("delete within the boundary", "AccessDenied", remove("old/2"))
	d.want("what both allow", "", d.upload(d.actor(d.cara.arn, d.sessionWithCodes), "secure/2"))
}

func (d *adminDay) workload() {
	ca := filepath.Join(d.t.TempDir(), "ca.pem")
	d.check("the certificate", os.WriteFile(ca, []byte(d.issuer.CA), 0o600))
	d.Apply(d.t, fmt.Sprintf("providers:\n  - {account: %q, url: %q, client_ids: [sts.amazonaws.com], ca_bundle: {file: %q}}\n", d.AccountID, d.issuer.URL, ca))
	provider, host := d.arn("oidc-provider/"+d.issuer.Host()), d.issuer.Host()
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"` + provider + `"},"Action":"sts:AssumeRoleWithWebIdentity",` +
		`"Condition":{"StringEquals":{"` + host + `:sub":"repo:day/app:ref:main","` + host + `:aud":"sts.amazonaws.com"}}}]}`
	k := d.RootKeys()
	d.boto(iamCall(k, "create_role", "RoleName", "deploy", "AssumeRolePolicyDocument", trust),
		iamCall(k, "attach_role_policy", "RoleName", "deploy", "PolicyArn", d.policy("deploying", fmt.Sprintf(deploying, "releases"))))

	platform := func(sub string) *Client {
		c := d.NewClient(d.t)
		c.Set("AWS_ROLE_ARN", d.roleARN("deploy"))
		c.Set("AWS_ROLE_SESSION_NAME", "run-7")
		c.Set("AWS_WEB_IDENTITY_TOKEN_FILE", c.Write("token", d.issuer.Token(map[string]any{"sub": sub})))
		return c
	}
	platform("repo:day/app:ref:other").Refused("AccessDenied", d.aws, "sts", "get-caller-identity")
	out := platform("repo:day/app:ref:main").OK(needPython(d.t, "boto3"), "-c", `
import boto3, json
s = boto3.Session()
k = s.get_credentials().get_frozen_credentials()
s.client("s3").put_object(Bucket="day", Key="builds/1", Body=b"x")
print(json.dumps({"AccessKeyId": k.access_key, "SecretAccessKey": k.secret_key, "SessionToken": k.token}))`)
	d.live = decode[Keys](d.t, out)
	d.liveS3 = d.actor("arn:"+d.Partition+":sts::"+d.AccountID+":assumed-role/deploy/run-7", d.live)
}

// denial goes from an error message to the statement, to its repair.
func (d *adminDay) denial() {
	d.shell.Write("body", "x")
	r := d.shell.With(d.live).Run(d.aws, "s3api", "put-object", "--bucket", "day", "--key", "releases/1", "--body", filepath.Join(d.shell.Home, "body"))
	if r.Code == 0 || !strings.Contains(r.Stderr, "with an explicit deny") {
		d.t.Fatalf("the upload ended with %d: %s", r.Code, r.Stderr)
	}
	_, message, ok := strings.Cut(strings.TrimSpace(r.Stderr), "failure message: ")
	if !ok {
		d.t.Fatalf("no encoded message in %s", r.Stderr)
	}
	text := d.shell.OK(d.aws, "sts", "decode-authorization-message", "--encoded-message", message, "--query", "DecodedMessage", "--output", "text")
	said := decode[struct {
		ExplicitDeny      bool
		MatchedStatements struct {
			Items []struct{ StatementID, Effect, Policy string }
		}
		Context struct{ Principal struct{ ARN string } }
	}](d.t, text)
	if items := said.MatchedStatements.Items; !said.ExplicitDeny || len(items) != 1 || items[0].StatementID != "NoReleases" || items[0].Effect != "DENY" || !strings.Contains(items[0].Policy, "deploying") {
		d.t.Errorf("decoded: %s", text)
	}
	if said.Context.Principal.ARN != d.liveS3.arn {
		d.t.Errorf("the message is about %s", said.Context.Principal.ARN)
	}
	admin := newPerson(d.t, d.Server)
	d.logIn(admin)
	if got := admin.OK(d.binary, "explain", strings.TrimSpace(r.Stderr)); !strings.Contains(got, "NoReleases") || !strings.Contains(got, "deploying") {
		d.t.Errorf("daypass explain: %s", got)
	}
	// Only who may decode reads it.
	_, err := d.cara.sts.DecodeAuthorizationMessage(d.t.Context(), &sts.DecodeAuthorizationMessageInput{EncodedMessage: &message})
	d.want("decoding by another", "AccessDenied", err)

	d.simulated("releases/2", iamtypes.PolicyEvaluationDecisionTypeExplicitDeny)
	d.simulated("archive/1", iamtypes.PolicyEvaluationDecisionTypeAllowed)
	_, err = d.root.iam.CreatePolicyVersion(d.t.Context(), &iam.CreatePolicyVersionInput{
		PolicyArn: aws.String(d.managed["deploying"]), PolicyDocument: aws.String(d.in(fmt.Sprintf(deploying, "archive"))), SetAsDefault: true,
	})
	d.check("CreatePolicyVersion", err)
	d.want("the same session's next upload", "", d.upload(d.liveS3, "releases/2"))
	d.want("what the new version denies", "AccessDenied", d.upload(d.liveS3, "archive/1"))
	d.simulated("releases/2", iamtypes.PolicyEvaluationDecisionTypeAllowed)
	d.simulated("archive/1", iamtypes.PolicyEvaluationDecisionTypeExplicitDeny)
}

func (d *adminDay) simulated(key string, want iamtypes.PolicyEvaluationDecisionType) {
	d.t.Helper()
	out, err := d.root.iam.SimulatePrincipalPolicy(d.t.Context(), &iam.SimulatePrincipalPolicyInput{
		PolicySourceArn: aws.String(d.arn("role/deploy")), ActionNames: []string{"s3:PutObject"}, ResourceArns: []string{"arn:" + d.Partition + ":s3:::day/" + key},
	})
	if err != nil || len(out.EvaluationResults) != 1 || out.EvaluationResults[0].EvalDecision != want {
		d.t.Errorf("simulated upload of %s: %+v, %v, want %s", key, out, err, want)
	}
}

func (d *adminDay) revocation() {
	type session struct {
		ID    string `json:"access_key_id"`
		State string `json:"state"`
		ARN   string `json:"arn"`
		Proof string `json:"proof"`
		By    string `json:"provider"`
	}
	find := func() session {
		d.t.Helper()
		list := decode[[]session](d.t, d.operator(d.t, "sessions", "list", "--principal", d.arn("role/deploy"), "--json"))
		i := slices.IndexFunc(list, func(s session) bool { return s.ID == d.live.AccessKeyID })
		if i < 0 {
			d.t.Fatalf("the session is not among %+v", list)
		}
		return list[i]
	}
	if got := find(); got.State != "active" || got.ARN != d.liveS3.arn || got.Proof != "web identity" || !strings.HasSuffix(got.By, d.issuer.Host()) {
		d.t.Errorf("listed as %+v", got)
	}
	d.operator(d.t, "sessions", "revoke", d.live.AccessKeyID, "--yes", "--reason", "laptop lost")
	d.want("upload by the revoked session", "ExpiredToken", d.upload(d.liveS3, "releases/3"))
	if got := find(); got.State != "revoked" {
		d.t.Errorf("listed afterwards as %+v", got)
	}
}
