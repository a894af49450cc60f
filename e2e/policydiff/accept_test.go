package policydiff

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	peer "github.com/versity/versitygw/iamapi/policy"

	"daypass/internal/identity"
	"daypass/internal/policy"
)

// stricter are the sentences with which Daypass refuses what the other engine
// accepts, each with the statement, after an Effect, that shows it.
var stricter = []struct{ sentence, statement string }{
	{"is unknown", `"Action":"*","resource":"*"`},
	{"expected", `"Action":"*","Resource":"*","Condition":null`},
	{"occurs twice", `"Action":"*","Resource":"*","Condition":{"StringEquals":{"a:b":"x","A:B":"y"}}`},
	{"valid version string", ``},
	{"must be alpha-numeric", `"Action":"*","Resource":"*","Sid":"a-b"`},
	{"The action", `"Action":"s3:Get Object","Resource":"*"`},
	{"must be in ARN format", `"Action":"*","Resource":"arn:aws:s3:::"`},
	{"must be in ARN format", `"Action":"*","Resource":"*","Condition":{"ArnLike":{"aws:SourceArn":"b"}}`},
	{"The variable", `"Action":"*","Resource":"arn:aws:s3:::${aws:username"`},
	{"The default value", `"Action":"*","Resource":"arn:aws:s3:::${aws:username, x}"`},
	{"does not fit the condition operator", `"Action":"*","Resource":"*","Condition":{"Bool":{"a:b":"yes"}}`},
	{"has no value", `"Action":"*","Resource":"*","Condition":{"StringEquals":{"a:b":[]}}`},
	{"has no key", `"Action":"*","Resource":"*","Condition":{"StringEquals":{}}`},
	{"must be prefaced by a vendor", `"Action":"*","Resource":"*","Condition":{"StringEquals":{"nokey":"x"}}`},
	{"The condition key", `"Action":"*","Resource":"*","Condition":{"StringEquals":{"a:*":"x"}}`},
	{"Invalid Condition type", `"Action":"*","Resource":"*","Condition":{"ForAnyValue:Null":{"a:b":"true"}}`},
	{"either", `"Action":"*","NotAction":[],"Resource":"*"`},
}

func oursSays(text string) string {
	_, err := policy.Parse(policy.InlinePolicy, text, policy.Options{})
	if err == nil {
		return ""
	}
	return identity.AsError(err).Public
}

func peerAccepts(text string) bool {
	return peer.Validate("policyDocument", text) == nil && peer.Parse(text) == nil
}

