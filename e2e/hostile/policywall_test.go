package hostile

import (
	"strings"
	"testing"
	"time"
)

// TestRootIsOutOfReach: for an administrator the root user is a name that
// nobody has, whatever is asked, and it stays as it is.
func TestRootIsOutOfReach(t *testing.T) {
	t.Parallel()
	l := newPolicyLab(t)
	admin := l.user("admin", "")
	l.made("AttachUserPolicy", "UserName", "admin", "PolicyArn", "arn:aws:iam::aws:policy/IAMFullAccess")
	l.made("CreateGroup", "GroupName", "staff")
	l.made("CreatePolicy", "PolicyName", "deny", "PolicyDocument", strings.Replace(anything, "Allow", "Deny", 1))
	device := l.made("CreateVirtualMFADevice", "VirtualMFADeviceName", "spare").between("SerialNumber")
	const deny = "arn:aws:iam::" + account + ":policy/deny"
	l.unchanged(t, func() {
		for _, name := range []string{"root", "ROOT", "Root", account} {
			for _, a := range [][]string{
				{"GetUser"},
				{"DeleteUser"},
				{"UpdateUser", "NewUserName", "boss"},
				{"UpdateUser", "NewPath", "/x/"},
				{"CreateAccessKey"},
				{"ListAccessKeys"},
				{"DeleteAccessKey", "AccessKeyId", l.root.AccessKeyID},
				{"UpdateAccessKey", "AccessKeyId", l.root.AccessKeyID, "Status", "Inactive"},
				{"PutUserPolicy", "PolicyName", "p", "PolicyDocument", strings.Replace(anything, "Allow", "Deny", 1)},
				{"ListUserPolicies"},
				{"GetUserPolicy", "PolicyName", "p"},
				{"DeleteUserPolicy", "PolicyName", "p"},
				{"AttachUserPolicy", "PolicyArn", deny},
				{"DetachUserPolicy", "PolicyArn", deny},
				{"ListAttachedUserPolicies"},
				{"PutUserPermissionsBoundary", "PermissionsBoundary", deny},
				{"DeleteUserPermissionsBoundary"},
				{"CreateLoginProfile", "Password", "A-long-password-1"},
				{"UpdateLoginProfile", "Password", "A-long-password-1"},
				{"GetLoginProfile"},
				{"DeleteLoginProfile"},
				{"EnableMFADevice", "SerialNumber", device, "AuthenticationCode1", "123456", "AuthenticationCode2", "654321"},
				{"DeactivateMFADevice", "SerialNumber", device},
				{"ResyncMFADevice", "SerialNumber", device, "AuthenticationCode1", "123456", "AuthenticationCode2", "654321"},
				{"ListMFADevices"},
				{"TagUser", "Tags.member.1.Key", "k", "Tags.member.1.Value", "v"},
				{"UntagUser", "TagKeys.member.1", "k"},
				{"ListUserTags"},
				{"AddUserToGroup", "GroupName", "staff"},
				{"RemoveUserFromGroup", "GroupName", "staff"},
				{"ListGroupsForUser"},
			} {
				l.asAbsent(t, admin, a[0], append(a[1:], "UserName", name), append(a[1:len(a):len(a)], "UserName", "nobody"), name, "nobody")
			}
		}
		want(t, "last use of root's key", l.iam(admin, "GetAccessKeyLastUsed", "AccessKeyId", l.root.AccessKeyID), 404, "NoSuchEntity")
		for _, arn := range []string{rootARN(account), userARN("root")} {
			want(t, "simulation of "+arn, l.iam(admin, "SimulatePrincipalPolicy", "PolicySourceArn", arn, "ActionNames.member.1", "s3:GetObject"), 404, "NoSuchEntity")
		}
		want(t, "a user called root", l.iam(admin, "CreateUser", "UserName", "root"), 400, "ValidationError")
		want(t, "a user called Root", l.iam(admin, "CreateUser", "UserName", "Root"), 400, "ValidationError")
		want(t, "renamed to root", l.iam(admin, "UpdateUser", "UserName", "testuser", "NewUserName", "root"), 400, "ValidationError")
	})
	want(t, "root's key", l.sts(l.root, "GetCallerIdentity"), 200, "")
	l.rootTokens()
}

