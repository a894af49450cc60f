package policy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"daypass/internal/identity"
)

// twentyStatements is a policy of the kind that people write: services, a few
// buckets, a prefix by user name, conditions on address, tags and time. The
// statement that allows what the benchmark asks comes last.
func twentyStatements(tb testing.TB) *Policy {
	tb.Helper()
	var s []string
	for i := range 10 {
		s = append(s, fmt.Sprintf(`{"Sid":"Read%d","Effect":"Allow","Action":["s3:GetObject","s3:ListBucket"],`+
			`"Resource":["arn:aws:s3:::bucket-%d","arn:aws:s3:::bucket-%d/*"]}`, i, i, i))
	}
	for i := range 4 {
		s = append(s, fmt.Sprintf(`{"Sid":"Iam%d","Effect":"Allow","Action":["iam:Get*","iam:List*"],"Resource":"arn:aws:iam::*:role/team-%d/*"}`, i, i))
	}
	s = append(s,
		`{"Sid":"Encrypted","Effect":"Deny","Action":"s3:PutObject","Resource":"*","Condition":{"Null":{"s3:x-amz-server-side-encryption":"true"}}}`,
		`{"Sid":"Secure","Effect":"Deny","Action":"*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}`,
		`{"Sid":"Office","Effect":"Deny","NotAction":"sts:*","Resource":"*","Condition":{"NotIpAddress":{"aws:SourceIp":["192.0.2.0/24","2001:db8::/32"]}}}`,
		`{"Sid":"Team","Effect":"Allow","Action":"s3:*Tagging","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"${aws:ResourceTag/team}"}}}`,
		`{"Sid":"Window","Effect":"Allow","Action":"kms:*","Resource":"*","Condition":{"DateLessThan":{"aws:CurrentTime":"2030-01-01T00:00:00Z"}}}`,
		`{"Sid":"Home","Effect":"Allow","Action":["s3:GetObject","s3:PutObject","s3:DeleteObject"],"Resource":"arn:aws:s3:::home/${aws:username}/*"}`,
	)
	p, err := Parse(InlinePolicy, `{"Version":"2012-10-17","Statement":[`+strings.Join(s, ",\n")+`]}`, Options{ID: "bench"})
	if err != nil {
		tb.Fatal(err)
	}
	if len(p.statements) != 20 {
		tb.Fatalf("got %d statements, want 20", len(p.statements))
	}
	return p
}

func benchRequest(action, resource string) *Request {
	keys := Keys{}
	keys.Set("aws:SecureTransport", "true")
	keys.Set("aws:SourceIp", "192.0.2.17")
	keys.Set("s3:x-amz-server-side-encryption", "AES256")
	return &Request{
		Principal: Principal{
			Kind: identity.IAMUser, ARN: "arn:aws:iam::123456789012:user/ann", Account: "123456789012",
			ID: "AIDAEXAMPLEANN000000", UserID: "AIDAEXAMPLEANN000000", Name: "ann",
		},
		Action: action, Resource: resource, ResourceAccount: "123456789012",
		Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Context: keys,
	}
}

func BenchmarkEvaluate(b *testing.B) {
	set := &Set{Identity: []*Policy{twentyStatements(b)}}
	for _, c := range []struct {
		name, action, resource string
		want                   Effect
	}{
		{"allow", "s3:GetObject", "arn:aws:s3:::home/ann/notes/2026/january.txt", Allow},
		{"deny", "s3:GetObject", "arn:aws:s3:::home/bob/notes/2026/january.txt", ImplicitDeny},
	} {
		b.Run(c.name, func(b *testing.B) {
			r := benchRequest(c.action, c.resource)
			b.ReportAllocs()
			for b.Loop() {
				if d := Evaluate(r, set); d.Effect != c.want {
					b.Fatalf("got %v, want %v", d.Effect, c.want)
				}
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	text := twentyStatements(b).Text()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(InlinePolicy, text, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func TestEvaluateDoesNotAllocate(t *testing.T) {
	set := &Set{Identity: []*Policy{twentyStatements(t)}}
	r := benchRequest("s3:GetObject", "arn:aws:s3:::home/ann/notes/2026/january.txt")
	if n := testing.AllocsPerRun(100, func() { Evaluate(r, set) }); n != 0 {
		t.Errorf("got %v allocations for an allow, want 0", n)
	}
}
