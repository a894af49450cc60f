package directory_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

const (
	trustAll   = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"` + stacktest.AccountA + `"},"Action":"sts:AssumeRole"}}`
	boundaryA  = "arn:aws:iam::aws:policy/ReadOnlyAccess"
	adminARN   = "arn:aws:iam::aws:policy/AdministratorAccess"
	githubHost = "token.actions.githubusercontent.com"
)

// limited is a user of account A with one inline policy of these statements.
func limited(t testing.TB, s *stacktest.Stack, a *identity.Caller, name, statements string) *identity.Caller {
	t.Helper()
	u, err := s.Directory.CreateUser(t.Context(), a, directory.NewUser{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	u.Inline = map[string]string{"p": `{"Version":"2012-10-17","Statement":[` + statements + `]}`}
	if _, err := s.DB.Update(t.Context(), func(tx store.Tx) error { return store.Users.Put(tx, &u) }); err != nil {
		t.Fatal(err)
	}
	made, err := s.Issuer.AccessKey(t.Context(), a, name)
	if err != nil {
		t.Fatal(err)
	}
	return &identity.Caller{
		Kind: identity.IAMUser, AccountID: stacktest.AccountA, Partition: "aws", PrincipalID: u.ID, UserID: u.ID, Name: name,
		ARN: u.ARN("aws"), AccessKeyID: made.Key.ID,
	}
}

func publicOf(err error) string {
	if err == nil {
		return ""
	}
	return identity.AsError(err).Public
}

func TestCreateRole(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a, b, ctx := root(t, s, stacktest.AccountA, "aws"), root(t, s, stacktest.AccountB, "demo"), t.Context()
	tags := map[string]string{"Team": "blue"}
	made, err := s.Directory.CreateRole(ctx, a, directory.NewRole{
		Name: "Deploy", Path: "/team/", Description: "d", Trust: trustAll, Boundary: boundaryA, MaxSessionDuration: 7200, Tags: tags,
	})
	if err != nil || made.ARN("aws") != "arn:aws:iam::123456789012:role/team/Deploy" || !strings.HasPrefix(made.ID, "AROA") || len(made.ID) != 21 {
		t.Fatalf("%v, %+v", err, made)
	}
	got, err := s.Directory.GetRole(ctx, a, "deploy")
	if err != nil || got.Boundary != boundaryA || !maps.Equal(got.Tags, tags) || got.MaxSessionDuration != 7200 || !got.LastUsed.At.IsZero() {
		t.Errorf("%v, %+v", err, got)
	}
	role := func(change func(*directory.NewRole)) directory.NewRole {
		r := directory.NewRole{Name: "x", Trust: trustAll}
		change(&r)
		return r
	}
	many := map[string]string{}
	for i := range 51 {
		many[fmt.Sprint("k", i)] = ""
	}
	for name, c := range map[string]struct {
		in   directory.NewRole
		want identity.Kind
		text string
	}{
		"taken, other case":             {role(func(r *directory.NewRole) { r.Name = "dEPLOY" }), identity.KindAlreadyExists, "Role with name dEPLOY already exists."},
		"no name":                       {role(func(r *directory.NewRole) { r.Name = "" }), identity.KindValidation, ""},
		"long name":                     {role(func(r *directory.NewRole) { r.Name = strings.Repeat("a", 65) }), identity.KindValidation, ""},
		"slash in name":                 {role(func(r *directory.NewRole) { r.Name = "a/b" }), identity.KindValidation, "The specified value for roleName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-"},
		"path":                          {role(func(r *directory.NewRole) { r.Path = "a" }), identity.KindValidation, ""},
		"short session":                 {role(func(r *directory.NewRole) { r.MaxSessionDuration = 3599 }), identity.KindValidation, "1 validation error detected: Value '3599' at 'maxSessionDuration' failed to satisfy constraint: Member must have value greater than or equal to 3600"},
		"long session":                  {role(func(r *directory.NewRole) { r.MaxSessionDuration = 43201 }), identity.KindValidation, ""},
		"long description":              {role(func(r *directory.NewRole) { r.Description = strings.Repeat("ü", 1001) }), identity.KindValidation, ""},
		"odd description":               {role(func(r *directory.NewRole) { r.Description = "\x00" }), identity.KindValidation, ""},
		"many tags":                     {role(func(r *directory.NewRole) { r.Tags = many }), identity.KindLimitExceeded, "The number of tags has reached the maximum limit."},
		"reserved tag":                  {role(func(r *directory.NewRole) { r.Tags = map[string]string{"AWS:x": ""} }), identity.KindInvalidInput, ""},
		"boundary absent":               {role(func(r *directory.NewRole) { r.Boundary = "arn:aws:iam::aws:policy/None" }), identity.KindNotFound, "Scope ARN: arn:aws:iam::aws:policy/None does not exist or is not attachable."},
		"boundary of another partition": {role(func(r *directory.NewRole) { r.Boundary = "arn:demo:iam::aws:policy/ReadOnlyAccess" }), identity.KindNotFound, ""},
		"no trust":                      {role(func(r *directory.NewRole) { r.Trust = "" }), identity.KindMalformedPolicy, ""},
		"trust with a resource": {role(func(r *directory.NewRole) {
			r.Trust = strings.Replace(trustAll, `"Action"`, `"Resource":"*","Action"`, 1)
		}), identity.KindMalformedPolicy, "Has prohibited field Resource"},
		"trust in nobody": {role(func(r *directory.NewRole) {
			r.Trust = strings.Replace(trustAll, stacktest.AccountA, "arn:aws:iam::123456789012:user/none", 1)
		}), identity.KindMalformedPolicy, `Invalid principal in policy: "AWS":"arn:aws:iam::123456789012:user/none"`},
		"trust in a shared issuer": {role(func(r *directory.NewRole) {
			r.Trust = `{"Statement":{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::123456789012:oidc-provider/` + githubHost + `"},"Action":"sts:AssumeRoleWithWebIdentity"}}`
		}), identity.KindMalformedPolicy, ""},
		"long trust": {role(func(r *directory.NewRole) {
			r.Trust = strings.Replace(trustAll, `"Effect"`, `"Sid":"`+strings.Repeat("a", 4096)+`","Effect"`, 1)
		}), identity.KindLimitExceeded, "Cannot exceed quota for ACLSizePerRole: 4096"},
	} {
		if _, err := s.Directory.CreateRole(ctx, a, c.in); identity.KindOf(err) != c.want || (c.text != "" && publicOf(err) != c.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Directory.GetRole(ctx, a, "x"); identity.KindOf(err) != identity.KindNotFound {
		t.Errorf("a refused role is there: %v", err)
	}
	// The names of another account are not known, whatever they are.
	for _, name := range []string{"Deploy", "none"} {
		if _, err := s.Directory.GetRole(ctx, b, name); publicOf(err) != "The role with name "+name+" cannot be found." {
			t.Errorf("another account is told %v", err)
		}
	}
}

func TestUpdateRole(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a, ctx := root(t, s, stacktest.AccountA, "aws"), t.Context()
	text := "reads"
	for name, c := range map[string]struct {
		change directory.RoleChange
		want   identity.Kind
	}{
		"nothing":       {directory.RoleChange{}, ""},
		"both":          {directory.RoleChange{Description: &text, MaxSessionDuration: 43200}, ""},
		"short session": {directory.RoleChange{MaxSessionDuration: 1}, identity.KindValidation},
		"long session":  {directory.RoleChange{MaxSessionDuration: 43201}, identity.KindValidation},
	} {
		if err := s.Directory.UpdateRole(ctx, a, stacktest.ReadOnlyRole, c.change); identity.KindOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	got, err := s.Directory.GetRole(ctx, a, stacktest.ReadOnlyRole)
	if err != nil || got.Description != text || got.MaxSessionDuration != 43200 {
		t.Errorf("%v, %+v", err, got.Role)
	}
	if r, err := s.Directory.UpdateRoleDescription(ctx, a, stacktest.ReadOnlyRole, ""); err != nil || r.Description != "" || r.MaxSessionDuration != 43200 {
		t.Errorf("%v, %+v", err, r)
	}
	if err := s.Directory.DeleteRole(ctx, a, stacktest.ReadOnlyRole); publicOf(err) != "Cannot delete entity, must detach all policies first." {
		t.Errorf("deleted with policies: %v", err)
	}
}

// TestRoleSessions walks through the life of a role's sessions: used, kept over
// an edit that only adds, ended by one that takes away, and by deletion.
func TestRoleSessions(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a, ctx := root(t, s, stacktest.AccountA, "aws"), t.Context()
	const name = "worker"
	federated := func(more string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::123456789012:oidc-provider/daypass.example.com/auth/realms/shasta"},"Action":"sts:AssumeRoleWithWebIdentity"}` + more + `]}`
	}
	if _, err := s.Directory.CreateRole(ctx, a, directory.NewRole{Name: name, Trust: federated("")}); err != nil {
		t.Fatal(err)
	}
	session := func() *identity.Caller {
		t.Helper()
		set, err := s.Issuer.Password(ctx, issue.PasswordGrant{
			Realm: "shasta", Client: issue.ClientProof{ID: "shasta"}, Username: stacktest.TestUser, Password: stacktest.TestPassword,
		})
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Issuer.WebIdentity(ctx, issue.WebIdentityRequest{RoleARN: "arn:aws:iam::123456789012:role/" + name, RoleSessionName: "session", Token: set.AccessToken})
		if err != nil {
			t.Fatal(err)
		}
		claims, _, err := s.Sessions.Open(ctx, got.Keys.AccessKeyID, got.Keys.SessionToken.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		return &identity.Caller{
			Kind: identity.RoleSession, AccountID: stacktest.AccountA, PrincipalID: claims.PrincipalID, AccessKeyID: got.Keys.AccessKeyID,
			Temporary: true, ExpiresAt: claims.ExpiresAt, Position: claims.Position, Lineage: claims.Lineage,
		}
	}
	alive := func(c *identity.Caller) bool { return s.Access.StillLive(s.DB.Snapshot(), c) == nil }
	first := session()
	for _, step := range []struct {
		trust string
		alive bool
	}{
		{strings.ReplaceAll(federated(""), `,"Action"`, ` , "Action"`), true},
		{federated(`,{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"sts:AssumeRole"}`), true},
		{federated(""), false},
	} {
		if err := s.Directory.UpdateAssumeRolePolicy(ctx, a, name, step.trust); err != nil {
			t.Fatal(err)
		}
		if got := alive(first); got != step.alive {
			t.Errorf("after %s the session lives: %v, want %v", step.trust, got, step.alive)
		}
	}
	if err := s.Directory.UpdateAssumeRolePolicy(ctx, a, name, "{"); identity.KindOf(err) != identity.KindMalformedPolicy {
		t.Errorf("a trust policy that is none: %v", err)
	}
	second := session()
	if !alive(second) {
		t.Fatal("a new session is dead")
	}
	if err := s.Directory.DeleteRole(ctx, a, name); err != nil {
		t.Fatal(err)
	}
	if alive(second) {
		t.Error("a session outlived its role")
	}
	again, err := s.Directory.CreateRole(ctx, a, directory.NewRole{Name: name, Trust: federated("")})
	if err != nil || again.ID == second.PrincipalID || alive(second) {
		t.Errorf("a recreated role took over its sessions: %v", err)
	}
}

func TestListRolesPages(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a, b, ctx := root(t, s, stacktest.AccountA, "aws"), root(t, s, stacktest.AccountB, "demo"), t.Context()
	for i := range 5 {
		if _, err := s.Directory.CreateRole(ctx, a, directory.NewRole{Name: fmt.Sprint("r", i), Path: "/p/", Trust: trustAll}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		prefix string
		size   int
		want   string
	}{
		{"/p/", 2, "r0 r1|r2 r3|r4"}, {"/p/", 5, "r0 r1 r2 r3 r4"}, {"/p/", 1, "r0|r1|r2|r3|r4"}, {"/q", 2, ""}, {"", 0, "r0 r1 r2 r3 r4 reader shasta-admin"},
	} {
		var pages []string
		page := directory.Page{MaxItems: c.size}
		for {
			list, err := s.Directory.ListRoles(ctx, a, c.prefix, page)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, r := range list.Items {
				names = append(names, r.Name)
			}
			pages = append(pages, strings.Join(names, " "))
			if page.Marker = list.Next; page.Marker == "" {
				break
			}
			if _, err := s.Directory.ListRoles(ctx, b, c.prefix, page); identity.KindOf(err) != identity.KindValidation {
				t.Errorf("another account went on with the marker: %v", err)
			}
		}
		if got := strings.Join(pages, "|"); c.prefix == "" {
			if len(strings.Fields(got)) != len(strings.Fields(c.want)) {
				t.Errorf("all: %q", got)
			}
		} else if got != c.want {
			t.Errorf("%s by %d: got %q, want %q", c.prefix, c.size, got, c.want)
		}
	}
}

// TestLastUsed: roles by their sessions, users by their passwords.
func TestLastUsed(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a, ctx := root(t, s, stacktest.AccountA, "aws"), t.Context()
	_, err := s.Issuer.Password(ctx, issue.PasswordGrant{
		Realm: "shasta", Client: issue.ClientProof{ID: "shasta"}, Username: stacktest.TestUser, Password: stacktest.TestPassword,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Access.FlushUses(ctx); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{stacktest.TestUser: true, "service": false} {
		if u, err := s.Directory.GetUser(ctx, a, name); err != nil || u.PasswordLastUsed.Equal(s.Clock.Now()) != want || u.PasswordLastUsed.IsZero() == want {
			t.Errorf("%s: %v, %v", name, err, u.PasswordLastUsed)
		}
	}
}