// asAbsent compares the answer about something out of reach with that about
// something that does not exist: the same status and the same words.
func (l *policyLab) asAbsent(t *testing.T, k keys, action string, hidden, absent []string, hiddenName, absentName string) {
	t.Helper()
	service := l.iam
	if strings.HasPrefix(action, "sts:") {
		service, action = l.sts, strings.TrimPrefix(action, "sts:")
	}
	a, b := service(k, action, hidden...), service(k, action, absent...)
	text := func(a answer, name string) string {
		words := strings.ReplaceAll(changesByItself.ReplaceAllString(string(a.body), ""), name, "NAME")
		words, _, _ = strings.Cut(words, "Encoded authorization")
		return words
	}
	if a.status != b.status || text(a, hiddenName) != text(b, absentName) || a.status < 400 {
		t.Errorf("%s %q: %s\nabsent: %s", action, hidden, a, b)
	}
}

// TestForeignNames shows another account's names, ARNs, keys and devices to
// every call that takes one: the answer is that for what does not exist.
func TestForeignNames(t *testing.T) {
	t.Parallel()
	l := newPolicyLab(t)
	other := l.otherRoot()
	admin := l.user("admin", anything)
	theirs := func(action string, more ...string) answer {
		a := l.iam(other, action, more...)
		if a.status != 200 {
			t.Fatalf("%s: %s", action, a)
		}
		return a
	}
	b := func(resource string) string { return "arn:aws:iam::" + accountB + ":" + resource }
	theirs("CreateUser", "UserName", "only-b")
	theirs("CreateGroup", "GroupName", "only-b")
	theirs("CreatePolicy", "PolicyName", "only-b", "PolicyDocument", anything)
	theirs("CreateRole", "RoleName", "only-b", "AssumeRolePolicyDocument", trusting(b("root"), ""))
	theirs("CreateVirtualMFADevice", "VirtualMFADeviceName", "only-b")
	theirs("CreateOpenIDConnectProvider", "Url", "https://only-b.example.com", "ClientIDList.member.1", "x")
	key := theirs("CreateAccessKey", "UserName", "only-b").between("AccessKeyId")
	l.made("CreateRole", "RoleName", "own", "AssumeRolePolicyDocument", trusting(rootARN(account), ""))
	l.made("CreateGroup", "GroupName", "own")

	tag := []string{"Tags.member.1.Key", "k", "Tags.member.1.Value", "v"}
	untag := []string{"TagKeys.member.1", "k"}
	document := []string{"PolicyName", "p", "PolicyDocument", anything}
	codes := []string{"AuthenticationCode1", "123456", "AuthenticationCode2", "654321"}
	type ask struct {
		action, parameter string
		more              []string
	}
	both := func(k keys) {
		for value, asks := range map[string][]ask{
			"only-b": {
				{"GetUser", "UserName", nil},
				{"DeleteUser", "UserName", nil},
				{"UpdateUser", "UserName", []string{"NewPath", "/x/"}},
				{"CreateAccessKey", "UserName", nil},
				{"ListAccessKeys", "UserName", nil},
				{"PutUserPolicy", "UserName", document},
				{"TagUser", "UserName", tag},
				{"UntagUser", "UserName", untag},
				{"ListUserTags", "UserName", nil},
				{"CreateLoginProfile", "UserName", []string{"Password", "A-long-password-1"}},
				{"GetLoginProfile", "UserName", nil},
				{"ListMFADevices", "UserName", nil},
				{"ListGroupsForUser", "UserName", nil},
				{"AddUserToGroup", "UserName", []string{"GroupName", "own"}},
				{"AddUserToGroup", "GroupName", []string{"UserName", "admin"}},
				{"GetGroup", "GroupName", nil},
				{"DeleteGroup", "GroupName", nil},
				{"PutGroupPolicy", "GroupName", document},
				{"ListAttachedGroupPolicies", "GroupName", nil},
				{"GetRole", "RoleName", nil},
				{"DeleteRole", "RoleName", nil},
				{"PutRolePolicy", "RoleName", document},
				{"TagRole", "RoleName", tag},
				{"ListRolePolicies", "RoleName", nil},
				{"UpdateAssumeRolePolicy", "RoleName", []string{"PolicyDocument", trusting(rootARN(account), "")}},
				{"UpdateRole", "RoleName", []string{"MaxSessionDuration", "3600"}},
			},
			b("policy/only-b"): {
				{"GetPolicy", "PolicyArn", nil},
				{"GetPolicyVersion", "PolicyArn", []string{"VersionId", "v1"}},
				{"ListPolicyVersions", "PolicyArn", nil},
				{"DeletePolicy", "PolicyArn", nil},
				{"CreatePolicyVersion", "PolicyArn", []string{"PolicyDocument", anything}},
				{"SetDefaultPolicyVersion", "PolicyArn", []string{"VersionId", "v1"}},
				{"ListEntitiesForPolicy", "PolicyArn", nil},
				{"AttachUserPolicy", "PolicyArn", []string{"UserName", "admin"}},
				{"AttachRolePolicy", "PolicyArn", []string{"RoleName", "own"}},
				{"AttachGroupPolicy", "PolicyArn", []string{"GroupName", "own"}},
				{"PutUserPermissionsBoundary", "PermissionsBoundary", []string{"UserName", "admin"}},
				{"PutRolePermissionsBoundary", "PermissionsBoundary", []string{"RoleName", "own"}},
				{"CreateUser", "PermissionsBoundary", []string{"UserName", "new"}},
				{"TagPolicy", "PolicyArn", tag},
				{"ListPolicyTags", "PolicyArn", nil},
				{"sts:AssumeRole", "PolicyArns.member.1.arn", []string{"RoleArn", roleARN(account, "own"), "RoleSessionName", "ss"}},
			},
			b("user/only-b"):  {{"SimulatePrincipalPolicy", "PolicySourceArn", []string{"ActionNames.member.1", "s3:GetObject"}}, {"GetContextKeysForPrincipalPolicy", "PolicySourceArn", nil}},
			b("group/only-b"): {{"SimulatePrincipalPolicy", "PolicySourceArn", []string{"ActionNames.member.1", "s3:GetObject"}}},
			b("role/only-b"): {
				{"SimulatePrincipalPolicy", "PolicySourceArn", []string{"ActionNames.member.1", "s3:GetObject"}},
				{"sts:AssumeRole", "RoleArn", []string{"RoleSessionName", "ss"}},
				{"sts:AssumeRoleWithWebIdentity", "RoleArn", []string{"RoleSessionName", "ss", "WebIdentityToken", l.shastaTokens().Access}},
			},
			b("mfa/only-b"): {
				{"DeleteVirtualMFADevice", "SerialNumber", nil},
				{"EnableMFADevice", "SerialNumber", append([]string{"UserName", "admin"}, codes...)},
				{"DeactivateMFADevice", "SerialNumber", []string{"UserName", "admin"}},
				{"ResyncMFADevice", "SerialNumber", append([]string{"UserName", "admin"}, codes...)},
			},
			b("oidc-provider/only-b.example.com"): {
				{"GetOpenIDConnectProvider", "OpenIDConnectProviderArn", nil},
				{"AddClientIDToOpenIDConnectProvider", "OpenIDConnectProviderArn", []string{"ClientID", "y"}},
				{"TagOpenIDConnectProvider", "OpenIDConnectProviderArn", tag},
				{"UpdateOpenIDConnectProviderThumbprint", "OpenIDConnectProviderArn", []string{"ThumbprintList.member.1", strings.Repeat("a", 40)}},
			},
			key: {
				{"GetAccessKeyLastUsed", "AccessKeyId", nil},
				{"DeleteAccessKey", "AccessKeyId", []string{"UserName", "admin"}},
				{"UpdateAccessKey", "AccessKeyId", []string{"UserName", "admin", "Status", "Inactive"}},
			},
		} {
			absent := strings.Replace(value, "only-b", "nobody", 1)
			if value == key {
				absent = "AKIA" + strings.Repeat("Q", len(key)-4)
			}
			for _, a := range asks {
				if a.action == "sts:AssumeRoleWithWebIdentity" && k != admin {
					continue
				}
				l.asAbsent(t, k, a.action, append([]string{a.parameter, value}, a.more...), append([]string{a.parameter, absent}, a.more...), value, absent)
			}
		}
	}
	theirState := func() string {
		return changesByItself.ReplaceAllString(string(l.iam(other, "GetAccountAuthorizationDetails", "Filter.member.1", "User", "Filter.member.2", "Role",
			"Filter.member.3", "Group", "Filter.member.4", "LocalManagedPolicy").body)+string(l.iam(other, "GetAccountSummary").body), "")
	}
	before := theirState()
	l.unchanged(t, func() { both(admin); both(l.root) })
	// Removing a provider that is not there succeeds, as in AWS; this one stays.
	l.iam(admin, "DeleteOpenIDConnectProvider", "OpenIDConnectProviderArn", b("oidc-provider/only-b.example.com"))
	// What a refusal says is for the account that it came from.
	nobody := keysOf(theirs("CreateAccessKey", "UserName", "only-b"))
	_, message, _ := strings.Cut(l.iam(nobody, "ListUsers").between("Message"), "failure message: ")
	if a := l.sts(other, "DecodeAuthorizationMessage", "EncodedMessage", message); a.status != 200 {
		t.Errorf("its own message: %s", a)
	}
	for _, k := range []keys{admin, l.root} {
		for name, text := range map[string]string{"foreign": message, "made up": strings.Repeat("A", len(message)), "cut": message[:len(message)-4], "turned": message[4:] + message[:4]} {
			want(t, "a message, "+name, l.sts(k, "DecodeAuthorizationMessage", "EncodedMessage", text), 400, "InvalidAuthorizationMessageException")
		}
	}
	theirs("DeleteAccessKey", "UserName", "only-b", "AccessKeyId", nobody.AccessKeyID)
	if after := theirState(); after != before {
		t.Errorf("the other account changed from\n%s\nto\n%s", before, after)
	}
}

