package issue_test

import (
	"cmp"
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

var bx = issue.IBMClient{ID: "bx", Secret: "bx"}

// cloud is a stack with IBM's dialect and its account's root user.
type cloud struct {
	*stacktest.Stack
	t    testing.TB
	root *identity.Caller
}

func newCloud(t testing.TB, opts ...stacktest.Option) *cloud {
	t.Helper()
	s := stacktest.New(t, append([]stacktest.Option{stacktest.WithIBM()}, opts...)...)
	made, err := s.Issuer.RootAccessKey(t.Context(), s.Operator(), stacktest.AccountA)
	if err != nil {
		t.Fatal(err)
	}
	return &cloud{s, t, &identity.Caller{
		Kind: identity.RootUser, AccountID: stacktest.AccountA, Partition: "aws", PrincipalID: stacktest.AccountA, Name: "root",
		ARN: identity.RootARN("aws", stacktest.AccountA), AccessKeyID: made.Key.ID,
	}}
}

func (c *cloud) check(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// serviceKey is an API key of a new service ID.
func (c *cloud) serviceKey(in issue.NewIBMKey) issue.CreatedIBMKey {
	c.t.Helper()
	u, err := c.Directory.CreateServiceID(c.t.Context(), c.root, directory.NewServiceID{Name: "robot"})
	c.check(err)
	in.IAMID = u.ID
	return c.key(in)
}

// userKey is an API key of a user.
func (c *cloud) userKey(name string) issue.CreatedIBMKey {
	c.t.Helper()
	return c.key(issue.NewIBMKey{IAMID: "IBMid-" + c.user(name).ID})
}

func (c *cloud) key(in issue.NewIBMKey) issue.CreatedIBMKey {
	c.t.Helper()
	in.Name = cmp.Or(in.Name, "key")
	made, err := c.Issuer.NewIBMAPIKey(c.t.Context(), c.root, in)
	c.check(err)
	return made
}

func (c *cloud) user(name string) *identity.User {
	c.t.Helper()
	u, err := store.Users.By(c.DB.Snapshot(), "name", store.Join(stacktest.AccountA, name))
	c.check(err)
	return u
}

// change changes a user behind the back of every rule.
func (c *cloud) change(id string, fn func(*identity.User)) {
	c.t.Helper()
	_, err := c.DB.Update(c.t.Context(), func(tx store.Tx) error {
		u, err := store.Users.Get(tx, id)
		if err != nil {
			return err
		}
		v := *u
		fn(&v)
		return store.Users.Put(tx, &v)
	})
	c.check(err)
}

func (c *cloud) logIn(key identity.Secret) (issue.IBMTokens, error) {
	return c.Issuer.IBMAPIKey(c.t.Context(), key, "", bx)
}

func (c *cloud) mustLogIn(key identity.Secret) issue.IBMTokens {
	c.t.Helper()
	out, err := c.logIn(key)
	c.check(err)
	return out
}

func (c *cloud) password(name, password, code string) (issue.IBMTokens, error) {
	return c.Issuer.IBMPassword(c.t.Context(), issue.IBMPasswordGrant{
		Username: name, Password: identity.Secret(password), Code: identity.Secret(code), Client: bx,
	})
}

func (c *cloud) refresh(t identity.Secret) (issue.IBMTokens, error) {
	return c.Issuer.IBMRefresh(c.t.Context(), t, "", bx)
}

// accepted says whether the tokens' access token is.
func (c *cloud) accepted(t issue.IBMTokens) bool {
	c.t.Helper()
	_, err := c.Access.IBMToken(c.t.Context(), t.Access)
	if err != nil && identity.KindOf(err) != identity.KindInvalidBearer {
		c.t.Errorf("refused as %v", err)
	}
	return err == nil
}

func (c *cloud) families() int {
	c.t.Helper()
	n := 0
	c.check(c.DB.View(c.t.Context(), func(r store.Reader) error {
		list, err := store.RefreshFamilies.List(r, "", "", store.After{}, 0)
		for _, f := range list {
			if f.Dialect == "ibm" {
				n++
			}
		}
		return err
	}))
	return n
}

// device gives a user a device and returns what shows its code.
func (c *cloud) device(name string) func() string {
	c.t.Helper()
	seed, serial := []byte("12345678901234567890"), "arn:aws:iam::"+stacktest.AccountA+":mfa/"+name
	sealed, err := c.Keyring.Seal(store.MFASeeds.Name(), "seed", serial, seed)
	c.check(err)
	u := c.user(name)
	_, err = c.DB.Update(c.t.Context(), func(tx store.Tx) error {
		if err := store.MFADevices.Put(tx, &identity.MFADevice{Serial: serial, AccountID: u.AccountID, Name: name, Path: "/", UserID: u.ID}); err != nil {
			return err
		}
		return store.MFASeeds.Put(tx, &store.MFASeed{Serial: serial, Sealed: sealed})
	})
	c.check(err)
	return func() string { return codeNow(c.t, c.Stack, identity.Secret(seed)) }
}

func TestIBMTokenSaysWhoseItIs(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	service := c.serviceKey(issue.NewIBMKey{})
	byService, byUser := c.mustLogIn(service.Text), c.mustLogIn(c.userKey(stacktest.TestUser).Text)
	byPassword, err := c.password("T@example.com", stacktest.TestPassword, "")
	c.check(err)
	user := c.user(stacktest.TestUser)
	for name, k := range map[string]struct {
		tokens issue.IBMTokens
		want   string
	}{
		"service ID": {byService, service.UserID + " " + service.UserID + " " + strings.TrimPrefix(service.UserID, "iam-") + " iam ServiceId " + issue.IBMGrantAPIKey + " <nil>"},
		"user":       {byUser, "IBMid-" + user.ID + " IBMid-" + user.ID + " " + user.ID + " IBMid <nil> " + issue.IBMGrantAPIKey + " <nil>"},
		"password":   {byPassword, "IBMid-" + user.ID + " IBMid-" + user.ID + " " + user.ID + " IBMid <nil> password [pwd]"},
	} {
		v := claimsOf(t, k.tokens.Access)
		got := fmt.Sprint(v["iam_id"], " ", v["id"], " ", v["identifier"], " ", v["realmid"], " ", v["sub_type"], " ", v["grant_type"], " ", v["amr"])
		if got != k.want {
			t.Errorf("%s: %s, want %s", name, got, k.want)
		}
		if v["aud"] != nil || v["nbf"] != nil || v["iss"] != stacktest.ExternalURL+"/identity" || v["client_id"] != "bx" || v["session_id"] != k.tokens.SessionID ||
			k.tokens.ExpiresIn != 3600 || v["exp"] != float64(k.tokens.ExpiresAt.Unix()) || v["account"].(map[string]any)["bss"] != stacktest.AccountA {
			t.Errorf("%s: %v", name, v)
		}
		who, err := c.Access.IBMToken(t.Context(), k.tokens.Access)
		if err != nil || who.IAMID() != v["iam_id"] || who.Interactive != (name == "password") || (who.Kind == identity.ServiceID) != (name == "service ID") {
			t.Errorf("%s: %v, %+v", name, err, who)
		}
	}
}

// TestIBMLogInIsRefused tries keys, owners and accounts that log nobody in.
func TestIBMLogInIsRefused(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	ctx := t.Context()
	end := c.Clock.Now().Add(time.Minute)
	good := c.serviceKey(issue.NewIBMKey{})
	disabled, expired, lockedKey := c.serviceKey(issue.NewIBMKey{Disabled: true}), c.serviceKey(issue.NewIBMKey{ExpiresAt: end}), c.serviceKey(issue.NewIBMKey{Locked: true})
	deleted, ownerless, ownerOff := c.serviceKey(issue.NewIBMKey{}), c.serviceKey(issue.NewIBMKey{}), c.serviceKey(issue.NewIBMKey{})
	c.check(c.Directory.DeleteIBMAPIKey(ctx, c.root, deleted.ID))
	c.check(c.Directory.DeleteServiceID(ctx, c.root, strings.TrimPrefix(ownerless.UserID, "iam-")))
	c.change(ownerOff.UserID, func(u *identity.User) { u.Disabled = true })
	mfa, stale, off := c.userKey("mfa"), c.userKey("stale"), c.userKey("disabled")
	c.Clock.Advance(time.Minute)
	for _, k := range []struct {
		name string
		key  identity.Secret
		want identity.Kind
	}{
		{"good", good.Text, ""},
		{"locked", lockedKey.Text, ""}, // against changes
		{"disabled", disabled.Text, identity.KindInvalidCredentials},
		{"expired", expired.Text, identity.KindInvalidCredentials},
		{"deleted", deleted.Text, identity.KindInvalidCredentials},
		{"of a deleted owner", ownerless.Text, identity.KindInvalidCredentials},
		{"of a disabled owner", ownerOff.Text, identity.KindInvalidCredentials},
		{"of a disabled user", off.Text, identity.KindInvalidCredentials},
		{"of a user who needs a second factor", mfa.Text, identity.KindMFARequired},
		{"of a user who must change the password", stale.Text, identity.KindPasswordExpired},
		{"empty", "", identity.KindInvalidCredentials},
		{"unknown", identity.Secret(strings.Repeat("A", 44)), identity.KindInvalidCredentials},
		{"cut", good.Text[1:], identity.KindInvalidCredentials},
		{"huge", identity.Secret(strings.Repeat("A", 1<<20)), identity.KindInvalidCredentials},
		{"its ID", identity.Secret(good.ID), identity.KindInvalidCredentials},
	} {
		_, err := c.logIn(k.key)
		wantKind(t, k.name, err, k.want)
	}
	_, err := c.Issuer.IBMAPIKey(ctx, good.Text, stacktest.AccountA, bx)
	wantKind(t, "the account by name", err, "")
	_, err = c.Issuer.IBMAPIKey(ctx, good.Text, stacktest.AccountB, bx)
	wantKind(t, "another account", err, identity.KindAccessDenied)
	_, err = c.DB.Update(ctx, func(tx store.Tx) error { // a key of an account that the dialect does not serve
		u := &identity.User{ID: "iam-ServiceId-b", Name: "ServiceId-b", AccountID: stacktest.AccountB, Local: true, ServiceID: &identity.ServiceIdentity{}}
		if err := store.Users.Insert(tx, u); err != nil {
			return err
		}
		k, err := store.APIKeys.Get(tx, good.ID)
		if err != nil {
			return err
		}
		v := *k
		v.UserID, v.AccountID = u.ID, stacktest.AccountB
		return store.APIKeys.Put(tx, &v)
	})
	c.check(err)
	_, err = c.logIn(good.Text)
	wantKind(t, "a foreign key", err, identity.KindInvalidCredentials)
	lines := c.AuditLines(t)
	for _, secret := range []identity.Secret{good.Text, disabled.Text, mfa.Text} {
		if strings.Contains(lines, secret.Reveal()) {
			t.Error("the log holds an API key")
		}
	}
	if n := strings.Count(lines, `"eventName":"APIKeyGrant"`); n < 4 { // refusals of strangers are counted, not told one by one
		t.Errorf("%d events of log-ins", n)
	}
}

func TestIBMWithoutASection(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	_, err := s.Issuer.IBMAPIKey(t.Context(), "x", "", bx)
	wantKind(t, "API key", err, identity.KindNotFound)
	_, err = s.Issuer.IBMPassword(t.Context(), issue.IBMPasswordGrant{Username: stacktest.TestUser, Password: stacktest.TestPassword})
	wantKind(t, "password", err, identity.KindNotFound)
	_, err = s.Issuer.IBMRefresh(t.Context(), "x", "", bx)
	wantKind(t, "refresh", err, identity.KindNotFound)
	_, err = s.Issuer.IBM()
	wantKind(t, "discovery", err, identity.KindNotFound)
	if s.Keyring.JWKS(identity.IBMKeySet) != nil {
		t.Error("it has a key set")
	}
}

// TestIBMKeyBoundsTokens: no token lives longer than the key that it is by.
func TestIBMKeyBoundsTokens(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	made := c.serviceKey(issue.NewIBMKey{ExpiresAt: c.Clock.Now().Add(90 * time.Minute)})
	first := c.mustLogIn(made.Text)
	c.Clock.Advance(time.Hour - time.Second)
	if !c.accepted(first) {
		t.Error("refused within its hour")
	}
	second := c.mustLogIn(made.Text)
	if second.ExpiresIn != 1801 {
		t.Errorf("a token of a key with half an hour left lives %d s", second.ExpiresIn)
	}
	c.Clock.Advance(time.Second)
	if c.accepted(first) {
		t.Error("accepted after its hour")
	}
	next, err := c.refresh(first.Refresh)
	if err != nil || next.ExpiresIn != 1800 {
		t.Fatalf("%v, %d s", err, next.ExpiresIn)
	}
	c.Clock.Advance(30 * time.Minute)
	for name, token := range map[string]identity.Secret{"stored": next.Refresh, "sealed": second.Refresh} {
		_, err := c.refresh(token)
		wantKind(t, "refresh by a key that has ended, "+name, err, identity.KindExpiredToken)
	}
	soon := c.Clock.Now().Add(10 * time.Minute)
	other := c.serviceKey(issue.NewIBMKey{})
	tokens := c.mustLogIn(other.Text)
	_, err = c.Directory.UpdateIBMAPIKey(t.Context(), c.root, other.ID, "*", directory.IBMKeyChange{ExpiresAt: &soon})
	c.check(err)
	if c.accepted(tokens) {
		t.Error("a token from before its key got an end")
	}
}

func TestIBMPassword(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	for _, p := range []struct {
		name, user, password, code string
		want                       identity.Kind
	}{
		{"right", stacktest.TestUser, stacktest.TestPassword, "", ""},
		{"wrong", stacktest.TestUser, "wrong", "", identity.KindInvalidCredentials},
		{"unknown", "nobody", stacktest.TestPassword, "", identity.KindInvalidCredentials},
		{"without a password", "service", "", "", identity.KindInvalidCredentials},
		{"disabled", "disabled", stacktest.TestPassword, "", identity.KindInvalidCredentials},
		{"stale", "stale", stacktest.TestPassword, "", identity.KindPasswordExpired},
		{"second factor", "mfa", stacktest.TestPassword, "", identity.KindMFARequired},
		{"second factor without a device", "mfa", stacktest.TestPassword, "123456", identity.KindMFARequired},
		{"second factor, wrong password", "mfa", "wrong", "", identity.KindInvalidCredentials},
		{"root", stacktest.RootEmailA, stacktest.RootPassword, "", identity.KindInvalidCredentials},
	} {
		_, err := c.password(p.user, p.password, p.code)
		wantKind(t, p.name, err, p.want)
	}
	_, err := c.Issuer.IBMPassword(t.Context(), issue.IBMPasswordGrant{
		Username: stacktest.TestUser, Password: stacktest.TestPassword, Account: stacktest.AccountB, Client: bx,
	})
	wantKind(t, "another account", err, identity.KindAccessDenied)
	if n := c.families(); n != 1 {
		t.Errorf("%d families are stored", n)
	}
	if strings.Contains(c.AuditLines(t), "nobody") {
		t.Error("the log holds a name that nobody has")
	}
}

func TestIBMPasswordWithACode(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	code := c.device(stacktest.TestUser)
	_, err := c.password(stacktest.TestUser, stacktest.TestPassword, "")
	wantKind(t, "without the code", err, identity.KindMFARequired)
	_, err = c.password(stacktest.TestUser, stacktest.TestPassword, "000000")
	wantKind(t, "a wrong code", err, identity.KindInvalidCredentials)
	now := code()
	tokens, err := c.password(stacktest.TestUser, stacktest.TestPassword, now)
	c.check(err)
	if v := claimsOf(t, tokens.Access); fmt.Sprint(v["amr"]) != "[pwd totp otp mfa]" {
		t.Errorf("amr %v", v["amr"])
	}
	who, err := c.Access.IBMToken(t.Context(), tokens.Access)
	if err != nil || !who.MFA {
		t.Errorf("%v, %+v", err, who)
	}
	_, err = c.password(stacktest.TestUser, stacktest.TestPassword, now)
	wantKind(t, "the code again", err, identity.KindInvalidCredentials)
	again, err := c.refresh(tokens.Refresh)
	c.check(err)
	if v := claimsOf(t, again.Access); fmt.Sprint(v["amr"], " ", v["grant_type"]) != "[pwd totp otp mfa] password" {
		t.Errorf("after a refresh %v", v)
	}
}
