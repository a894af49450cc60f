package hostile

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

const (
	account     = "123456789012"
	administers = "arn:aws:iam::aws:policy/AdministratorAccess"
	anything    = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
	bucketsOnly = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*","sts:*"],"Resource":"*"}]}`
)

// policyLab is a server with an administrator's keys.
type policyLab struct {
	*rig
	root keys
}

func newPolicyLab(t *testing.T, env ...string) *policyLab {
	t.Helper()
	r := startRig(t, "", env...)
	return &policyLab{rig: r, root: r.rootKeys()}
}

func (l *policyLab) iam(k keys, action string, more ...string) answer {
	l.t.Helper()
	return l.do(query("iam", k, append([]string{"Action", action}, more...)...))
}

func (l *policyLab) sts(k keys, action string, more ...string) answer {
	l.t.Helper()
	return l.do(query("sts", k, append([]string{"Action", action}, more...)...))
}

// made is a call of the root user that succeeds.
func (l *policyLab) made(action string, more ...string) answer {
	l.t.Helper()
	a := l.iam(l.root, action, more...)
	if a.status != 200 {
		l.t.Fatalf("%s %q: %s", action, more, a)
	}
	return a
}

// user makes a user with an inline policy and a long-term key.
func (l *policyLab) user(name, document string) keys {
	l.t.Helper()
	l.made("CreateUser", "UserName", name)
	if document != "" {
		l.made("PutUserPolicy", "UserName", name, "PolicyName", "own", "PolicyDocument", document)
	}
	return keysOf(l.made("CreateAccessKey", "UserName", name))
}

func allow(action, resource string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":` + action + `,"Resource":` + resource + `}]}`
}

// trusting is a trust policy; what follows the action may add a condition.
func trusting(principal, more string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + principal + `"},"Action":["sts:AssumeRole","sts:TagSession"]` + more + `}]}`
}

func userARN(name string) string { return "arn:aws:iam::" + account + ":user/" + name }

func (l *policyLab) assume(k keys, role string, more ...string) answer {
	l.t.Helper()
	return l.sts(k, "AssumeRole", append([]string{"RoleArn", roleARN(account, role), "RoleSessionName", "session"}, more...)...)
}

// assumed are the keys of a role that must be given.
func (l *policyLab) assumed(k keys, role string, more ...string) keys {
	l.t.Helper()
	a := l.assume(k, role, more...)
	if a.status != 200 {
		l.t.Fatalf("AssumeRole %s %q: %s", role, more, a)
	}
	return keysOf(a)
}

// want looks for status and code.
func want(t *testing.T, what string, a answer, status int, code string) {
	t.Helper()
	if a.status != status || a.code() != code {
		t.Errorf("%s: got %s, want %d %q", what, a, status, code)
	}
}

var changesByItself = regexp.MustCompile(`<RequestId>.*?</RequestId>|<RoleLastUsed>.*?</RoleLastUsed>|<RoleLastUsed/>`)

// state is all that grants rights in the demo's account.
func (l *policyLab) state() string {
	l.t.Helper()
	details := []string{"MaxItems", "1000"}
	for i, kind := range []string{"User", "Role", "Group", "LocalManagedPolicy"} {
		details = append(details, fmt.Sprint("Filter.member.", i+1), kind)
	}
	text := string(l.made("GetAccountAuthorizationDetails", details...).body) + string(l.made("GetAccountSummary").body)
	for _, list := range []string{"ListAccessKeys", "ListMFADevices"} {
		text += string(l.made(list).body)
	}
	return changesByItself.ReplaceAllString(text, "")
}

// unchanged runs attacks and looks whether they changed anything.
func (l *policyLab) unchanged(t *testing.T, attacks func()) {
	t.Helper()
	before := l.state()
	attacks()
	if after := l.state(); after != before {
		t.Errorf("the attack changed\n%s\ninto\n%s", before, after)
	}
}

