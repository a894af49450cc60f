package issue_test

import (
	"testing"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

// TestWhatEndsPoolSessions: everything that a session descends from ends it.
func TestWhatEndsPoolSessions(t *testing.T) {
	t.Parallel()
	user := func(p *pools) issue.Logins { return p.userLogin() }
	foreign := func(p *pools) issue.Logins { return p.login() }
	revoke := func(scope directory.RevokeScope, id, subject string) func(*pools, string) error {
		return func(p *pools, _ string) error {
			_, err := p.Directory.RevokeSessions(p.t.Context(), p.Operator(), directory.RevokeSpec{Scope: scope, ID: id, Subject: subject})
			return err
		}
	}
	for name, c := range map[string]struct {
		logins func(*pools) issue.Logins
		end    func(*pools, string) error
	}{
		"user revoked":   {user, revoke(directory.ScopePrincipal, "arn:aws:iam::"+stacktest.AccountA+":user/testuser", "")},
		"log-in session": {user, revoke(directory.ScopeLogin, "5e551011-0000-4000-8000-000000000000", "")},
		"password taken": {user, func(p *pools, _ string) error {
			return p.Directory.DeleteLoginProfile(p.t.Context(), p.rootA, stacktest.TestUser)
		}},
		"web identity":     {foreign, revoke(directory.ScopeWebIdentity, stacktest.ForeignIssuer, "alice")},
		"provider revoked": {foreign, revoke(directory.ScopeProvider, "arn:aws:iam::"+stacktest.AccountA+":oidc-provider/"+foreignName, "")},
		"provider deleted": {foreign, func(p *pools, _ string) error {
			return p.Directory.DeleteOpenIDConnectProvider(p.t.Context(), p.rootA, "arn:aws:iam::"+stacktest.AccountA+":oidc-provider/"+foreignName)
		}},
		"identity revoked": {foreign, func(p *pools, id string) error { return revoke(directory.ScopePoolIdentity, id, "")(p, id) }},
		"by the account": {foreign, func(p *pools, id string) error {
			_, err := p.Directory.RevokeSessions(p.t.Context(), p.rootA, directory.RevokeSpec{Scope: directory.ScopePoolIdentity, ID: id})
			return err
		}},
		"identity deleted": {user, func(p *pools, id string) error {
			_, err := p.Directory.DeleteIdentities(p.t.Context(), p.rootA, []string{id})
			return err
		}},
		"login unlinked": {foreign, func(p *pools, id string) error {
			return p.Issuer.UnlinkIdentity(p.t.Context(), issue.UnlinkRequest{IdentityID: id, Logins: p.login(), Remove: []string{foreignName}})
		}},
		"pool deleted": {user, func(p *pools, _ string) error {
			return p.Directory.DeleteIdentityPool(p.t.Context(), p.rootA, p.pool.ID)
		}},
		"pool revoked": {user, func(p *pools, _ string) error { return revoke(directory.ScopeProvider, p.pool.ARN("aws"), "")(p, "") }},
		"client removed": {user, func(p *pools, _ string) error {
			p.settings(func(s *directory.IdentityPoolSettings) { s.UserPools = nil })
			return nil
		}},
		"provider removed": {user, func(p *pools, _ string) error {
			p.settings(func(s *directory.IdentityPoolSettings) { s.OIDCProviders = nil })
			return nil
		}},
		"role of the pool": {user, func(p *pools, _ string) error { p.authRole = p.mapped; p.setRoles(nil); return nil }},
		"role deleted":     {user, revoke(directory.ScopeRole, "arn:aws:iam::"+stacktest.AccountA+":role/members", "")},
		"account":          {user, revoke(directory.ScopeAccount, stacktest.AccountA, "")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPools(t)
			logins := c.logins(p)
			id := p.id(logins)
			caller, keys := p.session(id, logins)
			child := p.role(stacktest.AccountA, "child", trusting(p.authRole, assumeAction, ""))
			chained, err := p.assume(caller, child)
			if err != nil {
				t.Fatal(err)
			}
			if p.caller(chained.Keys).Pool != nil {
				t.Error("a chained session says it is the pool's")
			}
			if err := c.end(p, id); err != nil {
				t.Fatal(err)
			}
			_, err = p.try(keys)
			wantKind(t, "keys", err, identity.KindExpiredToken)
			_, err = p.try(chained.Keys)
			wantKind(t, "keys of a role taken with them", err, identity.KindExpiredToken)
		})
	}
}

// TestEndedLogins: a log-in that has ended gets neither identity nor keys.
func TestEndedLogins(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*pools){"disabled": disableTestUser, "signed out": signOutTestUser} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPools(t)
			logins := p.userLogin()
			id := p.id(logins)
			end(p)
			_, err := p.getID(logins)
			wantKind(t, "GetId", err, identity.KindExpiredIdentity)
			_, err = p.credentials(id, logins)
			wantKind(t, "GetCredentialsForIdentity", err, identity.KindExpiredIdentity)
		})
	}
}

func disableTestUser(p *pools) {
	p.update(func(tx store.Tx) error {
		u, err := store.Users.By(tx, "name", store.Join(stacktest.AccountA, stacktest.TestUser))
		if err != nil {
			return err
		}
		v := *u
		v.Disabled = true
		return store.Users.Put(tx, &v)
	})
}

func signOutTestUser(p *pools) {
	_, err := p.Directory.RevokeSessions(p.t.Context(), p.Operator(), directory.RevokeSpec{Scope: directory.ScopeLogin, ID: "5e551011-0000-4000-8000-000000000000"})
	if err != nil {
		p.t.Fatal(err)
	}
}
