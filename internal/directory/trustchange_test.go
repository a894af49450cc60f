package directory

import (
	"testing"

	"daypass/internal/identity"
)

func TestTrustNarrowed(t *testing.T) {
	t.Parallel()
	const (
		idp   = `"Principal":{"Federated":"arn:aws:iam::1:oidc-provider/idp"}`
		web   = `"Action":"sts:AssumeRoleWithWebIdentity"`
		alice = `"Condition":{"StringEquals":{"idp:sub":"alice"}}`
		both  = `"Condition":{"StringEquals":{"idp:sub":["bob","alice"]}}`
	)
	one := func(s string) string { return `{"Version":"2012-10-17","Statement":` + s + `}` }
	allow := func(parts string) string { return `{"Effect":"Allow",` + parts + `}` }
	base := allow(idp + "," + web + "," + alice)
	for _, tc := range []struct {
		name          string
		before, after string
		want          bool
	}{
		{"the same", one(base), one(base), false},
		{"spaces and order", one(base), ` {"Statement":[{ ` + alice + `,` + web + `, "Effect":"Allow", ` + idp + `}],"Version":"2012-10-17"}`, false},
		{"a Sid", one(base), one(allow(`"Sid":"x",` + idp + "," + web + "," + alice)), false},
		{"a statement more", one(base), one("[" + base + "," + allow(`"Principal":{"AWS":"arn:aws:iam::1:root"},"Action":"sts:AssumeRole"`) + "]"), false},
		{"a value more", one(base), one(allow(idp + "," + web + "," + both)), false},
		{"a value less", one(allow(idp + "," + web + "," + both)), one(base), true},
		{"another value", one(base), one(allow(idp + "," + web + `,"Condition":{"StringEquals":{"idp:sub":"bob"}}`)), true},
		{"the key written otherwise", one(base), one(allow(idp + "," + web + `,"Condition":{"StringEquals":{"IDP:Sub":"alice"}}`)), false},
		{"no condition any more", one(base), one(allow(idp + "," + web)), false},
		{"a condition more", one(allow(idp + "," + web)), one(base), true},
		{
			"a negated value more", one(allow(idp + "," + web + `,"Condition":{"StringNotEquals":{"idp:sub":"eve"}}`)),
			one(allow(idp + "," + web + `,"Condition":{"StringNotEquals":{"idp:sub":["eve","mallory"]}}`)), true,
		},
		{
			"a value for all more", one(allow(idp + "," + web + `,"Condition":{"ForAllValues:StringEquals":{"idp:amr":"a"}}`)),
			one(allow(idp + "," + web + `,"Condition":{"ForAllValues:StringEquals":{"idp:amr":["a","b"]}}`)), true,
		},
		{"a principal more", one(base), one(allow(`"Principal":{"AWS":"arn:aws:iam::1:root","Federated":["x","arn:aws:iam::1:oidc-provider/idp"]},` + web + "," + alice)), false},
		{"a principal less", one(allow(`"Principal":{"AWS":["a","b"]},"Action":"sts:AssumeRole"`)), one(allow(`"Principal":{"AWS":["a"]},"Action":"sts:AssumeRole"`)), true},
		{"an action more", one(base), one(allow(idp + `,"Action":["sts:TagSession","sts:AssumeRoleWithWebIdentity"],` + alice)), false},
		{"an action less", one(allow(idp + `,"Action":["sts:TagSession","sts:AssumeRoleWithWebIdentity"],` + alice)), one(base), true},
		{"a Deny", one(base), one("[" + base + `,{"Effect":"Deny",` + idp + "," + web + `}]`), true},
		{"a Deny less", one("[" + base + `,{"Effect":"Deny",` + idp + "," + web + `}]`), one(base), false},
		{"Allow becomes Deny", one(base), one(`{"Effect":"Deny",` + idp + "," + web + "," + alice + `}`), true},
		{"NotAction", one(allow(idp + `,"NotAction":"a"`)), one(allow(idp + `,"NotAction":["a","b"]`)), true},
		{"nothing left", one(base), one("[]"), true},
		{"the version", one(base), `{"Version":"2008-10-17","Statement":` + base + `}`, true},
		{"unreadable", one(base), "{", true},
	} {
		got := trustNarrowed(&identity.Role{Trust: tc.before}, &identity.Role{Trust: tc.after})
		if got != tc.want {
			t.Errorf("%s: got %v, want %v\nbefore %s\nafter  %s", tc.name, got, tc.want, tc.before, tc.after)
		}
	}
}

func TestTrustNarrowedByNames(t *testing.T) {
	t.Parallel()
	const doc = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"u"},"Action":"sts:AssumeRole"}}`
	role := func(id string) *identity.Role {
		return &identity.Role{Trust: doc, TrustBindings: map[string]string{"u": id}}
	}
	if trustNarrowed(role("AIDA1"), role("AIDA1")) {
		t.Error("the same principal: narrowed")
	}
	if !trustNarrowed(role("AIDA1"), role("AIDA2")) {
		t.Error("another principal of the same name: not narrowed")
	}
}
