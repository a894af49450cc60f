package policy

import (
	"encoding/json"
	"testing"
	"time"

	"daypass/internal/identity"
)

func FuzzParse(f *testing.F) {
	for _, text := range []string{
		cannedDocument(`"*"`),
		`{"Version":"2012-10-17","Id":"x","Statement":[{"Sid":"a","Effect":"Allow","NotAction":["s3:Get*","iam:?"],"NotResource":"arn:aws:s3:::b/${aws:username, 'x'}/*","Condition":{"ForAnyValue:StringLikeIfExists":{"aws:TagKeys":["a*","${*}"]},"Bool":{"aws:SecureTransport":true}}}]}`,
		`{"Statement":{"Effect":"Deny","Principal":{"AWS":["*","111122223333"],"Federated":"x"},"Action":"s3:*","Resource":"arn:*:s3:::*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"},"DateLessThan":{"aws:CurrentTime":"2026-01-02"},"NumericEquals":{"s3:max-keys":[1,"2.5"]},"Null":{"a:b":"true"},"ArnLike":{"aws:SourceArn":"arn:aws:s3:::${aws:userid}"},"BinaryEquals":{"a:b":"AA=="}}}}`,
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::1:oidc-provider/token.actions.githubusercontent.com"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringLike":{"token.actions.githubusercontent.com:sub":"repo:o/*"}}}}`,
		`{"Statement":[[]]}`, `{"\u0053tatement":{}}`, "\xff", `{"Statement":{"Effect":"Allow","Effect":"Deny"}}`,
	} {
		for kind := InlinePolicy; kind <= TrustPolicy; kind++ {
			f.Add(uint8(kind), text, "s3:GetObject", "arn:aws:s3:::b/k", "ann")
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, text, action, resource, name string) {
		k := Kind(kind)
		p, err := Parse(k, text, Options{ByName: true})
		if (p == nil) == (err == nil) {
			t.Fatal("neither a policy nor an error")
		}
		if p != nil && !json.Valid([]byte(text)) {
			t.Fatal("accepted what is not JSON")
		}
		loaded := Load(k, text, Options{ByName: true})
		if p != nil && loaded.Unreadable() != nil {
			t.Fatal("what was accepted can no longer be read")
		}
		who := Principal{Kind: identity.IAMUser, ARN: userARN, Account: here, ID: "AIDA0000000000000001", Name: name, Tags: map[string]string{name: name}}
		r := &Request{
			Principal: who, Action: action, Resource: resource, ResourceAccount: here, Time: time.Unix(1767323045, 0),
			Context: Keys{"aws:sourceip": {name}, "aws:tagkeys": {name, "a"}, "s3:max-keys": {name}},
		}
		set := &Set{Identity: []*Policy{loaded}}
		if k.hasPrincipal() {
			set = &Set{Resource: loaded}
		}
		d := Evaluate(r, set)
		e := Explain(r, set)
		if e.Effect != d.Effect.String() {
			t.Fatal("explained another decision")
		}
		if _, err := json.Marshal(e); err != nil {
			t.Fatal(err)
		}
		if loaded.Unreadable() != nil && d.Effect != ExplicitDeny && action != "" {
			t.Fatal("an unreadable policy did not deny")
		}
		for i := range loaded.Statements() {
			s := &loaded.Statements()[i]
			if !json.Valid([]byte(s.Source())) || s.Start().Line > s.End().Line {
				t.Fatal("a statement is not where it says")
			}
		}
		set.Session = []*Policy{Load(SessionPolicy, `{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}`, Options{})}
		if Evaluate(r, set).Allowed() {
			t.Fatal("allowed in spite of a deny")
		}
	})
}

func FuzzWildcard(f *testing.F) {
	f.Add("a*b?c", "axxbyc")
	f.Add("*ü?", "aüb")
	f.Add("**", "")
	f.Fuzz(func(t *testing.T, pattern, s string) {
		got := Wildcard(pattern, s)
		if pattern == s && len(s) <= MaxPattern && !got {
			t.Fatal("a text does not match itself")
		}
		if got && Wildcard(pattern+"*", s+"tail") != (len(pattern) < MaxPattern) {
			t.Fatal("a longer text does not match the longer pattern")
		}
	})
}
