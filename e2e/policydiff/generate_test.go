package policydiff

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"daypass/internal/identity"
	"daypass/internal/policy"
)

const (
	account = "111122223333"
	other   = "444455556666"
)

// request is what both engines are asked.
type request struct {
	name, userID     string // of the user; an empty name is a caller without aws:username
	tags             map[string]string
	action, resource string
	owner            string // account of the resource
	time             time.Time
	keys             map[string][]string // lower case, without those above
}

func (r *request) userARN() string { return "arn:aws:iam::" + account + ":user/" + r.userID }

// ours is the request as Daypass takes it.
func (r *request) ours() *policy.Request {
	return &policy.Request{
		Principal: policy.Principal{
			Kind: identity.IAMUser, ARN: r.userARN(), Account: account, ID: r.userID, UserID: r.userID, Name: r.name, Tags: r.tags,
		},
		Action: r.action, Resource: r.resource, ResourceAccount: r.owner, Time: r.time, Context: policy.Keys(r.keys),
	}
}

// context is all that conditions can read, by key in lower case.
func (r *request) context() map[string][]string {
	all := map[string][]string{
		"aws:userid": {r.userID}, "aws:principalarn": {r.userARN()}, "aws:principalaccount": {account}, "aws:principaltype": {"User"},
		"aws:resourceaccount": {r.owner}, "aws:currenttime": {r.time.Format(time.RFC3339)}, "aws:epochtime": {strconv.FormatInt(r.time.Unix(), 10)},
	}
	if r.name != "" {
		all["aws:username"] = []string{r.name}
	}
	for k, v := range r.tags {
		all["aws:principaltag/"+strings.ToLower(k)] = []string{v}
	}
	for k, v := range r.keys {
		all[k] = v
	}
	return all
}

type generator struct{ *rand.Rand }

func (g generator) pick(from []string) string { return from[g.IntN(len(from))] }

func (g generator) some(from []string, most int) []string {
	var out []string
	for range 1 + g.IntN(most) {
		out = append(out, g.pick(from))
	}
	return out
}

