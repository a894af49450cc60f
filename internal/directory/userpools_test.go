package directory_test

import (
	"strings"
	"testing"
	"time"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

const poolRegion = stacktest.PoolRegion

// poolCaller is a root user of an account who calls in a region.
func poolCaller(t testing.TB, s *stacktest.Stack, account, partition string) *identity.Caller {
	t.Helper()
	c := root(t, s, account, partition)
	c.Request.Region = poolRegion
	return c
}

func to[T any](v T) *T { return &v }

func newUserPool(t testing.TB, s *stacktest.Stack, c *identity.Caller, in directory.UserPoolSettings) *directory.UserPoolDetails {
	t.Helper()
	if in.Name == nil {
		in.Name = to("people")
	}
	p, err := s.Directory.CreateUserPool(t.Context(), c, in)
	if err != nil {
		t.Fatal(err)
	}
	return &p
}

func goodClient() identity.PoolClient {
	return identity.PoolClient{
		Name: "app", AuthFlows: []string{"ALLOW_USER_PASSWORD_AUTH"}, AccessTokenSeconds: 3600, IDTokenSeconds: 3600, RefreshTokenSeconds: 86400, AuthSessionSeconds: 180,
	}
}

func code(err error) string { return identity.AsError(err).DetailValue("JSONCode") }

// lives says whether what a principal obtained at a position still counts.
func lives(s *stacktest.Stack, id string, at identity.Position) bool {
	l := identity.Lineage{{Kind: identity.LineagePrincipal, ID: id}}
	return s.Access.LineageLive(s.DB.Snapshot(), stacktest.AccountA, l, at, s.Clock.Now()) == nil
}

func TestUserPools(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t, stacktest.WithPools())
	a, b, ctx := poolCaller(t, s, stacktest.AccountA, "aws"), poolCaller(t, s, stacktest.AccountB, "demo"), t.Context()
	made := newUserPool(t, s, a, directory.UserPoolSettings{Tags: map[string]string{"k": "v"}, PasswordPolicy: &identity.PasswordPolicy{MinimumLength: 12}})
	id := made.PoolID()
	if made.Name != id || !strings.HasPrefix(id, poolRegion+"_") || made.Pool.MFA != "OFF" || made.Pool.TemporaryPasswordDays != 7 || made.Rule.MinimumLength != 12 {
		t.Errorf("%+v %+v", made, made.Pool)
	}
	if len(s.Keyring.JWKS(made.PoolKeySet())) == 0 || len(s.Keyring.JWKS(made.KeySet())) == 0 {
		t.Error("the pool has no signing keys")
	}
	if _, err := s.Directory.UserPool(ctx, b, id); identity.AsError(err).Public != "User pool "+id+" does not exist." {
		t.Errorf("of another account: %v", err)
	}
	_, err := s.Directory.UserPool(ctx, a, poolRegion+"_Nowhere")
	expect(t, "absent", err, absent, "User pool "+poolRegion+"_Nowhere does not exist.")
	list, err := s.Directory.ListUserPools(ctx, a, directory.Page{MaxItems: 1})
	if err != nil || len(list.Items) != 1 || list.Next == "" {
		t.Fatalf("%v %+v", err, list)
	}
	rest, err := s.Directory.ListUserPools(ctx, a, directory.Page{MaxItems: 1, Marker: list.Next})
	if err != nil || len(rest.Items) != 1 || rest.Next != "" || rest.Items[0].Name == list.Items[0].Name {
		t.Errorf("%v %+v", err, rest)
	}
	must(t, s.Directory.UpdateUserPool(ctx, a, id, directory.UserPoolSettings{Name: to("staff"), MFA: to("OPTIONAL")}))
	got, err := s.Directory.UserPool(ctx, a, id)
	if err != nil || got.Pool.Name != "staff" || got.Pool.MFA != "OPTIONAL" || got.Pool.Tags["k"] != "v" || got.Rule.MinimumLength != 12 {
		t.Errorf("%v %+v", err, got.Pool)
	}
	for what, in := range map[string]directory.UserPoolSettings{
		"name": {Name: to("a/b")}, "mfa": {MFA: to("MAYBE")}, "length": {PasswordPolicy: &identity.PasswordPolicy{MinimumLength: 5}},
		"days": {TemporaryPasswordDays: to(366)}, "attribute": {AutoVerified: []string{"name"}},
	} {
		expect(t, what, s.Directory.UpdateUserPool(ctx, a, id, in), identity.KindValidation, "")
	}
	arn := identity.UserPoolARN("aws", poolRegion, stacktest.AccountA, id)
	must(t, s.Directory.TagUserPool(ctx, a, arn, map[string]string{"b": "c"}))
	must(t, s.Directory.UntagUserPool(ctx, a, arn, []string{"k"}))
	if tags, err := s.Directory.UserPoolTags(ctx, a, arn); err != nil || len(tags) != 1 || tags["b"] != "c" {
		t.Errorf("%v %v", err, tags)
	}
	expect(t, "tags of what is no pool", s.Directory.TagUserPool(ctx, a, "arn:aws:s3:::x", nil), absent, "")
}

