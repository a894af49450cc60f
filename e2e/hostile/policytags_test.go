package hostile

import (
	"fmt"
	"strings"
	"testing"
)

// vaults fills a bucket with one object for each team.
func (l *policyLab) vaults(bucket string) {
	l.must(call{method: "PUT", target: "/" + bucket, keys: l.root})
	for _, team := range []string{"red", "blue"} {
		l.must(call{method: "PUT", target: "/" + bucket + "/" + team + "/x", keys: l.root, body: team})
	}
}

// sees reports which teams' objects keys can read.
func (l *policyLab) sees(k keys, bucket string) (teams string) {
	for _, team := range []string{"blue", "red"} {
		if l.do(call{target: "/" + bucket + "/" + team + "/x", keys: k}).status == 200 {
			teams += team + " "
		}
	}
	return teams
}

// TestTagInjection: a tag is one team's name, never a pattern, a path or a
// variable, and what is wrong with it is refused.
func TestTagInjection(t *testing.T) {
	t.Parallel()
	l := newPolicyLab(t)
	l.vaults("vault")
	user := l.user("tagger", allow(`["sts:AssumeRole","sts:TagSession","sts:GetFederationToken"]`, `"*"`))
	l.made("CreateRole", "RoleName", "team", "AssumeRolePolicyDocument", trusting(userARN("tagger"), ""))
	l.made("PutRolePolicy", "RoleName", "team", "PolicyName", "own", "PolicyDocument", allow(`"s3:GetObject"`, `"arn:aws:s3:::vault/${aws:PrincipalTag/team}/*"`))
	tag := func(key, value string) []string {
		return []string{"Tags.member.1.Key", key, "Tags.member.1.Value", value}
	}
	if got := l.sees(l.assumed(user, "team", tag("team", "red")...), "vault"); got != "red " {
		t.Errorf("the red team sees %q", got)
	}
	if got := l.sees(l.assumed(user, "team"), "vault"); got != "" {
		t.Errorf("without a tag one sees %q", got)
	}
	// What the characters of tags allow is a name that nobody has.
	for _, value := range []string{"", "red/../blue", "../vault/blue", "red/x", "/", ".", "..", "RED", "red ", "blue@", "red", "arn:aws:s3:::vault/blue"} {
		got := l.sees(l.assumed(user, "team", tag("team", value)...), "vault")
		if got != "" && value != "red" {
			t.Errorf("the tag %q lets see %q", value, got)
		}
	}
	long := strings.Repeat("x", 257)
	many := []string{}
	for i := range 51 {
		many = append(many, fmt.Sprintf("Tags.member.%d.Key", i+1), fmt.Sprint("k", i), fmt.Sprintf("Tags.member.%d.Value", i+1), "v")
	}
	for name, more := range map[string][]string{
		"star": tag("team", "*"), "one character": tag("team", "bl?e"), "variable": tag("team", "${aws:username}"), "literal star": tag("team", "${*}"),
		"default": tag("team", "${aws:x, 'blue'}"), "quote": tag("team", `blue","x":"`), "NUL": tag("team", "red\x00"), "newline": tag("team", "red\n"),
		"long value": tag("team", long), "long key": tag(long[:129], "x"), "no key": tag("", "x"), "reserved": tag("aws:PrincipalTag/team", "blue"),
		"reserved, capitals": tag("AWS:username", "root"), "bad key": tag("team}/*", "x"), "too many": many,
		"twice":                append(tag("team", "red"), "Tags.member.2.Key", "team", "Tags.member.2.Value", "blue"),
		"twice but for case":   append(tag("team", "red"), "Tags.member.2.Key", "Team", "Tags.member.2.Value", "blue"),
		"transitive, unknown":  append(tag("team", "red"), "TransitiveTagKeys.member.1", "other"),
		"transitive, a star":   append(tag("team", "red"), "TransitiveTagKeys.member.1", "*"),
		"a number twice":       append(tag("team", "red"), "Tags.member.01.Key", "x"),
		"an entry without key": {"Tags.member.1.Value", "x"},
	} {
		for action, a := range map[string]answer{
			"AssumeRole": l.assume(user, "team", more...), "GetFederationToken": l.sts(user, "GetFederationToken", append([]string{"Name", "guest"}, more...)...),
		} {
			federated := action == "GetFederationToken" && strings.HasPrefix(name, "transitive") // it knows no such parameter
			if federated {
				continue
			}
			if a.status != 400 || !strings.Contains("InvalidInput ValidationError MalformedInput", a.code()) || a.code() == "" {
				t.Errorf("%s, %s: %s", action, name, a)
			}
		}
	}
	// The tags of users are no patterns either.
	for _, value := range []string{"*", "bl?e", "${aws:username}"} {
		want(t, "TagUser "+value, l.iam(l.root, "TagUser", append([]string{"UserName", "tagger"}, tag("team", value)...)...), 400, "ValidationError")
	}
	for _, name := range []string{"*", "bl?e", "${aws:username}", "a/b", ".. ", "аdmin", "Ａdmin", "admin\u200b", "ad\u00admin", "\u212a", strings.Repeat("x", 65)} {
		want(t, "CreateUser "+name, l.iam(l.root, "CreateUser", "UserName", name), 400, "ValidationError")
	}
}