func TestStricter(t *testing.T) {
	t.Parallel()
	for _, c := range stricter {
		text := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` + c.statement + `}]}`
		if c.sentence == "valid version string" {
			text = `{"Version":"","Statement":` + `{"Effect":"Allow","Action":"*","Resource":"*"}}`
		}
		if says := oursSays(text); !strings.Contains(says, c.sentence) || !peerAccepts(text) {
			t.Errorf("%s: Daypass says %q, versitygw accepts: %v", text, says, peerAccepts(text))
		}
	}
}

// node is a place in a JSON tree that can be written.
type node struct {
	get func() any
	set func(any)
}

func nodes(v any, set func(any), out []node) []node {
	out = append(out, node{func() any { return v }, set})
	switch v := v.(type) {
	case map[string]any:
		for _, k := range sortedKeys(v) {
			out = nodes(v[k], func(x any) { v[k] = x }, out)
		}
	case []any:
		for i := range v {
			out = nodes(v[i], func(x any) { v[i] = x }, out)
		}
	}
	return out
}

func sortedKeys(m map[string]any) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// spoil changes one thing in a document, which most often makes it wrong.
func (g generator) spoil(text string) string {
	var tree any
	if err := json.Unmarshal([]byte(text), &tree); err != nil {
		panic(err)
	}
	all := nodes(tree, func(x any) { tree = x }, nil)
	n := all[g.IntN(len(all))]
	members, isObject := n.get().(map[string]any)
	switch {
	case isObject && len(members) > 0 && g.IntN(3) > 0:
		keys := sortedKeys(members)
		k := g.pick(keys)
		v := members[k]
		delete(members, k)
		switch g.IntN(4) {
		case 0: // left out
		case 1:
			members[strings.ToLower(k)] = v
		case 2:
			members[k+g.pick([]string{"s", "IfExists", " ", "\u0455"})] = v
		case 3:
			members[k] = v
			members[g.pick([]string{"Id", "Sid", "Comment", "NotAction", "NotResource", "Principal", "Condition", "ForAnyValue:Null", "StringMatches", "aws:x"})] = g.value()
		}
	default:
		n.set(g.value())
	}
	out, err := json.Marshal(tree)
	if err != nil {
		panic(err)
	}
	text = escaped(string(out))
	if g.IntN(4) == 0 {
		i := g.IntN(len(text))
		text = text[:i] + g.pick([]string{"", "\"", "{", "}", ",", " ", "*", "\\u0000", "${", "ü", "\x01", "1", "е"}) + text[i+g.IntN(min(3, len(text)-i)):]
	}
	return text
}

func (g generator) value() any {
	values := []any{
		nil, "", "x", "*", 1, true, 1e300,
		[]any{},
		map[string]any{},
		[]any{"*"},
		[]any{[]any{"*"}},
		map[string]any{"x": "y"},
		[]any{"*", 1},
		"a b", "arn:aws:s3:::", "arn:aws",
		"arn:demo:s3:::b", "s3:", ":x", "s3:Get Object", "*:*", "${aws:username", "${}", "arn:aws:s3:::${a, b}", "Allow", "allow", "2012-10-17", "2020-10-17",
		map[string]any{"StringEquals": map[string]any{"aws:username": []any{}}},
		map[string]any{"Null": map[string]any{"a:b": "maybe"}},
		map[string]any{"NumericEquals": map[string]any{"a:b": "ten"}},
		map[string]any{"StringEquals": map[string]any{"nokey": "x"}},
		map[string]any{"StringEquals": map[string]any{}},
		map[string]any{"StringEquals": map[string]any{"a:b": "x", "A:B": "y"}},
		map[string]any{"ForAnyValue:Null": map[string]any{"a:b": "true"}},
	}
	return values[g.IntN(len(values))]
}

// repaired puts in other words what Daypass reads and the other engine does
// not: action "*:*", partitions other than aws, ARNs cut short.
func repaired(text string) string {
	var tree map[string]any
	if json.Unmarshal([]byte(text), &tree) != nil {
		return text
	}
	list, ok := tree["Statement"].([]any)
	if !ok {
		list = []any{tree["Statement"]}
	}
	for _, s := range list {
		members, _ := s.(map[string]any)
		for k, v := range members {
			for _, n := range nodes(v, func(x any) { members[k] = x }, nil) {
				word, isText := n.get().(string)
				switch {
				case !isText:
				case strings.HasSuffix(k, "Action") && word == "*:*":
					n.set("*")
				case strings.HasSuffix(k, "Resource") && (strings.Count(word, ":") < 5 || !strings.HasPrefix(word, "arn:aws:")):
					n.set("*")
				}
			}
		}
	}
	out, err := json.Marshal(tree)
	if err != nil {
		return text
	}
	return escaped(string(out))
}

// What one engine accepts and the other refuses is accounted for.
func TestAcceptance(t *testing.T) {
	s := seed(t)
	g := generator{rand.New(rand.NewPCG(s, 4))}
	both, neither := 0, 0
	used := map[string]int{}
	for range rounds(10000) {
		text := g.document().text(g.Rand)
		if g.IntN(8) > 0 {
			text = g.spoil(text)
		}
		says := oursSays(text)
		switch theirs := peerAccepts(text); {
		case says == "" && theirs:
			both++
		case says != "" && !theirs:
			neither++
		case says == "":
			if !peerAccepts(repaired(text)) {
				t.Fatalf("seed %d: only Daypass accepts\n%s\nversitygw: %v", s, text, peer.Parse(text))
			}
			used["partitions, short ARNs and *:*"]++
		default:
			i := slices.IndexFunc(stricter, func(x struct{ sentence, statement string }) bool { return strings.Contains(says, x.sentence) })
			if i < 0 {
				t.Fatalf("seed %d: only versitygw accepts\n%s\nDaypass: %s", s, text, says)
			}
			used[stricter[i].sentence]++
		}
	}
	t.Logf("seed %d: both accept %d, both refuse %d, one refuses: %v", s, both, neither, used)
}

// sharedIssuers sign tokens for anyone; AWS names the claim that a trust policy
// has to ask for.
var sharedIssuers = []struct{ host, key string }{
	{"token.actions.githubusercontent.com", ":sub"},
	{"vstoken.actions.githubusercontent.com", ":sub"},
	{"oidc-configuration.audit-log.githubusercontent.com", ":sub"},
	{"gitlab.com", ":sub"},
	{"agent.buildkite.com", ":sub"},
	{"app.terraform.io", ":sub"},
	{"oidc.codefresh.io", ":sub"},
	{"studio.datachain.ai/api", ":sub"},
	{"scalr.io", ":sub"},
	{"tokens.cloud.shisho.dev", ":sub"},
	{"proidc.upbound.io", ":sub"},
	{"api.pulumi.com/oidc", ":aud"},
	{"sandboxes.cloud", ":aud"},
	{"oidc.vercel.com", ":aud"},
	{"cognito-identity.amazonaws.com", ":aud"},
	{"sts.windows.net/33e01921-4d64-4f8c-a055-5bdaffd5e33d", "sts:RoleSessionName"},
}

// A trust policy that would trust all customers of a shared issuer, and that
// the other engine refuses, is refused here too.
func TestSharedIssuers(t *testing.T) {
	s := seed(t)
	g := generator{rand.New(rand.NewPCG(s, 5))}
	theirs, ours, both := 0, 0, 0
	for range rounds(2000) {
		issuer := sharedIssuers[g.IntN(len(sharedIssuers))]
		principal := "arn:aws:iam::" + account + ":oidc-provider/" + issuer.host
		if issuer.key == ":aud" && strings.HasPrefix(issuer.host, "cognito") {
			principal = issuer.host
		}
		st := statement{allow: true, actions: []string{webIdentityAction}, principal: map[string]any{"Federated": principal}}
		for _, key := range []string{issuer.host + ":sub", issuer.host + ":aud", "sts:RoleSessionName", "other.example.com:sub"} {
			if g.IntN(3) == 0 {
				op := g.pick([]string{"", "", "", "ForAllValues:", "ForAnyValue:"}) + g.pick([]string{"StringEquals", "StringLike", "StringLike", "StringEqualsIgnoreCase", "StringNotEquals", "StringNotLike", "Null"})
				values := g.some([]string{"repo:o/r:ref", "repo:o/*", "repo:*", "*", "?*", "", "organization:o:x", "organization:*", "sts.amazonaws.com", "${aws:userid}"}, 2)
				if strings.HasSuffix(op, "Null") {
					op, values = "Null", []string{"false"}
				}
				st.conditions = append(st.conditions, condition{op, key, values})
			}
		}
		// A subject names the customer as well where AWS asks for another claim.
		named := st
		named.conditions = nil
		for _, c := range st.conditions {
			if c.key == issuer.host+":sub" && !strings.HasPrefix(issuer.key, ":") {
				c.key = issuer.key
			} else if c.key == issuer.host+":sub" && issuer.host == "cognito-identity.amazonaws.com" {
				c.key = issuer.host + issuer.key
			}
			named.conditions = append(named.conditions, c)
		}
		text := document{version2012, []statement{st}}.text(g.Rand)
		_, err := policy.Parse(policy.TrustPolicy, text, policy.Options{})
		refused := peer.ParseTrust(text) != nil && peer.ParseTrust(document{version2012, []statement{named}}.text(nil)) != nil
		switch {
		case err == nil && refused:
			t.Fatalf("seed %d: only Daypass accepts %v\n%s", s, peer.ParseTrust(text), text)
		case err == nil:
			both++
		case refused:
			theirs++
		default:
			ours++ // a pattern that names no customer, ForAllValues, IfExists
		}
	}
	t.Logf("seed %d: accepted %d, refused by both %d, by Daypass alone %d", s, both, theirs, ours)
	if both == 0 || theirs == 0 || ours == 0 {
		t.Error("one of them never happened")
	}
}
