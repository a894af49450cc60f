package directory_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

// TestRevokeScopes: each scope ends the session and its child, whatever the
// clock of the node that revokes says, and nothing else; a log-in afterwards
// works.
func TestRevokeScopes(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	reader := roleID(t, s, stacktest.AccountA, stacktest.ReadOnlyRole)
	user, err := store.Users.By(s.DB.Snapshot(), "name", store.Join(stacktest.AccountA, stacktest.TestUser))
	if err != nil {
		t.Fatal(err)
	}
	type made struct {
		keys identity.SessionKeys
		set  issue.TokenSet
	}
	for name, tc := range map[string]struct {
		spec func(made) directory.RevokeSpec
		// login says that the log-in's own tokens end too.
		login, rootToo bool
		// bounded to account A, it spares what came of it elsewhere.
		bounded bool
	}{
		"access key ID": {func(m made) directory.RevokeSpec {
			return directory.RevokeSpec{Scope: directory.ScopeAccessKey, ID: m.keys.AccessKeyID}
		}, false, false, false},
		"access key ID, indexed": {func(m made) directory.RevokeSpec {
			if err := s.Index.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			return directory.RevokeSpec{Scope: directory.ScopeAccessKey, ID: m.keys.AccessKeyID}
		}, false, false, false},
		"access key ID, bounded": {func(m made) directory.RevokeSpec {
			return directory.RevokeSpec{Scope: directory.ScopeAccessKey, ID: m.keys.AccessKeyID, AccountID: stacktest.AccountA}
		}, false, false, true},
		"login": {func(m made) directory.RevokeSpec {
			return directory.RevokeSpec{Scope: directory.ScopeLogin, ID: m.set.SessionState}
		}, true, false, false},
		"family": {func(m made) directory.RevokeSpec {
			return directory.RevokeSpec{Scope: directory.ScopeFamily, ID: m.set.SessionState}
		}, true, false, false},
		"principal by ARN": {func(made) directory.RevokeSpec {
			return directory.RevokeSpec{Scope: directory.ScopePrincipal, ID: userARN}
		}, true, false, false},
		"principal by ID": {func(made) directory.RevokeSpec {
			return directory.RevokeSpec{Scope: directory.ScopePrincipal, ID: user.ID}
		}, true, false, false},
		"role by ARN": {func(made) directory.RevokeSpec {
			return directory.RevokeSpec{Scope: directory.ScopeRole, ID: roleARNA}
		}, false, false, false},
		"role as a principal, by ID": {func(made) directory.RevokeSpec {
			return directory.RevokeSpec{Scope: directory.ScopePrincipal, ID: roleID(t, s, stacktest.AccountA, stacktest.RoleName)}
		}, false, false, false},
		"provider": {func(made) directory.RevokeSpec {
			return directory.RevokeSpec{Scope: directory.ScopeProvider, ID: identity.ProviderARN("aws", stacktest.AccountA, ownIssuer)}
		}, false, false, false},
		"web identity": {func(made) directory.RevokeSpec {
			return directory.RevokeSpec{Scope: directory.ScopeWebIdentity, ID: ownIssuer, Subject: user.Subject}
		}, false, false, false},
		"web identity, bounded": {func(made) directory.RevokeSpec {
			return directory.RevokeSpec{Scope: directory.ScopeWebIdentity, ID: ownIssuer, Subject: user.Subject, AccountID: stacktest.AccountA}
		}, false, false, true},
		"account": {func(made) directory.RevokeSpec {
			return directory.RevokeSpec{Scope: directory.ScopeAccount, ID: stacktest.AccountA}
		}, true, true, false},
	} {
		keys, set := session(t, s)
		kid := child(t, s, accepted(t, s, keys), stacktest.AccountA, "aws", reader)
		grandchild := child(t, s, accepted(t, s, kid), stacktest.AccountA, "aws", reader)
		abroad := child(t, s, accepted(t, s, keys), stacktest.AccountB, "demo", reader)
		otherRoot := rootSession(t, s, stacktest.RootEmailA, rootARNA)
		other := rootSession(t, s, stacktest.RootEmailB, "arn:demo:iam::"+stacktest.AccountB+":root")
		accepted(t, s, kid)
		s.Clock.Advance(10 * time.Minute)
		revoke(t, s, s.Operator(), tc.spec(made{keys, set}))
		s.Clock.Advance(-10 * time.Minute)
		want(t, s, name+": session", keys, false)
		want(t, s, name+": child", kid, false)
		want(t, s, name+": grandchild", grandchild, false)
		want(t, s, name+": child in another account", abroad, tc.bounded)
		want(t, s, name+": root of the account", otherRoot, !tc.rootToo)
		want(t, s, name+": root of another account", other, true)
		if _, err := s.Issuer.UserInfo(t.Context(), "shasta", set.AccessToken); (err != nil) != tc.login {
			t.Errorf("%s: userinfo: %v, want an error: %v", name, err, tc.login)
		}
		_, err := s.Issuer.Refresh(t.Context(), issue.RefreshGrant{Realm: "shasta", Client: issue.ClientProof{ID: "shasta"}, RefreshToken: set.RefreshToken})
		if (err != nil) != tc.login {
			t.Errorf("%s: refresh: %v, want an error: %v", name, err, tc.login)
		}
		again, _ := session(t, s)
		want(t, s, name+": a new log-in", again, true)
	}
}

