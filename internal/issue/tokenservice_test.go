package issue_test

import (
	"strings"
	"testing"
	"time"

	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

// crayService is a token service for the administrators of the realm.
func crayService() *identity.TokenService {
	return &identity.TokenService{
		AccountID: stacktest.AccountA, Name: "cray", Realms: []string{"shasta"}, Audience: []string{"shasta"}, Keys: identity.OwnKeys,
		Rules: []identity.TokenServiceRule{{Claim: "resource_access.shasta.roles", Value: "admin", Role: stacktest.RoleName}},
	}
}

func putService(t testing.TB, s *stacktest.Stack, services ...*identity.TokenService) {
	t.Helper()
	if _, err := s.DB.Update(t.Context(), func(tx store.Tx) error {
		for _, v := range services {
			if err := store.TokenServices.Put(tx, v); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// serve calls the one token service of a stack.
func serve(t testing.TB, s *stacktest.Stack, tok identity.Secret) (issue.TokenServiceKeys, error) {
	t.Helper()
	return s.Issuer.TokenService(t.Context(), issue.TokenServiceRequest{Host: "api.example.com", Token: tok})
}

func TestTokenServiceOwnKeys(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	putService(t, s, crayService())
	set := shastaLogin(t, s)
	got, err := s.Issuer.TokenService(t.Context(), issue.TokenServiceRequest{Host: "api.example.com:8443", Token: set.AccessToken, Forwarded: true})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(got.AccessKeyID, "ASIA") || got.Secret == "" || got.SessionToken == "" || got.EndpointURL != stacktest.ExternalURL ||
		!got.ExpiresAt.Equal(s.Clock.Now().Add(time.Hour)) {
		t.Errorf("got %s until %v at %s", got.AccessKeyID, got.ExpiresAt, got.EndpointURL)
	}
	o := &office{Stack: s, t: t}
	c := o.caller(identity.SessionKeys{AccessKeyID: got.AccessKeyID, SecretAccessKey: got.Secret, SessionToken: got.SessionToken})
	if want := "arn:aws:sts::" + stacktest.AccountA + ":assumed-role/" + stacktest.RoleName + "/" + stacktest.TestUser; c.ARN != want {
		t.Errorf("the session is %s, want %s", c.ARN, want)
	}
	if sub := claimsOf(t, set.AccessToken)["sub"]; c.SourceIdentity != sub {
		t.Errorf("source identity: got %s, want %s", c.SourceIdentity, sub)
	}
}

// TestTokenServiceHosts: one service answers on a host, or none.
func TestTokenServiceHosts(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	named, rest, twin := crayService(), crayService(), crayService()
	named.Name, named.Hosts, named.Rules = "named", []string{"sts.example.com"}, nil
	twin.Name, twin.Hosts = "twin", []string{"two.example.com"}
	putService(t, s, named, rest, twin, func() *identity.TokenService { v := *twin; v.Name = "twin2"; return &v }())
	tok := shastaLogin(t, s).AccessToken
	for host, want := range map[string]identity.Kind{
		"api.example.com": "", "": "", "[::1]:8080": "", "sts.example.com": identity.KindAccessDenied, "STS.example.com.:443": identity.KindAccessDenied,
		"two.example.com": identity.KindNotFound,
	} {
		_, err := s.Issuer.TokenService(t.Context(), issue.TokenServiceRequest{Host: host, Token: tok})
		wantKind(t, host, err, want)
		if want == identity.KindAccessDenied {
			want = ""
		}
		wantKind(t, "ready: "+host, s.Issuer.TokenServiceReady(t.Context(), host), want)
	}
	putService(t, s, func() *identity.TokenService { v := *rest; v.Name = "cray2"; return &v }())
	_, err := s.Issuer.TokenService(t.Context(), issue.TokenServiceRequest{Host: "api.example.com", Token: tok})
	wantKind(t, "two services without hosts", err, identity.KindNotFound)
}

// TestTokenServiceRules: the first rule that fits chooses, and its role decides.
func TestTokenServiceRules(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	tok := shastaLogin(t, s).AccessToken
	rule := func(claim, value, role string, seconds int) identity.TokenServiceRule {
		return identity.TokenServiceRule{Claim: claim, Value: value, Role: role, DurationSeconds: seconds}
	}
	admin := rule("resource_access.shasta.roles", "admin", stacktest.RoleName, 0)
	for name, c := range map[string]struct {
		rules []identity.TokenServiceRule
		want  identity.Kind
		life  time.Duration
	}{
		"the contract's":          {[]identity.TokenServiceRule{admin}, "", time.Hour},
		"none":                    {nil, identity.KindAccessDenied, 0},
		"another value":           {[]identity.TokenServiceRule{rule("resource_access.shasta.roles", "user", stacktest.RoleName, 0)}, identity.KindAccessDenied, 0},
		"part of a value":         {[]identity.TokenServiceRule{rule("resource_access.shasta.roles", "adm", stacktest.RoleName, 0)}, identity.KindAccessDenied, 0},
		"another case":            {[]identity.TokenServiceRule{rule("resource_access.Shasta.roles", "admin", stacktest.RoleName, 0)}, identity.KindAccessDenied, 0},
		"an object":               {[]identity.TokenServiceRule{rule("resource_access.shasta", "*", stacktest.RoleName, 0)}, identity.KindAccessDenied, 0},
		"beyond a list":           {[]identity.TokenServiceRule{rule("resource_access.shasta.roles.admin", "*", stacktest.RoleName, 0)}, identity.KindAccessDenied, 0},
		"empty path":              {[]identity.TokenServiceRule{rule("", "*", stacktest.RoleName, 0)}, identity.KindAccessDenied, 0},
		"a wildcard":              {[]identity.TokenServiceRule{rule("preferred_username", "test*", stacktest.RoleName, 0)}, "", time.Hour},
		"role not there":          {[]identity.TokenServiceRule{rule("sub", "*", "nobody", 0)}, identity.KindAccessDenied, 0},
		"role of others":          {[]identity.TokenServiceRule{rule("sub", "*", stacktest.ReadOnlyRole, 0), admin}, identity.KindAccessDenied, 0},
		"the first decides":       {[]identity.TokenServiceRule{rule("sub", "*", stacktest.RoleName, 1800), admin}, "", 30 * time.Minute},
		"the second fits":         {[]identity.TokenServiceRule{rule("sub", "x", stacktest.ReadOnlyRole, 0), admin}, "", time.Hour},
		"up to the role's most":   {[]identity.TokenServiceRule{rule("sub", "*", stacktest.RoleName, 7200)}, "", 2 * time.Hour},
		"never longer than that":  {[]identity.TokenServiceRule{rule("sub", "*", stacktest.RoleName, 43200)}, "", 2 * time.Hour},
		"as the rule says, brief": {[]identity.TokenServiceRule{rule("sub", "*", stacktest.RoleName, 60)}, "", time.Minute},
	} {
		v := crayService()
		v.Rules = c.rules
		putService(t, s, v)
		got, err := serve(t, s, tok)
		wantKind(t, name, err, c.want)
		if err == nil && got.ExpiresAt.Sub(s.Clock.Now()) != c.life {
			t.Errorf("%s: lives %v, want %v", name, got.ExpiresAt.Sub(s.Clock.Now()), c.life)
		}
	}
}

// TestTokenServiceEnds: what ends a log-in ends the service for it at once, and
// own keys with it.
func TestTokenServiceEnds(t *testing.T) {
	t.Parallel()
	userID := func(s *stacktest.Stack) string {
		u, err := store.Users.By(s.DB.Snapshot(), "name", store.Join(stacktest.AccountA, stacktest.TestUser))
		if err != nil {
			t.Fatal(err)
		}
		return u.ID
	}
	revoke := func(kind identity.LineageKind, id func(*stacktest.Stack, issue.TokenSet) string) func(*stacktest.Stack, issue.TokenSet) func(store.Tx) error {
		return func(s *stacktest.Stack, set issue.TokenSet) func(store.Tx) error {
			return func(tx store.Tx) error { return s.Access.Revoke(tx, identity.Revocation{Kind: kind, ID: id(s, set)}) }
		}
	}
	provider := identity.ProviderARN("aws", stacktest.AccountA, stacktest.ExternalURL+"/auth/realms/shasta")
	for name, c := range map[string]struct {
		end  func(*stacktest.Stack, issue.TokenSet) func(store.Tx) error
		want identity.Kind
	}{
		"log-in revoked":   {revoke(identity.LineageLogin, func(_ *stacktest.Stack, set issue.TokenSet) string { return set.SessionState }), identity.KindExpiredIdentity},
		"user revoked":     {revoke(identity.LineagePrincipal, func(s *stacktest.Stack, _ issue.TokenSet) string { return userID(s) }), identity.KindExpiredIdentity},
		"provider revoked": {revoke(identity.LineageProvider, func(*stacktest.Stack, issue.TokenSet) string { return provider }), identity.KindExpiredIdentity},
		"account revoked":  {revoke(identity.LineageAccount, func(*stacktest.Stack, issue.TokenSet) string { return stacktest.AccountA }), identity.KindExpiredIdentity},
		"web identity revoked": {revoke(identity.LineageWebIdentity, func(_ *stacktest.Stack, set issue.TokenSet) string {
			return identity.WebIdentityID(stacktest.ExternalURL+"/auth/realms/shasta", claimsOf(t, set.AccessToken)["sub"].(string))
		}), identity.KindExpiredIdentity},
		"account disabled": {func(*stacktest.Stack, issue.TokenSet) func(store.Tx) error {
			return func(tx store.Tx) error {
				a, err := store.Accounts.Get(tx, stacktest.AccountA)
				if err != nil {
					return err
				}
				v := *a
				v.Disabled = true
				return store.Accounts.Put(tx, &v)
			}
		}, identity.KindAccessDenied},
		"role gone": {func(s *stacktest.Stack, _ issue.TokenSet) func(store.Tx) error {
			return func(tx store.Tx) error {
				r, err := store.Roles.By(tx, "name", store.Join(stacktest.AccountA, stacktest.RoleName))
				if err != nil {
					return err
				}
				return store.Roles.Delete(tx, r.ID)
			}
		}, identity.KindAccessDenied},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := stacktest.New(t)
			putService(t, s, crayService())
			o := &office{Stack: s, t: t}
			set := shastaLogin(t, s)
			got, err := serve(t, s, set.AccessToken)
			if err != nil {
				t.Fatal(err)
			}
			keys := identity.SessionKeys{AccessKeyID: got.AccessKeyID, SecretAccessKey: got.Secret, SessionToken: got.SessionToken}
			o.caller(keys)
			o.update(c.end(s, set))
			_, err = serve(t, s, set.AccessToken)
			wantKind(t, "the service", err, c.want)
			_, err = o.try(keys)
			wantKind(t, "the keys", err, identity.KindExpiredToken)
		})
	}
	t.Run("disabled user", func(t *testing.T) {
		t.Parallel()
		s := stacktest.New(t)
		putService(t, s, crayService())
		set := shastaLogin(t, s)
		spec := stacktest.Site()
		for i := range spec.Users {
			spec.Users[i].Disabled = true
		}
		if _, err := s.Directory.Apply(t.Context(), s.Operator(), spec, false); err != nil {
			t.Fatal(err)
		}
		_, err := serve(t, s, set.AccessToken)
		wantKind(t, "the service", err, identity.KindExpiredIdentity)
	})
}

// TestTokenServiceRecords: every answer leaves an event, without the token.
func TestTokenServiceRecords(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	putService(t, s, crayService())
	tok := shastaLogin(t, s).AccessToken
	if _, err := serve(t, s, tok); err != nil {
		t.Fatal(err)
	}
	v := crayService()
	v.Rules = nil
	putService(t, s, v)
	if _, err := serve(t, s, tok); err == nil {
		t.Fatal("keys without a rule")
	}
	log := s.AuditLines(t)
	if strings.Contains(log, tok.Reveal()) {
		t.Error("the audit log holds the token")
	}
	for want, n := range map[string]int{
		`"eventSource":"token-service"`: 2, `"eventName":"CreateToken"`: 2, `"errorCode":"access-denied"`: 1, `"sessionTokenSha256"`: 1, `"type":"WebIdentityUser"`: 2,
		`"sourceIdentity":"` + claimsOf(t, tok)["sub"].(string) + `"`: 1, `assumed-role/` + stacktest.RoleName + `/` + stacktest.TestUser: 1,
	} {
		if got := strings.Count(log, want); got != n {
			t.Errorf("%s: %d times, want %d", want, got, n)
		}
	}
}

func TestTokenServiceSessionNames(t *testing.T) {
	t.Parallel()
	p := newForeign(t)
	p.trust("foreign-ops", stacktest.ForeignIssuer, `"sts:AssumeRoleWithWebIdentity"`, `{"StringLike":{"idp.example.org:sub":"*","sts:RoleSessionName":"*"}}`)
	s := crayService()
	s.Providers, s.Audience = []string{stacktest.ForeignIssuer}, []string{"cray"}
	s.Rules = []identity.TokenServiceRule{{Claim: "iss", Value: "*", Role: "foreign-ops"}}
	putService(t, p.Stack, s)
	// What was changed tells the subject all the same.
	mark := func(sub string) string { return "-" + identity.WebIdentityID(stacktest.ForeignIssuer, sub)[:10] }
	for _, c := range []struct {
		user         any
		sub          string
		name, source string
	}{
		{"alice@example.com", "f:1:alice", "alice@example.com", "f-1-alice" + mark("f:1:alice")},
		{"Žofie 1/2*", "x", "-ofie-1-2-" + mark("x"), "x" + mark("x")},
		{"a/b", "a/b", "a-b" + mark("a/b"), "a-b" + mark("a/b")},
		{"a-b", "a-b", "a-b", "a-b"},
		{nil, "sub", "sub", "sub"},
		{"", "sub", "sub", "sub"},
		{[]string{"a", "b"}, "sub", "sub", "sub"},
		{strings.Repeat("é", 100), strings.Repeat("s", 100), strings.Repeat("-", 53) + mark(strings.Repeat("s", 100)), strings.Repeat("s", 53) + mark(strings.Repeat("s", 100))},
	} {
		claims := foreignAccess(p.Stack)
		claims["sub"], claims["preferred_username"] = c.sub, c.user
		got, err := serve(t, p.Stack, sign(t, p.key, "k1", claims))
		if err != nil {
			t.Errorf("%v: %v", c.user, err)
			continue
		}
		caller := p.caller(identity.SessionKeys{AccessKeyID: got.AccessKeyID, SecretAccessKey: got.Secret, SessionToken: got.SessionToken})
		if caller.SessionName != c.name || caller.SourceIdentity != c.source {
			t.Errorf("%v: got %q and %q, want %q and %q", c.user, caller.SessionName, caller.SourceIdentity, c.name, c.source)
		}
	}
}

// TestTokenServiceTellsNoProviders: whoever shows no good token does not learn
// which issuers the account has registered.
func TestTokenServiceTellsNoProviders(t *testing.T) {
	t.Parallel()
	p := newForeign(t)
	putService(t, p.Stack, crayService())
	claims := foreignAccess(p.Stack)
	claims["iss"] = "https://nobody.example.org"
	_, err := serve(t, p.Stack, sign(t, p.key, "k1", claims))
	if e := identity.AsError(err); e == nil || e.Kind != identity.KindInvalidIdentity || e.Public != "" {
		t.Errorf("got %v", err)
	}
}