// TestEscalation: whoever holds less than everything cannot take more, by any
// of the ways that are known from AWS.
func TestEscalation(t *testing.T) {
	t.Parallel()
	l := newPolicyLab(t)
	const narrow = "arn:aws:iam::" + account + ":policy/narrow"
	l.made("CreatePolicy", "PolicyName", "narrow", "PolicyDocument", bucketsOnly)
	l.made("CreatePolicyVersion", "PolicyArn", narrow, "PolicyDocument", anything, "SetAsDefault", "false") // v2, dormant
	l.made("CreateGroup", "GroupName", "admins")
	l.made("AttachGroupPolicy", "GroupName", "admins", "PolicyArn", administers)
	admin := l.user("admin", anything)
	l.made("CreateLoginProfile", "UserName", "admin", "Password", "A-long-password-1")
	l.made("CreateRole", "RoleName", "power", "AssumeRolePolicyDocument", trusting(userARN("admin"), ""))
	l.made("AttachRolePolicy", "RoleName", "power", "PolicyArn", administers)

	// Whoever attacks is "mallory", or a session of hers or the admin's.
	limited := l.user("mallory", allow(`["s3:*","iam:Get*","iam:List*","iam:Simulate*","sts:*"]`, `"*"`))
	l.made("AttachUserPolicy", "UserName", "mallory", "PolicyArn", narrow)
	l.made("CreateRole", "RoleName", "hers", "AssumeRolePolicyDocument", trusting(userARN("mallory"), ""))
	l.made("PutRolePolicy", "RoleName", "hers", "PolicyName", "own", "PolicyDocument", bucketsOnly)
	bounded := l.user("bounded", anything)
	l.made("PutUserPermissionsBoundary", "UserName", "bounded", "PermissionsBoundary", narrow)
	federated := keysOf(l.sts(admin, "GetFederationToken", "Name", "guest", "Policy", bucketsOnly))
	narrowed := l.assumed(admin, "power", "Policy", bucketsOnly)
	for name, k := range map[string]keys{
		"limited user": limited, "administrator within a boundary": bounded, "federated user": federated,
		"role with a session policy": narrowed, "role": l.assumed(limited, "hers"),
	} {
		for _, victim := range []string{"mallory", "bounded"} {
			t.Run(name+", "+victim, func(t *testing.T) {
				l.t = t
				l.unchanged(t, func() {
					for _, a := range escalations(victim, narrow) {
						want(t, strings.Join(a, " "), l.iam(k, a[0], a[1:]...), 403, "AccessDenied")
					}
				})
			})
		}
		want(t, name+" takes the role", l.assume(k, "power"), 403, "AccessDenied")
	}
	l.t = t
}

// escalations are ways to more rights; victim is who shall have them.
func escalations(victim, policy string) [][]string {
	return [][]string{
		{"AttachUserPolicy", "UserName", victim, "PolicyArn", administers},
		{"PutUserPolicy", "UserName", victim, "PolicyName", "own", "PolicyDocument", anything},
		{"DeleteUserPolicy", "UserName", victim, "PolicyName", "own"},
		{"DetachUserPolicy", "UserName", victim, "PolicyArn", policy},
		{"CreatePolicyVersion", "PolicyArn", policy, "PolicyDocument", anything, "SetAsDefault", "true"},
		{"SetDefaultPolicyVersion", "PolicyArn", policy, "VersionId", "v2"},
		{"DeletePolicyVersion", "PolicyArn", policy, "VersionId", "v2"},
		{"CreatePolicy", "PolicyName", "mine", "PolicyDocument", anything},
		{"PutRolePolicy", "RoleName", "hers", "PolicyName", "own", "PolicyDocument", anything},
		{"AttachRolePolicy", "RoleName", "hers", "PolicyArn", administers},
		{"UpdateAssumeRolePolicy", "RoleName", "power", "PolicyDocument", trusting(userARN(victim), "")},
		{"CreateRole", "RoleName", "mine", "AssumeRolePolicyDocument", trusting(userARN(victim), "")},
		{"UpdateRole", "RoleName", "power", "MaxSessionDuration", "43200"},
		{"DeleteRolePermissionsBoundary", "RoleName", "hers"},
		{"DeleteUserPermissionsBoundary", "UserName", victim},
		{"PutUserPermissionsBoundary", "UserName", victim, "PermissionsBoundary", administers},
		{"AddUserToGroup", "GroupName", "admins", "UserName", victim},
		{"PutGroupPolicy", "GroupName", "admins", "PolicyName", "own", "PolicyDocument", anything},
		{"CreateAccessKey", "UserName", "admin"},
		{"CreateLoginProfile", "UserName", victim, "Password", "A-long-password-2"},
		{"UpdateLoginProfile", "UserName", "admin", "Password", "A-long-password-2"},
		{"TagUser", "UserName", victim, "Tags.member.1.Key", "team", "Tags.member.1.Value", "admins"},
		{"TagRole", "RoleName", "power", "Tags.member.1.Key", "team", "Tags.member.1.Value", "admins"},
		{"CreateUser", "UserName", "mine"},
		{"CreateOpenIDConnectProvider", "Url", "https://idp.example.com", "ClientIDList.member.1", "x"},
		{"CreateVirtualMFADevice", "VirtualMFADeviceName", "mine"},
		{"UpdateAccountPasswordPolicy", "MinimumPasswordLength", "6"},
		{"CreateAccountAlias", "AccountAlias", "mine-now"},
	}
}

