package directory_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

func poolNames(l directory.Listing[directory.PoolUser]) string {
	var out []string
	for _, u := range l.Items {
		out = append(out, u.Name)
	}
	return strings.Join(out, " ")
}

func TestPoolUsers(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a, ctx, d := poolCaller(t, s, stacktest.AccountA, "aws"), t.Context(), s.Directory
	id := newUserPool(t, s, a, directory.UserPoolSettings{UsernameAttributes: []string{"email"}}).PoolID()
	u, err := d.CreatePoolUser(ctx, a, id, directory.NewPoolUser{
		Name: "ann@example.com", Password: "Temporary-1", Attributes: map[string]string{"email_verified": "true", "name": "Ann", "custom:team": "blue"},
	})
	must(t, err)
	if !u.Local || u.Path != "/pool/"+id+"/" || u.Status != "FORCE_CHANGE_PASSWORD" || u.Email != "ann@example.com" || !u.EmailVerified || u.Attributes["custom:team"] != "blue" {
		t.Errorf("%+v", u)
	}
	if _, err := d.GetUser(ctx, a, u.Name); identity.KindOf(err) != absent {
		t.Errorf("IAM knows the user: %v", err)
	}
	_, err = d.CreatePoolUser(ctx, a, id, directory.NewPoolUser{Name: "ANN@example.com"})
	if code(err) != "UsernameExistsException" {
		t.Errorf("twice: %v", err)
	}
	_, err = d.CreatePoolUser(ctx, a, id, directory.NewPoolUser{Name: "weak", Password: "short"})
	if code(err) != "InvalidPasswordException" {
		t.Errorf("weak: %v", err)
	}
	for _, bad := range []directory.NewPoolUser{
		{Name: ""},
		{Name: "a b"},
		{Name: "a/b"},
		{Name: strings.Repeat("x", 129)},
		{Name: "x", Attributes: map[string]string{"sub": "1"}},
		{Name: "x", Attributes: map[string]string{"team": "blue"}},
		{Name: "x", Attributes: map[string]string{"custom:": "blue"}},
		{Name: "x", Attributes: map[string]string{"email": "nobody"}},
		{Name: "x", Attributes: map[string]string{"name": strings.Repeat("x", 2049)}},
		{Name: "x", Attributes: map[string]string{"email_verified": "perhaps"}},
	} {
		_, err := d.CreatePoolUser(ctx, a, id, bad)
		expect(t, fmt.Sprintf("%+v", bad), err, identity.KindValidation, "")
	}
	for _, name := range []string{"ann@example.com", "Ann@Example.com", u.Subject} {
		if got, err := d.PoolUser(ctx, a, id, name); err != nil || got.ID != u.ID {
			t.Errorf("%s: %v", name, err)
		}
	}
	bob, err := d.CreatePoolUser(ctx, a, id, directory.NewPoolUser{Name: "bob"})
	must(t, err)
	if err := d.SetPoolUserAttributes(ctx, a, id, "bob", map[string]string{"email": "ann@example.com"}); code(err) != "AliasExistsException" {
		t.Errorf("an address that is taken: %v", err)
	}
	must(t, d.SetPoolUserAttributes(ctx, a, id, "bob", map[string]string{"email": "bob@example.com", "given_name": "Bob"}))
	must(t, d.DeletePoolUserAttributes(ctx, a, id, "bob", []string{"given_name"}))
	if got, err := d.PoolUser(ctx, a, id, "bob@example.com"); err != nil || got.ID != bob.ID || len(got.Attributes) != 0 || got.EmailVerified {
		t.Errorf("%v %+v", err, got)
	}
	for what, err := range map[string]error{
		"get": func() error { _, err := d.PoolUser(ctx, a, id, "eve"); return err }(), "disable": d.EnablePoolUser(ctx, a, id, "eve", false),
		"password": d.SetPoolUserPassword(ctx, a, id, "eve", "Permanent-1", true), "sign out": d.SignOutPoolUser(ctx, a, id, "eve"),
		"delete": d.DeletePoolUser(ctx, a, id, "eve"), "mfa": d.SetPoolUserMFA(ctx, a, id, "eve", false),
	} {
		if identity.KindOf(err) != absent || code(err) != "UserNotFoundException" {
			t.Errorf("%s of nobody: %v", what, err)
		}
	}
}

