package policy

import (
	"testing"
	"time"
)

// asks evaluates one statement with a condition, as Allow and as Deny.
func asks(t *testing.T, effect, condition string, r *Request) bool {
	t.Helper()
	p := statements(t, InlinePolicy, `{"Effect":"`+effect+`","Action":"*","Resource":"*","Condition":`+condition+`}`)
	var v view
	v.prepare(r)
	return v.matches(&p.statements[0])
}

func TestConditionOperators(t *testing.T) {
	t.Parallel()
	yes, no := [2]bool{true, true}, [2]bool{false, false}
	for _, c := range []struct {
		condition string
		values    []string // of test:k; nil: absent
		want      [2]bool  // as Allow, as Deny
	}{
		{`{"StringEquals":{"test:k":"a"}}`, []string{"a"}, yes},
		{`{"StringEquals":{"TEST:K":["b","a"]}}`, []string{"a"}, yes},
		{`{"StringEquals":{"test:k":"a"}}`, []string{"A"}, no},
		{`{"StringEquals":{"test:k":"*"}}`, []string{"a"}, no},
		{`{"StringEquals":{"test:k":"a"}}`, nil, no},
		{`{"StringEquals":{"test:k":""}}`, []string{""}, yes},
		{`{"StringNotEquals":{"test:k":["a","b"]}}`, []string{"b"}, no},
		{`{"StringNotEquals":{"test:k":["a","b"]}}`, []string{"c"}, yes},
		{`{"StringNotEquals":{"test:k":"a"}}`, nil, yes},
		{`{"StringEqualsIgnoreCase":{"test:k":"ABC"}}`, []string{"abc"}, yes},
		{`{"StringEqualsIgnoreCase":{"test:k":"k"}}`, []string{"\u212a"}, [2]bool{false, true}}, // Kelvin sign
		{`{"StringNotEqualsIgnoreCase":{"test:k":"k"}}`, []string{"\u212a"}, [2]bool{false, true}},
		{`{"StringNotEqualsIgnoreCase":{"test:k":"ABC"}}`, []string{"abc"}, no},
		{`{"StringLike":{"test:k":"a*c?"}}`, []string{"abbcd"}, yes},
		{`{"StringLike":{"test:k":"a?"}}`, []string{"aü"}, yes},
		{`{"StringLike":{"test:k":"a?"}}`, []string{"a"}, no},
		{`{"StringNotLike":{"test:k":"a*"}}`, []string{"ab"}, no},
		{`{"StringLike":{"test:k":"a${*}"}}`, []string{"ab"}, no},
		{`{"StringLike":{"test:k":"a${*}${?}${$}"}}`, []string{"a*?$"}, yes},

		{`{"NumericEquals":{"test:k":10}}`, []string{"10.0"}, yes},
		{`{"NumericEquals":{"test:k":"9007199254740993"}}`, []string{"9007199254740992"}, no},
		{`{"NumericNotEquals":{"test:k":"10"}}`, []string{"11"}, yes},
		{`{"NumericNotEquals":{"test:k":"10"}}`, []string{"ten"}, [2]bool{false, true}},
		{`{"NumericLessThan":{"test:k":"10"}}`, []string{"9.5"}, yes},
		{`{"NumericLessThan":{"test:k":"10"}}`, []string{"10"}, no},
		{`{"NumericLessThanEquals":{"test:k":"10"}}`, []string{"10"}, yes},
		{`{"NumericGreaterThan":{"test:k":"-1"}}`, []string{"0"}, yes},
		{`{"NumericGreaterThanEquals":{"test:k":"1e2"}}`, []string{"100"}, yes},
		{`{"NumericGreaterThan":{"test:k":"1"}}`, []string{"Inf"}, no},
		{`{"NumericGreaterThan":{"test:k":"1"}}`, []string{"0x10"}, no},
		{`{"NumericEquals":{"test:k":"10"}}`, []string{"+10"}, yes},
		{`{"NumericNotEquals":{"test:k":"1"}}`, []string{"++10"}, [2]bool{false, true}},
		{`{"NumericNotEquals":{"test:k":"1"}}`, []string{"+-10"}, [2]bool{false, true}},

		{`{"DateLessThan":{"test:k":"2026-01-02T03:04:05Z"}}`, []string{"2026-01-02T04:04:04+01:00"}, yes},
		{`{"DateLessThan":{"test:k":"2026-01-02T03:04:05Z"}}`, []string{"2026-01-02T03:04:05Z"}, no},
		{`{"DateLessThanEquals":{"test:k":"2026-01-02"}}`, []string{"1767312000"}, yes},
		{`{"DateGreaterThan":{"test:k":1}}`, []string{"2026-01-02T03:04Z"}, yes},
		{`{"DateGreaterThanEquals":{"test:k":"2026-01-02T03:04:05.5Z"}}`, []string{"2026-01-02T03:04:05.500Z"}, yes},
		{`{"DateEquals":{"test:k":"2026-01-02T00:00:00Z"}}`, []string{"2026-01-02"}, yes},
		{`{"DateNotEquals":{"test:k":"2026-01-02"}}`, []string{"2026-01-03"}, yes},
		{`{"DateGreaterThan":{"test:k":"2026-01-02"}}`, []string{"tomorrow"}, no},
		// Seconds so late that time.Time would wrap around are no date.
		{`{"DateLessThan":{"test:k":"2026-01-02"}}`, []string{"9223372036854775807"}, no},
		{`{"DateNotEquals":{"test:k":"2026-01-02"}}`, []string{"9223372036854775807"}, [2]bool{false, true}},
		{`{"DateGreaterThan":{"test:k":"2026-01-02"}}`, []string{"253402300799"}, yes},

		{`{"Bool":{"test:k":"true"}}`, []string{"True"}, yes},
		{`{"Bool":{"test:k":true}}`, []string{"false"}, no},
		{`{"Bool":{"test:k":"false"}}`, nil, no},
		{`{"Bool":{"test:k":"false"}}`, []string{"fal\u017fe"}, no}, // a long s
		{`{"BoolIfExists":{"test:k":"false"}}`, nil, yes},
		{`{"BoolIfExists":{"test:k":"false"}}`, []string{"true"}, no},
		{`{"BinaryEquals":{"test:k":"QmluYXJ5"}}`, []string{"QmluYXJ5"}, yes},
		{`{"BinaryEquals":{"test:k":"QmluYXJ5"}}`, []string{"QmluYXJ4"}, no},
		{`{"BinaryEquals":{"test:k":"QQ=="}}`, []string{"QR=="}, no}, // one byte, with stray bits
		{`{"BinaryEquals":{"test:k":"QQ=="}}`, []string{"QQ=\n="}, no},

		{`{"IpAddress":{"test:k":"203.0.113.0/24"}}`, []string{"203.0.113.9"}, yes},
		{`{"IpAddress":{"test:k":"203.0.113.7"}}`, []string{"203.0.113.9"}, no},
		{`{"IpAddress":{"test:k":["203.0.113.0/24","2001:db8::/32"]}}`, []string{"2001:db8::1"}, yes},
		{`{"IpAddress":{"test:k":"203.0.113.0/24"}}`, []string{"::ffff:203.0.113.9"}, yes},
		{`{"NotIpAddress":{"test:k":"203.0.113.0/24"}}`, []string{"203.0.113.9"}, no},
		{`{"NotIpAddress":{"test:k":"203.0.113.0/24"}}`, []string{"unknown"}, [2]bool{false, true}},
		{`{"NotIpAddress":{"test:k":"203.0.113.0/24"}}`, nil, yes},
		{`{"IpAddress":{"test:k":"fe80::/10"}}`, []string{"fe80::1%eth0"}, yes},
		{`{"NotIpAddress":{"test:k":"fe80::/10"}}`, []string{"fe80::1%eth0"}, no},
		{`{"NotIpAddress":{"test:k":"203.0.113.0/24"}}`, []string{"::ffff:203.0.113.9%eth0"}, no},
		{`{"IpAddress":{"test:k":"::ffff:203.0.113.7"}}`, []string{"203.0.113.7"}, yes},
		{`{"IpAddress":{"test:k":"::/0"}}`, []string{"203.0.113.7"}, no},
		{`{"IpAddress":{"test:k":"203.0.113.7/24"}}`, []string{"203.0.113.9"}, yes},

		{`{"ArnEquals":{"test:k":"arn:aws:iam::*:role/d*"}}`, []string{roleARN}, yes},
		{`{"ArnLike":{"test:k":"arn:aws:iam::*:role/dev"}}`, []string{"arn:aws:iam::1:user/x:role/dev"}, no},
		{`{"ArnNotEquals":{"test:k":"arn:aws:iam::*:role/dev"}}`, []string{roleARN}, no},
		{`{"ArnNotLike":{"test:k":"arn:aws:iam::*:role/dev"}}`, []string{userARN}, yes},
		{`{"ArnNotLike":{"test:k":"arn:aws:iam::*:role/dev"}}`, []string{"dev"}, [2]bool{false, true}},
		{`{"ArnLike":{"test:k":"*"}}`, []string{"dev"}, [2]bool{false, true}},
		{`{"ArnLikeIfExists":{"test:k":"arn:aws:iam::*:role/dev"}}`, nil, yes},

		{`{"Null":{"test:k":"true"}}`, nil, yes},
		{`{"Null":{"test:k":true}}`, []string{"x"}, no},
		{`{"Null":{"test:k":"false"}}`, []string{""}, yes},
		{`{"Null":{"test:k":"false"}}`, nil, no},

		{`{"StringEqualsIfExists":{"test:k":"a"}}`, nil, yes},
		{`{"StringEqualsIfExists":{"test:k":"a"}}`, []string{"b"}, no},
		{`{"StringNotEqualsIfExists":{"test:k":"a"}}`, nil, yes},

		{`{"ForAllValues:StringEquals":{"test:k":["a","b"]}}`, []string{"a", "b", "a"}, yes},
		{`{"ForAllValues:StringEquals":{"test:k":["a","b"]}}`, []string{"a", "c"}, no},
		{`{"ForAllValues:StringEquals":{"test:k":"a"}}`, nil, yes},
		{`{"ForAllValues:StringEquals":{"test:k":"a"}}`, []string{""}, [2]bool{false, true}},
		{`{"ForAllValues:StringNotEquals":{"test:k":"a"}}`, []string{"b", "c"}, yes},
		{`{"ForAllValues:StringNotEquals":{"test:k":"a"}}`, []string{"a", "c"}, no},
		{`{"ForAnyValue:StringEquals":{"test:k":["a","b"]}}`, []string{"c", "b"}, yes},
		{`{"ForAnyValue:StringEquals":{"test:k":"a"}}`, []string{"c", "d"}, no},
		{`{"ForAnyValue:StringEquals":{"test:k":"a"}}`, nil, no},
		{`{"ForAnyValue:StringNotEquals":{"test:k":"a"}}`, []string{"a", "c"}, yes},
		{`{"ForAnyValue:StringNotEquals":{"test:k":"a"}}`, nil, no},
		{`{"ForAnyValue:StringNotEqualsIfExists":{"test:k":"a"}}`, nil, [2]bool{false, true}},
		{`{"ForAnyValue:StringEqualsIfExists":{"test:k":"a"}}`, nil, [2]bool{false, true}},
		{`{"ForAllValues:IpAddress":{"test:k":"10.0.0.0/8"}}`, []string{"10.0.0.1", "10.9.9.9"}, yes},

		// Several values without a quantifier: the side that permits less.
		{`{"StringEquals":{"test:k":"a"}}`, []string{"a", "b"}, [2]bool{false, true}},
		{`{"StringNotEquals":{"test:k":"a"}}`, []string{"a", "b"}, [2]bool{false, true}},

		{`{"StringEquals":{"test:k":"a"},"Null":{"test:other":"true"}}`, []string{"a"}, yes},
		{`{"StringEquals":{"test:k":"a"},"Null":{"test:k":"true"}}`, []string{"a"}, no},
		{`{}`, nil, yes},
	} {
		r := &Request{Principal: user, Action: "s3:GetObject"}
		if c.values != nil {
			r.Context = Keys{"test:k": c.values}
		}
		for i, effect := range []string{"Allow", "Deny"} {
			if got := asks(t, effect, c.condition, r); got != c.want[i] {
				t.Errorf("%s of %q as %s: got %v, want %v", c.condition, c.values, effect, got, c.want[i])
			}
		}
	}
}