// TestRevokeForeign: a foreign token from before the revocation gives no keys
// any more, however late, and a newer one does.
func TestRevokeForeign(t *testing.T) {
	t.Parallel()
	for name, spec := range map[string]directory.RevokeSpec{
		"web identity":          {Scope: directory.ScopeWebIdentity, ID: stacktest.ForeignIssuer, Subject: "alice"},
		"web identity, bounded": {Scope: directory.ScopeWebIdentity, ID: stacktest.ForeignIssuer, Subject: "alice", AccountID: stacktest.AccountA},
		"provider":              {Scope: directory.ScopeProvider, ID: foreignARN},
	} {
		s := stacktest.New(t)
		f := newForeign(t, s)
		jwt := f.token(t, s)
		keys := exchange(t, s, readerARN, jwt)
		own, _ := session(t, s)
		s.Clock.Advance(time.Minute)
		revoke(t, s, s.Operator(), spec)
		want(t, s, name, keys, false)
		want(t, s, name+": another's", own, true)
		if err := s.Access.PruneRevocations(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.Clock.Advance(time.Hour)
		if _, err := s.Issuer.WebIdentity(t.Context(), issue.WebIdentityRequest{RoleARN: readerARN, RoleSessionName: "x", Token: jwt}); identity.KindOf(err) != identity.KindExpiredIdentity {
			t.Errorf("%s: the old token: %v", name, err)
		}
		want(t, s, name+": a new token", exchange(t, s, readerARN, f.token(t, s)), true)
		s.Clock.Advance(100 * 24 * time.Hour)
		if err := s.Access.PruneRevocations(t.Context()); err != nil {
			t.Fatal(err)
		}
		if list, _ := store.Revocations.List(s.DB.Snapshot(), "", "", store.After{}, 0); len(list) != 1 {
			t.Errorf("%s: %d revocations are left; a foreign token may be as old as it likes", name, len(list))
		}
	}
}

// TestRevokeIssuedBefore compares milliseconds, of each ancestor.
func TestRevokeIssuedBefore(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	s.Clock.Advance(400 * time.Millisecond)
	set := logIn(t, s, "shasta", "shasta", stacktest.TestUser, stacktest.TestPassword)
	old := exchange(t, s, roleARNA, set.AccessToken)
	s.Clock.Advance(100 * time.Millisecond)
	at := s.Clock.Now()
	s.Clock.Advance(100 * time.Millisecond)
	late := exchange(t, s, roleARNA, set.AccessToken)
	fresh, _ := session(t, s)
	revoke(t, s, s.Operator(), directory.RevokeSpec{Scope: directory.ScopeRole, ID: roleARNA, IssuedBefore: at})
	want(t, s, "issued before", old, false)
	want(t, s, "issued after", late, true)
	// The user's log-in was before, whenever the keys were made.
	revoke(t, s, s.Operator(), directory.RevokeSpec{Scope: directory.ScopePrincipal, ID: userARN, IssuedBefore: at})
	want(t, s, "issued after, by a log-in before", late, false)
	want(t, s, "by a log-in after", fresh, true)
	_, err := s.Directory.RevokeSessions(t.Context(), s.Operator(), directory.RevokeSpec{Scope: directory.ScopeRole, ID: roleARNA, IssuedBefore: s.Clock.Now().Add(time.Minute)})
	if identity.KindOf(err) != identity.KindValidation {
		t.Errorf("a time ahead: %v", err)
	}
}

// TestRevokeByAccounts: callers of an account reach what is the account's own,
// and learn nothing of the rest.
func TestRevokeByAccounts(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t, stacktest.WithSite(func(spec *directory.SiteSpec) {
		spec.Users[0].ManagedPolicies = []string{"arn:aws:iam::aws:policy/AdministratorAccess"}
	}))
	a := accepted(t, s, rootSession(t, s, stacktest.RootEmailA, rootARNA))
	b := rootSession(t, s, stacktest.RootEmailB, "arn:demo:iam::"+stacktest.AccountB+":root")
	rootKeys := rootSession(t, s, stacktest.RootEmailA, rootARNA)
	mine, _ := session(t, s)
	if err := s.Index.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	made, err := s.Issuer.AccessKey(t.Context(), a, stacktest.TestUser)
	if err != nil {
		t.Fatal(err)
	}
	admin := accepted(t, s, identity.SessionKeys{AccessKeyID: made.Key.ID, SecretAccessKey: made.Secret})
	// Known or not, another account's session is untouched, without a word.
	revoke(t, s, a, directory.RevokeSpec{Scope: directory.ScopeAccessKey, ID: b.AccessKeyID})
	want(t, s, "another account's session", b, true)
	for name, spec := range map[string]directory.RevokeSpec{
		"account": {Scope: directory.ScopeAccount, ID: stacktest.AccountB},
		"root":    {Scope: directory.ScopePrincipal, ID: stacktest.AccountB},
		"nobody":  {Scope: directory.ScopePrincipal, ID: "AIDANOBODY"},
		"login":   {Scope: directory.ScopeLogin, ID: "unknown"},
		"pool":    {Scope: directory.ScopePoolIdentity, ID: "unknown"},
	} {
		if _, err := s.Directory.RevokeSessions(t.Context(), a, spec); identity.KindOf(err) != identity.KindNotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
	// An administrator that is not root reaches all but root.
	for name, spec := range map[string]directory.RevokeSpec{
		"root":           {Scope: directory.ScopePrincipal, ID: rootARNA},
		"root's session": {Scope: directory.ScopeAccessKey, ID: rootKeys.AccessKeyID},
		"account":        {Scope: directory.ScopeAccount, ID: stacktest.AccountA},
	} {
		if _, err := s.Directory.RevokeSessions(t.Context(), admin, spec); identity.KindOf(err) != identity.KindNotFound {
			t.Errorf("%s by an administrator: %v", name, err)
		}
	}
	want(t, s, "root's session", rootKeys, true)
	list, err := s.Directory.ListSessions(t.Context(), admin, directory.SessionFilter{AccountID: stacktest.AccountB, Active: true})
	if err != nil || len(list) != 3 || slices.ContainsFunc(list, func(x directory.Session) bool { return x.AccountID != stacktest.AccountA }) {
		t.Errorf("listed by an administrator of A: %v, %+v", err, list)
	}
	if _, err := s.Directory.GetSession(t.Context(), admin, b.AccessKeyID); identity.KindOf(err) != identity.KindNotFound {
		t.Errorf("another account's session shown: %v", err)
	}
	revoke(t, s, admin, directory.RevokeSpec{Scope: directory.ScopeAccessKey, ID: mine.AccessKeyID})
	want(t, s, "an own session", mine, false)
	shown, err := s.Directory.GetSession(t.Context(), admin, mine.AccessKeyID)
	if err != nil || shown.State != directory.SessionRevoked || shown.Subject != stacktest.TestUser || shown.Proof != "web identity" {
		t.Errorf("shown: %v, %+v", err, shown)
	}
	if _, err := s.Directory.RevokeSessions(t.Context(), a, directory.RevokeSpec{Scope: "nonsense", ID: "x"}); identity.KindOf(err) != identity.KindValidation {
		t.Errorf("no such scope: %v", err)
	}
}

// TestRevokeWithKeys: keys that a session or its descendant made go with it.
func TestRevokeWithKeys(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	parent := rootSession(t, s, stacktest.RootEmailA, rootARNA)
	c := accepted(t, s, parent)
	made, err := s.Issuer.AccessKey(t.Context(), c, "service")
	if err != nil {
		t.Fatal(err)
	}
	if made.Key.MadeBy.Get(identity.LineageAccessKey) != parent.AccessKeyID || made.Key.MadeByProvider == "" {
		t.Errorf("made by %+v, %q", made.Key.MadeBy, made.Key.MadeByProvider)
	}
	other, err := s.Issuer.AccessKey(t.Context(), s.Operator(), "")
	if err == nil {
		t.Fatalf("the operator made a key for nobody: %+v", other)
	}
	kept, err := s.Issuer.RootAccessKey(t.Context(), s.Operator(), stacktest.AccountA)
	if err != nil {
		t.Fatal(err)
	}
	keys := identity.SessionKeys{AccessKeyID: made.Key.ID, SecretAccessKey: made.Secret}
	byKey := child(t, s, accepted(t, s, keys), stacktest.AccountA, "aws", roleID(t, s, stacktest.AccountA, stacktest.ReadOnlyRole))
	spec := directory.RevokeSpec{Scope: directory.ScopeAccessKey, ID: parent.AccessKeyID}
	if err := s.Index.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	spec.DryRun, spec.WithKeys = true, true
	if would := revoke(t, s, s.Operator(), spec); would.Sessions != 1 || !slices.Equal(would.Keys, []string{made.Key.ID}) {
		t.Errorf("dry run: %+v", would)
	}
	want(t, s, "after a dry run", parent, true)
	spec.DryRun, spec.WithKeys = false, false
	if did := revoke(t, s, s.Operator(), spec); did.Keys != nil {
		t.Errorf("keys without --with-keys: %v", did.Keys)
	}
	want(t, s, "the key, not asked for", keys, true)
	spec.WithKeys = true
	if did := revoke(t, s, s.Operator(), spec); !slices.Equal(did.Keys, []string{made.Key.ID}) {
		t.Errorf("keys: %v", did.Keys)
	}
	want(t, s, "the key", keys, false)
	want(t, s, "what was obtained with it", byKey, false)
	want(t, s, "another key", identity.SessionKeys{AccessKeyID: kept.Key.ID, SecretAccessKey: kept.Secret}, true)
	// A user's own keys go with the user.
	if did := revoke(t, s, s.Operator(), directory.RevokeSpec{Scope: directory.ScopePrincipal, ID: rootARNA, WithKeys: true}); !slices.Equal(did.Keys, []string{kept.Key.ID}) {
		t.Errorf("keys of the principal: %v", did.Keys)
	}
}

// TestLineageBound: chains of roles are bounded, by an error and not by
// forgetting an ancestor.
func TestLineageBound(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	reader, own := roleID(t, s, stacktest.AccountA, stacktest.ReadOnlyRole), roleID(t, s, stacktest.AccountA, stacktest.RoleName)
	keys, _ := session(t, s)
	first := child(t, s, accepted(t, s, keys), stacktest.AccountA, "aws", reader)
	second := child(t, s, accepted(t, s, first), stacktest.AccountA, "aws", own)
	c := accepted(t, s, second)
	if _, err := c.Descend(stacktest.AccountA); identity.KindOf(err) != identity.KindLimitExceeded {
		t.Errorf("a third change of role: %v with %d ancestors", err, len(c.Lineage))
	}
	if l := c.MadeBy(); len(l) <= identity.MaxLineage || !strings.HasPrefix(l.Get(identity.LineageAccessKey), "ASIA") {
		t.Errorf("made by %v", l)
	}
}
