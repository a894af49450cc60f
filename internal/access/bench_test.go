package access_test

import (
	"testing"

	"daypass/internal/access"
	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/stacktest"
)

// BenchmarkAuthorize decides over every canned policy, the last of which
// allows.
func BenchmarkAuthorize(b *testing.B) {
	s := stacktest.New(b, stacktest.WithSite(func(spec *directory.SiteSpec) {
		for i := range spec.Roles {
			if spec.Roles[i].Name != stacktest.RoleName {
				continue
			}
			spec.Roles[i].ManagedPolicies = nil
			for _, name := range []string{"IAMFullAccess", "AmazonS3ReadOnlyAccess", "ReadOnlyAccess", "AmazonS3FullAccess"} {
				spec.Roles[i].ManagedPolicies = append(spec.Roles[i].ManagedPolicies, "arn:aws:iam::aws:policy/"+name)
			}
		}
	}))
	root, err := authenticate(s, request(b, s, rootKeys(b, s)))
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Directory.ReserveBucket(b.Context(), &root, "bucket-a", "us-east-1", "embedded"); err != nil {
		b.Fatal(err)
	}
	if err := s.Directory.ConfirmBucket(b.Context(), &root, "bucket-a"); err != nil {
		b.Fatal(err)
	}
	keys, _ := roleKeys(b, s)
	role, err := authenticate(s, request(b, s, keys))
	if err != nil {
		b.Fatal(err)
	}
	res := access.Resource{ARN: identity.BucketARN("aws", "bucket-a"), Bucket: "bucket-a"}
	b.ReportAllocs()
	for b.Loop() {
		if d := s.Access.Authorize(&role, "s3:PutObject", res); !d.Allowed() {
			b.Fatal(d.Err)
		}
	}
}