func TestKnownKeys(t *testing.T) {
	t.Parallel()
	tagged := session
	tagged.Tags = map[string]string{"Team": "blue"}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		who       Principal
		key, want string // "" wants no value
	}{
		{user, "aws:username", "ann"},
		{session, "aws:username", ""},
		{root, "aws:username", ""},
		{user, "aws:PrincipalArn", userARN},
		{session, "aws:PrincipalArn", roleARN},
		{fed, "aws:PrincipalArn", fedARN},
		{session, "aws:userid", session.UserID},
		{user, "aws:PrincipalAccount", here},
		{nobody, "aws:PrincipalAccount", ""},
		{root, "aws:PrincipalType", "Account"},
		{user, "aws:PrincipalType", "User"},
		{session, "aws:PrincipalType", "AssumedRole"},
		{fed, "aws:PrincipalType", "FederatedUser"},
		{nobody, "aws:PrincipalType", "Anonymous"},
		{tagged, "aws:PrincipalTag/team", "blue"},
		{tagged, "aws:PrincipalTag/color", ""},
		{user, "aws:ResourceAccount", there},
		{web, "aws:FederatedProvider", googleARN},
		{user, "aws:CurrentTime", "2026-01-02T03:04:05Z"},
		{user, "aws:EpochTime", "1767323045"},
	} {
		// What the engine knows cannot be overridden from outside.
		var v view
		v.prepare(&Request{Principal: c.who, ResourceAccount: there, Time: at, Context: Keys{lowered(c.key): {c.want}}})
		if got := v.lookup(lowered(c.key)); c.want != "" && (got.Len() != 1 || got.At(0) != c.want) {
			t.Errorf("%s of %s: got %q, want %q", c.key, c.who.ARN, got.List(), c.want)
		}
		v.req.Context = nil
		if got := v.lookup(lowered(c.key)); c.want == "" && got.Len() != 0 {
			t.Errorf("%s of %s: got %q, want none", c.key, c.who.ARN, got.List())
		}
	}
}