// TestBadDocuments shows documents that no policy is to every call that takes
// one: each is refused, soon, by the code for it, and nothing is kept.
func TestBadDocuments(t *testing.T) {
	t.Parallel()
	l := newPolicyLab(t)
	l.must(call{method: "PUT", target: "/papers", keys: l.root})
	user := l.user("writer", anything)
	l.made("CreateRole", "RoleName", "target", "AssumeRolePolicyDocument", trusting(userARN("writer"), ""))
	const statement = `{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}`
	document := func(s string) string { return `{"Version":"2012-10-17","Statement":` + s + `}` }
	one := func(members string) string { return document(`[{` + members + `}]`) }
	l.unchanged(t, func() {
		for name, text := range map[string]string{
			"a statement as text": document(`"Allow"`), "as a number": document(`1`), "as null": document(`null`), "missing": `{"Version":"2012-10-17"}`,
			"a list of lists": document(`[[` + statement + `]]`), "a null among them": document(`[` + statement + `,null]`),
			"an effect as list": one(`"Effect":["Allow"],"Action":"*","Resource":"*"`), "effect in small letters": one(`"Effect":"allow","Action":"*","Resource":"*"`),
			"an action as object": one(`"Effect":"Allow","Action":{"s3":"*"},"Resource":"*"`), "as true": one(`"Effect":"Allow","Action":true,"Resource":"*"`),
			"both actions": one(`"Effect":"Allow","Action":"*","NotAction":"iam:*","Resource":"*"`), "no action": one(`"Effect":"Allow","Resource":"*"`),
			"a resource as number": one(`"Effect":"Allow","Action":"*","Resource":7`), "nested lists": one(`"Effect":"Allow","Action":[["*"]],"Resource":"*"`),
			"a condition as list": one(`"Effect":"Allow","Action":"*","Resource":"*","Condition":[]`), "an unknown operator": one(`"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Equals":{"aws:username":"x"}}`),
			"an unknown element": one(`"Effect":"Allow","Action":"*","Resource":"*","Allow":"*"`), "an element twice": one(`"Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"`),
			"statements twice":    `{"Version":"2012-10-17","Statement":[],"Statement":[` + statement + `]}`,
			"a version as number": `{"Version":2012,"Statement":[` + statement + `]}`,
			"an unknown version":  `{"Version":"2026-01-01","Statement":[` + statement + `]}`,
			"small element names": `{"version":"2012-10-17","statement":[` + statement + `]}`,
			"a list":              `[` + document(`[`+statement+`]`) + `]`, "text": `"` + "x" + `"`, "two documents": document(`[`+statement+`]`) + document(`[`+statement+`]`),
			"a comment":            `{/* */"Version":"2012-10-17","Statement":[` + statement + `]}`,
			"a byte order mark":    "\ufeff" + document(`[`+statement+`]`),
			"a Cyrillic action":    one(`"Effect":"Allow","Action":"s3:GetОbject","Resource":"*"`),
			"a full-width colon":   one(`"Effect":"Allow","Action":"s3：GetObject","Resource":"*"`),
			"a Cyrillic ARN":       one(`"Effect":"Allow","Action":"s3:GetObject","Resource":"аrn:aws:s3:::papers/*"`),
			"a Cyrillic partition": one(`"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:аws:s3:::papers/*"`),
			"a Cyrillic key":       one(`"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"аws:username":"x"}}`),
			"deep":                 strings.Repeat(`{"A":`, 300) + `1` + strings.Repeat(`}`, 300),
			"deep lists":           document(strings.Repeat(`[`, 900) + strings.Repeat(`]`, 900)),
		} {
			l.refusedEverywhere(t, user, name, text, "MalformedPolicyDocument")
		}
		// More than fits: the limit of the call, or the bound of the form.
		const large = "LimitExceeded MalformedPolicyDocument ValidationError PackedPolicyTooLarge InvalidInput"
		blanks := document(`[` + statement + `]`)
		l.refusedEverywhere(t, user, "deeper", strings.Repeat(`{"Statement":`, 9000)+`1`+strings.Repeat(`}`, 9000), large)
		l.refusedEverywhere(t, user, "deeper lists", document(strings.Repeat(`[`, 65000)+strings.Repeat(`]`, 65000)), large)
		l.refusedEverywhere(t, user, "10,000 statements", document(`[`+strings.Repeat(statement+",", 9999)+statement+`]`), large)
		l.refusedEverywhere(t, user, "131,072 actions' bytes", one(`"Effect":"Allow","Action":"s3:`+strings.Repeat("x", 131072-72)+`","Resource":"*"`), large)
		l.refusedEverywhere(t, user, "131,072 stars", one(`"Effect":"Allow","Action":"s3:Get*","Resource":"arn:aws:s3:::papers/`+strings.Repeat("*a", 65500)+`"`), large)
		l.refusedEverywhere(t, user, "131,073 bytes", strings.Repeat(" ", 131073-len(blanks))+blanks, large)
	})
	want(t, "the bucket's policy", l.do(call{target: "/papers?policy", keys: l.root}), 404, "NoSuchBucketPolicy")
}

