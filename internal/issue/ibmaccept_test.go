package issue_test

import (
	"strings"
	"testing"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

// TestIBMTokensStayAtTheirDoors: no other door takes a token of IBM's dialect,
// and its door takes no other.
func TestIBMTokensStayAtTheirDoors(t *testing.T) {
	t.Parallel()
	c := newCloud(t, stacktest.WithPools())
	ctx := t.Context()
	byKey := c.mustLogIn(c.serviceKey(issue.NewIBMKey{}).Text)
	byUserKey := c.mustLogIn(c.userKey(stacktest.TestUser).Text)
	byPassword, err := c.password(stacktest.TestUser, stacktest.TestPassword, "")
	c.check(err)
	person := c.tester()
	byCode, err := c.useCode(c.passcode(person))
	c.check(err)
	realm := shastaLogin(t, c.Stack)
	pool, err := poolPassword(t, c.Stack, stacktest.TestUser, stacktest.TestPassword)
	c.check(err)

	for name, token := range map[string]identity.Secret{
		"key's token": byKey.Access, "user key's token": byUserKey.Access, "password's token": byPassword.Access,
		"sealed refresh token": byKey.Refresh, "stored refresh token": byPassword.Refresh,
		"passcode's token": byCode.Access, "passcode": c.passcode(person), "authorization code": c.code(person).Code,
	} {
		for door, call := range map[string]func() error{
			"userinfo":         func() error { _, err := c.Issuer.UserInfo(ctx, "shasta", token); return err },
			"userinfo of root": func() error { _, err := c.Issuer.UserInfo(ctx, "root-accounts", token); return err },
			"web identity": func() error {
				_, err := c.Issuer.WebIdentity(ctx, issue.WebIdentityRequest{RoleARN: roleA, RoleSessionName: "s", Token: token})
				return err
			},
			"web identity of root": func() error {
				_, err := c.Issuer.WebIdentity(ctx, issue.WebIdentityRequest{RoleARN: identity.RootARN("aws", stacktest.AccountA), RoleSessionName: "s", Token: token})
				return err
			},
			"user calls of the pool": func() error { _, err := c.Access.UserToken(ctx, token); return err },
			"identity pool": func() error {
				provider := "cognito-idp." + stacktest.PoolRegion + ".amazonaws.com/" + c.poolID()
				_, err := c.Issuer.IdentityID(ctx, issue.IdentityIDRequest{PoolID: stacktest.IdentityPoolID, Logins: issue.Logins{provider: token}})
				return err
			},
			"cookie": func() error { _, err := c.Access.Cookie(ctx, token); return err },
			"refresh at the realm": func() error {
				_, err := c.Issuer.Refresh(ctx, issue.RefreshGrant{Realm: "shasta", Client: issue.ClientProof{ID: "shasta"}, RefreshToken: token})
				return err
			},
			"refresh at the pool": func() error {
				_, err := c.Issuer.PoolTokensFor(ctx, issue.PoolRefresh{ClientID: stacktest.PoolClient, Token: token})
				return err
			},
			"API key": func() error { _, err := c.logIn(token); return err },
		} {
			switch kind := identity.KindOf(call()); kind {
			case identity.KindInvalidBearer, identity.KindInvalidIdentity, identity.KindInvalidToken, identity.KindInvalidGrant, identity.KindInvalidCredentials:
			default:
				t.Errorf("%s at %s: %q", name, door, kind)
			}
		}
		if in, err := c.Issuer.Introspect(ctx, "shasta", issue.ClientProof{ID: "shasta"}, token); err != nil || in.Active {
			t.Errorf("%s at introspection: %v, %+v", name, err, in)
		}
		if strings.Contains(name, "refresh") {
			_, err := c.Access.IBMToken(ctx, token)
			wantKind(t, name+" as an access token", err, identity.KindInvalidBearer)
		}
	}
	for name, token := range map[string]identity.Secret{
		"realm's access token": realm.AccessToken, "realm's refresh token": realm.RefreshToken,
		"pool's access token": pool.Tokens.Access, "pool's ID token": pool.Tokens.ID, "pool's refresh token": pool.Tokens.Refresh,
		"empty": "", "nothing": "x", "three parts": "a.b.c", "bent": flipped(byKey.Access), "unsigned": unsign(byKey.Access),
		"huge": identity.Secret(strings.Repeat("A", 1<<20)),
	} {
		_, err := c.Access.IBMToken(ctx, token)
		wantKind(t, name, err, identity.KindInvalidBearer)
	}
	// The issuer cannot be a provider of an account.
	_, err = c.Directory.CreateOpenIDConnectProvider(ctx, c.root, directory.NewProvider{URL: stacktest.ExternalURL + "/identity", ClientIDs: []string{"bx"}})
	wantKind(t, "as a provider", err, identity.KindInvalidInput)
}

// unsigned is a token without its signature.
func unsign(s identity.Secret) identity.Secret {
	parts := strings.Split(s.Reveal(), ".")
	return identity.Secret(parts[0] + "." + parts[1] + ".")
}

func (c *cloud) poolID() string {
	c.t.Helper()
	r, err := store.Realms.Get(c.DB.Snapshot(), "shasta")
	c.check(err)
	return r.PoolID()
}

// TestIBMCallerIsJudgedEachTime: a token that was accepted is not any more once
// its account or its owner is not.
func TestIBMCallerIsJudgedEachTime(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(c *cloud, owner string){
		"owner disabled":     func(c *cloud, owner string) { c.change(owner, func(u *identity.User) { u.Disabled = true }) },
		"second factor owed": func(c *cloud, owner string) { c.change(owner, func(u *identity.User) { u.MFARequired = true }) },
		"password to change": func(c *cloud, owner string) { c.change(owner, func(u *identity.User) { u.MustChangePassword = true }) },
		"owner moved account": func(c *cloud, owner string) {
			c.change(owner, func(u *identity.User) { u.AccountID = stacktest.AccountB })
		},
		"account disabled": func(c *cloud, _ string) {
			_, err := c.DB.Update(c.t.Context(), func(tx store.Tx) error {
				acc, err := store.Accounts.Get(tx, stacktest.AccountA)
				if err != nil {
					return err
				}
				v := *acc
				v.Disabled = true
				return store.Accounts.Put(tx, &v)
			})
			c.check(err)
		},
	} {
		c := newCloud(t)
		key := c.userKey(stacktest.TestUser)
		tokens := c.mustLogIn(key.Text)
		if !c.accepted(tokens) {
			t.Fatal("refused from the start")
		}
		end(c, key.UserID)
		if c.accepted(tokens) {
			t.Errorf("%s: the token is accepted", name)
		}
		if _, err := c.logIn(key.Text); err == nil {
			t.Errorf("%s: the key logs in", name)
		}
		if _, err := c.refresh(tokens.Refresh); err == nil {
			t.Errorf("%s: the refresh token is good", name)
		}
	}
}