func TestTimeWindow(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 999, time.UTC)
	for condition, want := range map[string]bool{
		`{"DateGreaterThan":{"aws:CurrentTime":"2026-01-02T03:04:04Z"},"DateLessThan":{"aws:CurrentTime":"2026-01-02T03:04:06Z"}}`: true,
		`{"DateGreaterThan":{"aws:CurrentTime":"2026-01-02T03:04:05Z"}}`:                                                           false,
		`{"DateEquals":{"aws:EpochTime":"1767323045"}}`:                                                                            true,
		`{"DateNotEquals":{"aws:CurrentTime":["2026-01-02T03:04:05Z","2026-01-01"]}}`:                                              false,
		`{"DateNotEquals":{"aws:CurrentTime":"2026-01-02T04:04:05Z"}}`:                                                             true,
		`{"NumericLessThanEquals":{"aws:EpochTime":"1767323045"}}`:                                                                 true,
		`{"Null":{"aws:CurrentTime":"false"}}`:                                                                                     true,
	} {
		if got := asks(t, "Allow", condition, &Request{Action: "s3:GetObject", Time: at}); got != want {
			t.Errorf("%s: got %v, want %v", condition, got, want)
		}
	}
	if asks(t, "Allow", `{"DateGreaterThan":{"aws:CurrentTime":"2026-01-02"}}`, &Request{Action: "s3:GetObject"}) {
		t.Error("a request without time came after a date")
	}
}

