package issue_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"daypass/internal/authn"
	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/passkeytest"
	"daypass/internal/stacktest"
)

// withPasskey gives a user a passkey by a one-time link.
func withPasskey(t testing.TB, s *stacktest.Stack, account, name string) *passkeytest.Authenticator {
	t.Helper()
	a := passkeytest.New(t, stacktest.ConsoleURL)
	l, err := s.Directory.ResetUser(t.Context(), s.Operator(), directory.UserReset{UserName: directory.UserName{AccountID: account, Name: name}, RemoveMFA: true})
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(l.Link.Reveal(), "?t=")
	token := identity.Secret(text)
	c, err := s.Directory.RegisterLinkPasskey(t.Context(), token)
	if err == nil {
		err = s.Directory.RedeemPasskey(t.Context(), token, c.State, a.Create(t, c.Options), "")
	}
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func begunPasskey(t testing.TB, s *stacktest.Stack) authn.Ceremony {
	t.Helper()
	c, err := s.Issuer.BeginPasskey()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func passkeyLogin(t testing.TB, s *stacktest.Stack, a *passkeytest.Authenticator) (*identity.Caller, error) {
	t.Helper()
	c := begunPasskey(t, s)
	session, err := s.Issuer.ConsolePasskey(t.Context(), c.State, a.Get(t, c.Options))
	if err != nil {
		return nil, err
	}
	return s.Access.Cookie(t.Context(), session.Cookie)
}

func TestPasskeyLogin(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	for _, name := range []string{stacktest.TestUser, "mfa", "root"} {
		a := withPasskey(t, s, stacktest.AccountA, name)
		c, err := passkeyLogin(t, s, a)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !c.MFA || !c.MFATime.Equal(s.Clock.Now()) || !c.Interactive || c.Name != name {
			t.Errorf("%s: %+v", name, c)
		}
	}
	// Who owes a second factor does not get in by the password alone.
	s.Clock.Advance(time.Minute)
	set := func(bend func(*directory.SiteSpec)) {
		t.Helper()
		spec := stacktest.Site()
		bend(&spec)
		if _, err := s.Directory.Apply(t.Context(), s.Operator(), spec, false); err != nil {
			t.Fatal(err)
		}
	}
	set(func(*directory.SiteSpec) {}) // the passwords again
	_, err := s.Issuer.ConsoleLogin(t.Context(), issue.ConsoleLogin{Place: "shasta", Username: "mfa", Password: stacktest.TestPassword})
	if identity.KindOf(err) != identity.KindMFARequired {
		t.Errorf("a password where a second factor is owed: %v", err)
	}

	a := withPasskey(t, s, stacktest.AccountA, stacktest.TestUser)
	for name, c := range map[string]struct {
		bend func(*directory.UserSpec)
		want identity.Kind
	}{
		"disabled":             {func(u *directory.UserSpec) { u.Disabled = true }, identity.KindInvalidCredentials},
		"must change password": {func(u *directory.UserSpec) { u.MustChangePassword = true }, identity.KindPasswordExpired},
	} {
		set(func(spec *directory.SiteSpec) { spec.Users[0].Password = nil; c.bend(&spec.Users[0]) })
		if _, err := passkeyLogin(t, s, a); identity.KindOf(err) != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	set(func(*directory.SiteSpec) {})
	if _, err := passkeyLogin(t, s, a); err != nil {
		t.Error(err)
	}
	if err := s.Directory.SetAccountDisabled(t.Context(), s.Operator(), stacktest.AccountA, true); err != nil {
		t.Fatal(err)
	}
	if _, err := passkeyLogin(t, s, a); identity.KindOf(err) != identity.KindInvalidCredentials {
		t.Errorf("account disabled: %v", err)
	}
}

// TestPasskeyReplay sends one answer many times: one session comes of it.
func TestPasskeyReplay(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a := withPasskey(t, s, stacktest.AccountA, stacktest.TestUser)
	c := begunPasskey(t, s)
	answer := a.Get(t, c.Options)
	var won atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := s.Issuer.ConsolePasskey(context.Background(), c.State, answer); err == nil {
				won.Add(1)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d sessions of one answer", won.Load())
	}
	copied := *a
	copied.Count = 0
	_, err := passkeyLogin(t, s, &copied)
	if identity.KindOf(err) != identity.KindInvalidCredentials {
		t.Errorf("a copy: %v", err)
	}
	if lines := s.AuditLines(t); !strings.Contains(lines, "its count went back") {
		t.Error("the audit log tells nothing of the copy")
	}
}

// TestOwnPasskeys adds, renames and removes passkeys of a person who logged in.
func TestOwnPasskeys(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	ctx := t.Context()
	login := func() *identity.Caller {
		t.Helper()
		session, err := s.Issuer.ConsoleLogin(ctx, issue.ConsoleLogin{Place: "shasta", Username: stacktest.TestUser, Password: stacktest.TestPassword})
		if err != nil {
			t.Fatal(err)
		}
		c, err := s.Access.Cookie(ctx, session.Cookie)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	// add registers a passkey, which ends the session, and logs in again.
	add := func(c *identity.Caller, a *passkeytest.Authenticator, name string) (*identity.Caller, error) {
		t.Helper()
		begun, err := s.Directory.RegisterPasskey(ctx, c)
		if err == nil {
			err = s.Directory.AddPasskey(ctx, c, begun.State, a.Create(t, begun.Options), name)
		}
		if err != nil {
			return c, err
		}
		return login(), nil
	}
	elsewhere := login()
	c := login()
	a := passkeytest.New(t, stacktest.ConsoleURL)
	c, err := add(c, a, "  laptop ")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Directory.RegisterPasskey(ctx, elsewhere); err != nil {
		t.Fatal(err) // a first step changes nothing
	}
	if err := s.Directory.RenamePasskey(ctx, elsewhere, "x", "y"); identity.KindOf(err) != identity.KindExpiredToken {
		t.Errorf("an earlier session: %v", err)
	}
	if _, err := add(c, a, ""); identity.KindOf(err) != identity.KindAlreadyExists {
		t.Errorf("the same passkey again: %v", err)
	}
	if _, err := add(c, passkeytest.New(t, stacktest.ConsoleURL), "tab\there"); identity.KindOf(err) != identity.KindValidation {
		t.Errorf("a name with a tab: %v", err)
	}
	for range 9 {
		if c, err = add(c, passkeytest.New(t, stacktest.ConsoleURL), ""); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := add(c, passkeytest.New(t, stacktest.ConsoleURL), ""); identity.KindOf(err) != identity.KindLimitExceeded {
		t.Errorf("an eleventh passkey: %v", err)
	}
	list, err := s.Directory.ListPasskeys(ctx, c)
	if err != nil || len(list) != 10 {
		t.Fatalf("%d, %v", len(list), err)
	}
	names := map[string]string{}
	for _, p := range list {
		names[p.Name] = p.ID
	}
	if err := s.Directory.RenamePasskey(ctx, c, names["laptop"], "old laptop"); err != nil {
		t.Error(err)
	}

	// Of another user nothing can be seen or changed.
	other := withPasskey(t, s, stacktest.AccountA, "mfa")
	stranger, err := passkeyLogin(t, s, other)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Directory.DeletePasskey(ctx, stranger, names["laptop"]); identity.KindOf(err) != identity.KindNotFound {
		t.Errorf("another's passkey: %v", err)
	}
	own, err := s.Directory.ListPasskeys(ctx, stranger)
	if err != nil || len(own) != 1 {
		t.Fatalf("%d, %v", len(own), err)
	}
	// Its password went with the reset, so this is its last way in.
	if err := s.Directory.DeletePasskey(ctx, stranger, own[0].ID); identity.KindOf(err) != identity.KindDeleteConflict {
		t.Errorf("the last way to log in: %v", err)
	}

	s.Clock.Advance(5 * time.Minute)
	if err := s.Directory.DeletePasskey(ctx, c, names["laptop"]); identity.KindOf(err) != identity.KindExpiredIdentity {
		t.Errorf("with an old log-in: %v", err)
	}
	if _, err := s.Directory.RegisterPasskey(ctx, c); identity.KindOf(err) != identity.KindExpiredIdentity {
		t.Errorf("with an old log-in: %v", err)
	}
	begun := begunPasskey(t, s)
	session, err := s.Issuer.ConsoleProvePasskey(ctx, c, begun.State, a.Get(t, begun.Options))
	if err != nil {
		t.Fatal(err)
	}
	if c, err = s.Access.Cookie(ctx, session.Cookie); err != nil || !c.MFA {
		t.Fatalf("%+v, %v", c, err)
	}
	if err := s.Directory.DeletePasskey(ctx, c, names["laptop"]); err != nil {
		t.Error(err)
	}
	if _, err := passkeyLogin(t, s, a); identity.KindOf(err) != identity.KindInvalidCredentials {
		t.Errorf("a removed passkey: %v", err)
	}
	begun = begunPasskey(t, s)
	if _, err := s.Issuer.ConsoleProvePasskey(ctx, login(), begun.State, other.Get(t, begun.Options)); identity.KindOf(err) != identity.KindInvalidCredentials {
		t.Errorf("another person's proof: %v", err)
	}
	denied := `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"iam:EnableMFADevice","Resource":"*"}}`
	spec := stacktest.Site()
	spec.Users[0].InlinePolicies = map[string]string{"deny": denied}
	if _, err := s.Directory.Apply(ctx, s.Operator(), spec, false); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Directory.RegisterPasskey(ctx, login()); identity.KindOf(err) != identity.KindAccessDenied {
		t.Errorf("against a policy: %v", err)
	}
}
