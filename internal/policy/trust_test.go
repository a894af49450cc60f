package policy

import (
	"strings"
	"testing"

	"daypass/internal/identity"
)

const arn = "arn:aws:iam::123456789012:oidc-provider/idp.example.com/auth/realms/x"

func doc(body string) string { return `{"Version":"2012-10-17","Statement":` + body + `}` }

func TestTrustAllows(t *testing.T) {
	t.Parallel()
	stmt := `{"Effect":"Allow","Principal":{"Federated":"` + arn + `"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"idp.example.com/auth/realms/x:aud":["a","b"],"idp.example.com/auth/realms/x:sub":"s"}}}`
	for name, d := range map[string]string{"one": doc(stmt), "list": doc("[" + stmt + "]")} {
		tr, err := ParseTrust(d)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, c := range []struct {
			arn, issuer, aud, sub string
			want                  bool
		}{
			{arn, "https://idp.example.com/auth/realms/x", "a", "s", true},
			{arn, "https://idp.example.com/auth/realms/x", "b", "s", true},
			{arn, "https://idp.example.com/auth/realms/x", "c", "s", false},
			{arn, "https://idp.example.com/auth/realms/x", "a", "t", false},
			{arn + "y", "https://idp.example.com/auth/realms/xy", "a", "s", false},
			{arn, "https://other.example.com", "a", "s", false},
		} {
			if got := tr.AllowsWebIdentity(c.arn, c.issuer, c.aud, c.sub); got != c.want {
				t.Errorf("%s: %+v: got %v", name, c, got)
			}
		}
	}
}

func TestTrustRefusedAtWrite(t *testing.T) {
	t.Parallel()
	github := "arn:aws:iam::1:oidc-provider/token.actions.githubusercontent.com"
	good := func(principal, action, rest string) string {
		return doc(`{"Effect":"Allow","Principal":` + principal + `,"Action":` + action + rest + `}`)
	}
	fed := `{"Federated":"` + arn + `"}`
	web := `"sts:AssumeRoleWithWebIdentity"`
	for name, d := range map[string]string{
		"not json":        `{`,
		"trailing":        good(fed, web, "") + "x",
		"no statement":    `{"Version":"2012-10-17"}`,
		"version":         strings.Replace(good(fed, web, ""), "2012-10-17", "2020-01-01", 1),
		"deny":            strings.Replace(good(fed, web, ""), "Allow", "Deny", 1),
		"star principal":  good(`"*"`, web, ""),
		"aws principal":   good(`{"AWS":"arn:aws:iam::1:root"}`, web, ""),
		"other action":    good(fed, `"sts:AssumeRole"`, ""),
		"wildcard action": good(fed, `"sts:*"`, ""),
		"not action":      strings.Replace(good(fed, web, ""), `"Action"`, `"NotAction"`, 1),
		"operator":        good(fed, web, `,"Condition":{"StringLike":{"idp.example.com/auth/realms/x:sub":"*"}}`),
		"key":             good(fed, web, `,"Condition":{"StringEquals":{"idp.example.com/auth/realms/x:email":"e"}}`),
		"global key":      good(fed, web, `,"Condition":{"StringEquals":{"aws:SourceIp":"1.2.3.4"}}`),
		"empty values":    good(fed, web, `,"Condition":{"StringEquals":{"idp.example.com/auth/realms/x:aud":[]}}`),
		"two providers":   good(fed, web, `,"Condition":{"StringEquals":{"a:aud":"x","b:sub":"y"}}`),
		"unknown member":  good(fed, web, `,"Resource":"*"`),
		"shared no sub":   good(`{"Federated":"`+github+`"}`, web, `,"Condition":{"StringEquals":{"token.actions.githubusercontent.com:aud":"sts.amazonaws.com"}}`),
		"saml":            good(`{"Federated":"arn:aws:iam::1:saml-provider/x"}`, web, ""),
		"too long":        good(fed, web, strings.Repeat(" ", MaxTrustSize)),
	} {
		if _, err := ParseTrust(d); identity.KindOf(err) != identity.KindMalformedPolicy {
			t.Errorf("%s: got %v, want malformed-policy", name, err)
		}
	}
	if _, err := ParseTrust(good(`{"Federated":"`+github+`"}`, web, `,"Condition":{"StringEquals":{"token.actions.githubusercontent.com:sub":"repo:o/r:ref"}}`)); err != nil {
		t.Errorf("shared issuer with sub: %v", err)
	}
}

func TestCanned(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		arn, action string
		want        bool
	}{
		{"arn:aws:iam::aws:policy/AmazonS3FullAccess", "s3:PutObject", true},
		{"arn:demo:iam::aws:policy/AmazonS3FullAccess", "S3:putobject", true},
		{"arn:aws:iam::aws:policy/AmazonS3FullAccess", "iam:CreateUser", false},
		{"arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess", "s3:GetObject", true},
		{"arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess", "s3:PutObject", false},
		{"arn:aws:iam::123456789012:policy/AmazonS3FullAccess", "s3:GetObject", false},
		{"arn:aws:iam::aws:policy/Nothing", "s3:GetObject", false},
	} {
		if _, got := CannedAllows([]string{"arn:aws:iam::aws:policy/none", c.arn}, c.action); got != c.want {
			t.Errorf("%+v: got %v", c, got)
		}
	}
}

func FuzzParseTrust(f *testing.F) {
	f.Add(doc(`{"Effect":"Allow","Principal":{"Federated":"` + arn + `"},"Action":"sts:AssumeRoleWithWebIdentity"}`))
	f.Add(`{"Statement":[[]]}`)
	f.Fuzz(func(t *testing.T, s string) {
		tr, err := ParseTrust(s)
		if (tr == nil) == (err == nil) {
			t.Fatal("neither a policy nor an error")
		}
		if err == nil && tr.AllowsWebIdentity("", "", "", "") {
			t.Fatal("a policy that trusts nobody allowed nobody")
		}
	})
}
