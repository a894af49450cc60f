package directory_test

import (
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/passkeytest"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

// tokenOf is the token in a one-time link.
func tokenOf(t testing.TB, l directory.NewLink) identity.Secret {
	t.Helper()
	rest, ok := strings.CutPrefix(l.Link.Reveal(), stacktest.ConsoleURL+"welcome?")
	q, err := url.ParseQuery(rest)
	if !ok || err != nil || len(q.Get("t")) < 22 {
		t.Fatalf("link %q", l.Link.Reveal())
	}
	return identity.Secret(q.Get("t"))
}

func invite(t testing.TB, s *stacktest.Stack, name string) directory.NewLink {
	t.Helper()
	l, err := s.Directory.InviteUser(t.Context(), s.Operator(), directory.Invitation{UserName: directory.UserName{AccountID: "alias-a", Name: name}, Email: name + "@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func reset(t testing.TB, s *stacktest.Stack, name string, mfa bool) directory.NewLink {
	t.Helper()
	l, err := s.Directory.ResetUser(t.Context(), s.Operator(), directory.UserReset{UserName: directory.UserName{AccountID: stacktest.AccountA, Name: name}, RemoveMFA: mfa})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func passwordGrant(t testing.TB, s *stacktest.Stack, user, password string) error {
	t.Helper()
	_, err := s.Issuer.Password(t.Context(), issue.PasswordGrant{
		Realm: "shasta", Client: issue.ClientProof{ID: "shasta"}, Username: user, Password: identity.Secret(password),
	})
	return err
}

func wantKind(t testing.TB, what string, err error, want identity.Kind) {
	t.Helper()
	if identity.KindOf(err) != want {
		t.Errorf("%s: %v, want %q", what, err, want)
	}
}

func TestInvitation(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	ctx := t.Context()
	l := invite(t, s, "alice")
	if !l.Created || l.Realm != "shasta" || !l.ExpiresAt.Equal(s.Clock.Now().Add(24*time.Hour)) {
		t.Errorf("%+v", l)
	}
	wantKind(t, "a log-in before the link is used", passwordGrant(t, s, "alice", ""), identity.KindInvalidCredentials)
	wantKind(t, "a log-in before the link is used", passwordGrant(t, s, "alice", "new password"), identity.KindInvalidCredentials)

	newer := invite(t, s, "alice")
	if newer.Created {
		t.Error("the user was made twice")
	}
	_, err := s.Directory.OneTimeLink(ctx, tokenOf(t, l))
	wantKind(t, "the earlier link", err, identity.KindInvalidGrant)
	if !strings.Contains(identity.AsError(err).Public, "newer") {
		t.Errorf("the earlier link: %v", err)
	}
	token := tokenOf(t, newer)
	for range 3 { // looking changes nothing
		v, err := s.Directory.OneTimeLink(ctx, token)
		if err != nil || v.User != "alice" || v.Email != "alice@example.com" || v.Reset || v.PasswordOnly || !v.Passkeys ||
			!slices.Equal(v.Rules, []string{"at least 8 characters"}) {
			t.Fatalf("%+v, %v", v, err)
		}
	}
	wantKind(t, "a short password", s.Directory.RedeemPassword(ctx, token, "short"), identity.KindValidation)
	if err := s.Directory.RedeemPassword(ctx, token, "new password"); err != nil {
		t.Fatal(err)
	}
	wantKind(t, "a log-in", passwordGrant(t, s, "alice", "new password"), "")
	err = s.Directory.RedeemPassword(ctx, token, "another password")
	wantKind(t, "the link again", err, identity.KindInvalidGrant)
	if !strings.Contains(identity.AsError(err).Public, "used already") {
		t.Errorf("the link again: %v", err)
	}
	_, err = s.Directory.InviteUser(ctx, s.Operator(), directory.Invitation{UserName: directory.UserName{AccountID: "alias-a", Name: "alice"}})
	wantKind(t, "an invitation of who can log in", err, identity.KindAlreadyExists)
	for _, bad := range []identity.Secret{"", "x", token[1:], token + "A", identity.Secret(strings.Repeat("A", 43))} {
		_, err := s.Directory.OneTimeLink(ctx, bad)
		wantKind(t, "a link that is none", err, identity.KindInvalidGrant)
	}
	lines := s.AuditLines(t)
	for _, want := range []string{`"eventName":"InviteUser"`, `"eventName":"RedeemLink"`, `"userName":"alice"`, `"errorCode":"invalid-grant"`} {
		if !strings.Contains(lines, want) {
			t.Errorf("the audit log lacks %s", want)
		}
	}
	if strings.Contains(lines, token.Reveal()) {
		t.Error("the audit log holds the link's token")
	}
}

func TestInvitationNames(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	for _, c := range []struct {
		name string
		in   directory.Invitation
		want identity.Kind
	}{
		{"which account", directory.Invitation{UserName: directory.UserName{Name: "x"}}, identity.KindValidation},
		{"no account", directory.Invitation{UserName: directory.UserName{AccountID: "nobody", Name: "x"}}, identity.KindNotFound},
		{"no realm in the account", directory.Invitation{UserName: directory.UserName{AccountID: stacktest.AccountB, Name: "x"}}, identity.KindValidation},
		{"another account's realm", directory.Invitation{UserName: directory.UserName{AccountID: stacktest.AccountB, Realm: "shasta", Name: "x"}}, identity.KindNotFound},
		{"root's realm", directory.Invitation{UserName: directory.UserName{AccountID: stacktest.AccountA, Realm: identity.RootRealm, Name: "x"}}, identity.KindNotFound},
		{"root", directory.Invitation{UserName: directory.UserName{AccountID: stacktest.AccountA, Name: "root"}}, identity.KindAlreadyExists},
		{"a bad name", directory.Invitation{UserName: directory.UserName{AccountID: stacktest.AccountA, Name: "a b"}}, identity.KindValidation},
		{"another's e-mail", directory.Invitation{UserName: directory.UserName{AccountID: stacktest.AccountA, Name: "x"}, Email: "t@example.com"}, identity.KindValidation},
		{"good", directory.Invitation{UserName: directory.UserName{AccountID: stacktest.AccountA, Realm: "shasta", Name: "x@example.com"}}, ""},
	} {
		_, err := s.Directory.InviteUser(t.Context(), s.Operator(), c.in)
		wantKind(t, c.name, err, c.want)
	}
	_, err := s.Directory.ResetUser(t.Context(), s.Operator(), directory.UserReset{UserName: directory.UserName{AccountID: stacktest.AccountA, Name: "nobody"}})
	wantKind(t, "a reset of nobody", err, identity.KindNotFound)
}

// TestLinkRace uses a link many times at once: one wins, and its password holds.
func TestLinkRace(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	token := tokenOf(t, invite(t, s, "alice"))
	var won atomic.Int32
	var winner atomic.Value
	var wg sync.WaitGroup
	for i := range 8 {
		password := "password number " + string(rune('a'+i))
		wg.Go(func() {
			switch err := s.Directory.RedeemPassword(t.Context(), token, identity.Secret(password)); identity.KindOf(err) {
			case "":
				won.Add(1)
				winner.Store(password)
			case identity.KindInvalidGrant, identity.KindUnavailable, identity.KindConflict:
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Fatalf("%d won", won.Load())
	}
	wantKind(t, "the winner's password", passwordGrant(t, s, "alice", winner.Load().(string)), "")
}

func TestReset(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	ctx := t.Context()
	before := logIn(t, s, "shasta", "shasta", stacktest.TestUser, stacktest.TestPassword)
	l := reset(t, s, stacktest.TestUser, false)
	token := tokenOf(t, l)
	if _, err := s.Issuer.UserInfo(ctx, "shasta", before.AccessToken); err != nil {
		t.Errorf("a reset that nobody used ended a session: %v", err)
	}
	s.Clock.Advance(24*time.Hour - time.Second)
	if v, err := s.Directory.OneTimeLink(ctx, token); err != nil || !v.Reset {
		t.Errorf("%+v, %v", v, err)
	}
	fresh := logIn(t, s, "shasta", "shasta", stacktest.TestUser, stacktest.TestPassword)
	if err := s.Directory.RedeemPassword(ctx, token, "new password"); err != nil {
		t.Fatal(err)
	}
	_, err := s.Issuer.UserInfo(ctx, "shasta", fresh.AccessToken)
	wantKind(t, "an earlier session", err, identity.KindInvalidBearer)
	wantKind(t, "the old password", passwordGrant(t, s, stacktest.TestUser, stacktest.TestPassword), identity.KindInvalidCredentials)
	wantKind(t, "the new password", passwordGrant(t, s, stacktest.TestUser, "new password"), "")

	late := tokenOf(t, reset(t, s, stacktest.TestUser, false))
	s.Clock.Advance(24 * time.Hour)
	err = s.Directory.RedeemPassword(ctx, late, "newer password")
	wantKind(t, "an expired link", err, identity.KindInvalidGrant)
	if !strings.Contains(identity.AsError(err).Public, "expired") {
		t.Errorf("an expired link: %v", err)
	}

	off := tokenOf(t, reset(t, s, stacktest.TestUser, false))
	name := directory.UserName{AccountID: stacktest.AccountA, Name: stacktest.TestUser}
	if err := s.Directory.SwitchUser(ctx, s.Operator(), name, true); err != nil {
		t.Fatal(err)
	}
	wantKind(t, "a link of a user who is switched off", s.Directory.RedeemPassword(ctx, off, "newer password"), identity.KindInvalidGrant)
	if err := s.Directory.SwitchUser(ctx, s.Operator(), name, false); err != nil {
		t.Fatal(err)
	}
	wantKind(t, "and on again", s.Directory.RedeemPassword(ctx, off, "newer password"), "")
	wantKind(t, "switching root off", s.Directory.SwitchUser(ctx, s.Operator(), directory.UserName{AccountID: stacktest.AccountA, Name: "root"}, true), identity.KindValidation)

	rootLink := tokenOf(t, reset(t, s, "root", false))
	if err := s.Directory.RedeemPassword(ctx, rootLink, "new root password"); err != nil {
		t.Fatal(err)
	}
	logIn(t, s, identity.RootRealm, "root-client", stacktest.RootEmailA, "new root password")
}

// redeemPasskey uses a link up with an authenticator.
func redeemPasskey(t testing.TB, s *stacktest.Stack, token identity.Secret, a *passkeytest.Authenticator) error {
	t.Helper()
	c, err := s.Directory.RegisterLinkPasskey(t.Context(), token)
	if err != nil {
		return err
	}
	return s.Directory.RedeemPasskey(t.Context(), token, c.State, a.Create(t, c.Options), "laptop")
}

func TestLinkPasskey(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	ctx := t.Context()
	token := tokenOf(t, invite(t, s, "alice"))
	a := passkeytest.New(t, stacktest.ConsoleURL)
	a.Unverified = true
	wantKind(t, "a passkey that verifies nobody", redeemPasskey(t, s, token, a), identity.KindInvalidInput)
	a.Unverified = false
	if err := redeemPasskey(t, s, token, a); err != nil {
		t.Fatal(err)
	}
	wantKind(t, "the link again", redeemPasskey(t, s, token, a), identity.KindInvalidGrant)
	wantKind(t, "an authenticator's second user", redeemPasskey(t, s, tokenOf(t, invite(t, s, "bob")), a), identity.KindAlreadyExists)

	// A reset without --mfa is one factor and must not yield two.
	token = tokenOf(t, reset(t, s, "alice", false))
	if v, err := s.Directory.OneTimeLink(ctx, token); err != nil || !v.PasswordOnly {
		t.Errorf("%+v, %v", v, err)
	}
	wantKind(t, "another passkey by a reset", redeemPasskey(t, s, token, passkeytest.New(t, stacktest.ConsoleURL)), identity.KindAccessDenied)
	token = tokenOf(t, reset(t, s, "alice", true))
	wantKind(t, "another passkey by a reset with MFA", redeemPasskey(t, s, token, passkeytest.New(t, stacktest.ConsoleURL)), "")
	states, err := s.Directory.LoginStates(ctx, s.Operator(), stacktest.AccountA, "shasta")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(states, func(s directory.LoginState) bool { return s.Name == "alice" })
	if got := states[i]; got.Passkeys != 1 || got.Password || got.State != directory.LoginActive {
		t.Errorf("%+v", got)
	}

	// Who is reset and chooses a passkey loses the password.
	token = tokenOf(t, reset(t, s, stacktest.TestUser, false))
	wantKind(t, "a passkey by a reset", redeemPasskey(t, s, token, passkeytest.New(t, stacktest.ConsoleURL)), "")
	wantKind(t, "the old password", passwordGrant(t, s, stacktest.TestUser, stacktest.TestPassword), identity.KindInvalidCredentials)
}

func TestDeletedUserLeavesNothing(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	if err := redeemPasskey(t, s, tokenOf(t, invite(t, s, "alice")), passkeytest.New(t, stacktest.ConsoleURL)); err != nil {
		t.Fatal(err)
	}
	reset(t, s, "alice", false)
	if err := s.Directory.DeleteUser(t.Context(), root(t, s, stacktest.AccountA, "aws"), "alice"); err != nil {
		t.Fatal(err)
	}
	err := s.DB.View(t.Context(), func(r store.Reader) error {
		keys, err := store.Passkeys.List(r, "", "", store.After{}, 0)
		if len(keys) > 0 {
			t.Errorf("passkeys left: %d", len(keys))
		}
		links, err2 := store.OneTimeLinks.List(r, "", "", store.After{}, 0)
		if len(links) > 0 {
			t.Errorf("links left: %d", len(links))
		}
		if err == nil {
			err = err2
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
