package issue_test

import (
	"testing"

	"daypass/internal/stacktest"
)

// BenchmarkPoolLogin is a whole log-in, to compare with BenchmarkSRP of package
// authn and with one argon2id hash: the rest are two RSA signatures and a
// commit.
func BenchmarkPoolLogin(b *testing.B) {
	s := stacktest.New(b, stacktest.WithPools())
	for _, c := range []struct{ what, name, password string }{
		{"password", stacktest.TestUser, stacktest.TestPassword},
		{"token by password", stacktest.APIAccessKey, stacktest.APISecretKey},
	} {
		b.Run(c.what, func(b *testing.B) {
			for b.Loop() {
				if _, err := poolPassword(b, s, c.name, c.password); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("SRP, the client too", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Issuer.PoolAnswer(b.Context(), poolSRP(b, s, stacktest.APIAccessKey, stacktest.APISecretKey, aTime)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("bare hash", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Authn.HashPassword(b.Context(), stacktest.TestPassword); err != nil {
				b.Fatal(err)
			}
		}
	})
}
