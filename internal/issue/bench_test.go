package issue_test

import (
	"testing"
	"time"

	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
	"daypass/internal/token"
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

// BenchmarkTokenService is WebIdentity's twin behind a token service;
// BenchmarkTokenServiceCached gives an upstream's keys again.
func BenchmarkTokenService(b *testing.B) {
	s := stacktest.New(b)
	putService(b, s, crayService())
	benchmarkServe(b, s)
}

func BenchmarkTokenServiceCached(b *testing.B) { benchmarkServe(b, newBrokers(b).Stack) }

func benchmarkServe(b *testing.B, s *stacktest.Stack) {
	tok := shastaLogin(b, s).AccessToken
	if _, err := serve(b, s, tok); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := serve(b, s, tok); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkGetId finds the identity of a log-in token that was seen before;
// BenchmarkPoolCredentials makes its session keys, with the audit log buffered.
func BenchmarkGetId(b *testing.B)           { benchmarkPool(b, false) }
func BenchmarkPoolCredentials(b *testing.B) { benchmarkPool(b, true) }

func benchmarkPool(b *testing.B, keys bool) {
	p := newPools(b)
	logins := p.userLogin()
	id := p.id(logins)
	b.ReportAllocs()
	for b.Loop() {
		if keys {
			if _, err := p.credentials(id, logins); err != nil {
				b.Fatal(err)
			}
		} else if _, err := p.getID(logins); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerifyAndMint is what neither can do without, for a token that was
// not seen before: one RSA verification, and one sealing.
func BenchmarkVerifyAndMint(b *testing.B) {
	p := newPools(b)
	raw := p.idToken().Reveal()
	claims := &token.SessionClaims{
		Kind: identity.RoleSession, AccountID: stacktest.AccountA, Partition: "aws", PrincipalID: "AROAIOSFODNN7EXAMPLE",
		SessionName: "CognitoIdentityCredentials", ExpiresAt: p.Clock.Now().Add(time.Hour),
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := p.JWTs.Verify("pool/"+userPool, raw); err != nil {
			b.Fatal(err)
		}
		if _, _, err := p.Sessions.Mint(claims); err != nil {
			b.Fatal(err)
		}
	}
}