// TestConfusedDeputy: a role for a third party is given to it only with the
// customer's own ID.
func TestConfusedDeputy(t *testing.T) {
	t.Parallel()
	l := newPolicyLab(t)
	vendor := l.user("vendor", allow(`"sts:AssumeRole"`, `"*"`))
	l.made("CreateRole", "RoleName", "customer", "AssumeRolePolicyDocument", trusting(userARN("vendor"), `,"Condition":{"StringEquals":{"sts:ExternalId":"Customer-1"}}`))
	for _, id := range []string{"", "Customer-2", "customer-1", "Customer-1 ", "Customer-*", "${sts:ExternalId}", "Customer-1,Customer-2", "Сustomer-1"} {
		var more []string
		if id != "" {
			more = []string{"ExternalId", id}
		}
		a := l.assume(vendor, "customer", more...)
		// The API's model has no such characters in an ID.
		if model := strings.ContainsAny(id, " *${}С"); model && a.code() == "ValidationError" && a.status == 400 {
			continue
		}
		want(t, fmt.Sprintf("ID %q", id), a, 403, "AccessDenied")
	}
	want(t, "its own", l.assume(vendor, "customer", "ExternalId", "Customer-1"), 200, "")
}

// TestWidening: a session policy takes away, whatever it says.
func TestWidening(t *testing.T) {
	t.Parallel()
	l := newPolicyLab(t)
	l.must(call{method: "PUT", target: "/wide", keys: l.root})
	reader := l.user("reader", allow(`["s3:GetObject","s3:ListBucket","sts:AssumeRole","sts:GetFederationToken"]`, `"*"`))
	l.made("CreateRole", "RoleName", "look", "AssumeRolePolicyDocument", trusting(userARN("reader"), ""))
	l.made("AttachRolePolicy", "RoleName", "look", "PolicyArn", "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
	for name, k := range map[string]keys{
		"role, policy":    l.assumed(reader, "look", "Policy", anything),
		"role, ARN":       l.assumed(reader, "look", "PolicyArns.member.1.arn", administers),
		"role, both":      l.assumed(reader, "look", "PolicyArns.member.1.arn", administers, "Policy", anything),
		"federated":       keysOf(l.sts(reader, "GetFederationToken", "Name", "wide", "Policy", anything)),
		"federated, ARN":  keysOf(l.sts(reader, "GetFederationToken", "Name", "wide", "PolicyArns.member.1.arn", administers)),
		"role, as it was": l.assumed(reader, "look"),
	} {
		want(t, name+": list", l.do(call{target: "/wide?list-type=2", keys: k}), 200, "")
		want(t, name+": put", l.do(call{method: "PUT", target: "/wide/k", keys: k, body: "x"}), 403, "AccessDenied")
		want(t, name+": users", l.iam(k, "ListUsers"), 403, "AccessDenied")
	}
	for name, more := range map[string][]string{
		"with a principal": {"Policy", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`},
		"no JSON":          {"Policy", `{"Version":"2012-10-17","Statement":[{]}`},
	} {
		want(t, name, l.assume(reader, "look", more...), 400, "MalformedPolicyDocument")
	}
	for name, arn := range map[string]string{
		"of another account": "arn:aws:iam::" + accountB + ":policy/wide", "absent": "arn:aws:iam::" + account + ":policy/none",
		"of another partition": "arn:aws-cn:iam::aws:policy/AdministratorAccess", "a role's": roleARN(account, "look"),
	} {
		if a := l.assume(reader, "look", "PolicyArns.member.1.arn", arn); a.status != 400 {
			t.Errorf("policy ARN %s: %s", name, a)
		}
	}
	if keys := l.list(l.root, "wide"); len(keys) != 0 {
		t.Errorf("the bucket holds %v", keys)
	}
}

// TestChains: changes of role come to an end, and live an hour.
func TestChains(t *testing.T) {
	t.Parallel()
	l := newPolicyLab(t)
	l.user("first", allow(`"sts:*"`, `"*"`))
	chain := func(name, by string) {
		l.made("CreateRole", "RoleName", name, "AssumeRolePolicyDocument", trusting(by, ""), "MaxSessionDuration", "43200")
		l.made("AttachRolePolicy", "RoleName", name, "PolicyArn", administers)
	}
	const most = 8
	k := keysOf(l.made("CreateAccessKey", "UserName", "first"))
	by := userARN("first")
	ended := false
	for i := range most {
		name := fmt.Sprint("link-", i)
		chain(name, by)
		by = roleARN(account, name)
		tags := []string{"Tags.member.1.Key", fmt.Sprint("t", i), "Tags.member.1.Value", "x", "TransitiveTagKeys.member.1", fmt.Sprint("t", i)}
		if i > 0 {
			if a := l.assume(k, name, "DurationSeconds", "3601"); a.code() != "ValidationError" && a.code() != "LimitExceeded" {
				t.Errorf("longer than an hour: %s", a)
			}
			want(t, "a transitive tag in place", l.assume(k, name, "Tags.member.1.Key", "T0", "Tags.member.1.Value", "mine"), 400, "InvalidInput")
		}
		a := l.assume(k, name, tags...)
		if a.status != 200 {
			if ended = a.status < 500 && i >= 2; !ended {
				t.Errorf("link %d: %s", i, a)
			}
			t.Logf("link %d: %s", i, a)
			break
		}
		k = keysOf(a)
	}
	if !ended {
		t.Errorf("%d roles were taken, one after the other", most)
	}
	want(t, "the last session", l.sts(k, "GetCallerIdentity"), 200, "")
	want(t, "a session token of a session", l.sts(k, "GetSessionToken"), 403, "AccessDenied")
	want(t, "a federation token of a session", l.sts(k, "GetFederationToken", "Name", "more"), 403, "AccessDenied")
}

// TestLookAlikes: names and ARNs that look like a role's, or would be its ARN
// after some tidying, are not it.
func TestLookAlikes(t *testing.T) {
	t.Parallel()
	l := newPolicyLab(t)
	user := l.user("looker", allow(`"sts:AssumeRole"`, `"*"`))
	l.made("CreateRole", "RoleName", "power", "Path", "/ops/", "AssumeRolePolicyDocument", trusting(userARN("looker"), ""))
	const arn = "arn:aws:iam::" + account + ":role/ops/power"
	ask := func(arn string) answer {
		return l.sts(user, "AssumeRole", "RoleArn", arn, "RoleSessionName", "session")
	}
	for _, alike := range []string{
		"arn:aws:iam::" + account + ":role/power", "arn:aws:iam::" + account + ":role/ops/POWER", "arn:aws:iam::" + account + ":role/OPS/power",
		"arn:aws:iam::" + account + ":role/ops/роwer", "arn:aws:iam::" + account + ":role/ops/ｐower", arn + "/", arn + " ", " " + arn, arn + "\x00", arn + "\u200b",
		"arn:aws:iam::" + account + ":role//ops/power", "arn:aws:iam::" + account + ":role/ops/x/../power", "arn:aws:iam::" + account + ":role/ops/*", "arn:aws:iam::" + account + ":role/ops/powe?",
		"arn:aws:iam::" + account + ":role/${aws:username}", "arn:aws-cn:iam::" + account + ":role/ops/power", "arn:*:iam::" + account + ":role/ops/power", "arn:aws:iam:us-east-1:" + account + ":role/ops/power",
		"arn:aws:iam::*:role/ops/power", "arn:aws:iam::１23456789012:role/ops/power", "ARN:aws:iam::" + account + ":role/ops/power", "arn:aws:sts::" + account + ":assumed-role/power/session",
		"arn：aws：iam：：" + account + "：role/ops/power", "role/ops/power", "power",
	} {
		if a := ask(alike); a.status != 403 && a.status != 400 || a.code() != "AccessDenied" && a.code() != "ValidationError" {
			t.Errorf("%q: %s", alike, a)
		}
	}
	want(t, "itself", ask(arn), 200, "")
}