func TestDeleteUserPool(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t, stacktest.WithPools())
	a, ctx := poolCaller(t, s, stacktest.AccountA, "aws"), t.Context()
	shasta, err := store.Realms.Get(s.DB.Snapshot(), "shasta")
	must(t, err)
	expect(t, "of the site file", s.Directory.DeleteUserPool(ctx, a, shasta.PoolID()), identity.KindInvalidInput, "")

	p := newUserPool(t, s, a, directory.UserPoolSettings{Protected: to(true)})
	id := p.PoolID()
	expect(t, "protected", s.Directory.DeleteUserPool(ctx, a, id), identity.KindInvalidInput, "")
	must(t, s.Directory.UpdateUserPool(ctx, a, id, directory.UserPoolSettings{Protected: to(false)}))
	client, err := s.Directory.CreatePoolClient(ctx, a, id, goodClient())
	must(t, err)
	var users []string
	for _, name := range []string{"ann", "bob", "cleo"} {
		u, err := s.Directory.CreatePoolUser(ctx, a, id, directory.NewPoolUser{Name: name})
		must(t, err)
		users = append(users, u.ID)
	}
	_, err = s.Directory.CreatePoolGroup(ctx, a, id, "staff", directory.PoolGroupChange{})
	must(t, err)
	ip, err := s.Directory.CreateIdentityPool(ctx, a, directory.IdentityPoolSettings{
		Name: "x", UserPools: []identity.PoolLogin{{Provider: p.PoolProvider(), ClientID: client.ID}},
	})
	must(t, err)
	expect(t, "named by an identity pool", s.Directory.DeleteUserPool(ctx, a, id), identity.KindInvalidInput, "")
	must(t, s.Directory.DeleteIdentityPool(ctx, a, ip.ID))
	before := s.DB.Snapshot().Position()
	must(t, s.Directory.DeleteUserPool(ctx, a, id))
	for _, u := range users {
		if lives(s, u, before) {
			t.Errorf("what %s obtained lives", u)
		}
	}
	must(t, s.DB.View(ctx, func(r store.Reader) error {
		for what, err := range map[string]error{
			"user":   func() error { _, err := store.Users.Get(r, users[0]); return err }(),
			"client": func() error { _, err := store.PoolClients.Get(r, client.ID); return err }(),
			"group":  func() error { _, err := store.PoolGroups.Get(r, id+"/staff"); return err }(),
			"realm":  func() error { _, err := store.Realms.Get(r, id); return err }(),
		} {
			expect(t, what, err, absent, "")
		}
		keys, err := store.SigningKeys.List(r, "set", store.Join(p.PoolKeySet(), ""), store.After{}, 0)
		if len(keys) > 0 {
			t.Error("signing keys are left")
		}
		return err
	}))
	expect(t, "again", s.Directory.DeleteUserPool(ctx, a, id), absent, "")
	_, err = s.Keyring.Tick(ctx)
	must(t, err)
}

// TestPoolDuty ends the log-ins of a pool's users when each must have a second
// factor.
func TestPoolDuty(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a, ctx := poolCaller(t, s, stacktest.AccountA, "aws"), t.Context()
	id := newUserPool(t, s, a, directory.UserPoolSettings{}).PoolID()
	u, err := s.Directory.CreatePoolUser(ctx, a, id, directory.NewPoolUser{Name: "ann"})
	must(t, err)
	before := s.DB.Snapshot().Position()
	must(t, s.Directory.UpdateUserPool(ctx, a, id, directory.UserPoolSettings{MFA: to("OPTIONAL")}))
	if !lives(s, u.ID, before) {
		t.Error("a choice ended a log-in")
	}
	must(t, s.Directory.UpdateUserPool(ctx, a, id, directory.UserPoolSettings{MFA: to("ON")}))
	if lives(s, u.ID, before) {
		t.Error("a duty ended no log-in")
	}
}

