package policy

import (
	"slices"
	"strings"
	"testing"
)

// wanted has a value that each family of operators can be compared with.
var wanted = map[string]string{
	"String": "a", "Numeric": "1", "Date": "2026-01-02", "Bool": "true", "Binary": "QQ==", "Ip": "10.0.0.0/8", "NotIp": "10.0.0.0/8", "Arn": "arn:aws:s3:::b",
}

// Every operator, on a key that the request does not have: AWS's page on
// condition operators for the plain ones and IfExists, its page on keys with
// several values for the quantifiers.
func TestMissingKey(t *testing.T) {
	t.Parallel()
	var tried []string
	for _, name := range []string{
		"StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringLike", "StringNotLike",
		"NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan", "NumericGreaterThanEquals",
		"DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals",
		"Bool", "BinaryEquals", "IpAddress", "NotIpAddress", "ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike",
	} {
		tried = append(tried, name)
		value := ""
		for family, v := range wanted {
			if strings.HasPrefix(name, family) {
				value = v
			}
		}
		negated := strings.Contains(name, "Not")
		for _, c := range []struct {
			operator    string
			allow, deny bool
		}{
			{name, negated, negated},
			{name + "IfExists", true, true},
			{"ForAllValues:" + name, true, true},
			{"ForAllValues:" + name + "IfExists", true, true},
			{"ForAnyValue:" + name, false, false},
			{"ForAnyValue:" + name + "IfExists", false, true}, // AWS says both
		} {
			condition := `"` + c.operator + `":{"test:k":"` + value + `"}`
			r := &Request{Principal: user, Action: "s3:GetObject"}
			for i, want := range []bool{c.allow, c.deny} {
				effect := []string{"Allow", "Deny"}[i]
				if got := asks(t, effect, `{`+condition+`}`, r); got != want {
					t.Errorf("%s as %s: got %v, want %v", c.operator, effect, got, want)
				}
				// The guard that AWS recommends.
				if asks(t, effect, `{`+condition+`,"Null":{"test:k":"false"}}`, r) {
					t.Errorf("%s with a Null guard as %s: met", c.operator, effect)
				}
			}
		}
	}
	for name := range operators {
		if name != "Null" && !slices.Contains(tried, name) {
			t.Errorf("%s was not tried", name)
		}
	}
}

// A condition has all of its operators and keys met, by one value of each.
func TestBlocksOfConditions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		condition string
		keys      Keys
		want      bool
	}{
		{`{"StringEquals":{"test:a":["x","y"],"test:b":"z"}}`, Keys{"test:a": {"y"}, "test:b": {"z"}}, true},
		{`{"StringEquals":{"test:a":["x","y"],"test:b":"z"}}`, Keys{"test:a": {"y"}, "test:b": {"x"}}, false},
		{`{"StringEquals":{"test:a":"x"},"StringNotEquals":{"test:a":"y"}}`, Keys{"test:a": {"x"}}, true},
		{`{"StringEquals":{"test:a":"x"},"Bool":{"test:c":"true"}}`, Keys{"test:a": {"x"}}, false},
		{`{"StringNotEquals":{"test:a":["x","y"]}}`, Keys{"test:a": {"z"}}, true},
		{`{"StringNotEquals":{"test:a":["x","y"]}}`, Keys{"test:a": {"y"}}, false},
		// Case counts in values, not in the names of keys.
		{`{"StringEquals":{"TEST:A":"x"}}`, Keys{"test:a": {"x"}}, true},
		{`{"StringEquals":{"test:a":"X"}}`, Keys{"test:a": {"x"}}, false},
		{`{"StringLike":{"test:a":"X*"}}`, Keys{"test:a": {"xy"}}, false},
		{`{"StringEqualsIgnoreCase":{"test:a":"X"}}`, Keys{"test:a": {"x"}}, true},
		{`{"ArnLike":{"test:a":"arn:aws:iam::1:role/Dev"}}`, Keys{"test:a": {"arn:aws:iam::1:role/dev"}}, false},
		// AWS's tables for keys with several values.
		{`{"ForAllValues:StringEquals":{"aws:TagKeys":["environment","webserver"]}}`, Keys{"aws:tagkeys": {"environment"}}, true},
		{`{"ForAllValues:StringEquals":{"aws:TagKeys":["environment","webserver"]}}`, Keys{"aws:tagkeys": {"environment", "cost-center"}}, false},
		{`{"ForAnyValue:StringEquals":{"aws:TagKeys":["environment","webserver"]}}`, Keys{"aws:tagkeys": {"environment", "cost-center"}}, true},
		{`{"ForAnyValue:StringEquals":{"aws:TagKeys":["environment","webserver"]}}`, Keys{"aws:tagkeys": {"cost-center"}}, false},
		{`{"ForAnyValue:StringLike":{"aws:TagKeys":["env*","web*"]}}`, Keys{"aws:tagkeys": {"x", "webserver"}}, true},
		{`{"ForAllValues:StringNotEquals":{"aws:TagKeys":["a","b"]}}`, Keys{"aws:tagkeys": {"c", "b"}}, false},
		{`{"ForAnyValue:StringNotEquals":{"aws:TagKeys":["a","b"]}}`, Keys{"aws:tagkeys": {"c", "b"}}, true},
		{`{"ForAnyValue:StringNotEquals":{"aws:TagKeys":["a","b"]}}`, Keys{"aws:tagkeys": {"a", "b"}}, false},
		{`{"ForAllValues:Bool":{"test:a":"true"}}`, Keys{"test:a": {"true", "false"}}, false},
	} {
		for _, effect := range []string{"Allow", "Deny"} {
			if got := asks(t, effect, c.condition, &Request{Action: "s3:GetObject", Context: c.keys}); got != c.want {
				t.Errorf("%s of %q as %s: got %v, want %v", c.condition, c.keys, effect, got, c.want)
			}
		}
	}
}

