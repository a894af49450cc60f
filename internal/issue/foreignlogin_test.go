package issue_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"daypass/internal/authn"
	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

func foreignStack(t testing.TB) (*stacktest.Stack, *stacktest.Issuer) {
	t.Helper()
	idp := stacktest.NewIssuer(t, func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) })
	return stacktest.New(t, stacktest.WithWeb(stacktest.Web(t, idp)), stacktest.WithSite(func(spec *directory.SiteSpec) {
		r := &spec.Realms[1]
		trusted := idp.Login("trusted")
		trusted.TrustMFA = true
		r.SupportContact = "desk@example.com"
		r.Logins = []identity.ForeignLogin{idp.Login("idp"), trusted}
		r.LoginSecrets = map[string]identity.Secret{"idp": identity.Secret(idp.ClientSecret), "trusted": identity.Secret(idp.ClientSecret)}
	})), idp
}

// foreignLogin logs in at the issuer as sub.
func foreignLogin(t testing.TB, s *stacktest.Stack, idp *stacktest.Issuer, login, sub string, amr ...string) (issue.ForeignAnswer, error) {
	t.Helper()
	b, err := s.Issuer.BeginForeign(t.Context(), "shasta", login)
	if err != nil {
		t.Fatal(err)
	}
	answer := idp.Code(t, b.URL, map[string]any{"sub": sub, "amr": amr, "email": "t@example.com", "iat": s.Clock.Now().Unix(), "exp": s.Clock.Now().Unix() + 60})
	return s.Issuer.Foreign(t.Context(), "shasta", login, b.Cookie, answer)
}

