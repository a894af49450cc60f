package token_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"daypass/internal/identity"
	"daypass/internal/keyring"
	"daypass/internal/store"
	"daypass/internal/token"
)

type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

type fixture struct {
	keys     *keyring.Keyring
	clock    *clock
	sessions *token.Sessions
	jwts     *token.JWTs
}

func setup(t testing.TB) *fixture {
	t.Helper()
	return setupOn(t, store.NewMemory())
}

func setupOn(t testing.TB, e store.Engine) *fixture {
	t.Helper()
	c := &clock{t: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	db, err := store.OpenDB(t.Context(), e, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	root, err := keyring.NewRootKey(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	k, err := keyring.Open(t.Context(), db, root, keyring.Options{Clock: c})
	if err != nil {
		t.Fatal(err)
	}
	return &fixture{k, c, token.NewSessions(k, c, rand.Reader), token.NewJWTs(k)}
}

func ordinary(c *clock) *token.SessionClaims {
	return &token.SessionClaims{
		Kind: identity.RoleSession, AccountID: "123456789012", Partition: "aws", PrincipalID: "AROAEXAMPLEROLE234567",
		SessionName: "alice@example.com", SourceIdentity: "alice", ProviderARN: "arn:aws:iam::123456789012:oidc-provider/idp.example.com/auth/realms/demo",
		Audience: "root-client", Tags: map[string]string{"team": "blue", "project": "x"}, TransitiveKeys: []string{"team"},
		MFA: true, MFATime: c.Now().Add(-time.Minute), IssuedMS: c.Now().UnixMilli(), ExpiresAt: c.Now().Add(time.Hour),
		Position: identity.Position{Incarnation: "6d1b7c0a4f6e4a0f8a36c1c4b4c4d1aa", N: 123456},
		Lineage: identity.Lineage{
			{Kind: identity.LineageWebIdentity, ID: identity.WebIdentityID("https://idp.example.com", "alice"), IssuedMS: 1},
			{Kind: identity.LineageLogin, ID: "0b9bd1b0-3a0f-4f2a-8a3e-6a1d2c3b4a5f", IssuedMS: 2},
			{Kind: identity.LineageRole, ID: "AROAEXAMPLEROLE234567", IssuedMS: 3},
		},
	}
}

func wantKind(t testing.TB, err error, want identity.Kind) {
	t.Helper()
	if got := identity.KindOf(err); got != want {
		t.Fatalf("kind of error = %q (%v), want %q", got, err, want)
	}
}

func mint(t testing.TB, s *token.Sessions, c *token.SessionClaims) identity.SessionKeys {
	t.Helper()
	keys, _, err := s.Mint(c)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestMintAndOpen(t *testing.T) {
	t.Parallel()
	f := setup(t)
	want := ordinary(f.clock)
	keys := mint(t, f.sessions, want)
	got, secret, err := f.sessions.Open(t.Context(), keys.AccessKeyID, keys.SessionToken.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("claims\n got %+v\nwant %+v", got, want)
	}
	if !secret.Equal(keys.SecretAccessKey) || len(secret.Reveal()) != 40 {
		t.Error("the secret derived is not the one given")
	}
	if !token.ValidSessionKeyID(keys.AccessKeyID) || !keys.Expiration.Equal(want.ExpiresAt) {
		t.Errorf("keys %+v", keys)
	}
	if n := len(keys.SessionToken.Reveal()); n >= 2048 {
		t.Errorf("an ordinary token has %d characters", n)
	} else {
		t.Logf("an ordinary token has %d characters", n)
	}
	other := mint(t, f.sessions, want)
	if other.AccessKeyID == keys.AccessKeyID || other.SecretAccessKey.Equal(keys.SecretAccessKey) {
		t.Error("two sessions share keys")
	}
	zero := *want
	zero.IssuedMS = 0
	keys = mint(t, f.sessions, &zero)
	if got, _, _ = f.sessions.Open(t.Context(), keys.AccessKeyID, keys.SessionToken.Reveal()); got.IssuedMS != f.clock.Now().UnixMilli() || zero.IssuedMS != 0 {
		t.Errorf("issued %d", got.IssuedMS)
	}
}

func TestTamperedTokens(t *testing.T) {
	t.Parallel()
	f := setup(t)
	keys := mint(t, f.sessions, ordinary(f.clock))
	text := keys.SessionToken.Reveal()
	refused := func(what, id, tok string, kinds ...identity.Kind) {
		t.Helper()
		_, _, err := f.sessions.Open(context.Background(), id, tok)
		for _, k := range append(kinds, identity.KindInvalidToken) {
			if identity.KindOf(err) == k {
				return
			}
		}
		t.Errorf("%s: %v", what, err)
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		for _, bit := range []byte{1, 0x80} {
			bad := bytes.Clone(raw)
			bad[i] ^= bit
			refused("changed byte", keys.AccessKeyID, base64.StdEncoding.EncodeToString(bad))
		}
		refused("cut", keys.AccessKeyID, base64.StdEncoding.EncodeToString(raw[:i]))
	}
	for i := range text {
		refused("changed character", keys.AccessKeyID, text[:i]+"A"+text[i+1:], map[bool]identity.Kind{true: ""}[text[i] == 'A'])
		refused("line break", keys.AccessKeyID, text[:i]+"\n"+text[i:])
	}
	refused("longer", keys.AccessKeyID, base64.StdEncoding.EncodeToString(append(bytes.Clone(raw), 0)))
	refused("url alphabet", keys.AccessKeyID, base64.RawURLEncoding.EncodeToString(raw))
	refused("huge", keys.AccessKeyID, strings.Repeat("A", 1<<20))
	refused("empty", keys.AccessKeyID, "")
	for _, id := range []string{mint(t, f.sessions, ordinary(f.clock)).AccessKeyID, "", "AKIA" + keys.AccessKeyID[4:], strings.ToLower(keys.AccessKeyID), keys.AccessKeyID + "A"} {
		refused("other access key "+id, id, text)
	}
	other := setup(t)
	if _, _, err := other.sessions.Open(t.Context(), keys.AccessKeyID, text); identity.KindOf(err) != identity.KindInvalidToken {
		t.Errorf("another installation: %v", err)
	}
}

func TestEpochsOfTokens(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := ordinary(f.clock)
	c.ExpiresAt = f.clock.Now().Add(36 * time.Hour)
	keys := mint(t, f.sessions, c)
	open := func() error {
		_, secret, err := f.sessions.Open(context.Background(), keys.AccessKeyID, keys.SessionToken.Reveal())
		if err == nil && !secret.Equal(keys.SecretAccessKey) {
			t.Error("another secret")
		}
		return err
	}
	if _, err := f.keys.Rotate(t.Context(), keyring.RotateEpochs, keyring.RotateOptions{Now: true}); err != nil {
		t.Fatal(err)
	}
	if err := open(); err != nil {
		t.Errorf("after a rotation: %v", err)
	}
	f.clock.add(36 * time.Hour)
	if err := open(); err != nil { // expiry is not judged here
		t.Errorf("at its expiry: %v", err)
	}
	f.clock.add(15 * time.Minute)
	wantKind(t, open(), identity.KindExpiredToken)

	raw, _ := base64.StdEncoding.DecodeString(keys.SessionToken.Reveal())
	raw[4] = 9 // an epoch that never was
	_, _, err := f.sessions.Open(t.Context(), keys.AccessKeyID, base64.StdEncoding.EncodeToString(raw))
	wantKind(t, err, identity.KindInvalidToken)
}

func TestRestoreEndsTokens(t *testing.T) {
	t.Parallel()
	f := setup(t)
	keys := mint(t, f.sessions, ordinary(f.clock))
	if err := f.keys.BeginRestored(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	_, _, err := f.sessions.Open(t.Context(), keys.AccessKeyID, keys.SessionToken.Reveal())
	wantKind(t, err, identity.KindExpiredToken)
	mint(t, f.sessions, ordinary(f.clock))
}

func TestMintBounds(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := ordinary(f.clock)
	for _, at := range []time.Time{{}, f.clock.Now().Add(36*time.Hour + time.Second)} {
		c.ExpiresAt = at
		_, _, err := f.sessions.Mint(c)
		wantKind(t, err, identity.KindValidation)
	}
	latest, err := f.sessions.MaxExpiry()
	if err != nil || !latest.Equal(f.clock.Now().Add(36*time.Hour)) {
		t.Errorf("MaxExpiry %v, %v", latest, err)
	}
	c.ExpiresAt = latest
	mint(t, f.sessions, c)
	for _, kind := range []identity.PrincipalKind{identity.Anonymous, identity.Operator, "x"} {
		c := ordinary(f.clock)
		c.Kind = kind
		_, _, err := f.sessions.Mint(c)
		wantKind(t, err, identity.KindInternal)
	}
}

func TestPackedSize(t *testing.T) {
	t.Parallel()
	f := setup(t)
	bare := ordinary(f.clock)
	bare.Tags, bare.TransitiveKeys = nil, nil
	if _, p, err := f.sessions.Mint(bare); err != nil || p != 0 {
		t.Errorf("without policy and tags: %d%%, %v", p, err)
	}
	last := 0
	full := false
	for n := 100; n < 4000; n++ {
		c := *bare
		c.Policy = strings.Repeat("p", n)
		keys, p, err := f.sessions.Mint(&c)
		if p < last {
			t.Fatalf("%d bytes: %d%%, less than before", n, p)
		}
		last = p
		if len(keys.SessionToken.Reveal()) > token.MaxTokenSize {
			t.Fatalf("%d bytes: token of %d characters", n, len(keys.SessionToken.Reveal()))
		}
		if err != nil {
			wantKind(t, err, identity.KindPolicyTooLarge)
			if p <= 100 || keys.SessionToken != "" {
				t.Fatalf("%d bytes refused at %d%%", n, p)
			}
			full = true
		} else if full || p < 1 || p > 100 {
			t.Fatalf("%d bytes accepted at %d%%", n, p)
		}
		if err == nil {
			got, _, err := f.sessions.Open(t.Context(), keys.AccessKeyID, keys.SessionToken.Reveal())
			if err != nil || got.Policy != c.Policy {
				t.Fatalf("%d bytes do not come back: %v", n, err)
			}
		}
	}
	if !full {
		t.Error("nothing was refused")
	}
	c := *bare
	c.Policy = strings.Repeat("p", 2048) // the most that AWS takes in plain text
	mint(t, f.sessions, &c)
}

func TestClaimsRoundTrip(t *testing.T) {
	t.Parallel()
	f := setup(t)
	text := rapid.StringN(0, 20, 60)
	ms := rapid.Int64Range(0, 1<<42)
	at := func(v int64) time.Time {
		if v == 0 {
			return time.Time{}
		}
		return time.UnixMilli(v).UTC()
	}
	kinds := []identity.PrincipalKind{identity.RootUser, identity.IAMUser, identity.RoleSession, identity.Federated, identity.ServiceID}
	rapid.Check(t, func(t *rapid.T) {
		want := &token.SessionClaims{
			Kind: rapid.SampledFrom(kinds).Draw(t, "kind"), AccountID: text.Draw(t, "account"), Partition: text.Draw(t, "partition"),
			PrincipalID: text.Draw(t, "principal"), SessionName: text.Draw(t, "name"), SourceIdentity: text.Draw(t, "source"),
			ProviderARN: text.Draw(t, "provider"), Audience: text.Draw(t, "audience"), Tags: rapid.MapOfN(text, text, 0, 5).Draw(t, "tags"),
			TransitiveKeys: rapid.SliceOfN(text, 0, 5).Draw(t, "transitive"), Policy: text.Draw(t, "policy"),
			PolicyARNs: rapid.SliceOfN(text, 0, 5).Draw(t, "arns"), MFA: rapid.Bool().Draw(t, "mfa"), MFATime: at(ms.Draw(t, "mfa time")),
			IssuedMS: ms.Draw(t, "issued") + 1, ExpiresAt: f.clock.Now().Add(time.Duration(rapid.Int64Range(1, 3600).Draw(t, "expiry")) * time.Second),
			Position: identity.Position{Incarnation: text.Draw(t, "incarnation"), N: rapid.Uint64().Draw(t, "n")},
		}
		for range rapid.IntRange(0, identity.MaxLineage).Draw(t, "lineage") {
			want.Lineage = append(want.Lineage, identity.Ancestor{Kind: identity.LineageKind(text.Draw(t, "k")), ID: text.Draw(t, "d"), IssuedMS: ms.Draw(t, "t")})
		}
		if len(want.Tags) == 0 {
			want.Tags = nil
		}
		if len(want.TransitiveKeys) == 0 {
			want.TransitiveKeys = nil
		}
		if len(want.PolicyARNs) == 0 {
			want.PolicyARNs = nil
		}
		keys, _, err := f.sessions.Mint(want)
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := f.sessions.Open(context.Background(), keys.AccessKeyID, keys.SessionToken.Reveal())
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%v\n got %+v\nwant %+v", err, got, want)
		}
	})
}

func BenchmarkMint(b *testing.B) {
	f := setup(b)
	c := ordinary(f.clock)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := f.sessions.Mint(c); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	f := setup(b)
	keys := mint(b, f.sessions, ordinary(f.clock))
	ctx, tok := b.Context(), keys.SessionToken.Reveal()
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := f.sessions.Open(ctx, keys.AccessKeyID, tok); err != nil {
			b.Fatal(err)
		}
	}
}