// What Version changes: without 2012-10-17, "${" is text.
func TestVersions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		element, asked, prefix string
		old, now               bool
	}{
		{`"Resource":"arn:aws:s3:::b/${aws:username}"`, "arn:aws:s3:::b/ann", "", false, true},
		{`"Resource":"arn:aws:s3:::b/${aws:username}"`, "arn:aws:s3:::b/${aws:username}", "", true, false},
		{`"Resource":"arn:aws:s3:::b/${*}"`, "arn:aws:s3:::b/*", "", false, true},
		{`"Resource":"arn:aws:s3:::b/${*}"`, "arn:aws:s3:::b/${ann}", "", true, false},
		{`"Resource":"arn:aws:s3:::b/${?}"`, "arn:aws:s3:::b/?", "", false, true},
		{`"Resource":"arn:aws:s3:::b/${?}"`, "arn:aws:s3:::b/a", "", false, false},
		{`"Resource":"arn:aws:s3:::b/${$}{aws:username}"`, "arn:aws:s3:::b/${aws:username}", "", false, true},
		{`"Resource":"arn:aws:s3:::b/${aws:FederatedProvider, 'none'}"`, "arn:aws:s3:::b/none", "", false, true},
		{`"Resource":"*","Condition":{"StringEquals":{"s3:prefix":"${aws:username}"}}`, "*", "ann", false, true},
		{`"Resource":"*","Condition":{"StringEquals":{"s3:prefix":"${aws:username}"}}`, "*", "${aws:username}", true, false},
		{`"Resource":"*","Condition":{"StringLike":{"s3:prefix":"${aws:username}/${*}"}}`, "*", "ann/*", false, true},
		{`"Resource":"*","Condition":{"StringLike":{"s3:prefix":"${aws:username}/${*}"}}`, "*", "ann/x", false, false},
		{`"Resource":"*","Condition":{"StringNotEquals":{"s3:prefix":"${aws:username}"}}`, "*", "ann", true, false},
	} {
		for version, want := range map[string]bool{"": c.old, `"Version":"2008-10-17",`: c.old, `"Version":"2012-10-17",`: c.now} {
			p := parsed(t, InlinePolicy, `{`+version+`"Statement":{"Effect":"Allow","Action":"*",`+c.element+`}}`)
			r := &Request{Principal: user, Action: "s3:ListBucket", Resource: c.asked, ResourceAccount: here, Context: Keys{"s3:prefix": {c.prefix}}}
			if got := Evaluate(r, &Set{Identity: []*Policy{p}}).Allowed(); got != want {
				t.Errorf("%s%s of %s, prefix %q: got %v, want %v", version, c.element, c.asked, c.prefix, got, want)
			}
		}
	}
}