// foreignProvider registers an issuer of somebody else's, with its certificate.
func (l *policyLab) foreignProvider(f *foreignIssuer, trust string) {
	l.apply(fmt.Sprintf(`
providers:
  - {account: %q, url: %q, client_ids: [workload], ca_bundle: %q}
`, account, f.url, f.ca))
	l.made("CreateRole", "RoleName", "guest", "AssumeRolePolicyDocument", trust)
}

// TestForeignClaims: what a foreign issuer writes into its tokens is a value,
// and names nobody of ours.
func TestForeignClaims(t *testing.T) {
	t.Parallel()
	f := startIssuer(t)
	l := newPolicyLab(t, "DAYPASS_EGRESS_EXEMPT="+f.address)
	l.vaults("vault")
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::` + account + `:oidc-provider/` + f.address + `"},` +
		`"Action":["sts:AssumeRoleWithWebIdentity","sts:TagSession"],"Condition":{"StringEquals":{"` + f.address + `:aud":"workload"}}}]}`
	l.foreignProvider(f, trust)
	l.made("PutRolePolicy", "RoleName", "guest", "PolicyName", "own", "PolicyDocument",
		allow(`"s3:GetObject"`, `"arn:aws:s3:::vault/${aws:PrincipalTag/team}/*"`))
	guest := roleARN(account, "guest")
	tags := func(more map[string]any) map[string]any {
		return map[string]any{"https://aws.amazon.com/tags": more}
	}
	team := func(v any) answer {
		return l.do(webIdentity(guest, f.token(t, tags(map[string]any{"principal_tags": map[string]any{"team": v}}))))
	}
	if got := l.sees(keysOf(team([]string{"red"})), "vault"); got != "red " {
		t.Errorf("red sees %q", got)
	}
	for _, value := range []string{"*", "r*", "bl?e", "${aws:username}", "${*}", "red/../blue", "red\x00", "RED", "../vault/blue", "bluе"} {
		a := team([]string{value})
		if a.status != 200 {
			if a.status != 400 && a.status != 403 {
				t.Errorf("team %q: %s", value, a)
			}
			continue
		}
		if got := l.sees(keysOf(a), "vault"); got != "" {
			t.Errorf("team %q sees %q", value, got)
		}
	}
	l.unchanged(t, func() {
		for name, claims := range map[string]map[string]any{
			"the tag role":   tags(map[string]any{"principal_tags": map[string]any{"role": []string{rootARN(account)}}}),
			"the flat claim": {"https://aws.amazon.com/tags/principal_tags/role": rootARN(account)},
			"everything": {
				"https://aws.amazon.com/tags": map[string]any{"principal_tags": map[string]any{"role": []string{rootARN(account)}, "account": []string{account}}},
				"dp_uid":                      account, "role": rootARN(account), "sub": account, "email": "demo@example.com", "email_verified": true,
			},
		} {
			token := f.token(t, claims)
			want(t, name+", for root", l.do(webIdentity(rootARN(account), token)), 403, "AccessDenied")
			if a := l.do(webIdentity(guest, token)); a.status == 200 {
				who := l.sts(keysOf(a), "GetCallerIdentity")
				if !strings.Contains(string(who.body), ":assumed-role/guest/") {
					t.Errorf("%s, for a role: %s", name, who)
				}
				want(t, name+", users", l.iam(keysOf(a), "ListUsers"), 403, "AccessDenied")
				if got := l.sees(keysOf(a), "vault"); got != "" {
					t.Errorf("%s sees %q", name, got)
				}
			} else if a.status != 400 && a.status != 403 {
				t.Errorf("%s, for a role: %s", name, a)
			}
		}
	})
	for name, more := range map[string]map[string]any{
		"a star":           {"principal_tags": map[string]any{"team": []string{"*"}}},
		"two values":       {"principal_tags": map[string]any{"team": []string{"red", "blue"}}},
		"but for case":     {"principal_tags": map[string]any{"team": []string{"red"}, "Team": []string{"blue"}}},
		"an object":        {"principal_tags": map[string]any{"team": map[string]any{"a": "blue"}}},
		"a number":         {"principal_tags": map[string]any{"team": 1}},
		"no map":           {"principal_tags": []string{"team"}},
		"reserved":         {"principal_tags": map[string]any{"aws:x": []string{"blue"}}},
		"transitive, none": {"principal_tags": map[string]any{}, "transitive_tag_keys": []string{"team"}},
	} {
		if a := l.do(webIdentity(guest, f.token(t, tags(more)))); a.status != 400 && a.status != 403 {
			t.Errorf("tags with %s: %s", name, a)
		}
	}
}

