package directory_test

import (
	"encoding/base32"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
)

// codeAt is what an authenticator app shows.
func codeAt(t testing.TB, m directory.NewMFADevice, at time.Time) string {
	t.Helper()
	code, err := totp.GenerateCode(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(m.Seed.Reveal())), at)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// TestMFADevice walks a device through its life: made, enabled with two codes in
// a row, used for session keys, deactivated, deleted.
func TestMFADevice(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	ctx, a, b := t.Context(), root(t, s, stacktest.AccountA, "aws"), root(t, s, stacktest.AccountB, "demo")
	if _, err := s.Directory.CreateUser(ctx, a, directory.NewUser{Name: "ann"}); err != nil {
		t.Fatal(err)
	}
	m, err := s.Directory.CreateMFADevice(ctx, a, "phone", "", nil)
	if err != nil || m.Serial != "arn:aws:iam::"+stacktest.AccountA+":mfa/phone" {
		t.Fatalf("%v, %s", err, m.Serial)
	}
	want := func(what string, err error, kind identity.Kind) {
		t.Helper()
		if identity.KindOf(err) != kind {
			t.Errorf("%s: %v, want %q", what, err, kind)
		}
	}
	_, err = s.Directory.CreateMFADevice(ctx, a, "phone", "", nil)
	want("the same name", err, identity.KindAlreadyExists)
	now := s.Clock.Now()
	one, two, three := codeAt(t, m, now), codeAt(t, m, now.Add(30*time.Second)), codeAt(t, m, now.Add(60*time.Second))
	want("codes in the wrong order", s.Directory.EnableMFADevice(ctx, a, "ann", m.Serial, two, one), identity.KindAccessDenied)
	want("a gap between the codes", s.Directory.EnableMFADevice(ctx, a, "ann", m.Serial, one, three), identity.KindAccessDenied)
	want("another account's device", s.Directory.EnableMFADevice(ctx, b, "root", m.Serial, one, two), identity.KindNotFound)
	want("enabled", s.Directory.EnableMFADevice(ctx, a, "ann", m.Serial, one, two), "")
	want("enabled twice", s.Directory.EnableMFADevice(ctx, a, "ann", m.Serial, one, two), identity.KindAlreadyExists)
	want("resync with used codes", s.Directory.ResyncMFADevice(ctx, a, "ann", m.Serial, one, two), identity.KindAccessDenied)

	key, err := s.Issuer.AccessKey(ctx, a, "ann")
	if err != nil {
		t.Fatal(err)
	}
	ann := &identity.Caller{
		Kind: identity.IAMUser, AccountID: stacktest.AccountA, Partition: "aws", PrincipalID: key.Key.UserID, Name: "ann",
		ARN: "arn:aws:iam::" + stacktest.AccountA + ":user/ann", AccessKeyID: key.Key.ID,
	}
	session := func(code string) error {
		_, err := s.Issuer.SessionToken(ctx, ann, issue.SessionTokenRequest{MFA: issue.MFAProof{SerialNumber: m.Serial, TokenCode: identity.Secret(code)}})
		return err
	}
	want("a code that enabled the device", session(two), identity.KindAccessDenied)
	s.Clock.Advance(time.Minute)
	want("the next code", session(three), "")
	want("the same again", session(three), identity.KindAccessDenied)

	want("a user with a device", s.Directory.DeleteAccessKey(ctx, a, "ann", key.Key.ID), "")
	want("a user with a device", s.Directory.DeleteUser(ctx, a, "ann"), identity.KindDeleteConflict)
	want("in use", s.Directory.DeleteMFADevice(ctx, a, m.Serial), identity.KindDeleteConflict)
	want("of another user", s.Directory.DeactivateMFADevice(ctx, a, "service", m.Serial), identity.KindNotFound)
	want("deactivated", s.Directory.DeactivateMFADevice(ctx, a, "ann", m.Serial), "")
	want("by another account", s.Directory.DeleteMFADevice(ctx, b, m.Serial), identity.KindNotFound)
	want("deleted", s.Directory.DeleteMFADevice(ctx, a, m.Serial), "")
	want("deleted twice", s.Directory.DeleteMFADevice(ctx, a, m.Serial), identity.KindNotFound)
	want("a user without a device", s.Directory.DeleteUser(ctx, a, "ann"), "")
}