// NotAction and NotResource match what they do not list; an Allow with them
// grants all of that, and neither denies what they list.
func TestNegatedElements(t *testing.T) {
	t.Parallel()
	const all, bucket = `{"Effect":"Allow","Action":"*","Resource":"*"},`, "arn:aws:s3:::b/k"
	userARN := "arn:aws:iam::" + here + ":user/bob"
	for _, c := range []struct {
		statements, action, asked string
		want                      Effect
	}{
		{`{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}`, "s3:GetObject", bucket, Allow},
		{`{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}`, "sts:AssumeRole", bucket, Allow},
		{`{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}`, "IAM:getuser", userARN, ImplicitDeny},
		{`{"Effect":"Allow","NotAction":"iam:*","Resource":"*"},{"Effect":"Allow","Action":"iam:GetUser","Resource":"*"}`, "iam:GetUser", userARN, Allow},
		{`{"Effect":"Allow","NotAction":["s3:Delete*","iam:*"],"Resource":"arn:aws:s3:::b/*"}`, "s3:GetObject", bucket, Allow},
		{`{"Effect":"Allow","NotAction":["s3:Delete*","iam:*"],"Resource":"arn:aws:s3:::b/*"}`, "s3:DeleteObject", bucket, ImplicitDeny},
		{`{"Effect":"Allow","NotAction":["s3:Delete*","iam:*"],"Resource":"arn:aws:s3:::b/*"}`, "s3:GetObject", "arn:aws:s3:::c/k", ImplicitDeny},
		{`{"Effect":"Allow","NotAction":"*","Resource":"*"}`, "s3:GetObject", bucket, ImplicitDeny},
		{all + `{"Effect":"Deny","NotAction":"iam:*","Resource":"*"}`, "s3:GetObject", bucket, ExplicitDeny},
		{all + `{"Effect":"Deny","NotAction":"iam:*","Resource":"*"}`, "iam:GetUser", userARN, Allow},
		{`{"Effect":"Deny","NotAction":"iam:*","Resource":"*"}`, "iam:GetUser", userARN, ImplicitDeny},
		{all + `{"Effect":"Deny","NotAction":["s3:*","iam:*"],"Resource":"*","Condition":{"Null":{"aws:MultiFactorAuthAge":"true"}}}`, "sts:AssumeRole", "*", ExplicitDeny},
		{`{"Effect":"Allow","Action":"s3:*","NotResource":"arn:aws:s3:::b/*"}`, "s3:GetObject", "arn:aws:s3:::c/k", Allow},
		{`{"Effect":"Allow","Action":"s3:*","NotResource":"arn:aws:s3:::b/*"}`, "s3:GetObject", bucket, ImplicitDeny},
		{`{"Effect":"Allow","Action":"s3:*","NotResource":["arn:aws:s3:::b","arn:aws:s3:::b/*"]}`, "s3:ListBucket", "arn:aws:s3:::b", ImplicitDeny},
		{all + `{"Effect":"Deny","Action":"s3:*","NotResource":["arn:aws:s3:::b","arn:aws:s3:::b/*"]}`, "s3:GetObject", bucket, Allow},
		{all + `{"Effect":"Deny","Action":"s3:*","NotResource":["arn:aws:s3:::b","arn:aws:s3:::b/*"]}`, "s3:GetObject", "arn:aws:s3:::c/k", ExplicitDeny},
		{all + `{"Effect":"Deny","NotAction":"s3:*","NotResource":"arn:aws:s3:::b"}`, "s3:GetObject", "arn:aws:s3:::c", Allow},
		{all + `{"Effect":"Deny","NotAction":"s3:*","NotResource":"arn:aws:s3:::b"}`, "iam:GetUser", userARN, ExplicitDeny},
	} {
		r := &Request{Principal: user, Action: c.action, Resource: c.asked, ResourceAccount: here}
		if got := Evaluate(r, &Set{Identity: []*Policy{statements(t, InlinePolicy, c.statements)}}).Effect; got != c.want {
			t.Errorf("%s on %s by %s: got %v, want %v", c.action, c.asked, c.statements, got, c.want)
		}
	}
}