// TestUnanchoredSubjects: a role for everybody's issuer says whom it means.
func TestUnanchoredSubjects(t *testing.T) {
	t.Parallel()
	l := newPolicyLab(t)
	const host = "token.actions.githubusercontent.com"
	l.made("CreateOpenIDConnectProvider", "Url", "https://"+host, "ClientIDList.member.1", "sts.amazonaws.com")
	trust := func(condition string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::` + account + `:oidc-provider/` + host + `"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{` + condition + `}}]}`
	}
	good := trust(`"StringLike":{"` + host + `:sub":"repo:octo/app:*"},"StringEquals":{"` + host + `:aud":"sts.amazonaws.com"}`)
	l.made("CreateRole", "RoleName", "ci", "AssumeRolePolicyDocument", good)
	aud := `"StringEquals":{"` + host + `:aud":"sts.amazonaws.com"}`
	l.unchanged(t, func() {
		for name, condition := range map[string]string{
			"none": aud, "star": aud + `,"StringLike":{"` + host + `:sub":"*"}`, "repo:*": aud + `,"StringLike":{"` + host + `:sub":"repo:*"}`,
			"open owner": aud + `,"StringLike":{"` + host + `:sub":"repo:octo*"}`, "any of": aud + `,"StringLike":{"` + host + `:sub":["repo:octo/app:*","*"]}`,
			"if exists":    aud + `,"StringLikeIfExists":{"` + host + `:sub":"repo:octo/app:*"}`,
			"negated":      aud + `,"StringNotLike":{"` + host + `:sub":"repo:evil/*"}`,
			"for all":      aud + `,"ForAllValues:StringLike":{"` + host + `:sub":"repo:octo/app:*"}`,
			"variable":     aud + `,"StringLike":{"` + host + `:sub":"${` + host + `:sub}"}`,
			"another host": aud + `,"StringLike":{"gitlab.com:sub":"repo:octo/app:*"}`,
			"question":     aud + `,"StringLike":{"` + host + `:sub":"repo:????/app:*"}`,
		} {
			document := trust(condition)
			want(t, "CreateRole, "+name, l.iam(l.root, "CreateRole", "RoleName", "open", "AssumeRolePolicyDocument", document), 400, "MalformedPolicyDocument")
			want(t, "UpdateAssumeRolePolicy, "+name, l.iam(l.root, "UpdateAssumeRolePolicy", "RoleName", "ci", "PolicyDocument", document), 400, "MalformedPolicyDocument")
		}
	})
}

// TestRecreatedNames: who takes the name of somebody gone inherits nothing.
func TestRecreatedNames(t *testing.T) {
	t.Parallel()
	l := newPolicyLab(t)
	l.vaults("heirloom")
	ghost := l.user("ghost", "")
	maker := l.user("maker", allow(`"sts:AssumeRole"`, `"*"`))
	role := func() {
		l.made("CreateRole", "RoleName", "spirit", "AssumeRolePolicyDocument", trusting(userARN("maker"), ""))
	}
	role()
	l.made("CreateRole", "RoleName", "estate", "AssumeRolePolicyDocument", trusting(userARN("ghost"), ""))
	l.must(call{method: "PUT", target: "/heirloom?policy", keys: l.root, body: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["` +
		userARN("ghost") + `","` + roleARN(account, "spirit") + `"]},"Action":"s3:GetObject","Resource":"arn:aws:s3:::heirloom/*"}]}`})
	spirit := l.assumed(maker, "spirit")
	for name, k := range map[string]keys{"the user": ghost, "the role": spirit} {
		if got := l.sees(k, "heirloom"); got != "blue red " {
			t.Fatalf("%s sees %q", name, got)
		}
	}
	l.assumed(ghost, "estate")
	l.made("DeleteAccessKey", "UserName", "ghost", "AccessKeyId", ghost.AccessKeyID)
	l.made("DeleteUser", "UserName", "ghost")
	l.made("DeleteRole", "RoleName", "spirit")
	heir := l.user("ghost", allow(`"sts:AssumeRole"`, `"*"`))
	role()
	want(t, "the heir takes the role", l.assume(heir, "estate"), 403, "AccessDenied")
	for name, k := range map[string]keys{"the heir": heir, "the new role": l.assumed(maker, "spirit"), "the old session": spirit, "the old key": ghost} {
		if got := l.sees(k, "heirloom"); got != "" {
			t.Errorf("%s sees %q", name, got)
		}
	}
}
