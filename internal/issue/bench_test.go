package issue_test

import (
	"testing"

	"daypass/internal/issue"
	"daypass/internal/stacktest"
)

// BenchmarkWebIdentity is the exchange of a token that was seen before, with
// the audit log buffered.
func BenchmarkWebIdentity(b *testing.B) {
	s := stacktest.New(b)
	r := issue.WebIdentityRequest{RoleARN: roleA, RoleSessionName: "session", Token: shastaLogin(b, s).AccessToken}
	if _, err := s.Issuer.WebIdentity(b.Context(), r); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Issuer.WebIdentity(b.Context(), r); err != nil {
			b.Fatal(err)
		}
	}
}