func TestPoolClients(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a, ctx := poolCaller(t, s, stacktest.AccountA, "aws"), t.Context()
	id := newUserPool(t, s, a, directory.UserPoolSettings{}).PoolID()
	other := newUserPool(t, s, a, directory.UserPoolSettings{}).PoolID()
	in := goodClient()
	in.HasSecret = true
	made, err := s.Directory.CreatePoolClient(ctx, a, id, in)
	must(t, err)
	if len(made.ID) != 26 || strings.Trim(made.ID, "abcdefghijklmnopqrstuvwxyz0123456789") != "" || len(made.Secret) < 24 {
		t.Errorf("%+v", made)
	}
	got, err := s.Directory.PoolClient(ctx, a, id, made.ID)
	if err != nil || got.Secret != made.Secret || got.Name != "app" {
		t.Errorf("%v %+v", err, got)
	}
	_, err = s.Directory.PoolClient(ctx, a, other, made.ID)
	expect(t, "by another pool", err, absent, "User pool client "+made.ID+" does not exist.")
	got, err = s.Directory.UpdatePoolClient(ctx, a, id, made.ID, func(c *identity.PoolClient) { c.ID, c.Name, c.HasSecret = "stolen", "renamed", false })
	if err != nil || got.ID != made.ID || got.Name != "renamed" || got.Secret != made.Secret {
		t.Errorf("%v %+v", err, got)
	}
	_, err = s.Directory.UpdatePoolClient(ctx, a, id, made.ID, func(c *identity.PoolClient) { c.AccessTokenSeconds = 86401 })
	expect(t, "too long a life", err, identity.KindValidation, "")
	list, err := s.Directory.ListPoolClients(ctx, a, id, directory.Page{})
	if err != nil || len(list.Items) != 1 || list.Items[0].ID != made.ID {
		t.Errorf("%v %+v", err, list)
	}
	u, err := s.Directory.CreatePoolUser(ctx, a, id, directory.NewPoolUser{Name: "ann"})
	must(t, err)
	_, err = s.DB.Update(ctx, func(tx store.Tx) error {
		for _, client := range []string{made.ID, "other"} {
			err := store.RefreshFamilies.Put(tx, &store.RefreshFamily{ID: "f-" + client, Dialect: "cognito", Issuer: id, ClientID: client, UserID: u.ID, ExpiresAt: s.Clock.Now().Add(time.Hour)})
			if err != nil {
				return err
			}
		}
		return nil
	})
	must(t, err)
	must(t, s.Directory.DeletePoolClient(ctx, a, id, made.ID))
	must(t, s.DB.View(ctx, func(r store.Reader) error {
		for family, want := range map[string]bool{"f-" + made.ID: true, "f-other": false} {
			f, err := store.RefreshFamilies.Get(r, family)
			if err != nil || f.Ended != want {
				t.Errorf("%s: %v, ended %v, want %v", family, err, f.Ended, want)
			}
		}
		_, err := store.PoolClientSecrets.Get(r, made.ID)
		expect(t, "the secret", err, absent, "")
		return nil
	}))
	expect(t, "again", s.Directory.DeletePoolClient(ctx, a, id, made.ID), absent, "")
}

// TestPoolApart keeps pools that calls made out of the way of IAM users: the
// account's realm is that of its site file.
func TestPoolApart(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a, ctx := poolCaller(t, s, stacktest.AccountA, "aws"), t.Context()
	id := newUserPool(t, s, a, directory.UserPoolSettings{}).PoolID()
	_, err := s.Directory.CreateUser(ctx, a, directory.NewUser{Name: "ivy"})
	must(t, err)
	_, err = s.Directory.CreatePoolUser(ctx, a, id, directory.NewPoolUser{Name: "ivy"})
	must(t, err)
	_, err = s.Directory.CreateLoginProfile(ctx, a, "ivy", "correct horse battery", false)
	must(t, err)
	u, err := s.Directory.GetUser(ctx, a, "ivy")
	if err != nil || u.Realm != "shasta" {
		t.Errorf("%v, realm %q", err, u.Realm)
	}
	for place, want := range map[string]string{stacktest.AccountA: "shasta", id: id} {
		if got := s.Authn.RealmAt(ctx, place, "ivy"); got != want {
			t.Errorf("the place %s is the realm %s, want %s", place, got, want)
		}
	}
}

// TestRevocationsOutliveClients: a realm remembers the longest life that tokens
// of any client of its pool ever had.
func TestRevocationsOutliveClients(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t, stacktest.WithPools())
	a, ctx := poolCaller(t, s, stacktest.AccountA, "aws"), t.Context()
	p := newUserPool(t, s, a, directory.UserPoolSettings{})
	longest := func() int {
		r, err := store.Realms.By(s.DB.Snapshot(), "pool", p.PoolID())
		must(t, err)
		return r.LongestTokenSeconds
	}
	in := goodClient()
	in.RefreshTokenSeconds = 40 * 86400
	client, err := s.Directory.CreatePoolClient(ctx, a, p.PoolID(), in)
	must(t, err)
	if got := longest(); got != 40*86400 {
		t.Errorf("a client made: %d s", got)
	}
	for _, days := range []int{90, 1} {
		_, err = s.Directory.UpdatePoolClient(ctx, a, p.PoolID(), client.ID, func(c *identity.PoolClient) { c.RefreshTokenSeconds = days * 86400 })
		must(t, err)
		if got := longest(); got != 90*86400 {
			t.Errorf("its tokens live %d days: %d s", days, got)
		}
	}
	must(t, s.Directory.DeletePoolClient(ctx, a, p.PoolID(), client.ID))
	if got := longest(); got != 90*86400 {
		t.Errorf("it was deleted: %d s", got)
	}
}
