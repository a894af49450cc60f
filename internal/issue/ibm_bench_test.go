package issue_test

import (
	"strings"
	"testing"

	"daypass/internal/directory"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
)

// BenchmarkIBMAPIKey is a log-in by an API key that was seen before, with the
// audit log buffered, and beside it what it cannot do without: one signature.
func BenchmarkIBMAPIKey(b *testing.B) {
	for _, algorithm := range []string{"ES256", "RS256"} {
		c := newCloud(b, stacktest.WithSite(func(s *directory.SiteSpec) { s.IBM.Algorithm = algorithm }))
		key := c.serviceKey(issue.NewIBMKey{}).Text
		c.mustLogIn(key)
		payload := []byte(`{"x":"` + strings.Repeat("x", 1200) + `"}`)
		b.Run(algorithm, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.logIn(key); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(algorithm+", signature alone", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.JWTs.Sign("ibm", algorithm, payload, ""); err != nil {
					b.Fatal(err)
				}
			}
		})
		tokens := c.mustLogIn(key)
		b.Run(algorithm+", acceptance", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Access.IBMToken(b.Context(), tokens.Access); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