// refusedEverywhere shows a document to all calls that take one; codes are those
// that may come.
func (l *policyLab) refusedEverywhere(t *testing.T, user keys, name, text, codes string) {
	t.Helper()
	for _, c := range []struct {
		what string
		call call
	}{
		{"CreatePolicy", query("iam", l.root, "Action", "CreatePolicy", "PolicyName", "bad", "PolicyDocument", text)},
		{"PutUserPolicy", query("iam", l.root, "Action", "PutUserPolicy", "UserName", "writer", "PolicyName", "bad", "PolicyDocument", text)},
		{"CreateRole", query("iam", l.root, "Action", "CreateRole", "RoleName", "bad", "AssumeRolePolicyDocument", text)},
		{"UpdateAssumeRolePolicy", query("iam", l.root, "Action", "UpdateAssumeRolePolicy", "RoleName", "target", "PolicyDocument", text)},
		{"AssumeRole", query("sts", user, "Action", "AssumeRole", "RoleArn", roleARN(account, "target"), "RoleSessionName", "ss", "Policy", text)},
		{"PutBucketPolicy", call{method: "PUT", target: "/papers?policy", keys: l.root, body: text}},
	} {
		begun := time.Now()
		a := l.do(c.call)
		took := time.Since(begun)
		if took > 3*time.Second {
			t.Errorf("%s, %s: took %s", c.what, name, took)
		}
		allowed := codes + map[string]string{"PutBucketPolicy": " MalformedPolicy PolicyTooLarge EntityTooLarge", "AssumeRole": " PackedPolicyTooLarge ValidationError"}[c.what]
		if a.status < 400 || a.status > 413 || a.code() == "" || !strings.Contains(" "+allowed+" ", " "+a.code()+" ") {
			t.Errorf("%s, %s: %s", c.what, name, a)
		}
	}
}
