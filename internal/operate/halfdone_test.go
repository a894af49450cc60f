package operate_test

import (
	"net/url"
	"strings"
	"testing"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/operate"
	"daypass/internal/stacktest"
)

// atConsole logs the test user in at the console.
func (v *vault) atConsole() (identity.Secret, *identity.Caller) {
	v.t.Helper()
	s, err := v.Issuer.ConsoleLogin(v.t.Context(), issue.ConsoleLogin{Place: "shasta", Username: stacktest.TestUser, Password: stacktest.TestPassword})
	if err != nil {
		v.t.Fatal(err)
	}
	who, err := v.Access.Cookie(v.t.Context(), s.Cookie)
	if err != nil {
		v.t.Fatal(err)
	}
	return s.Cookie, who
}

// TestNothingHalfDoneComesBack restores a site in which a person is at the console,
// holds a passcode and a cursor, and another one was invited.
func TestNothingHalfDoneComesBack(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	ctx := t.Context()
	cookie, who := v.atConsole()
	code, err := v.Issuer.ConsolePasscode(ctx, who)
	if err != nil {
		t.Fatal(err)
	}
	link, err := v.Directory.InviteUser(ctx, v.Operator(), directory.Invitation{UserName: directory.UserName{AccountID: stacktest.AccountA, Name: "alice"}, Email: "alice@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	_, query, _ := strings.Cut(link.Link.Reveal(), "?")
	q, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	invited := identity.Secret(q.Get("t"))
	first, err := v.Directory.ListRoles(ctx, v.root, "", directory.Page{MaxItems: 1})
	if err != nil || first.Next == "" {
		t.Fatalf("marker %q, %v", first.Next, err)
	}
	f := v.backUp()
	back, out, err := v.restore(v.source(f[operate.BackupSite], f[operate.BackupSlots]))
	if err != nil {
		t.Fatal(err)
	}
	if out.Ended["passcodes"] != 1 || out.Ended["one_time_links"] != 1 || out.Ended["refresh_families"] != 1 {
		t.Errorf("ended: %v", out.Ended)
	}
	for _, c := range []struct {
		what string
		do   func(v *vault) error
		kind identity.Kind
	}{
		{"the cookie", func(v *vault) error { _, err := v.Access.Cookie(ctx, cookie); return err }, identity.KindInvalidToken},
		{"the cursor", func(v *vault) error {
			_, err := v.Directory.ListRoles(ctx, v.root, "", directory.Page{Marker: first.Next, MaxItems: 1})
			return err
		}, identity.KindValidation},
		{"the link", func(v *vault) error { _, err := v.Directory.OneTimeLink(ctx, invited); return err }, identity.KindInvalidGrant},
		{"the passcode", func(v *vault) error {
			_, err := v.Issuer.IBMPasscode(ctx, code.Text, "", issue.IBMClient{})
			return err
		}, identity.KindInvalidCredentials},
	} {
		if err := c.do(back); identity.KindOf(err) != c.kind {
			t.Errorf("%s after the restore: %v, want %s", c.what, err, c.kind)
		}
		if err := c.do(v); err != nil { // the site that was backed up has noticed nothing
			t.Errorf("%s where it was made: %v", c.what, err)
		}
	}
	back.atConsole()
}