var (
	names    = []string{"ann", "ann", "ann", "bob", "", "*", "?", "a/b", "..", "${aws:userid}", "a*"}
	tagText  = []string{"blue", "blue", "red", "", ".", "..", "a/b", "*", "bl?e", "a:b", "$", "ünique"}
	actions  = []string{"s3:GetObject", "s3:PutObject", "s3:GetObjectAcl", "iam:GetUser", "S3:getobject", "sts:AssumeRole"}
	actionIn = []string{"*", "s3:*", "S3:get*", "s3:?etObject", "s3:Get*Acl", "iam:*", "iam:GetUser", "s3:GetObject", "s3:*Object", "sts:*Role*", "*", "s3:Get*", "iam:Get*", "s3:PutObject", "*:*"}

	resources = []string{
		"*", "arn:aws:s3:::b", "arn:aws:s3:::b/k", "arn:aws:s3:::b/ann/x", "arn:aws:s3:::b/blue/x", "arn:aws:s3:::b/*/x", "arn:aws:s3:::b/${aws:userid}/x",
		"arn:aws:s3:::b/ü", "arn:aws:s3:::b/a/b/x", "arn:aws:s3:::b/../x", "arn:aws:s3:::b//x", "arn:aws:s3:::b/x:y:z", "arn:aws:s3:::b/*", "arn:aws:s3:::b/$",
		"arn:aws:iam::111122223333:role/a", "arn:aws:iam::111122223333:user/b/role/a", "arn:aws:s3:r:1:b:a:b", "arn:demo:s3:::b/k", "arn:aws:s3:::secret/a:public/k",
		"arn:aws:s3:::blue", "arn:aws:iam::1:role/a:role/b",
	}
	resourceIn = []string{
		"*", "*", "arn:aws:s3:::*", "arn:aws:s3:::b/*", "arn:aws:s3:::b*", "arn:aws:s3:::b/?", "arn:aws:s3:::b/k", "arn:aws:s3:::B/k", "arn:aws:s3:::b/*/x",
		"arn:aws:s3:::b/${aws:username}/*", "arn:aws:s3:::b/${aws:PrincipalTag/team}/*", "arn:aws:s3:::${aws:PrincipalTag/team}", "arn:aws:s3:::b/${AWS:UserName}/x",
		"arn:aws:s3:::b/${aws:PrincipalTag/team, 'ann'}/x", "arn:aws:s3:::b/${aws:username,'*'}/x", "arn:aws:s3:::b/${*}/x", "arn:aws:s3:::b/${?}", "arn:aws:s3:::b/${$}",
		"arn:aws:s3:::b/${s3:prefix}x", "arn:aws:s3:::b/${test:text}*", "arn:aws:iam::*:role/a", "arn:aws:iam::*:role/*", "arn:aws:s3:*:*:*b", "arn:aws:s3:*:*:public/*",
		"arn:aws:s3:?:?:b*", "arn:aws:s?:::b/k", "arn:aws:iam::${aws:PrincipalAccount}:role/?",
		"arn:aws:iam::${aws:PrincipalTag/team}:role/*", "arn:aws:s3:::b/*a*b*", "arn:aws:s3:::*?*k", "arn:aws:s3:::b/${aws:userid}/x",
	}
	// foreignIn are what the other engine refuses.
	foreignIn = []string{"arn:*:s3:::b/k", "arn:demo:s3:::*", "arn:aws:*", "arn:*"}
	textIn    = []string{
		"a", "A", "ab", "a*", "?", "*", "", "blue", "bl?e", "ann", "k", "K", "ünique", "?nique", "${aws:username}", "${aws:PrincipalTag/team}", "${test:text}*", "a${*}",
		"${aws:username, 'a'}", "${test:text,'blue'}", "${?}", "x${$}", "${aws:PrincipalTag/team}${aws:username}", "\u212a", "ÜNIQUE",
	}
	arnIn = []string{
		"*", "arn:aws:iam::111122223333:user/AIDAANN", "arn:aws:iam::*:user/*", "arn:aws:*", "arn:aws:iam::*:role/a", "arn:aws:iam::${aws:PrincipalAccount}:user/${aws:userid}",
		"arn:*:iam::1*:user/AIDA???", "arn:aws:s3:::*", "arn:aws:iam::${test:text}:user/*",
	}
	numberIn  = []string{"0", "10", "-1", "10.0", "1e1", "9.5", "9007199254740993", "9007199254740992", "1000000000000"}
	dateIn    = []string{"2026-01-02T03:04:05Z", "2026-01-02T04:04:05+01:00", "2026-01-02", "1767323045", "2026-01-02T03:04Z", "2026-01-02T03:04:05.5Z", "1999-01-01T00:00:00Z", "2026-01-02T03:04:05"}
	boolIn    = []string{"true", "false", "True", "FALSE", "tRuE"}
	binaryIn  = []string{"QQ==", "QmluYXJ5", "AA==", ""}
	addressIn = []string{"10.0.0.0/8", "10.1.2.3", "10.1.2.3/8", "2001:db8::/32", "2001:db8::1", "0.0.0.0/0", "::/0", "fe80::/10", "::ffff:10.1.2.3", "192.0.2.0/24"}
)

// A family of operators, with what a policy may compare and what a request may hold.
type family struct {
	names  []string
	wanted []string
	got    []string
	keys   []string
}

var families = []family{
	{
		names:  []string{"StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringLike", "StringNotLike"},
		wanted: textIn, got: []string{"a", "A", "ab", "b", "", "*", "a*", "blue", "red", "ann", "ünique", "\u212a", "k", "x$", "$", "?", "${aws:username}", "annann", "blueann"},
		keys: []string{"test:text", "TEST:Text", "aws:username", "aws:PrincipalTag/team", "aws:principaltag/TEAM", "s3:prefix", "aws:TagKeys", "test:none"},
	},
	{
		names:  []string{"ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike"},
		wanted: arnIn, got: []string{"arn:aws:iam::111122223333:user/AIDAANN", "arn:aws:iam::111122223333:role/a", "arn:aws:iam::1:user/x:role/a", "arn:aws:s3:::b/k", "arn:aws:iam::a:user/z", "garbage", "", "arn:x"},
		keys: []string{"aws:PrincipalArn", "aws:SourceArn", "aws:SourceArn", "test:arns"},
	},
	{
		names:  []string{"NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan", "NumericGreaterThanEquals"},
		wanted: numberIn, got: append([]string{"ten", "", "Inf", "NaN", "0x1p4", "1_0", "+10", "++10", "+-1", ".5", "5.", "9.49"}, numberIn...),
		keys: []string{"s3:max-keys", "s3:max-keys", "test:numbers", "aws:EpochTime"},
	},
	{
		names:  []string{"DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals"},
		wanted: dateIn, got: append([]string{"today", "", "1767323045.5", "-5", "99999999999999999999", "9223372036854775807", "2026-1-2"}, dateIn...),
		keys: []string{"test:date", "test:date", "aws:CurrentTime", "aws:EpochTime", "test:dates"},
	},
	{
		names: []string{"Bool"}, wanted: boolIn, got: append([]string{"1", "t", "yes", "", "0", "fal\u017fe"}, boolIn...),
		keys: []string{"aws:SecureTransport", "aws:MultiFactorAuthPresent", "test:flags"},
	},
	{
		names: []string{"BinaryEquals"}, wanted: binaryIn, got: append([]string{"QR==", "QQ", "A", "QQ==\n"}, binaryIn...),
		keys: []string{"test:binary", "test:binaries"},
	},
	{
		names: []string{"IpAddress", "NotIpAddress"}, wanted: addressIn,
		got:  []string{"10.1.2.3", "10.255.0.1", "192.0.2.7", "2001:db8::1", "::ffff:10.1.2.3", "fe80::1", "fe80::1%eth0", "unknown", "", "10.01.2.3", "::1"},
		keys: []string{"aws:SourceIp", "aws:SourceIp", "aws:VpcSourceIp", "test:addresses"},
	},
}

