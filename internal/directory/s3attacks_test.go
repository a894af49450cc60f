package directory_test

import (
	"fmt"
	"testing"

	"daypass/internal/access"
	"daypass/internal/identity"
	"daypass/internal/stacktest"
)

// TestPolicyVariablesDoNotWiden: what a user is tagged or called with is text,
// and never opens more than its own folder.
func TestPolicyVariablesDoNotWiden(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a := root(t, s, stacktest.AccountA, "aws")
	bucket(t, s, a, "b-b")
	u := user(t, s, a, "alice", allowing(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b-b/teams/${aws:PrincipalTag/team}/*"},
		{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::b-b","Condition":{"StringLike":{"s3:prefix":"teams/${aws:PrincipalTag/team}/*"}}},
		{"Effect":"Allow","Action":"s3:ListBucketVersions","Resource":"arn:aws:s3:::b-b","Condition":{"Null":{"s3:prefix":"true"}}}]}`))
	tests := []struct {
		team, action, key, prefix string // prefix "-" is none
		want                      bool
	}{
		{"red", "s3:GetObject", "teams/red/a", "-", true},
		{"red", "s3:GetObject", "teams/blue/a", "-", false},
		{"red", "s3:GetObject", "teams/red", "-", false},
		{"red", "s3:GetObject", "teams/red2/a", "-", false},
		{"red", "s3:GetObject", "teams/Red/a", "-", false},
		{"red", "s3:GetObject", "teams//red/a", "-", false},
		{"red", "s3:GetObject", "teams/%72ed/a", "-", false},
		{"red", "s3:GetObject", "teams/red/../blue/a", "-", true}, // text; a store of paths refuses the key before
		{"*", "s3:GetObject", "teams/blue/a", "-", false},
		{"?lue", "s3:GetObject", "teams/blue/a", "-", false},
		{"${aws:username}", "s3:GetObject", "teams/alice/a", "-", false},
		{"red/../blue", "s3:GetObject", "teams/red/../blue/a", "-", false},
		{"..", "s3:GetObject", "teams/../a", "-", false},
		{".", "s3:GetObject", "teams/./a", "-", false},
		{"", "s3:GetObject", "teams//a", "-", false},
		{"red", "s3:ListBucket", "", "teams/red/", true},
		{"red", "s3:ListBucket", "", "teams/red/x", true},
		{"red", "s3:ListBucket", "", "teams/red", false},
		{"red", "s3:ListBucket", "", "teams/", false},
		{"red", "s3:ListBucket", "", "", false},
		{"red", "s3:ListBucket", "", "-", false},
		{"red", "s3:ListBucket", "", "teams//red/", false},
		{"red", "s3:ListBucket", "", "/teams/red/", false},
		{"red", "s3:ListBucket", "", "TEAMS/red/", false},
		{"*", "s3:ListBucket", "", "teams/red/", false},
		{"*", "s3:ListBucket", "", "teams/*/", true},
		{"red", "s3:ListBucketVersions", "", "-", true},
		{"red", "s3:ListBucketVersions", "", "", false},
	}
	for _, tt := range tests {
		c := *u
		c.Tags = map[string]string{"Team": tt.team}
		res := access.Resource{ARN: "arn:aws:s3:::b-b", Bucket: "b-b"}
		if tt.key != "" {
			res.ARN += "/" + tt.key
		}
		if tt.prefix != "-" {
			res.Keys = map[string][]string{"S3:Prefix": {tt.prefix}} // the case of keys does not count
		}
		if got := s.Access.Authorize(&c, tt.action, res).Allowed(); got != tt.want {
			t.Errorf("team %q, %s %q with prefix %q: %v, want %v", tt.team, tt.action, tt.key, tt.prefix, got, tt.want)
		}
	}
	c := *u // without any tag
	if s.Access.Authorize(&c, "s3:GetObject", access.Resource{ARN: "arn:aws:s3:::b-b/teams//a", Bucket: "b-b"}).Allowed() {
		t.Error("a user without the tag may")
	}
}

// TestKeysThatDifferInCase: a request cannot hide a value of a key behind
// another spelling of it.
func TestKeysThatDifferInCase(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a := root(t, s, stacktest.AccountA, "aws")
	bucket(t, s, a, "b-b")
	for effect, want := range map[string]bool{"Allow": false, "Deny": false} {
		u := user(t, s, a, "u-"+effect, allowing(fmt.Sprintf(`{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Action":"s3:PutObject","Resource":"*","Condition":{"StringEquals":{"s3:RequestObjectTag/team":["red","blue"]}}},
			{"Effect":%q,"Action":"s3:PutObject","Resource":"*","Condition":{"StringEquals":{"s3:RequestObjectTag/TEAM":"blue"}}}]}`, effect)))
		for range 20 { // maps come in any order
			d := s.Access.Authorize(u, "s3:PutObject", access.Resource{
				ARN: "arn:aws:s3:::b-b/k", Bucket: "b-b",
				Keys: map[string][]string{"s3:RequestObjectTag/Team": {"blue"}, "s3:RequestObjectTag/team": {"green"}},
			})
			if d.Allowed() != want {
				t.Fatalf("%s: %+v", effect, d)
			}
		}
	}
}

// TestCallerKeys: the registry asks again what the gateway asked, and policies
// see the same request.
func TestCallerKeys(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a := root(t, s, stacktest.AccountA, "aws")
	u := user(t, s, a, "alice", allowing(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"s3:CreateBucket","Resource":"*","Condition":{"StringEquals":{"s3:LocationConstraint":"eu-west-1"}}},
		{"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"StringNotEquals":{"s3:SignatureVersion":"AWS4-HMAC-SHA256"}}}]}`))
	for _, tt := range []struct {
		location, version string
		want              identity.Kind
	}{
		{"eu-west-1", "AWS4-HMAC-SHA256", ""}, {"us-east-1", "AWS4-HMAC-SHA256", identity.KindAccessDenied}, {"eu-west-1", "AWS", identity.KindAccessDenied},
	} {
		c := *u
		c.Keys = func(key string) []string {
			return map[string][]string{"s3:locationconstraint": {tt.location}, "s3:signatureversion": {tt.version}}[key]
		}
		if err := s.Directory.ReserveBucket(t.Context(), &c, "made-by-alice", tt.location, "u"); identity.KindOf(err) != tt.want {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}