// The rules of SECURITY §6 on what is put in place of a variable.
func TestVariables(t *testing.T) {
	t.Parallel()
	tag := func(value string) Principal {
		p := session
		p.Tags = map[string]string{"team": value}
		return p
	}
	named := func(name string) Principal {
		p := user
		p.Name = name
		return p
	}
	const home, team = `"arn:aws:s3:::home/${aws:username}/*"`, `"arn:aws:s3:::home/${aws:PrincipalTag/team}/*"`
	const sub = `"arn:aws:s3:::home/${idp.example.com:sub}/*"`
	at := func(key string) string { return "arn:aws:s3:::home/" + key }
	for _, c := range []struct {
		name, resource string
		who            Principal
		asked          string
		want           [2]bool // as Allow, as Deny
	}{
		{"own home", home, user, at("ann/x"), [2]bool{true, true}},
		{"another's home", home, user, at("bob/x"), [2]bool{false, false}},
		{"a value with wildcards is literal", home, named("*"), at("bob/x"), [2]bool{false, false}},
		{"a value with wildcards names itself", home, named("*"), at("*/x"), [2]bool{true, true}},
		{"a value that looks like a variable", home, named("${aws:userid}"), at("${aws:userid}/x"), [2]bool{true, true}},
		{"a missing value", home, session, at("/x"), [2]bool{false, false}},
		{"a missing tag", team, session, at("/x"), [2]bool{false, false}},
		{"an empty tag", team, tag(""), at("/x"), [2]bool{false, true}},
		{"a tag of one dot", team, tag("."), at("./x"), [2]bool{false, true}},
		{"a tag of two dots", team, tag(".."), at("../x"), [2]bool{false, true}},
		{"a tag with a slash", team, tag("a/b"), at("a/b/x"), [2]bool{false, true}},
		{"a tag", team, tag("blue"), at("blue/x"), [2]bool{true, true}},
		{"a claim", sub, Principal{}, at("me/x"), [2]bool{true, true}},
		{"a default", `"arn:aws:s3:::home/${aws:PrincipalTag/team, 'all'}/*"`, session, at("all/x"), [2]bool{true, true}},
		{"a default not needed", `"arn:aws:s3:::home/${aws:PrincipalTag/team, 'all'}/*"`, tag("blue"), at("all/x"), [2]bool{false, false}},
		{"a default with a star is literal", `"arn:aws:s3:::home/${aws:PrincipalTag/team,'*'}/*"`, session, at("all/x"), [2]bool{false, false}},
		{"escapes", `"arn:aws:s3:::home/${*}${?}${$}"`, user, at("*?$"), [2]bool{true, true}},
		{"escapes are literal", `"arn:aws:s3:::home/${*}"`, user, at("x"), [2]bool{false, false}},
		{"another resource of the list", `["arn:aws:s3:::home/public/*",` + home + `]`, session, at("public/x"), [2]bool{true, true}},
		{"key names know no case", `"arn:aws:s3:::home/${AWS:UserName}/*"`, user, at("ann/x"), [2]bool{true, true}},
		{"a value with a colon stays in its place", `"arn:aws:iam::${aws:PrincipalTag/team}:role/x"`, tag("1:role/y"), "arn:aws:iam::1:role/y:role/x", [2]bool{false, true}},
	} {
		for i, effect := range []string{"Allow", "Deny"} {
			p := statements(t, InlinePolicy, `{"Effect":"`+effect+`","Action":"*","Resource":`+c.resource+`}`)
			var v view
			v.prepare(&Request{Principal: c.who, Action: "s3:GetObject", Resource: c.asked, Context: Keys{"idp.example.com:sub": {"me"}}})
			if got := v.matches(&p.statements[0]); got != c.want[i] {
				t.Errorf("%s as %s: got %v, want %v", c.name, effect, got, c.want[i])
			}
		}
	}
}