// Sessions of roles towards another account, and denies in every layer of it.
func TestAcrossAccounts(t *testing.T) {
	t.Parallel()
	to := func(arn string) string { return `{"Effect":"Allow","Principal":{"AWS":"` + arn + `"},` + bucketTo }
	for _, c := range []struct {
		name                                  string
		who                                   Principal
		identity, boundary, session, resource string
		want                                  Effect
		layer                                 Layer
	}{
		{"role named, role allowed", session, allowGet, "", "", to(roleARN), Allow, ResourceLayer},
		{"session named, role allowed", session, allowGet, "", "", to(sessARN), Allow, ResourceLayer},
		{"session named, role not allowed", session, "", "", "", to(sessARN), ImplicitDeny, IdentityLayer},
		{"session named, outside the boundary", session, allowGet, allowPut, "", to(sessARN), ImplicitDeny, BoundaryLayer},
		{"session named, outside the session policy", session, allowGet, "", allowPut, to(sessARN), ImplicitDeny, SessionLayer},
		{"account named, role allowed", session, allowGet, "", "", to(here), Allow, ResourceLayer},
		{"another account named", session, allowGet, "", "", to(there), ImplicitDeny, ResourceLayer},
		{"federated user named, session policy allows", fed, allowGet, "", allowGet, to(fedARN), Allow, ResourceLayer},
		{"federated user named, no session policy", fed, allowGet, "", "", to(fedARN), ImplicitDeny, IdentityLayer},
		{"deny in the identity policy", session, allowGet + "," + denyGet, "", "", to(roleARN), ExplicitDeny, IdentityLayer},
		{"deny in the boundary", session, allowGet, allowGet + "," + denyGet, "", to(roleARN), ExplicitDeny, BoundaryLayer},
		{"deny in the session policy", session, allowGet, "", allowGet + "," + denyGet, to(roleARN), ExplicitDeny, SessionLayer},
		{"deny of the account", session, allowGet, "", "", to(roleARN) + `,{"Effect":"Deny","Principal":{"AWS":"` + here + `"},` + bucketTo, ExplicitDeny, ResourceLayer},
		{"deny of the session", session, allowGet, "", "", to(roleARN) + `,{"Effect":"Deny","Principal":{"AWS":"` + sessARN + `"},` + bucketTo, ExplicitDeny, ResourceLayer},
		{"deny of all but the role and its session", session, allowGet, "", "", to(roleARN) + `,{"Effect":"Deny","NotPrincipal":{"AWS":["` + here + `","` + roleARN + `","` + sessARN + `"]},` + bucketTo, Allow, ResourceLayer},
		{"deny of all but the account", session, allowGet, "", "", to(roleARN) + `,{"Effect":"Deny","NotPrincipal":{"AWS":"` + here + `"},` + bucketTo, ExplicitDeny, ResourceLayer},
	} {
		set := new(Set)
		if c.identity != "" {
			set.Identity = []*Policy{statements(t, InlinePolicy, c.identity)}
		}
		if c.boundary != "" {
			set.Boundary = statements(t, BoundaryPolicy, c.boundary)
		}
		if c.session != "" {
			set.Session = []*Policy{statements(t, SessionPolicy, c.session)}
		}
		set.Resource = statements(t, ResourcePolicy, c.resource)
		r := &Request{Principal: c.who, Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k", ResourceAccount: there}
		if got := Evaluate(r, set); got.Effect != c.want || got.Layer != c.layer {
			t.Errorf("%s: got %v by %v, want %v by %v", c.name, got.Effect, got.Layer, c.want, c.layer)
		}
	}
}

// A Deny in a trust policy binds whoever it names, the root user included.
func TestTrustDenies(t *testing.T) {
	t.Parallel()
	allow := `{"Effect":"Allow","Principal":{"AWS":"` + here + `","Federated":"` + googleARN + `"},"Action":["sts:AssumeRole","sts:AssumeRoleWithWebIdentity"]}`
	for _, c := range []struct {
		principal string
		who       Principal
		action    string
		want      Effect
	}{
		{`{"AWS":"` + userARN + `"}`, user, "sts:AssumeRole", ExplicitDeny},
		{`{"AWS":"` + userARN + `"}`, root, "sts:AssumeRole", Allow},
		{`{"AWS":"` + here + `"}`, root, "sts:AssumeRole", ExplicitDeny},
		{`"*"`, root, "sts:AssumeRole", ExplicitDeny},
		{`"*"`, web, "sts:AssumeRoleWithWebIdentity", ExplicitDeny},
		{`{"Federated":"` + googleARN + `"}`, web, "sts:AssumeRoleWithWebIdentity", ExplicitDeny},
		{`{"Federated":"` + googleARN + `x"}`, web, "sts:AssumeRoleWithWebIdentity", Allow},
		{`{"AWS":"` + roleARN + `"}`, web, "sts:AssumeRoleWithWebIdentity", Allow},
	} {
		set := &Set{Resource: statements(t, TrustPolicy, allow+`,{"Effect":"Deny","Principal":`+c.principal+`,"Action":"sts:*"}`)}
		r := &Request{Principal: c.who, Action: c.action, Resource: roleARN, ResourceAccount: here}
		if got := Evaluate(r, set).Effect; got != c.want {
			t.Errorf("deny of %s, asked by %s%s: got %v, want %v", c.principal, c.who.ARN, c.who.Provider, got, c.want)
		}
	}
}
