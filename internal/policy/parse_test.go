package policy

import (
	"slices"
	"strings"
	"testing"

	"daypass/internal/identity"
)

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	in := func(statement string) string { return `{"Version":"2012-10-17","Statement":` + statement + `}` }
	act := func(rest string) string { return in(`{"Effect":"Allow","Action":"s3:GetObject"` + rest + `}`) }
	cond := func(c string) string { return act(`,"Resource":"*","Condition":` + c) }
	res := func(rest string) string {
		return in(`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"` + rest + `}`)
	}
	trust := func(rest string) string { return in(`{"Effect":"Allow",` + rest + `}`) }
	aws := `"Principal":{"AWS":"` + userARN + `"}`
	for _, c := range []struct {
		name string
		kind Kind
		text string
		says string
	}{
		{"empty", InlinePolicy, ``, "Syntax errors in policy"},
		{"not an object", InlinePolicy, `[]`, "Syntax errors"},
		{"cut short", InlinePolicy, `{"Version":"2012-10-17"`, "Syntax errors"},
		{"text behind", InlinePolicy, act(`,"Resource":"*"`) + `x`, "text after the end"},
		{"trailing comma", InlinePolicy, in(`[` + allowGet + `,]`), "Syntax errors"},
		{"a comment", InlinePolicy, "// x\n" + act(`,"Resource":"*"`), "Syntax errors"},
		{"version", InlinePolicy, strings.Replace(in(allowGet), "2012-10-17", "2012-10-18", 1), "valid version"},
		{"version as number", InlinePolicy, `{"Version":2012,"Statement":` + allowGet + `}`, "a string expected"},
		{"no statement", InlinePolicy, `{"Version":"2012-10-17"}`, "Statement"},
		{"empty statement list", InlinePolicy, in(`[]`), "Statement"},
		{"empty statement", InlinePolicy, in(`{}`), "Effect"},
		{"statement null", InlinePolicy, in(`null`), "Syntax errors"},
		{"nested lists", InlinePolicy, in(`[[` + allowGet + `]]`), "Syntax errors"},
		{"unknown member", InlinePolicy, act(`,"Resource":"*","Resources":"*"`), `"Resources" is unknown`},
		{"member of another case", InlinePolicy, act(`,"resource":"*"`), `"resource" is unknown`},
		{"top member of another case", InlinePolicy, `{"version":"2012-10-17","Statement":` + allowGet + `}`, `"version" is unknown`},
		{"member twice", InlinePolicy, act(`,"Resource":"*","Resource":"arn:aws:s3:::b"`), "occurs twice"},
		{"member twice, escaped", InlinePolicy, act(`,"Resource":"*","Resourc\u0065":"*"`), "occurs twice"},
		{"effect of another case", InlinePolicy, in(`{"Effect":"allow","Action":"*","Resource":"*"}`), "Effect"},
		{"effect as list", InlinePolicy, in(`{"Effect":["Allow"],"Action":"*","Resource":"*"}`), "a string expected"},
		{"no effect", InlinePolicy, in(`{"Action":"*","Resource":"*"}`), "Effect"},
		{"sid", InlinePolicy, in(`{"Sid":"a-b","Effect":"Allow","Action":"*","Resource":"*"}`), "alpha-numeric"},
		{"sid twice", InlinePolicy, in(`[{"Sid":"a","Effect":"Allow","Action":"*","Resource":"*"},{"Sid":"a","Effect":"Deny","Action":"*","Resource":"*"}]`), "unique"},

		{"no action", InlinePolicy, in(`{"Effect":"Allow","Resource":"*"}`), "must contain actions"},
		{"empty action list", InlinePolicy, in(`{"Effect":"Allow","Action":[],"Resource":"*"}`), "must contain actions"},
		{"both actions", InlinePolicy, act(`,"NotAction":"*","Resource":"*"`), "not both"},
		{"action without vendor", InlinePolicy, in(`{"Effect":"Allow","Action":"GetObject","Resource":"*"}`), "prefaced by a vendor"},
		{"vendor with wildcard", InlinePolicy, in(`{"Effect":"Allow","Action":"s*:GetObject","Resource":"*"}`), "Vendor s* is not valid"},
		{"vendor of look-alikes", InlinePolicy, in(`{"Effect":"Allow","Action":"\u0455\u0033:GetObject","Resource":"*"}`), "is not valid"},
		{"action of look-alikes", InlinePolicy, in(`{"Effect":"Allow","Action":"s3:\u212aey","Resource":"*"}`), "is not valid"},
		{"variable in an action", InlinePolicy, in(`{"Effect":"Allow","Action":"s3:${aws:username}","Resource":"*"}`), "is not valid"},
		{"action as number", InlinePolicy, in(`{"Effect":"Allow","Action":1,"Resource":"*"}`), "a string expected"},

		{"no resource", InlinePolicy, act(``), "must contain resources"},
		{"empty resource list", InlinePolicy, act(`,"Resource":[]`), "must contain resources"},
		{"both resources", InlinePolicy, act(`,"Resource":"*","NotResource":"*"`), "not both"},
		{"resource not an ARN", InlinePolicy, act(`,"Resource":"bucket/*"`), `Resource bucket/* must be in ARN format or "*".`},
		{"resource of five parts", InlinePolicy, act(`,"Resource":"arn:aws:s3::b"`), "ARN format"},
		{"resource empty", InlinePolicy, act(`,"Resource":""`), "ARN format"},
		{"resource without end", InlinePolicy, act(`,"Resource":"arn:aws:s3:::"`), "ARN format"},
		{"open variable", InlinePolicy, act(`,"Resource":"arn:aws:s3:::b/${aws:username"`), "closing brace"},
		{"empty variable", InlinePolicy, act(`,"Resource":"arn:aws:s3:::b/${}"`), "not valid"},
		{"nested variable", InlinePolicy, act(`,"Resource":"arn:aws:s3:::b/${a${b}}"`), "not valid"},
		{"default without quotes", InlinePolicy, act(`,"Resource":"arn:aws:s3:::b/${aws:username, x}"`), "single quotes"},
		{"default with a variable", InlinePolicy, act(`,"Resource":"arn:aws:s3:::b/${aws:username, '${'}"`), "single quotes"},
		{"long resource", InlinePolicy, act(`,"Resource":"arn:aws:s3:::b/` + strings.Repeat("a", MaxPattern) + `"`), "longer than"},

		{"principal in an identity policy", InlinePolicy, act(`,"Resource":"*",` + aws), "should not specify a principal"},
		{"principal in a session policy", SessionPolicy, act(`,"Resource":"*","NotPrincipal":"*"`), "should not specify a principal"},
		{"no principal", ResourcePolicy, res(``), "Missing required field Principal"},
		{"principal empty", ResourcePolicy, res(`,"Principal":{}`), "cannot be empty"},
		{"principal empty list", ResourcePolicy, res(`,"Principal":{"AWS":[]}`), "cannot be empty"},
		{"principal a name", ResourcePolicy, res(`,"Principal":"ann"`), "Invalid principal"},
		{"principal of unknown kind", ResourcePolicy, res(`,"Principal":{"Azure":"x"}`), "Invalid principal"},
		{"principal with wildcard", ResourcePolicy, res(`,"Principal":{"AWS":"arn:aws:iam::` + here + `:user/*"}`), "Invalid principal"},
		{"account with wildcard", ResourcePolicy, res(`,"Principal":{"AWS":"1111*"}`), "Invalid principal"},
		{"principal a group", ResourcePolicy, res(`,"Principal":{"AWS":"arn:aws:iam::` + here + `:group/x"}`), "Invalid principal"},
		{"principal a session without name", ResourcePolicy, res(`,"Principal":{"AWS":"arn:aws:sts::` + here + `:assumed-role/x"}`), "Invalid principal"},
		{"principal with a variable", ResourcePolicy, res(`,"Principal":{"AWS":"arn:aws:iam::` + here + `:user/${aws:username}"}`), "Invalid principal"},
		{"everyone as provider", ResourcePolicy, res(`,"Principal":{"Federated":"*"}`), "Invalid principal"},
		{"principal of another case", ResourcePolicy, res(`,"Principal":{"aws":"*"}`), "Invalid principal"},
		{"both principals", ResourcePolicy, res(`,"Principal":"*","NotPrincipal":"*"`), "not both"},
		{"allow to all but", ResourcePolicy, res(`,"NotPrincipal":{"AWS":"` + here + `"}`), "Effect Deny"},

		{"trust with resource", TrustPolicy, trust(aws + `,"Action":"sts:AssumeRole","Resource":"*"`), "prohibited field Resource"},
		{"trust without principal", TrustPolicy, trust(`"Action":"sts:AssumeRole"`), "Missing required field Principal"},
		{"trust with another action", TrustPolicy, trust(aws + `,"Action":"s3:GetObject"`), "STS AssumeRole"},
		{"trust with any action", TrustPolicy, trust(aws + `,"Action":"*"`), "STS AssumeRole"},
		{"trust with all other actions", TrustPolicy, trust(aws + `,"NotAction":"sts:GetSessionToken"`), "STS AssumeRole"},

		{"trust of all but", TrustPolicy, in(`{"Effect":"Deny","NotPrincipal":{"AWS":"` + here + `"},"Action":"sts:AssumeRole"}`), "must not contain NotPrincipal"},
		{"trust of any identity pool", TrustPolicy, trust(`"Principal":{"Federated":"cognito-identity.amazonaws.com"},"Action":"sts:AssumeRoleWithWebIdentity"`), "cognito-identity.amazonaws.com:aud is needed"},

		{"operator", InlinePolicy, cond(`{"StringMatches":{"aws:username":"x"}}`), "Invalid Condition type : StringMatches"},
		{"unknown operator without key", InlinePolicy, cond(`{"StringMatches":{}}`), "Invalid Condition type : StringMatches"},
		{"operator without key", InlinePolicy, cond(`{"IpAddress":{}}`), "Condition type IpAddress has no key"},
		{"operator of another case", InlinePolicy, cond(`{"stringEquals":{"aws:username":"x"}}`), "Invalid Condition type"},
		{"quantifier of another case", InlinePolicy, cond(`{"forAnyValue:StringEquals":{"aws:username":"x"}}`), "Invalid Condition type"},
		{"Null with IfExists", InlinePolicy, cond(`{"NullIfExists":{"aws:username":"true"}}`), "Invalid Condition type"},
		{"Null with quantifier", InlinePolicy, cond(`{"ForAnyValue:Null":{"aws:username":"true"}}`), "Invalid Condition type"},
		{"key without vendor", InlinePolicy, cond(`{"StringEquals":{"username":"x"}}`), "prefaced by a vendor"},
		{"key with a variable", InlinePolicy, cond(`{"StringEquals":{"aws:PrincipalTag/${aws:username}":"x"}}`), "is not valid"},
		{"key twice", InlinePolicy, cond(`{"StringEquals":{"aws:username":"x","aws:UserName":"y"}}`), "occurs twice"},
		{"operator twice", InlinePolicy, cond(`{"StringEquals":{"aws:username":"x"},"StringEquals":{"aws:userid":"y"}}`), "occurs twice"},
		{"no value", InlinePolicy, cond(`{"StringEquals":{"aws:username":[]}}`), "has no value"},
		{"null value", InlinePolicy, cond(`{"StringEquals":{"aws:username":null}}`), "Syntax errors"},
		{"object as value", InlinePolicy, cond(`{"StringEquals":{"aws:username":{}}}`), "Syntax errors"},
		{"condition as list", InlinePolicy, cond(`[]`), "Syntax errors"},
		{"not a number", InlinePolicy, cond(`{"NumericEquals":{"s3:max-keys":"ten"}}`), "does not fit"},
		{"not a JSON number", InlinePolicy, cond(`{"NumericEquals":{"s3:max-keys":010}}`), "a number expected"},
		{"not a date", InlinePolicy, cond(`{"DateEquals":{"aws:CurrentTime":"today"}}`), "does not fit"},
		{"not a boolean", InlinePolicy, cond(`{"Bool":{"aws:SecureTransport":"yes"}}`), "does not fit"},
		{"not an address", InlinePolicy, cond(`{"IpAddress":{"aws:SourceIp":"10.0.0.0/33"}}`), "does not fit"},
		{"not base64", InlinePolicy, cond(`{"BinaryEquals":{"test:k":"%"}}`), "does not fit"},
		{"not an ARN", InlinePolicy, cond(`{"ArnLike":{"aws:SourceArn":"x"}}`), "ARN format"},
		{"variable in an address", InlinePolicy, cond(`{"IpAddress":{"aws:SourceIp":"${aws:SourceIp}"}}`), "does not fit"},

		{"not UTF-8", ResourcePolicy, in("\"\xff\""), "UTF-8"},
		{"look-alike letters in an identity policy", InlinePolicy, in(`{"Sid":"а"}`), "not allowed"},
		{"half a surrogate pair", InlinePolicy, act(`,"Resource":"arn:aws:s3:::\ud800"`), "Syntax errors"},
		{"control character", ResourcePolicy, act(`,"Resource":"` + "\x01" + `"`), "control character"},
		{"escape", InlinePolicy, act(`,"Resource":"\x"`), "escape"},
	} {
		_, err := Parse(c.kind, c.text, Options{})
		if identity.KindOf(err) != identity.KindMalformedPolicy || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want malformed-policy with %q", c.name, err, c.says)
		}
		// What has become unreadable in the store denies; an operator that is
		// no longer known, or an issuer that is shared, takes away one statement.
		one := strings.Contains(c.says, "Condition type") || strings.Contains(c.says, "is needed")
		if p := Load(c.kind, c.text, Options{}); (p.Unreadable() == nil) != one {
			t.Errorf("%s: loaded", c.name)
		}
	}
}