func TestVariablesInOtherPlaces(t *testing.T) {
	t.Parallel()
	object := func(version, body string) string {
		return `{"Version":"` + version + `","Statement":{` + body + `}}`
	}
	for _, c := range []struct {
		name, text string
		who        Principal
		want       bool
	}{
		{"NotResource of one's own, Deny", object(version2012, `"Effect":"Deny","Action":"*","NotResource":"arn:aws:s3:::home/${aws:username}/*"`), user, false},
		{"NotResource without value, Deny: nothing is excepted", object(version2012, `"Effect":"Deny","Action":"*","NotResource":"arn:aws:s3:::home/${aws:username}/*"`), session, true},
		{"NotResource without value, Allow: nothing is gained", object(version2012, `"Effect":"Allow","Action":"*","NotResource":"arn:aws:s3:::home/${aws:username}/*"`), session, false},
		{"equal to a value", object(version2012, `"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"test:k":"${aws:username}"}}`), user, true},
		{"equal to no value", object(version2012, `"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"test:k":"${aws:username}"}}`), session, false},
		{"not equal to no value, Allow", object(version2012, `"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringNotEquals":{"test:k":"${aws:username}"}}`), session, false},
		{"not equal to no value, Deny", object(version2012, `"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringNotEquals":{"test:k":"${aws:username}"}}`), session, true},
		{"absent key and no value, Allow", object(version2012, `"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringNotEquals":{"test:none":"${aws:username}"}}`), session, false},
		{"2008 has no variables", object(version2008, `"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::home/${aws:username}/x"`), user, false},
		{"no Version is 2008", `{"Statement":{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::home/${aws:username}/x"}}`, user, false},
		{"ArnLike with a value", object(version2012, `"Effect":"Allow","Action":"*","Resource":"*","Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/${aws:username}"}}`), user, true},
	} {
		p := parsed(t, InlinePolicy, c.text)
		var v view
		v.prepare(&Request{Principal: c.who, Action: "s3:GetObject", Resource: "arn:aws:s3:::home/ann/x", Context: Keys{"test:k": {"ann"}}})
		if got := v.matches(&p.statements[0]); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestResources(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, asked string
		allow, deny    bool // as Resource of an Allow, of a Deny
	}{
		{"*", "arn:aws:s3:::b/k", true, true},
		{"*", "", true, true},
		{"*", "*", true, true},
		{"arn:aws:s3:::*", "", false, false},
		{"arn:aws:s3:::b/*", "arn:aws:s3:::b/k", true, true},
		{"arn:aws:s3:::b/*", "arn:aws:s3:::b", false, false},
		{"arn:aws:s3:::b/*", "arn:aws:s3:::b/", true, true},
		{"arn:aws:s3:::b/?", "arn:aws:s3:::b/ü", true, true},
		{"arn:aws:s3:::b*", "arn:aws:s3:::bc/k:l", true, true},
		{"arn:aws:s3:::B/*", "arn:aws:s3:::b/k", false, false},
		{"arn:aws:s3:*", "arn:aws:s3:::b/k", true, true},
		{"arn:*", "arn:aws:s3:::b/k", true, true},
		{"arn:*:s3:::b", "arn:demo:s3:::b", true, true},
		{"arn:aws:iam::*:role/x", "arn:aws:iam::123456789012:role/x", true, true},
		{"arn:aws:iam::*:role/x", "arn:aws:iam::123456789012:user/x", false, false},
		// Here "*" at the end of a segment would have to reach across colons.
		{"arn:aws:s3:*:*:public/*", "arn:aws:s3:::secret/a:public/k", false, true},
		{"arn:aws:s3:::b/*x*y", "arn:aws:s3:::b/axbxcy", true, true},
		{"arn:aws:s3:::b/*x*y", "arn:aws:s3:::b/ayb", false, false},
		{"crn:v1:bluemix:public:kms:us-south:a/1:i:key:*", "crn:v1:bluemix:public:kms:us-south:a/1:i:key:k", true, true},
		{"crn:v1:bluemix:public:kms:us-south:a/1:i:key:*", "crn:v1:bluemix:public:kms:us-south:a/1:other:key:k", false, false},
		{"crn:v1:*:public:kms:us-south:a/1:i:*", "crn:v1:x:public:kms:us-south:a/1:i:key:k", true, true},
		{"crn:*", "crn:v1:bluemix:public:kms:us-south:a/1:i:key:k", true, true},
		{"arn:*", "crn:v1:bluemix:public:kms:us-south:a/1:i:key:k", false, false},
		{"crn:*", "arn:aws:s3:::b", false, false},
	} {
		for i, want := range []bool{c.allow, c.deny} {
			effect := []string{"Allow", "Deny"}[i]
			p := statements(t, InlinePolicy, `{"Effect":"`+effect+`","Action":"*","Resource":"`+c.pattern+`"}`)
			var v view
			v.prepare(&Request{Action: "s3:GetObject", Resource: c.asked})
			if got := v.matches(&p.statements[0]); got != want {
				t.Errorf("%s of %q as %s: got %v, want %v", c.pattern, c.asked, effect, got, want)
			}
		}
	}
}

// NotResource turns the readings round: an Allow excepts loosely, a Deny
// strictly.
func TestNotResources(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, asked string
		allow, deny    bool
	}{
		{"*", "arn:aws:s3:::b/k", false, false},
		{"arn:aws:s3:::b/*", "arn:aws:s3:::b/k", false, false},
		{"arn:aws:s3:::b/*", "arn:aws:s3:::c/k", true, true},
		{"arn:aws:s3:*:*:public/*", "arn:aws:s3:::secret/a:public/k", false, true},
		{"arn:aws:s3:::b/*", "", true, true},
	} {
		for i, want := range []bool{c.allow, c.deny} {
			effect := []string{"Allow", "Deny"}[i]
			p := statements(t, InlinePolicy, `{"Effect":"`+effect+`","Action":"*","NotResource":"`+c.pattern+`"}`)
			var v view
			v.prepare(&Request{Action: "s3:GetObject", Resource: c.asked})
			if got := v.matches(&p.statements[0]); got != want {
				t.Errorf("all but %s of %q as %s: got %v, want %v", c.pattern, c.asked, effect, got, want)
			}
		}
	}
}

func TestActions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		element, asked string
		want           bool
	}{
		{`"Action":"*"`, "s3:GetObject", true},
		{`"Action":"*:*"`, "s3:GetObject", true},
		{`"Action":"s3:*"`, "S3:getobject", true},
		{`"Action":"S3:GET*"`, "s3:GetObject", true},
		{`"Action":"s3:Get*Tagging"`, "s3:GetObject", false},
		{`"Action":"s3:Get*Tagging"`, "s3:GetObjectTagging", true},
		{`"Action":"s3:?etObject"`, "s3:GetObject", true},
		{`"Action":["iam:*","s3:List*"]`, "s3:GetObject", false},
		{`"NotAction":"iam:*"`, "s3:GetObject", true},
		{`"NotAction":["iam:*","s3:*"]`, "s3:GetObject", false},
		{`"Action":"s3:GetObject"`, "s3:GetObjectAcl", false},
	} {
		p := statements(t, InlinePolicy, `{"Effect":"Allow",`+c.element+`,"Resource":"*"}`)
		var v view
		v.prepare(&Request{Action: c.asked})
		if got := v.matches(&p.statements[0]); got != c.want {
			t.Errorf("%s of %s: got %v, want %v", c.element, c.asked, got, c.want)
		}
	}
}
