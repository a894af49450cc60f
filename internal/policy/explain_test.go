package policy

import (
	"encoding/json"
	"testing"

	"daypass/internal/identity"
)

func TestExplain(t *testing.T) {
	t.Parallel()
	p := parsed(t, InlinePolicy, `{
  "Version": "2012-10-17",
  "Statement": [
    {"Sid": "Other", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::other/*"},
    {"Sid": "Office", "Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::b/*",
     "Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}, "Bool": {"aws:MultiFactorAuthPresent": "true"}}},
    {"Sid": "Put", "Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}
  ]
}`)
	r := &Request{Principal: user, Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k", ResourceAccount: here, Context: Keys{"aws:sourceip": {"198.51.100.1"}}}
	e := Explain(r, &Set{Identity: []*Policy{p}})
	if e.Effect != "implicitDeny" || e.Layer != "identity-based policy" || len(e.Misses) != 2 {
		t.Fatalf("got %+v", e)
	}
	near := e.Misses[0]
	if near.Sid != "Office" || near.Start != (Position{5, 5}) || near.End != (Position{6, 115}) || len(near.Conditions) != 2 {
		t.Errorf("got the nearest miss %+v", near)
	}
	if c := near.Conditions[0]; c.Key != "aws:SourceIp" || c.Missing || len(c.Got) != 1 || c.Got[0] != "198.51.100.1" {
		t.Errorf("got the condition %+v", c)
	}
	if c := near.Conditions[1]; !c.Missing || c.Operator != "Bool" {
		t.Errorf("got the condition %+v", c)
	}
	if far := e.Misses[1]; far.Sid != "Other" || !far.Resource {
		t.Errorf("got the other miss %+v", far)
	}
	if len(e.Missing) != 1 || e.Missing[0] != "aws:MultiFactorAuthPresent" || len(e.Context) != 1 {
		t.Errorf("got missing %q, context %v", e.Missing, e.Context)
	}
	if got, want := e.Hint(), "Statement Office of IAM Policy wants another value of aws:SourceIp (IpAddress)."; got != want {
		t.Errorf("got hint %q, want %q", got, want)
	}
	if _, err := json.Marshal(e); err != nil {
		t.Error(err)
	}

	r.Context = Keys{"aws:sourceip": {"192.0.2.1"}, "aws:multifactorauthpresent": {"true"}}
	e = Explain(r, &Set{Identity: []*Policy{p}})
	if e.Effect != "allowed" || e.Deciding == nil || e.Deciding.Sid != "Office" || len(e.Matched) != 1 || len(e.Misses) != 0 || e.Hint() != "" {
		t.Errorf("got %+v", e)
	}
	e = Explain(r, &Set{Identity: []*Policy{p, statements(t, InlinePolicy, denyGet)}})
	if e.Effect != "explicitDeny" || e.Deciding.Effect != "Deny" || len(e.Matched) != 2 {
		t.Errorf("got %+v", e)
	}
	e = Explain(r, &Set{Identity: []*Policy{p, Load(InlinePolicy, "{", Options{ID: "broken"})}})
	if e.Unreadable != "broken" || e.Hint() == "" {
		t.Errorf("got %+v", e)
	}
	if got := p.ContextKeys(); len(got) != 2 {
		t.Errorf("got keys %q", got)
	}
	if e := Explain(&Request{Principal: Principal{Kind: identity.IAMUser}}, &Set{}); e.Effect != "implicitDeny" || e.Hint() == "" {
		t.Errorf("got %+v", e)
	}
}