// TestPoolUserEnds follows what a user obtained through each thing that ends it.
func TestPoolUserEnds(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a, ctx, d := poolCaller(t, s, stacktest.AccountA, "aws"), t.Context(), s.Directory
	id := newUserPool(t, s, a, directory.UserPoolSettings{}).PoolID()
	u, err := d.CreatePoolUser(ctx, a, id, directory.NewPoolUser{Name: "ann"})
	must(t, err)
	device := func() error {
		_, err := s.DB.Update(ctx, func(tx store.Tx) error {
			return store.MFADevices.Put(tx, &identity.MFADevice{Serial: "arn:aws:iam::1:mfa/x", AccountID: stacktest.AccountA, UserID: u.ID, Name: "x", Path: "/"})
		})
		return err
	}
	expect(t, "mfa without a device", d.SetPoolUserMFA(ctx, a, id, "ann", true), identity.KindValidation, "")
	for _, step := range []struct {
		what string
		do   func() error
		ends bool
	}{
		{"attributes", func() error { return d.SetPoolUserAttributes(ctx, a, id, "ann", map[string]string{"name": "A"}) }, false},
		{"temporary password", func() error { return d.SetPoolUserPassword(ctx, a, id, "ann", "Temporary-1", false) }, true},
		{"permanent password", func() error { return d.SetPoolUserPassword(ctx, a, id, "ann", "Permanent-1", true) }, true},
		{"sign out", func() error { return d.SignOutPoolUser(ctx, a, id, "ann") }, true},
		{"disable", func() error { return d.EnablePoolUser(ctx, a, id, "ann", false) }, true},
		{"enable", func() error { return d.EnablePoolUser(ctx, a, id, "ann", true) }, false},
		{"a device", device, false},
		{"mfa on", func() error { return d.SetPoolUserMFA(ctx, a, id, "ann", true) }, false},
		{"mfa off", func() error { return d.SetPoolUserMFA(ctx, a, id, "ann", false) }, true},
		{"delete", func() error { return d.DeletePoolUser(ctx, a, id, "ann") }, true},
	} {
		before := s.DB.Snapshot().Position()
		s.Clock.Advance(time.Second)
		must(t, step.do())
		if got := !lives(s, u.ID, before); got != step.ends {
			t.Errorf("%s: ended %v, want %v", step.what, got, step.ends)
		}
	}
	if strings.Contains(s.AuditLines(t), "Permanent-1") {
		t.Error("the log holds a password")
	}
}

// TestPoolIAMUsers has pool administrators try to take over users that IAM
// knows too, and machines.
func TestPoolIAMUsers(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t, stacktest.WithPools())
	a, ctx, d := poolCaller(t, s, stacktest.AccountA, "aws"), t.Context(), s.Directory
	shasta, err := store.Realms.Get(s.DB.Snapshot(), "shasta")
	must(t, err)
	id := shasta.PoolID()
	admin := limited(t, s, a, "pooladmin", `{"Effect":"Allow","Action":"cognito-idp:*","Resource":"*"}`)
	names := func() string {
		l, err := d.ListPoolUsers(ctx, admin, id, "", directory.Page{})
		must(t, err)
		return poolNames(l)
	}()
	victim := strings.Fields(names)[0]
	if strings.Contains(names, stacktest.APIAccessKey) {
		t.Errorf("API tokens are listed: %s", names)
	}
	for what, err := range map[string]error{
		"password": d.SetPoolUserPassword(ctx, admin, id, victim, "Permanent-1", true), "mfa": d.SetPoolUserMFA(ctx, admin, id, victim, false),
		"disable": d.EnablePoolUser(ctx, admin, id, victim, false), "e-mail": d.SetPoolUserAttributes(ctx, admin, id, victim, map[string]string{"email": "eve@example.com"}),
	} {
		expect(t, what, err, identity.KindAccessDenied, "")
	}
	expect(t, "deletion", d.DeletePoolUser(ctx, a, id, victim), identity.KindInvalidInput, "IAM knows this user too: delete it with IAM DeleteUser.")
	must(t, d.SetPoolUserPassword(ctx, a, id, victim, "Permanent-12345", true))
	for what, err := range map[string]error{
		"token's password": d.SetPoolUserPassword(ctx, a, id, stacktest.APIAccessKey, "Permanent-12345", true),
		"token's end":      d.DeletePoolUser(ctx, a, id, stacktest.APIAccessKey),
	} {
		expect(t, what, err, absent, "User does not exist.")
	}
}