func TestParseAccepts(t *testing.T) {
	t.Parallel()
	in := func(rest string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` + rest + `}]}`
	}
	for _, c := range []struct {
		kind Kind
		text string
	}{
		{InlinePolicy, " {\r\n\t\"Id\":\"x\",\"Statement\":" + allowGet + "} "},
		{InlinePolicy, in(`"Action":["s3:Get*","iam:List?sers"],"NotResource":["arn:aws:s3:::b","arn:demo:iam::0f5e1c2a-1111-4222-8333-444455556666:user/\u00e4"]`)},
		{SessionPolicy, in(`"NotAction":"iam:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":true},"NumericLessThan":{"s3:max-keys":[10,-1.5e3]}}`)},
		{ResourcePolicy, `{"Version":"2008-10-17","Id":"Policy one","Statement":[{"Sid":"Read for all","Effect":"Allow","Principal":{"AWS":["*","` + here + `","` + roleARN + `","AROA0000000000000001"],"Service":"logging.s3.amazonaws.com","CanonicalUser":"79a5"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}]}`},
		{TrustPolicy, in(`"Principal":{"Federated":"` + googleARN + `"},"Action":["sts:AssumeRoleWithWebIdentity","sts:TagSession"],"Condition":{"StringLike":{"idp.example.com:groups":"ops-*"}}`)},
		{TrustPolicy, in(`"Principal":{"Federated":"cognito-identity.amazonaws.com"},"Action":"sts:AssumeRole*","Condition":{"StringEquals":{"cognito-identity.amazonaws.com:aud":"us-east-1:x"},"ForAnyValue:StringLike":{"cognito-identity.amazonaws.com:amr":"authenticated"}}`)},
		{TrustPolicy, in(`"Principal":{"AWS":"0f5e1c2a-1111-4222-8333-444455556666"},"Action":"sts:assumerole","Condition":{"StringEquals":{"sts:ExternalId":"x"}}`)},
	} {
		p, err := Parse(c.kind, c.text, Options{})
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if p.Text() != c.text || p.Unreadable() != nil || p.Kind() != c.kind {
			t.Errorf("%s: got another policy back", c.text)
		}
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	for kind, want := range map[Kind]identity.Kind{
		InlinePolicy: identity.KindLimitExceeded, ManagedPolicy: identity.KindLimitExceeded, BoundaryPolicy: identity.KindLimitExceeded,
		SessionPolicy: identity.KindValidation, ResourcePolicy: identity.KindMalformedPolicy, TrustPolicy: identity.KindLimitExceeded,
	} {
		_, err := Parse(kind, strings.Repeat("x", maxSize[kind]+1), Options{})
		if got := identity.KindOf(err); got != want {
			t.Errorf("kind %d: got %q, want %q", kind, got, want)
		}
		_, err = Parse(kind, strings.Repeat("x", MaxWireSize+1), Options{})
		if got := identity.KindOf(err); got != identity.KindMalformedPolicy {
			t.Errorf("kind %d on the wire: got %q", kind, got)
		}
	}
	if _, err := Parse(ManagedPolicy, strings.Repeat(" \n", 6144)+cannedDocument(`"*"`), Options{}); err != nil {
		t.Errorf("white space was counted: %v", err)
	}
	if _, err := Parse(0, cannedDocument(`"*"`), Options{}); identity.KindOf(err) != identity.KindInternal {
		t.Errorf("no kind: got %v", err)
	}
	p := statements(t, InlinePolicy, allowGet)
	if got, want := p.Size(), len(p.Text()); got != want {
		t.Errorf("got size %d, want %d", got, want)
	}
	many := Load(ManagedPolicy, `{"Statement":[`+strings.TrimSuffix(strings.Repeat(`{"Effect":"Deny","Action":"*","Resource":"*"},`, 2800), ",")+`]}`, Options{})
	if many.Unreadable() != nil || len(many.Statements()) != 2800 {
		t.Errorf("got %v, %d statements", many.Unreadable(), len(many.Statements()))
	}
}

func TestWithin(t *testing.T) {
	t.Parallel()
	const bucket = "arn:aws:s3:::b"
	for resource, want := range map[string]bool{
		bucket: true, bucket + "/*": true, bucket + "*": true, bucket + "/${aws:username}": true,
		"*": true, "arn:aws:s3:::c": false, "arn:aws:s3:::bc/*": false, "arn:aws:s3:::*": false,
	} {
		_, err := Parse(ResourcePolicy, `{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"`+resource+`"}}`, Options{Within: bucket})
		if (err == nil) != want {
			t.Errorf("%s: got %v", resource, err)
		}
	}
}

func TestPartition(t *testing.T) {
	t.Parallel()
	for resource, want := range map[string]bool{"*": true, "arn:demo:s3:::b": true, "arn:*:s3:::b": true, "arn:aws:s3:::b": false, "arn:aws:*": false, "arn:*": true, "crn:v1:*": true, "brn:*": false} {
		_, err := Parse(InlinePolicy, `{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"`+resource+`"}}`, Options{Partition: "demo"})
		if (err == nil) != want {
			t.Errorf("%s: got %v", resource, err)
		}
	}
}

func TestSharedIssuers(t *testing.T) {
	t.Parallel()
	const host = "token.actions.githubusercontent.com"
	for condition, want := range map[string]bool{
		``: false,
		`{"StringEquals":{"` + host + `:aud":"sts.amazonaws.com"}}`:                false,
		`{"StringEquals":{"` + host + `:sub":"repo:o/r:ref:refs/heads/main"}}`:     true,
		`{"StringLike":{"` + host + `:sub":"repo:o/*"}}`:                           true,
		`{"StringLike":{"` + host + `:sub":["repo:o/*","repo:p/*"]}}`:              true,
		`{"StringLike":{"` + host + `:sub":["repo:o/*","*"]}}`:                     false,
		`{"StringLike":{"` + host + `:sub":"*"}}`:                                  false,
		`{"StringLike":{"` + host + `:sub":""}}`:                                   false,
		`{"StringLike":{"` + host + `:sub":"**?*"}}`:                               false,
		`{"StringLike":{"` + host + `:sub":"?epo:o/r"}}`:                           false,
		`{"StringLike":{"` + host + `:sub":"repo:?/r"}}`:                           false,
		`{"StringLike":{"` + host + `:sub":"repo:/*"}}`:                            false,
		`{"StringLike":{"` + host + `:sub":"repo:o?/r"}}`:                          false,
		`{"StringLike":{"` + host + `:sub":"repo:o"}}`:                             true,
		`{"StringLike":{"` + host + `:sub":"repo:o/r:*"}}`:                         true,
		`{"StringLike":{"` + host + `:sub":"${aws:userid}repo:o/r"}}`:              false,
		`{"StringLike":{"` + host + `:sub":"repo:o${aws:userid}/r"}}`:              false,
		`{"StringLike":{"` + host + `:sub":"${aws:userid, 'repo:o/r'}"}}`:          false,
		`{"StringLike":{"` + host + `:sub":"rep${?}:*"}}`:                          false,
		`{"StringLike":{"` + host + `:sub":"\\uff52epo:o/*"}}`:                     false,
		`{"StringEqualsIgnoreCase":{"` + host + `:sub":"REPO:o/r:x"}}`:             true,
		`{"StringEquals":{"` + host + `:sub":"*"}}`:                                false,
		`{"Null":{"` + host + `:sub":"false"}}`:                                    false,
		`{"ArnLike":{"` + host + `:sub":"*"}}`:                                     false,
		`{"StringLike":{"` + host + `:sub":"repo:*"}}`:                             false,
		`{"StringLike":{"` + host + `:sub":"repo:o*/x"}}`:                          false,
		`{"StringLike":{"` + host + `:sub":"*:o/r"}}`:                              false,
		`{"StringLike":{"` + host + `:sub":"repo:${aws:RequestTag/o}/*"}}`:         false,
		`{"StringNotEquals":{"` + host + `:sub":"repo:o/r:x"}}`:                    false,
		`{"StringEqualsIfExists":{"` + host + `:sub":"repo:o/r:x"}}`:               false,
		`{"ForAllValues:StringEquals":{"` + host + `:sub":"repo:o/r:x"}}`:          false,
		`{"ForAnyValue:StringEquals":{"` + host + `:sub":"repo:o/r:x"}}`:           true,
		`{"StringEquals":{"other.example.com:sub":"repo:o/r:x"}}`:                  false,
		`{"StringEquals":{"` + host + `:repository_owner_id":"1"}}`:                true,
		`{"StringLike":{"` + host + `:repository":"o/*"}}`:                         true,
		`{"StringLike":{"` + host + `:repository_owner":"o*"}}`:                    false,
		`{"StringEquals":{"TOKEN.actions.githubusercontent.com:SUB":"repo:o/r:"}}`: true,
	} {
		text := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::` + here + `:oidc-provider/` + host + `"},"Action":"sts:AssumeRoleWithWebIdentity"`
		if condition != "" {
			text += `,"Condition":` + condition
		}
		text += `}}`
		if _, err := Parse(TrustPolicy, text, Options{}); (err == nil) != want {
			t.Errorf("%s: got %v", condition, err)
		}
		p := Load(TrustPolicy, text, Options{})
		if p.Unreadable() != nil || p.Statements()[0].never == want {
			t.Errorf("%s at use: got never=%v, %v", condition, p.Statements()[0].never, p.Unreadable())
		}
	}
}

func TestCannedDocuments(t *testing.T) {
	t.Parallel()
	names := CannedNames()
	if want := []string{"AdministratorAccess", "AmazonS3FullAccess", "AmazonS3ReadOnlyAccess", "IAMFullAccess", "ReadOnlyAccess"}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
	for _, name := range names {
		arn := CannedARN("demo", name)
		text, ok := CannedDocument(arn)
		p, err := Parse(ManagedPolicy, text, Options{ID: arn})
		if !ok || err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if c, ok := Canned(arn); !ok || c.ID() != p.ID() || c.Text() != text {
			t.Errorf("%s: got another policy", name)
		}
	}
	if _, ok := Canned("arn:aws:iam::" + here + ":policy/ReadOnlyAccess"); ok {
		t.Error("an account's policy was taken for a canned one")
	}
}