// many are the keys that may have several values.
var many = []string{"aws:tagkeys", "test:text", "test:arns", "test:numbers", "test:dates", "test:flags", "test:binaries", "test:addresses"}

func (g generator) condition() condition {
	f := families[0]
	if g.IntN(2) == 0 {
		f = families[g.IntN(len(families))]
	}
	keys := f.keys
	if g.IntN(12) == 0 {
		keys = families[g.IntN(len(families))].keys
	}
	if g.IntN(8) == 0 {
		return condition{"Null", g.pick(keys), g.some([]string{"true", "false", "True"}, 2)}
	}
	op := g.pick([]string{"", "", "", "ForAllValues:", "ForAnyValue:"}) + g.pick(f.names) + g.pick([]string{"", "", "IfExists"})
	return condition{op, g.pick(keys), g.some(f.wanted, 3)}
}

// statement is, by turns, about the action, the resource, a condition, or all;
// what it is not about matches everything.
func (g generator) statement() statement {
	s := statement{allow: g.IntN(5) < 3, actions: []string{"*"}, resources: []string{"*"}}
	about := g.IntN(5)
	if about == 0 || about == 4 {
		s.notAction, s.actions = g.IntN(4) == 0, g.some(actionIn, 3)
	}
	if about == 1 || about == 4 {
		s.notResource, s.resources = g.IntN(4) == 0, g.some(resourceIn, 2)
		if g.IntN(20) == 0 {
			s.resources = g.some(foreignIn, 2)
		}
	}
	if about == 0 || about == 1 {
		return s
	}
	seen := map[string]bool{}
	for range 1 + g.IntN(2) {
		c := g.condition()
		if id := c.operator + " " + strings.ToLower(c.key); !seen[id] {
			seen[id] = true
			s.conditions = append(s.conditions, c)
		}
	}
	return s
}

func (g generator) document() document {
	d := document{version: g.pick([]string{version2012, version2012, version2012, version2008, ""})}
	for range 1 + g.IntN(2) {
		d.statements = append(d.statements, g.statement())
	}
	return d
}

func (g generator) request() *request {
	r := &request{
		name: g.pick(names), userID: g.pick([]string{"AIDAANN", "AIDABOB"}), action: g.pick(actions), resource: g.pick(resources), owner: account,
		time: time.Unix(1767323040+int64(g.IntN(10)), 0).UTC(), keys: map[string][]string{}, tags: map[string]string{},
	}
	if g.IntN(2) == 0 {
		r.tags[g.pick([]string{"team", "Team"})] = g.pick(tagText)
	}
	for _, f := range families {
		for _, key := range f.keys {
			key = strings.ToLower(key)
			if known[key] || strings.HasPrefix(key, "aws:principaltag/") || key == "test:none" || g.IntN(3) == 0 {
				continue
			}
			most := 1
			for _, m := range many {
				if m == key {
					most = 3
				}
			}
			r.keys[key] = g.some(f.got, most)
		}
	}
	return r
}

// known are the keys that the request itself answers for.
var known = map[string]bool{
	"aws:username": true, "aws:userid": true, "aws:principalarn": true, "aws:currenttime": true, "aws:epochtime": true,
}