// personBy is the test user, who logged in with a password.
func personBy(t testing.TB, s *stacktest.Stack) *identity.Caller {
	t.Helper()
	session, err := s.Issuer.ConsoleLogin(t.Context(), issue.ConsoleLogin{Place: "shasta", Username: stacktest.TestUser, Password: stacktest.TestPassword})
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Access.Cookie(t.Context(), session.Cookie)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// link links a foreign identity to a person who logged in.
func link(t testing.TB, s *stacktest.Stack, idp *stacktest.Issuer, c *identity.Caller, sub string) error {
	t.Helper()
	b, err := s.Directory.BeginOwnForeign(t.Context(), c, "idp")
	if err != nil {
		return err
	}
	out, err := s.Issuer.Foreign(t.Context(), "shasta", "idp", b.Cookie, idp.Code(t, b.URL, map[string]any{"sub": sub, "email": "t@example.com"}))
	if err != nil || out.Session != nil {
		t.Fatalf("%+v, %v", out, err)
	}
	p, err := s.Issuer.ForeignProof(out.Pending)
	if err != nil {
		t.Fatal(err)
	}
	return s.Directory.LinkForeign(t.Context(), c, p)
}

func TestForeignLogin(t *testing.T) {
	t.Parallel()
	s, idp := foreignStack(t)
	ctx := t.Context()
	// Its e-mail address is testuser's, and that counts for nothing.
	_, err := foreignLogin(t, s, idp, "idp", "ann")
	if e := identity.AsError(err); identity.KindOf(err) != identity.KindIdentityRejected || !strings.Contains(e.Public, "desk@example.com") || !strings.Contains(e.Public, "t@example.com") {
		t.Fatalf("an identity that nobody linked: %v", err)
	}
	if err := link(t, s, idp, personBy(t, s), "ann"); err != nil {
		t.Fatal(err)
	}
	out, err := foreignLogin(t, s, idp, "idp", "ann")
	if err != nil || out.Session == nil {
		t.Fatalf("%+v, %v", out, err)
	}
	c, err := s.Access.Cookie(ctx, out.Session.Cookie)
	if err != nil || c.Name != stacktest.TestUser || c.MFA || c.Lineage.Get(identity.LineageWebIdentity) != identity.WebIdentityID(idp.URL, "ann") {
		t.Fatalf("%+v, %v", c, err)
	}
	if err := link(t, s, idp, c, "ann"); identity.KindOf(err) != identity.KindAlreadyExists {
		t.Errorf("the same identity again: %v", err)
	}
	if _, err := foreignLogin(t, s, idp, "idp", "bob"); identity.KindOf(err) != identity.KindIdentityRejected {
		t.Errorf("another subject: %v", err)
	}

	// Ending the web identity ends its sessions.
	if _, err := s.Directory.RevokeSessions(ctx, s.Operator(), directory.RevokeSpec{Scope: directory.ScopeWebIdentity, ID: idp.URL, Subject: "ann"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Access.Cookie(ctx, out.Session.Cookie); identity.KindOf(err) != identity.KindExpiredToken {
		t.Errorf("a session of a revoked identity: %v", err)
	}
	s.Clock.Advance(2 * time.Second)
	if out, err = foreignLogin(t, s, idp, "idp", "ann"); err != nil {
		t.Fatal(err)
	}
	c, err = s.Access.Cookie(ctx, out.Session.Cookie)
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.Directory.ListForeign(ctx, c)
	if err != nil || len(list) != 1 || list[0].Label != "t@example.com" || list[0].LastUsed.IsZero() {
		t.Fatalf("%+v, %v", list, err)
	}
	if err := s.Directory.UnlinkForeign(ctx, c, list[0].Key()); err != nil {
		t.Fatal(err)
	}
	if _, err := foreignLogin(t, s, idp, "idp", "ann"); identity.KindOf(err) != identity.KindIdentityRejected {
		t.Errorf("an identity that was unlinked: %v", err)
	}

	// Removing the log-in from the realm ends what came through it.
	if err := link(t, s, idp, personBy(t, s), "cy"); err != nil {
		t.Fatal(err)
	}
	if out, err = foreignLogin(t, s, idp, "idp", "cy"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Directory.Apply(ctx, s.Operator(), stacktest.Site(), false); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Access.Cookie(ctx, out.Session.Cookie); identity.KindOf(err) != identity.KindExpiredToken {
		t.Errorf("a session by a log-in that is gone: %v", err)
	}
}

// TestForeignSecondFactor: who has an authenticator owes its code, unless the
// issuer is trusted for it and says that it saw several factors.
func TestForeignSecondFactor(t *testing.T) {
	t.Parallel()
	s, idp := foreignStack(t)
	ctx := t.Context()
	if err := link(t, s, idp, personBy(t, s), "ann"); err != nil {
		t.Fatal(err)
	}
	o := &office{Stack: s, t: t}
	u, err := store.Users.By(s.DB.Snapshot(), "name", store.Join(stacktest.AccountA, stacktest.TestUser))
	if err != nil {
		t.Fatal(err)
	}
	o.device(u.ID, "phone", seedA)
	for _, c := range []struct {
		login, amr string
		pending    bool
	}{{"idp", "mfa", true}, {"trusted", "pwd", true}, {"trusted", "mfa", false}} {
		out, err := foreignLogin(t, s, idp, c.login, "ann", c.amr)
		if err != nil || (out.Session == nil) != c.pending || (out.Pending != "") != c.pending {
			t.Errorf("%s, %s: %+v, %v", c.login, c.amr, out, err)
		}
	}
	out, err := foreignLogin(t, s, idp, "idp", "ann")
	if err != nil {
		t.Fatal(err)
	}
	for wrong, want := range map[identity.Secret]identity.Kind{"": identity.KindMFARequired, "000000": identity.KindAccessDenied} {
		if _, err := s.Issuer.ForeignCode(ctx, out.Pending, wrong); identity.KindOf(err) != want {
			t.Errorf("code %q: %v, want %s", wrong.Reveal(), err, want)
		}
	}
	var won atomic.Int32
	var cookie identity.Secret
	var wg sync.WaitGroup
	right := o.code(seedA, 0)
	for range 4 {
		wg.Go(func() {
			if session, err := s.Issuer.ForeignCode(ctx, out.Pending, right); err == nil {
				won.Add(1)
				cookie = session.Cookie
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Fatalf("%d sessions of one log-in", won.Load())
	}
	if c, err := s.Access.Cookie(ctx, cookie); err != nil || !c.MFA {
		t.Errorf("%+v, %v", c, err)
	}
	s.Clock.Advance(time.Minute)
	if _, err := s.Issuer.ForeignCode(ctx, out.Pending, o.code(seedA, 0)); identity.KindOf(err) != identity.KindInvalidGrant {
		t.Errorf("the log-in again with another code: %v", err)
	}
	if _, err := s.Issuer.ForeignCode(ctx, "AAAA", "000000"); identity.KindOf(err) != identity.KindValidation {
		t.Errorf("a state that is not ours: %v", err)
	}
}

// TestForeignWelcome links an identity by a one-time link: the link is used up
// once, and by nothing that was begun for something else.
func TestForeignWelcome(t *testing.T) {
	t.Parallel()
	s, idp := foreignStack(t)
	ctx := t.Context()
	l, err := s.Directory.InviteUser(ctx, s.Operator(), directory.Invitation{UserName: directory.UserName{AccountID: stacktest.AccountA, Name: "new"}})
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(l.Link.Reveal(), "?t=")
	token := identity.Secret(text)
	proof := func(sub string) *authn.ForeignProof {
		t.Helper()
		b, err := s.Directory.BeginLinkForeign(ctx, token, "idp")
		if err != nil {
			t.Fatal(err)
		}
		out, err := s.Issuer.Foreign(ctx, "shasta", "idp", b.Cookie, idp.Code(t, b.URL, map[string]any{"sub": sub}))
		if err != nil || out.Session != nil {
			t.Fatalf("%+v, %v", out, err)
		}
		p, err := s.Issuer.ForeignProof(out.Pending)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	person := personBy(t, s)
	if err := s.Directory.LinkForeign(ctx, person, proof("ann")); identity.KindOf(err) != identity.KindInvalidIdentity {
		t.Errorf("what was begun for a link, used by a person: %v", err)
	}
	b, err := s.Directory.BeginOwnForeign(ctx, person, "idp")
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.Issuer.Foreign(ctx, "shasta", "idp", b.Cookie, idp.Code(t, b.URL, nil))
	if err != nil {
		t.Fatal(err)
	}
	other, err := s.Issuer.ForeignProof(out.Pending)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Directory.RedeemForeign(ctx, other); identity.KindOf(err) != identity.KindInvalidIdentity {
		t.Errorf("what was begun by a person, used for a link: %v", err)
	}
	if _, err := s.Issuer.ForeignCode(ctx, out.Pending, "000000"); identity.KindOf(err) != identity.KindInvalidIdentity {
		t.Errorf("what was begun by a person, used to log in: %v", err)
	}
	one, two := proof("ann"), proof("bob")
	var won atomic.Int32
	var wg sync.WaitGroup
	for _, p := range []*authn.ForeignProof{one, two, one, two} {
		wg.Go(func() {
			if s.Directory.RedeemForeign(ctx, p) == nil {
				won.Add(1)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Fatalf("%d identities by one link", won.Load())
	}
	in := 0
	for _, sub := range []string{"ann", "bob"} {
		if out, err := foreignLogin(t, s, idp, "idp", sub); err == nil && out.Session != nil {
			in++
		}
	}
	if in != 1 {
		t.Errorf("%d can log in", in)
	}
	if _, err := s.Directory.BeginLinkForeign(ctx, token, "idp"); identity.KindOf(err) != identity.KindInvalidGrant {
		t.Errorf("the link again: %v", err)
	}
	if _, err := store.Users.By(s.DB.Snapshot(), "name", store.Join(stacktest.AccountA, "new")); err != nil {
		t.Error(err)
	}
}
