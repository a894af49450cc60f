package issue_test

import (
	"encoding/json"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"daypass/internal/access"
	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/keyring"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

const (
	foreignName = "idp.example.org"
	poolClient  = "4exampleclientid0000000000"
	userPool    = "us-east-1_Abc123XYZ"
	poolName    = "cognito-idp.us-east-1.amazonaws.com/" + userPool
)

// pools is a stack with an identity pool for a foreign provider and for the user
// pool of the realm shasta.
type pools struct {
	*foreign
	pool                    identity.IdentityPool
	authRole, guest, mapped string // ARNs
}

func newPools(t testing.TB) *pools {
	t.Helper()
	p := &pools{foreign: newForeign(t)}
	p.rootA = p.office.rootCaller()
	p.update(func(tx store.Tx) error {
		r, err := store.Realms.Get(tx, "shasta")
		if err != nil {
			return err
		}
		v := *r
		v.PoolName, v.Pool = "Abc123XYZ", &identity.UserPool{Name: "pool", Region: "us-east-1", MFA: identity.MFAOptional}
		if err := store.PoolClients.Put(tx, &identity.PoolClient{ID: poolClient, Realm: "shasta", Name: "web"}); err != nil {
			return err
		}
		if err := store.PoolClients.Put(tx, &identity.PoolClient{ID: "5otherclientid000000000000", Realm: "shasta", Name: "other"}); err != nil {
			return err
		}
		return store.Realms.Put(tx, &v)
	})
	if err := p.Keyring.EnsureSets(t.Context(), []keyring.SetSpec{{Set: "pool/" + userPool, Algorithm: keyring.RS256}}); err != nil {
		t.Fatal(err)
	}
	var err error
	p.pool, err = p.Directory.CreateIdentityPool(t.Context(), p.rootA, directory.IdentityPoolSettings{
		Name: "pool", UserPools: []identity.PoolLogin{{Provider: poolName, ClientID: poolClient}},
		OIDCProviders: []string{"arn:aws:iam::" + stacktest.AccountA + ":oidc-provider/" + foreignName},
	})
	if err != nil {
		t.Fatal(err)
	}
	p.authRole, p.guest, p.mapped = p.poolRole("members", "authenticated"), p.poolRole("guests", "unauthenticated"), p.poolRole("mapped", "authenticated")
	p.setRoles(nil)
	return p
}

// rootCaller signs as the root user of account A.
func (o *office) rootCaller() *identity.Caller {
	o.t.Helper()
	made, err := o.Issuer.RootAccessKey(o.t.Context(), o.Operator(), stacktest.AccountA)
	if err != nil {
		o.t.Fatal(err)
	}
	c := o.caller(identity.SessionKeys{AccessKeyID: made.Key.ID, SecretAccessKey: made.Secret})
	c.Request.Region = "us-east-1"
	return c
}

func (p *pools) poolRole(name, amr string) string {
	p.t.Helper()
	return p.role(stacktest.AccountA, name, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Federated":"cognito-identity.amazonaws.com"},`+
		`"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"cognito-identity.amazonaws.com:aud":"`+p.pool.ID+
		`"},"ForAnyValue:StringLike":{"cognito-identity.amazonaws.com:amr":"`+amr+`"}}}}`, "arn:aws:iam::aws:policy/AmazonS3FullAccess")
}

func (p *pools) setRoles(mappings map[string]identity.PoolRoleMapping) {
	p.t.Helper()
	err := p.Directory.SetIdentityPoolRoles(p.t.Context(), p.rootA, p.pool.ID, map[string]string{"authenticated": p.authRole, "unauthenticated": p.guest}, mappings)
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *pools) settings(fn func(*directory.IdentityPoolSettings)) {
	p.t.Helper()
	in := directory.IdentityPoolSettings{
		Name: p.pool.Name, AllowUnauthenticated: p.pool.AllowUnauthenticated, AllowClassicFlow: p.pool.AllowClassicFlow,
		UserPools: p.pool.UserPools, OIDCProviders: p.pool.OIDCProviders,
	}
	fn(&in)
	var err error
	if p.pool, err = p.Directory.UpdateIdentityPool(p.t.Context(), p.rootA, p.pool.ID, in); err != nil {
		p.t.Fatal(err)
	}
}

// login is a foreign log-in; logins are several.
func (p *pools) login(pairs ...any) issue.Logins {
	return issue.Logins{foreignName: p.token(stacktest.ForeignIssuer, pairs...)}
}

// userLogin is a log-in by an ID token of the user pool.
func (p *pools) userLogin(pairs ...any) issue.Logins {
	return issue.Logins{poolName: p.idToken(pairs...)}
}

func (p *pools) idToken(pairs ...any) identity.Secret {
	p.t.Helper()
	snap := p.DB.Snapshot()
	u, err := store.Users.By(snap, "name", store.Join(stacktest.AccountA, stacktest.TestUser))
	if err != nil {
		p.t.Fatal(err)
	}
	now := p.Clock.Now()
	claims := map[string]any{
		"iss": stacktest.ExternalURL + "/" + userPool, "sub": u.Subject, "aud": poolClient, "token_use": "id", "cognito:username": u.Name,
		"exp": now.Unix() + 3600, "iat": now.Unix(), "sid": "5e551011-0000-4000-8000-000000000000",
		"dp_inc": snap.Position().Incarnation, "dp_pos": snap.Position().N, "dp_uid": u.ID, "dp_ms": now.UnixMilli(),
	}
	for i := 0; i < len(pairs); i += 2 {
		if claims[pairs[i].(string)] = pairs[i+1]; pairs[i+1] == nil {
			delete(claims, pairs[i].(string))
		}
	}
	b, _ := json.Marshal(claims)
	text, err := p.JWTs.Sign("pool/"+userPool, keyring.RS256, b, "JWT")
	if err != nil {
		p.t.Fatal(err)
	}
	return identity.Secret(text)
}

func (p *pools) getID(logins issue.Logins) (string, error) {
	return p.Issuer.IdentityID(p.t.Context(), issue.IdentityIDRequest{PoolID: p.pool.ID, Logins: logins})
}

func (p *pools) id(logins issue.Logins) string {
	p.t.Helper()
	id, err := p.getID(logins)
	if err != nil {
		p.t.Fatal(err)
	}
	return id
}

func (p *pools) credentials(id string, logins issue.Logins) (issue.PoolCredentials, error) {
	return p.Issuer.PoolCredentials(p.t.Context(), issue.PoolCredentialsRequest{IdentityID: id, Logins: logins})
}

// session is who the keys of credentials make.
func (p *pools) session(id string, logins issue.Logins) (*identity.Caller, identity.SessionKeys) {
	p.t.Helper()
	out, err := p.credentials(id, logins)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.caller(out.Keys), out.Keys
}

func TestPoolCredentials(t *testing.T) {
	t.Parallel()
	p := newPools(t)
	for name, logins := range map[string]func() issue.Logins{"foreign": func() issue.Logins { return p.login() }, "user pool": func() issue.Logins { return p.userLogin() }} {
		id := p.id(logins())
		p.Clock.Advance(time.Minute)
		if again := p.id(logins()); again != id || !strings.HasPrefix(id, "us-east-1:") {
			t.Errorf("%s: got %s, then %s", name, id, again)
		}
		c, keys := p.session(id, logins())
		want := "arn:aws:sts::" + stacktest.AccountA + ":assumed-role/members/CognitoIdentityCredentials"
		if c.ARN != want || !strings.HasPrefix(keys.AccessKeyID, "ASIA") || !keys.Expiration.Equal(p.Clock.Now().Add(time.Hour)) {
			t.Errorf("%s: got %s, %s, until %s", name, c.ARN, keys.AccessKeyID, keys.Expiration)
		}
		if c.Pool == nil || c.Pool.IdentityID != id || c.Pool.PoolID != p.pool.ID || c.Pool.AMR[0] != "authenticated" || len(c.Pool.AMR) != 3 || c.MFA {
			t.Errorf("%s: got %+v", name, c.Pool)
		}
		if got := c.Lineage.Get(identity.LineagePoolIdentity); got != id {
			t.Errorf("%s: lineage %v", name, c.Lineage)
		}
	}
}

func TestPoolSessionInheritsSecondFactor(t *testing.T) {
	t.Parallel()
	p := newPools(t)
	at := p.Clock.Now().Add(-time.Minute)
	logins := p.userLogin("dp_mfa", at.UnixMilli())
	c, _ := p.session(p.id(logins), logins)
	if !c.MFA || !c.MFATime.Equal(at) {
		t.Errorf("got MFA %v at %v, want %v", c.MFA, c.MFATime, at)
	}
	foreign := p.login("dp_mfa", at.UnixMilli(), "amr", []string{"mfa"})
	if c, _ := p.session(p.id(foreign), foreign); c.MFA {
		t.Error("a foreign token's word made a second factor")
	}
	both := maps.Clone(logins)
	maps.Copy(both, p.login("sub", "bob"))
	if c, _ := p.session(p.id(both), both); c.MFA {
		t.Error("a second factor of one log-in counts for two")
	}
}

func TestIdentityBelongsToLogin(t *testing.T) {
	t.Parallel()
	p := newPools(t)
	alice, bob := p.id(p.login()), p.id(p.login("sub", "bob"))
	if alice == bob {
		t.Fatal("two subjects share an identity")
	}
	for name, c := range map[string]struct {
		id     string
		logins issue.Logins
		kind   identity.Kind
		want   string
	}{
		"another's":      {alice, p.login("sub", "bob"), identity.KindInvalidIdentity, "Logins don't match. Please include at least one valid login for this identity or identity pool."},
		"a new login":    {alice, p.login("sub", "carol"), identity.KindInvalidIdentity, "Logins don't match."},
		"no login":       {alice, nil, identity.KindInvalidIdentity, "Access to Identity '" + alice + "' is forbidden."},
		"unknown":        {"us-east-1:00000000-0000-4000-8000-000000000000", p.login(), identity.KindNotFound, "Identity 'us-east-1:00000000-0000-4000-8000-000000000000' not found."},
		"two identities": {alice, issue.Logins{foreignName: p.token(stacktest.ForeignIssuer), poolName: p.idToken()}, "", ""},
	} {
		_, err := p.credentials(c.id, c.logins)
		wantKind(t, name, err, c.kind)
		if c.want != "" {
			wantText(t, name, err, c.want)
		}
	}
	// The last one linked the user pool's log-in to alice.
	if got := p.id(p.userLogin()); got != alice {
		t.Errorf("got %s, want the linked %s", got, alice)
	}
	_, err := p.getID(issue.Logins{foreignName: p.token(stacktest.ForeignIssuer, "sub", "bob"), poolName: p.idToken()})
	wantKind(t, "logins of two identities", err, identity.KindAlreadyExists)
	_, err = p.Issuer.IdentityID(t.Context(), issue.IdentityIDRequest{PoolID: "us-east-1:ffffffff-0000-4000-8000-000000000000", Logins: p.login()})
	wantText(t, "absent pool", err, "IdentityPool 'us-east-1:ffffffff-0000-4000-8000-000000000000' not found.")
	_, err = p.Issuer.IdentityID(t.Context(), issue.IdentityIDRequest{PoolID: p.pool.ID, AccountID: "999999999999", Logins: p.login()})
	wantText(t, "pool of another account", err, "IdentityPool '"+p.pool.ID+"' not found.")
}

func TestIdentityIsOneForParallelLogins(t *testing.T) {
	t.Parallel()
	p := newPools(t)
	var wg sync.WaitGroup
	ids := make([]string, 8)
	both := issue.Logins{foreignName: p.token(stacktest.ForeignIssuer), poolName: p.idToken()}
	for i := range ids {
		wg.Go(func() {
			logins := both
			if i%2 == 1 {
				logins = issue.Logins{foreignName: both[foreignName]}
			}
			id, err := p.getID(logins)
			if err != nil {
				t.Errorf("log-in %d: %v", i, err)
			}
			ids[i] = id
		})
	}
	wg.Wait()
	for i, id := range ids {
		if id != ids[0] || id == "" {
			t.Errorf("log-in %d: got %q, want %q", i, id, ids[0])
		}
	}
	list, err := p.Directory.ListIdentities(t.Context(), p.rootA, p.pool.ID, false, directory.Page{})
	if err != nil || len(list.Items) != 1 || len(list.Items[0].Logins) != 2 {
		t.Errorf("got %+v, %v; want one identity with two logins", list.Items, err)
	}
}

func TestGuests(t *testing.T) {
	t.Parallel()
	p := newPools(t)
	p.settings(func(s *directory.IdentityPoolSettings) { s.AllowUnauthenticated = true })
	guest := p.id(nil)
	if other := p.id(nil); other == guest {
		t.Error("two guests are one identity")
	}
	c, keys := p.session(guest, nil)
	if c.Name != "guests" || len(c.Pool.AMR) != 1 || c.Pool.AMR[0] != "unauthenticated" {
		t.Errorf("got role %s, amr %v", c.Name, c.Pool.AMR)
	}
	_, err := p.Issuer.PoolCredentials(t.Context(), issue.PoolCredentialsRequest{IdentityID: guest, CustomRoleARN: p.authRole})
	wantKind(t, "custom role of a guest", err, identity.KindInvalidIdentity)
	// A guest who logs in keeps the identity, unless the log-in has one already.
	member, _ := p.session(guest, p.login())
	if member.Name != "members" || p.id(p.login()) != guest {
		t.Errorf("got role %s; the log-in leads to %s, want %s", member.Name, p.id(p.login()), guest)
	}
	_, err = p.credentials(guest, nil)
	wantText(t, "guest no more", err, "Access to Identity '"+guest+"' is forbidden.")
	second := p.id(nil)
	_, secondKeys := p.session(second, nil)
	out, err := p.credentials(second, p.login())
	if err != nil || out.IdentityID != guest {
		t.Errorf("got %s, %v, want %s", out.IdentityID, err, guest)
	}
	_, err = p.credentials(second, nil)
	wantText(t, "merged guest", err, "is forbidden.")
	_, err = p.try(secondKeys)
	wantKind(t, "keys of the merged guest", err, identity.KindExpiredToken)
	if _, err = p.try(keys); err != nil {
		t.Errorf("keys of the first guest: %v", err)
	}
	p.settings(func(s *directory.IdentityPoolSettings) { s.AllowUnauthenticated = false })
	_, err = p.try(keys)
	wantKind(t, "a guest's keys when guests are shut out", err, identity.KindExpiredToken)
}

func TestPoolRoles(t *testing.T) {
	t.Parallel()
	p := newPools(t)
	other := p.poolRole("other", "authenticated")
	untrusting := p.role(stacktest.AccountA, "untrusting", trusting("arn:aws:iam::"+stacktest.AccountA+":root", assumeAction, ""))
	foreignRole := p.role(stacktest.AccountB, "theirs", strings.ReplaceAll(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Federated":"cognito-identity.amazonaws.com"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"cognito-identity.amazonaws.com:aud":"POOL"}}}}`, "POOL", p.pool.ID))
	token := func(ambiguous string) map[string]identity.PoolRoleMapping {
		return map[string]identity.PoolRoleMapping{poolName: {Type: "Token", Ambiguous: ambiguous}}
	}
	rule := func(match, value, role string) identity.PoolRoleRule {
		return identity.PoolRoleRule{Claim: "department", MatchType: match, Value: value, RoleARN: role}
	}
	rules := func(name string, list ...identity.PoolRoleRule) map[string]identity.PoolRoleMapping {
		return map[string]identity.PoolRoleMapping{name: {Type: "Rules", Ambiguous: "Deny", Rules: list}}
	}
	const unfit = identity.KindAccessDenied
	for name, c := range map[string]struct {
		mappings map[string]identity.PoolRoleMapping
		logins   issue.Logins
		custom   string
		role     string
		kind     identity.Kind
	}{
		"no mapping":                      {nil, p.userLogin("cognito:preferred_role", p.mapped), "", "members", ""},
		"preferred":                       {token("Deny"), p.userLogin("cognito:preferred_role", p.mapped, "cognito:roles", []string{p.mapped, other}), "", "mapped", ""},
		"one role":                        {token("Deny"), p.userLogin("cognito:roles", []string{other}), "", "other", ""},
		"several, denied":                 {token("Deny"), p.userLogin("cognito:roles", []string{p.mapped, other}), "", "", identity.KindInvalidIdentity},
		"several, authenticated":          {token("AuthenticatedRole"), p.userLogin("cognito:roles", []string{p.mapped, other}), "", "members", ""},
		"custom":                          {token("Deny"), p.userLogin("cognito:roles", []string{p.mapped, other}), other, "other", ""},
		"custom not listed":               {token("Deny"), p.userLogin("cognito:roles", []string{p.mapped}), other, "", identity.KindInvalidIdentity},
		"custom without mapping":          {nil, p.userLogin("cognito:roles", []string{other}), other, "", identity.KindInvalidIdentity},
		"untrusting":                      {token("Deny"), p.userLogin("cognito:preferred_role", untrusting), "", "", unfit},
		"absent":                          {token("Deny"), p.userLogin("cognito:preferred_role", "arn:aws:iam::"+stacktest.AccountA+":role/none"), "", "", unfit},
		"of another account":              {token("Deny"), p.userLogin("cognito:preferred_role", foreignRole), "", "", unfit},
		"root":                            {token("Deny"), p.userLogin("cognito:preferred_role", rootA), "", "", unfit},
		"by client":                       {map[string]identity.PoolRoleMapping{poolName + ":" + poolClient: {Type: "Token", Ambiguous: "Deny"}}, p.userLogin("cognito:preferred_role", p.mapped), "", "mapped", ""},
		"equals":                          {rules(foreignName, rule("Equals", "ops", p.mapped)), p.login("department", "ops"), "", "mapped", ""},
		"equals not":                      {rules(foreignName, rule("Equals", "ops", p.mapped)), p.login("department", "oops"), "", "", identity.KindInvalidIdentity},
		"contains":                        {rules(foreignName, rule("Contains", "op", p.mapped)), p.login("department", "the ops"), "", "mapped", ""},
		"starts with":                     {rules(foreignName, rule("StartsWith", "op", p.mapped)), p.login("department", "ops"), "", "mapped", ""},
		"starts otherwise":                {rules(foreignName, rule("StartsWith", "ps", p.mapped)), p.login("department", "ops"), "", "", identity.KindInvalidIdentity},
		"not equal":                       {rules(foreignName, rule("NotEqual", "dev", p.mapped)), p.login("department", "ops"), "", "mapped", ""},
		"not equal to nothing":            {rules(foreignName, rule("NotEqual", "dev", p.mapped)), p.login(), "", "", identity.KindInvalidIdentity},
		"not equal to one of a list":      {rules(foreignName, rule("NotEqual", "dev", p.mapped)), p.login("department", []string{"ops", "dev"}), "", "", identity.KindInvalidIdentity},
		"first rule counts":               {rules(foreignName, rule("Equals", "x", other), rule("Contains", "o", p.mapped), rule("Contains", "p", other)), p.login("department", "ops"), "", "mapped", ""},
		"custom by rule":                  {rules(foreignName, rule("Contains", "o", p.mapped), rule("Contains", "p", other)), p.login("department", "ops"), other, "other", ""},
		"custom by no rule":               {rules(foreignName, rule("Contains", "o", p.mapped)), p.login("department", "ops"), other, "", identity.KindInvalidIdentity},
		"a foreign token's cognito:roles": {nil, p.login("cognito:roles", []string{other}, "cognito:preferred_role", other), other, "", identity.KindInvalidIdentity},
		"by provider ARN":                 {rules("arn:aws:iam::"+stacktest.AccountA+":oidc-provider/"+foreignName, rule("Equals", "ops", p.mapped)), p.login("department", "ops"), "", "mapped", ""},
	} {
		p.setRoles(c.mappings)
		out, err := p.Issuer.PoolCredentials(t.Context(), issue.PoolCredentialsRequest{IdentityID: p.id(c.logins), Logins: c.logins, CustomRoleARN: c.custom})
		wantKind(t, name, err, c.kind)
		if c.kind == unfit {
			wantText(t, name, err, "Invalid identity pool configuration. Check assigned IAM roles for this pool.")
		}
		if err != nil {
			continue
		}
		if got := p.caller(out.Keys).Name; got != c.role {
			t.Errorf("%s: got role %s, want %s", name, got, c.role)
		}
	}
}

// TestPoolConditionKeys: policies can ask whose session of which pool it is.
func TestPoolConditionKeys(t *testing.T) {
	t.Parallel()
	p := newPools(t)
	id := p.id(p.userLogin())
	own := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:GetUser","Resource":"arn:aws:iam::` + stacktest.AccountA + `:user/${cognito-identity.amazonaws.com:sub}",` +
		`"Condition":{"StringEquals":{"cognito-identity.amazonaws.com:aud":"` + p.pool.ID + `"},"ForAnyValue:StringEquals":{"cognito-identity.amazonaws.com:amr":"` + poolName + `"}}}}`
	if err := p.Directory.PutInlinePolicy(t.Context(), p.rootA, directory.Owner{Kind: directory.RoleOwner, Name: "members"}, "own", own); err != nil {
		t.Fatal(err)
	}
	if err := p.Directory.DetachPolicy(t.Context(), p.rootA, directory.Owner{Kind: directory.RoleOwner, Name: "members"}, "arn:aws:iam::aws:policy/AmazonS3FullAccess"); err != nil {
		t.Fatal(err)
	}
	may := func(c *identity.Caller, name string) bool {
		return p.Access.Authorize(c, "iam:GetUser", access.Resource{ARN: "arn:aws:iam::" + stacktest.AccountA + ":user/" + name, AccountID: stacktest.AccountA}).Allowed()
	}
	c, _ := p.session(id, p.userLogin())
	if !may(c, id) || may(c, "us-east-1:0") || may(c, "") {
		t.Errorf("own %v, another's %v, nobody's %v", may(c, id), may(c, "us-east-1:0"), may(c, ""))
	}
	foreign, _ := p.session(p.id(p.login()), p.login())
	if may(foreign, foreign.Pool.IdentityID) {
		t.Error("a log-in by another provider has the same amr")
	}
}

func TestUnlink(t *testing.T) {
	t.Parallel()
	p := newPools(t)
	both := issue.Logins{foreignName: p.token(stacktest.ForeignIssuer), poolName: p.idToken()}
	id := p.id(both)
	unlink := func(logins issue.Logins, names ...string) error {
		return p.Issuer.UnlinkIdentity(t.Context(), issue.UnlinkRequest{IdentityID: id, Logins: logins, Remove: names})
	}
	wantKind(t, "without logins", unlink(nil, poolName), identity.KindInvalidIdentity)
	wantKind(t, "another's", unlink(p.login("sub", "bob"), poolName), identity.KindInvalidIdentity)
	wantKind(t, "unlink", unlink(p.login(), poolName), "")
	if got := p.id(p.userLogin()); got == id {
		t.Error("the unlinked login leads to the identity still")
	}
	wantKind(t, "the last", unlink(p.login(), foreignName), "")
	for _, logins := range []issue.Logins{nil, p.login(), p.userLogin()} {
		_, err := p.credentials(id, logins)
		wantKind(t, "an identity without logins", err, identity.KindInvalidIdentity)
	}
	hidden, err := p.Directory.ListIdentities(t.Context(), p.rootA, p.pool.ID, true, directory.Page{})
	all, err2 := p.Directory.ListIdentities(t.Context(), p.rootA, p.pool.ID, false, directory.Page{})
	if err != nil || err2 != nil || len(all.Items) != len(hidden.Items)+1 {
		t.Errorf("got %d with, %d without disabled ones (%v, %v)", len(all.Items), len(hidden.Items), err, err2)
	}
}