func TestListPoolUsers(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a, ctx, d := poolCaller(t, s, stacktest.AccountA, "aws"), t.Context(), s.Directory
	id := newUserPool(t, s, a, directory.UserPoolSettings{}).PoolID()
	for _, name := range []string{"Bob", "ann", "anton", "cleo"} {
		_, err := d.CreatePoolUser(ctx, a, id, directory.NewPoolUser{Name: name, Attributes: map[string]string{"email": name + "@example.com", "family_name": `O"` + name}})
		must(t, err)
	}
	must(t, d.EnablePoolUser(ctx, a, id, "cleo", false))
	for filter, want := range map[string]string{
		"": "ann anton Bob cleo", `username = "ann"`: "ann", `username ^= "An"`: "ann anton", `email = "bob@example.com"`: "Bob", `email^="an"`: "ann anton",
		`status = "Disabled"`: "cleo", `"status"="Enabled"`: "ann anton Bob", `cognito:user_status = "CONFIRMED"`: "", `family_name ^= "O\"B"`: "Bob",
		`username = "nobody"`: "", `sub = "nobody"`: "",
	} {
		l, err := d.ListPoolUsers(ctx, a, id, filter, directory.Page{})
		if err != nil || poolNames(l) != want {
			t.Errorf("%s: %v, %q, want %q", filter, err, poolNames(l), want)
		}
	}
	for _, filter := range []string{`username`, `username == "a"`, `username = a`, `custom:x = "a"`, `username = "a" and email = "b"`, strings.Repeat(" ", 300) + "x"} {
		_, err := d.ListPoolUsers(ctx, a, id, filter, directory.Page{})
		expect(t, filter, err, identity.KindValidation, "")
	}
	_, err := d.ListPoolUsers(ctx, a, id, "", directory.Page{MaxItems: 61})
	expect(t, "61", err, identity.KindValidation, "")
	seen, p := "", directory.Page{MaxItems: 1}
	for {
		l, err := d.ListPoolUsers(ctx, a, id, `username ^= "an"`, p)
		must(t, err)
		seen += poolNames(l) + " "
		if p.Marker = l.Next; p.Marker == "" {
			break
		}
	}
	if seen != "ann anton " {
		t.Errorf("by pages: %q", seen)
	}
}

func FuzzUserFilter(f *testing.F) {
	for _, s := range []string{`username = "a"`, `email ^= "\""`, `"status"="Disabled"`, `sub = `} {
		f.Add(s)
	}
	s := stacktest.New(f)
	a := poolCaller(f, s, stacktest.AccountA, "aws")
	id := newUserPool(f, s, a, directory.UserPoolSettings{}).PoolID()
	f.Fuzz(func(t *testing.T, filter string) {
		l, err := s.Directory.ListPoolUsers(t.Context(), a, id, filter, directory.Page{})
		if err != nil && identity.KindOf(err) != identity.KindValidation || len(l.Items) > 0 {
			t.Errorf("%q: %v, %d", filter, err, len(l.Items))
		}
	})
}

