package directory_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

const apiHost = "api.example.com:8443"

// withAPI gives account A an API whose tokens are users of the realm shasta.
func withAPI(t testing.TB, s *stacktest.Stack) {
	t.Helper()
	_, err := s.DB.Update(t.Context(), func(tx store.Tx) error {
		r, err := store.Realms.Get(tx, "shasta")
		if err != nil {
			return err
		}
		v := *r
		v.PoolName, v.Pool = "Abc123XYZ", &identity.UserPool{Name: "shasta", Region: "ap-southeast-2", MFA: identity.MFAOff}
		if err := store.Realms.Put(tx, &v); err != nil {
			return err
		}
		return store.StaxAPIs.Put(tx, &identity.StaxAPI{
			Name: "api", AccountID: stacktest.AccountA, Region: "ap-southeast-2", Realm: "shasta", ClientID: "client",
			IdentityPoolID: "ap-southeast-2:0a1b2c3d-1111-4222-8333-444455556666",
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}

func newToken(t testing.TB, s *stacktest.Stack, c *identity.Caller, name, role string) issue.CreatedAPIToken {
	t.Helper()
	made, err := s.Issuer.APIToken(t.Context(), c, apiHost, issue.NewAPIToken{Name: name, Role: role})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func accessKeys(l directory.Listing[identity.User]) string {
	var out []string
	for _, u := range l.Items {
		out = append(out, u.Name)
	}
	return strings.Join(out, " ")
}

func TestAPITokens(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	withAPI(t, s)
	a, b, ctx := root(t, s, stacktest.AccountA, "aws"), root(t, s, stacktest.AccountB, "demo"), t.Context()
	made, err := s.Issuer.APIToken(ctx, a, apiHost, issue.NewAPIToken{
		Name: "gitlab-cicd", Role: "api_user", Description: "deploys", Tags: map[string]string{"k": "v"},
	})
	if err != nil || !identity.IsAPIAccessKey(made.Name) || len(made.Secret) != 32 || !made.Local || made.Realm != "shasta" ||
		made.Path != "/pool/ap-southeast-2_Abc123XYZ/" || made.Token.CreatedBy != stacktest.AccountA {
		t.Fatalf("%v, %+v", err, made.User)
	}
	var pw *store.Password
	must(t, s.DB.View(ctx, func(r store.Reader) (err error) { pw, err = store.Passwords.Get(r, made.ID); return err }))
	if pw.PHC != "" || len(pw.SRP) == 0 || len(pw.SRPSalt) == 0 {
		t.Errorf("the secret is kept as %+v", pw)
	}
	if strings.Contains(s.AuditLines(t), made.Secret.Reveal()) {
		t.Error("the log holds the secret")
	}
	if _, err := s.Directory.GetUser(ctx, a, made.Name); identity.KindOf(err) != absent {
		t.Errorf("IAM knows the token: %v", err)
	}
	got, err := s.Directory.APIToken(ctx, a, apiHost, made.Name)
	if err != nil || got.Token.Name != "gitlab-cicd" || got.Token.Tags["k"] != "v" {
		t.Errorf("%v, %+v", err, got)
	}
	for _, key := range []string{"", "fred", strings.ToUpper(made.Name), made.Name + "x", "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"} {
		_, err := s.Directory.APIToken(ctx, a, apiHost, key)
		expect(t, "key "+key, err, absent, "")
	}
	if _, err := s.Directory.APIToken(ctx, b, apiHost, made.Name); identity.KindOf(err) != absent {
		t.Errorf("another account: %v", err)
	}
	if list, err := s.Directory.APITokens(ctx, b, apiHost, directory.APITokenFilter{AccessKeys: []string{made.Name}}, directory.Page{}); err != nil || len(list.Items) != 0 {
		t.Errorf("another account's listing: %v, %s", err, accessKeys(list))
	}
	_, err = s.Issuer.APIToken(ctx, b, apiHost, issue.NewAPIToken{Name: "ab", Role: "api_user"})
	expect(t, "an account without an API", err, absent, "")
	for name, in := range map[string]issue.NewAPIToken{
		"name": {Name: "a", Role: "api_user"}, "role": {Name: "ab", Role: "shasta-admin"}, "key": {Name: "ab", Role: "api_user", KeyID: "a b"},
	} {
		_, err := s.Issuer.APIToken(ctx, a, apiHost, in)
		expect(t, name, err, identity.KindValidation, "")
	}
}

// TestAPITokenEnds follows what a token yielded: it ends with the token, or
// when the token gets another role.
func TestAPITokenEnds(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	withAPI(t, s)
	a, ctx := root(t, s, stacktest.AccountA, "aws"), t.Context()
	made := newToken(t, s, a, "ci", "api_user")
	live := func(at identity.Position) error {
		l := identity.Lineage{{Kind: identity.LineagePrincipal, ID: made.ID}}
		return s.Access.LineageLive(s.DB.Snapshot(), stacktest.AccountA, l, at, s.Clock.Now())
	}
	before := s.DB.Snapshot().Position()
	s.Clock.Advance(time.Second)
	description, same, other := "new", "api_user", "api_readonly"
	u, err := s.Directory.UpdateAPIToken(ctx, a, apiHost, made.Name, directory.APITokenChange{Description: &description, Role: &same, Tags: map[string]string{"a": "b"}})
	if err != nil || u.Token.Description != "new" || u.Token.Tags["a"] != "b" || !u.Token.ModifiedAt.Equal(s.Clock.Now()) {
		t.Fatalf("%v, %+v", err, u.Token)
	}
	if err := live(before); err != nil {
		t.Errorf("a new description ended the token's sessions: %v", err)
	}
	if _, err := s.Directory.UpdateAPIToken(ctx, a, apiHost, made.Name, directory.APITokenChange{Role: &other}); err != nil {
		t.Fatal(err)
	}
	if err := live(before); identity.KindOf(err) != identity.KindExpiredToken {
		t.Errorf("after another role: %v", err)
	}
	before = s.DB.Snapshot().Position()
	if err := live(before); err != nil {
		t.Errorf("a new session: %v", err)
	}
	gone, err := s.Directory.DeleteAPIToken(ctx, a, apiHost, made.Name)
	if err != nil || !gone.Token.Deleted {
		t.Fatalf("%v, %+v", err, gone.Token)
	}
	if err := live(before); identity.KindOf(err) != identity.KindExpiredToken {
		t.Errorf("after deletion: %v", err)
	}
	err = s.DB.View(ctx, func(r store.Reader) error { _, err := store.Passwords.Get(r, made.ID); return err })
	expect(t, "the verifier", err, absent, "")
	_, err = s.Directory.DeleteAPIToken(ctx, a, apiHost, made.Name)
	expect(t, "a second deletion", err, absent, "")
	_, err = s.Directory.UpdateAPIToken(ctx, a, apiHost, made.Name, directory.APITokenChange{Description: &description})
	expect(t, "a change of a deleted token", err, absent, "")
	if u, err := s.Directory.APIToken(ctx, a, apiHost, made.Name); err != nil || !u.Token.Deleted {
		t.Errorf("reading a deleted token: %v, %+v", err, u.Token)
	}
	alive := newToken(t, s, a, "second", "api_user")
	for deleted, want := range map[bool]string{true: made.Name, false: alive.Name} {
		for _, f := range []directory.APITokenFilter{{Deleted: deleted}, {Deleted: deleted, AccessKeys: []string{alive.Name, made.Name, made.Name, "fred"}}} {
			if list, err := s.Directory.APITokens(ctx, a, apiHost, f, directory.Page{}); err != nil || accessKeys(list) != want {
				t.Errorf("%+v: %v, %s, want %s", f, err, accessKeys(list), want)
			}
		}
	}
}

// TestAPITokenRights lets callers try what their policies keep them from.
func TestAPITokenRights(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	withAPI(t, s)
	a, ctx := root(t, s, stacktest.AccountA, "aws"), t.Context()
	victim := newToken(t, s, a, "victim", "api_admin")
	const api = "arn:aws:execute-api:ap-southeast-2:" + stacktest.AccountA + ":stax/20190206/"
	pass := func(role string) string {
		return `{"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::` + stacktest.AccountA + `:role/` + role +
			`","Condition":{"StringEquals":{"iam:PassedToService":"cognito-identity.amazonaws.com"}}}`
	}
	invoke := func(routes ...string) string {
		return `{"Effect":"Allow","Action":"execute-api:Invoke","Resource":["` + api + strings.Join(routes, `","`+api) + `"]}`
	}
	reader := limited(t, s, a, "tokenreader", invoke("GET/*"))
	maker := limited(t, s, a, "tokenmaker", invoke("POST/api-tokens")+","+pass("api_readonly"))
	passer := limited(t, s, a, "passer", pass("*"))
	editor := limited(t, s, a, "editor", invoke("PUT/api-tokens/"+victim.Name, "DELETE/api-tokens/*")+","+pass("api_readonly"))
	create := func(c *identity.Caller, role string) error {
		_, err := s.Issuer.APIToken(ctx, c, apiHost, issue.NewAPIToken{Name: "ab", Role: role})
		return err
	}
	update := func(c *identity.Caller, key, role string) error {
		in := directory.APITokenChange{Tags: map[string]string{}}
		if role != "" {
			in.Role = &role
		}
		_, err := s.Directory.UpdateAPIToken(ctx, c, apiHost, key, in)
		return err
	}
	list := func(c *identity.Caller) error {
		_, err := s.Directory.APITokens(ctx, c, apiHost, directory.APITokenFilter{}, directory.Page{})
		return err
	}
	read := func(c *identity.Caller) error {
		_, err := s.Directory.APIToken(ctx, c, apiHost, victim.Name)
		return err
	}
	me := func(c *identity.Caller) error {
		_, err := s.Directory.APIUser(ctx, c, apiHost)
		return err
	}
	remove := func(c *identity.Caller) error {
		_, err := s.Directory.DeleteAPIToken(ctx, c, apiHost, victim.Name)
		return err
	}
	reader.Lineage = identity.Lineage{{Kind: identity.LineagePrincipal, ID: reader.PrincipalID}}
	for _, step := range []struct {
		name string
		err  error
		want identity.Kind
	}{
		{"the reader lists", list(reader), anything},
		{"the reader reads", read(reader), anything},
		{"the reader asks who it is", me(reader), anything},
		{"the reader makes one", create(reader, "api_readonly"), denied},
		{"the reader deletes", remove(reader), denied},
		{"the maker makes one", create(maker, "api_readonly"), anything},
		{"the maker makes an administrator", create(maker, "api_admin"), denied},
		{"the maker names a role in other case", create(maker, "API_ADMIN"), denied},
		{"the maker lists", list(maker), denied},
		{"who may only pass roles makes one", create(passer, "api_readonly"), denied},
		{"the editor sets tags", update(editor, victim.Name, ""), anything},
		{"the editor gives a role away", update(editor, victim.Name, "api_user"), denied},
		{"the editor lowers the role", update(editor, victim.Name, "api_readonly"), anything},
		{"the editor changes another", update(editor, "6f9619ff-8b86-4d01-b42d-00cf4fc964ff", ""), denied},
		{"the editor deletes", remove(editor), anything},
	} {
		if got := identity.KindOf(step.err); got != step.want {
			t.Errorf("%s: got %v, want %q", step.name, step.err, step.want)
		}
	}
	if u, err := s.Directory.APIToken(ctx, a, apiHost, victim.Name); err != nil || u.Token.Role != "api_readonly" || !u.Token.Deleted {
		t.Errorf("%v, %+v", err, u.Token)
	}
}

func TestAPITokenQuota(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	withAPI(t, s)
	a, ctx := root(t, s, stacktest.AccountA, "aws"), t.Context()
	put := func(i int, deleted bool) string {
		name := fmt.Sprintf("00000000-0000-4000-8000-%012d", i)
		_, err := s.DB.Update(ctx, func(tx store.Tx) error {
			return store.Users.Put(tx, &identity.User{
				ID: fmt.Sprintf("AIDATOKEN%08d", i), AccountID: stacktest.AccountA, Name: name, Subject: name, Realm: "shasta", Local: true,
				Token: &identity.APIToken{Name: "ab", Role: "api_user", Deleted: deleted, ModifiedAt: s.Clock.Now().Add(time.Duration(i) * time.Minute)},
			})
		})
		must(t, err)
		return name
	}
	for i := range identity.APITokensPerAccount {
		put(i, false)
	}
	_, err := s.Issuer.APIToken(ctx, a, apiHost, issue.NewAPIToken{Name: "ab", Role: "api_user"})
	expect(t, "one more", err, identity.KindLimitExceeded, "An account can have at most 1000 API tokens.")
	page, err := s.Directory.APITokens(ctx, a, apiHost, directory.APITokenFilter{}, directory.Page{MaxItems: 300})
	if err != nil || len(page.Items) != 300 || page.Next == "" {
		t.Fatalf("%v, %d tokens", err, len(page.Items))
	}
	next, err := s.Directory.APITokens(ctx, a, apiHost, directory.APITokenFilter{}, directory.Page{MaxItems: 1000, Marker: page.Next})
	if err != nil || len(next.Items) != 700 || next.Next != "" || next.Items[0].Name <= page.Items[299].Name {
		t.Errorf("%v, %d more tokens", err, len(next.Items))
	}
	oldest := ""
	for i := range identity.APITokensPerAccount {
		if name := put(i, true); i == 0 {
			oldest = name
		}
	}
	if _, err := s.Issuer.APIToken(ctx, a, apiHost, issue.NewAPIToken{Name: "ab", Role: "api_user"}); err != nil {
		t.Fatal(err)
	}
	_, err = s.Directory.APIToken(ctx, a, apiHost, oldest)
	expect(t, "the token deleted longest ago", err, absent, "")
	list, err := s.Directory.APITokens(ctx, a, apiHost, directory.APITokenFilter{Deleted: true}, directory.Page{MaxItems: 1000})
	if err != nil || len(list.Items) != identity.APITokensPerAccount-1 {
		t.Errorf("%v, %d deleted tokens are remembered", err, len(list.Items))
	}
}

func TestAPIUser(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	withAPI(t, s)
	a, ctx := root(t, s, stacktest.AccountA, "aws"), t.Context()
	token := newToken(t, s, a, "ci", "api_user")
	by := func(c *identity.Caller, id string) *identity.Caller {
		v := *c
		v.Lineage = identity.Lineage{{Kind: identity.LineagePrincipal, ID: id}}
		return &v
	}
	if who, err := s.Directory.APIUser(ctx, by(a, stacktest.AccountA), apiHost); err != nil || !who.Root || who.Role != "" {
		t.Errorf("root: %v, %+v", err, who)
	}
	if who, err := s.Directory.APIUser(ctx, by(a, token.ID), apiHost); err != nil || who.Name != token.Name || who.Role != "api_user" {
		t.Errorf("a token: %v, %+v", err, who)
	}
	none := by(a, "")
	none.Lineage = nil
	_, err := s.Directory.APIUser(ctx, none, apiHost)
	expect(t, "nobody of ours", err, absent, "The session is of nobody who is a user here: "+a.ARN)
}

func TestAPIConfig(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	_, err := s.Directory.APIConfig(apiHost)
	expect(t, "without an API", err, absent, "")
	withAPI(t, s)
	put := func(api identity.StaxAPI) {
		t.Helper()
		_, err := s.DB.Update(t.Context(), func(tx store.Tx) error { return store.StaxAPIs.Put(tx, &api) })
		must(t, err)
	}
	put(identity.StaxAPI{Name: "a-named", AccountID: stacktest.AccountA, Hosts: []string{"named.example.com"}, Region: "eu-west-1", Realm: "shasta", ClientID: "named"})
	for host, want := range map[string]string{
		"api.example.com": "client", "127.0.0.1:8080": "client", "": "client", "named.example.com": "named",
		"NAMED.example.com:443": "named", "named.example.com.": "named", "x.named.example.com": "client",
	} {
		if got, err := s.Directory.APIConfig(host); err != nil || got.ClientID != want || got.UserPoolID != "ap-southeast-2_Abc123XYZ" || got.Endpoint != stacktest.ExternalURL {
			t.Errorf("%q: %v, %+v, want %s", host, err, got, want)
		}
	}
	put(identity.StaxAPI{Name: "b-broken", AccountID: stacktest.AccountA, Hosts: []string{"broken.example.com"}, Realm: "root-accounts"})
	_, err = s.Directory.APIConfig("broken.example.com")
	expect(t, "a realm without a pool", err, absent, "")
}
