package policydiff

import (
	"testing"
	"time"

	"daypass/internal/policy"
)

// Each rule has a case that it alone decides: without it the engines answer
// differently.
func TestEveryRuleIsNeeded(t *testing.T) {
	const deny, allow, none = policy.ExplicitDeny, policy.Allow, policy.ImplicitDeny
	on := func(allow bool, resource string) statement {
		return statement{allow: allow, actions: []string{"*"}, resources: []string{resource}}
	}
	when := func(allow bool, operator, key string, values ...string) statement {
		s := on(allow, "*")
		s.conditions = []condition{{operator, key, values}}
		return s
	}
	is := func(key string, values ...string) map[string][]string { return map[string][]string{key: values} }
	seen := map[rule]bool{}
	for _, c := range []struct {
		rule         rule
		statement    statement
		asked        string
		keys         map[string][]string
		tag          string
		ours, theirs policy.Effect
	}{
		{ruleVariableForm, on(false, "arn:aws:s3:::b/${aws:PrincipalTag/team}/*"), "arn:aws:s3:::b/blue/x", nil, "blue", deny, none},
		{ruleVariableForm, on(true, "arn:aws:s3:::b/${aws:SourceVpc, 'none'}/*"), "arn:aws:s3:::b/none/x", nil, "", allow, none},
		{ruleVariableForm, on(true, "arn:aws:s3:::b/${*}"), "arn:aws:s3:::b/${x}", nil, "", none, allow},
		{ruleVariableLiteral, on(true, "arn:aws:s3:::b/${s3:prefix}/k"), "arn:aws:s3:::b/ann/k", is("s3:prefix", "*"), "", none, allow},
		{ruleVariableMissing, on(true, "arn:aws:s3:::b/${aws:sourcevpc}"), "arn:aws:s3:::b/${aws:sourcevpc}", nil, "", none, allow},
		{ruleVariableMissing, when(true, "StringNotEquals", "test:text", "${aws:sourcevpc}"), "*", is("test:text", "a"), "", none, allow},
		{ruleVariableUnsafe, on(true, "arn:aws:s3:::b/${s3:prefix}/k"), "arn:aws:s3:::b/../k", is("s3:prefix", ".."), "", none, allow},
		{ruleVariableUnsafe, on(true, "arn:aws:s3:::b/${idp.example.com:sub}/k"), "arn:aws:s3:::b/a/b/k", is("idp.example.com:sub", "a/b"), "", none, allow},
		{ruleSegments, on(true, "arn:aws:s3:*:*:public/*"), "arn:aws:s3:::secret/a:public/k", nil, "", none, allow},
		{ruleSegments, when(false, "ArnLike", "aws:SourceArn", "arn:aws:iam::*:role/a"), "*", is("aws:sourcearn", "arn:aws:iam::1:user/x:role/a"), "", none, deny},
		{rulePartition, on(true, "arn:demo:s3:::*"), "arn:demo:s3:::b", nil, "", allow, deny},
		{rulePartition, on(true, "arn:aws:s3:*"), "arn:aws:s3:::b", nil, "", allow, deny},
		{ruleAnyService, statement{allow: true, actions: []string{"*:*"}, resources: []string{"*"}}, "*", nil, "", allow, deny},
		{ruleCharacters, on(false, "arn:aws:s3:::b/?"), "arn:aws:s3:::b/ü", nil, "", deny, none},
		{ruleAsterisk, on(false, "arn:aws:s3:::b/*"), "arn:aws:s3:::b/*/k", nil, "", deny, none},
		{ruleSeveral, when(true, "StringEquals", "aws:TagKeys", "a"), "*", is("aws:tagkeys", "a", "b"), "", none, allow},
		{ruleSeveral, when(false, "StringNotEquals", "aws:TagKeys", "a"), "*", is("aws:tagkeys", "a", "b"), "", deny, none},
		{ruleAllEmpty, when(false, "ForAllValues:StringEquals", "aws:TagKeys", "a"), "*", is("aws:tagkeys", ""), "", deny, none},
		{ruleAnyMissing, when(true, "ForAnyValue:StringNotEquals", "aws:TagKeys", "a"), "*", nil, "", none, allow},
		{ruleAnyMissing, when(true, "ForAnyValue:StringEqualsIfExists", "aws:TagKeys", "a"), "*", nil, "", none, allow},
		{ruleOtherType, when(true, "NotIpAddress", "aws:SourceIp", "10.0.0.0/8"), "*", is("aws:sourceip", "unknown"), "", none, allow},
		{ruleOtherType, when(true, "ArnNotLike", "aws:SourceArn", "arn:aws:s3:::b"), "*", is("aws:sourcearn", "b"), "", none, allow},
		{ruleNumberForm, when(false, "NumericGreaterThan", "s3:max-keys", "10"), "*", is("s3:max-keys", "Inf"), "", none, deny},
		{ruleBigNumber, when(true, "NumericEquals", "test:n", "9007199254740993"), "*", is("test:n", "9007199254740992"), "", none, allow},
		{ruleDateForm, when(false, "DateGreaterThan", "test:date", "2026-01-01"), "*", is("test:date", "2026-01-02"), "", deny, none},
		{ruleBoolForm, when(false, "Bool", "aws:SecureTransport", "tRuE"), "*", is("aws:securetransport", "true"), "", deny, none},
		{ruleMapped, when(false, "IpAddress", "aws:SourceIp", "fe80::/10"), "*", is("aws:sourceip", "fe80::1%eth0"), "", deny, none},
		{ruleMapped, when(true, "IpAddress", "aws:SourceIp", "::ffff:10.1.2.3"), "*", is("aws:sourceip", "::1"), "", none, allow},
		{ruleLetterCase, when(true, "StringEqualsIgnoreCase", "test:text", "k"), "*", is("test:text", "\u212a"), "", none, allow},
	} {
		seen[c.rule] = true
		d := document{version2012, []statement{c.statement}}
		r := &request{userID: "AIDAANN", name: "ann", action: "s3:GetObject", resource: c.asked, owner: account, time: time.Unix(1767323045, 0).UTC(), keys: c.keys}
		if c.tag != "" {
			r.tags = map[string]string{"team": c.tag}
		}
		text := d.text(nil)
		got := policy.Evaluate(r.ours(), &policy.Set{Identity: []*policy.Policy{parse(t, policy.InlinePolicy, text)}}).Effect
		raw := theirs([]string{text}, r)
		want, _, rules := translated([]document{d}, r)
		if got != c.ours || raw != c.theirs || want != c.ours || !rules[c.rule] {
			t.Errorf("%s: got %v, want %v; versitygw %v, want %v; translated %v by %v\n%s", c.rule, got, c.ours, raw, c.theirs, want, rules, text)
		}
	}
	for _, r := range allRules {
		if !seen[r] {
			t.Errorf("the rule %q has no case", r)
		}
	}
}