func TestPoolGroups(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a, ctx, d := poolCaller(t, s, stacktest.AccountA, "aws"), t.Context(), s.Directory
	id := newUserPool(t, s, a, directory.UserPoolSettings{}).PoolID()
	role := "arn:aws:iam::" + stacktest.AccountA + ":role/api_admin"
	admin := limited(t, s, a, "pooladmin", `{"Effect":"Allow","Action":"cognito-idp:*","Resource":"*"}`)
	u, err := d.CreatePoolUser(ctx, admin, id, directory.NewPoolUser{Name: "ann"})
	must(t, err)
	_, err = d.CreatePoolGroup(ctx, admin, id, "staff", directory.PoolGroupChange{Description: to("all"), Precedence: to(3)})
	must(t, err)
	_, err = d.CreatePoolGroup(ctx, admin, id, "staff", directory.PoolGroupChange{})
	if code(err) != "GroupExistsException" {
		t.Errorf("twice: %v", err)
	}
	must(t, d.AddPoolGroupMember(ctx, admin, id, "ann", "staff"))
	must(t, d.AddPoolGroupMember(ctx, admin, id, "ann", "staff"))
	// Whoever may manage the pool alone gives no role away.
	_, err = d.CreatePoolGroup(ctx, admin, id, "admins", directory.PoolGroupChange{RoleARN: &role})
	expect(t, "a group with a role", err, identity.KindAccessDenied, "")
	_, err = d.UpdatePoolGroup(ctx, admin, id, "staff", directory.PoolGroupChange{RoleARN: &role})
	expect(t, "a role for a group", err, identity.KindAccessDenied, "")
	_, err = d.CreatePoolGroup(ctx, a, id, "admins", directory.PoolGroupChange{RoleARN: &role})
	must(t, err)
	expect(t, "a member", d.AddPoolGroupMember(ctx, admin, id, "ann", "admins"), identity.KindAccessDenied, "")
	_, err = d.UpdatePoolGroup(ctx, admin, id, "admins", directory.PoolGroupChange{Precedence: to(0)})
	expect(t, "the first place", err, identity.KindAccessDenied, "")
	for _, bad := range []string{"x", "arn:aws:iam::" + stacktest.AccountB + ":role/r", "arn:aws:iam::" + stacktest.AccountA + ":user/u"} {
		_, err := d.CreatePoolGroup(ctx, a, id, "g", directory.PoolGroupChange{RoleARN: &bad})
		expect(t, bad, err, identity.KindValidation, "")
	}
	must(t, d.AddPoolGroupMember(ctx, a, id, "ann", "admins"))
	groups, err := d.GroupsOfPoolUser(ctx, a, id, "ann", directory.Page{})
	if err != nil || len(groups.Items) != 2 || groups.Items[0].Name != "admins" || groups.Items[0].RoleARN != role {
		t.Errorf("%v %+v", err, groups)
	}
	members, err := d.ListPoolGroupMembers(ctx, a, id, "staff", directory.Page{})
	if err != nil || poolNames(members) != "ann" {
		t.Errorf("%v %s", err, poolNames(members))
	}
	ended := func(what string, want bool, do func() error) {
		t.Helper()
		before := s.DB.Snapshot().Position()
		must(t, do())
		if got := !lives(s, u.ID, before); got != want {
			t.Errorf("%s: ended %v, want %v", what, got, want)
		}
	}
	ended("leaving a group", true, func() error { return d.RemovePoolGroupMember(ctx, a, id, "ann", "staff") })
	ended("another role", true, func() error {
		_, err := d.UpdatePoolGroup(ctx, a, id, "admins", directory.PoolGroupChange{RoleARN: to(role + "2")})
		return err
	})
	ended("leaving one with a role", true, func() error { return d.RemovePoolGroupMember(ctx, a, id, "ann", "admins") })
	must(t, d.AddPoolGroupMember(ctx, a, id, "ann", "admins"))
	ended("its deletion", true, func() error { return d.DeletePoolGroup(ctx, a, id, "admins") })
	if got, err := d.PoolUser(ctx, a, id, "ann"); err != nil || len(got.PoolGroups) != 0 {
		t.Errorf("%v %v", err, got.PoolGroups)
	}
	list, err := d.ListPoolGroups(ctx, a, id, directory.Page{})
	if err != nil || len(list.Items) != 1 || list.Items[0].Name != "staff" || *list.Items[0].Precedence != 3 {
		t.Errorf("%v %+v", err, list)
	}
	_, err = d.PoolGroup(ctx, a, id, "admins")
	expect(t, "a deleted group", err, absent, "Group not found.")
}
