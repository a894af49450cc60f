package directory_test

import (
	"strings"
	"testing"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

func crayService() directory.TokenServiceSpec {
	return directory.TokenServiceSpec{TokenService: identity.TokenService{
		AccountID: stacktest.AccountA, Name: "cray", Realms: []string{"shasta"}, Providers: []string{stacktest.ForeignIssuer}, Audience: []string{"shasta"}, Keys: identity.OwnKeys,
		Rules: []identity.TokenServiceRule{{Claim: "resource_access.shasta.roles", Value: "admin", Role: stacktest.RoleName, DurationSeconds: 3600}},
	}}
}

func TestApplyTokenServices(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	apply := func(dry bool, services ...directory.TokenServiceSpec) ([]directory.Change, error) {
		return s.Directory.Apply(t.Context(), s.Operator(), directory.SiteSpec{TokenServices: services}, dry)
	}
	spec := crayService()
	changes, err := apply(true, spec)
	if err != nil || len(changes) != 1 || changes[0] != (directory.Change{Kind: "token service", Name: stacktest.AccountA + "/cray", To: "created"}) {
		t.Fatalf("dry run: %v, %v", changes, err)
	}
	if _, err := store.TokenServices.Get(s.DB.Snapshot(), spec.Key()); identity.KindOf(err) != identity.KindNotFound {
		t.Errorf("a dry run wrote: %v", err)
	}
	if _, err := apply(false, spec); err != nil {
		t.Fatal(err)
	}
	if changes, err := apply(false, spec); err != nil || len(changes) != 0 {
		t.Errorf("again: %v, %v", changes, err)
	}
	spec.Rules, spec.Hosts = nil, []string{"sts.example.com"} // off: nobody gets anything
	changes, err = apply(false, spec)
	if err != nil || len(changes) != 2 || changes[0].Field != "hosts" || changes[1].Field != "rules" {
		t.Errorf("changed: %v, %v", changes, err)
	}
	if got, err := store.TokenServices.Get(s.DB.Snapshot(), spec.Key()); err != nil || len(got.Rules) != 0 {
		t.Errorf("changed: %+v, %v", got, err)
	}
	_, err = s.Directory.Apply(t.Context(), &identity.Caller{Kind: identity.RootUser, AccountID: stacktest.AccountA, Partition: "aws"}, directory.SiteSpec{TokenServices: []directory.TokenServiceSpec{spec}}, false)
	expect(t, "by root", err, identity.KindAccessDenied, "")
}

func TestApplyTokenServicesRefuses(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t, stacktest.WithSite(func(spec *directory.SiteSpec) {
		taken := crayService()
		taken.Name, taken.Hosts = "taken", []string{"taken.example.com"}
		everywhere := crayService()
		everywhere.Name = "everywhere"
		spec.TokenServices = append(spec.TokenServices, taken, everywhere)
		spec.Realms = append(spec.Realms, directory.RealmSpec{Realm: identity.Realm{Name: "unregistered", AccountID: stacktest.AccountA, Algorithm: "ES256", AccessTokenSeconds: 300}})
	}))
	for name, c := range map[string]struct {
		change func(*directory.TokenServiceSpec)
		want   string
	}{
		"no such account":          {func(s *directory.TokenServiceSpec) { s.AccountID = "999" }, "no account"},
		"realm of another account": {func(s *directory.TokenServiceSpec) { s.AccountID = stacktest.AccountB }, `has no realm "shasta"`},
		"realm of root users":      {func(s *directory.TokenServiceSpec) { s.Realms = []string{identity.RootRealm} }, "has no realm"},
		"realm without a provider": {func(s *directory.TokenServiceSpec) { s.Realms = []string{"unregistered"} }, "needs one with realm: unregistered"},
		"no such provider":         {func(s *directory.TokenServiceSpec) { s.Providers = []string{"https://x.example"} }, "no OIDC provider"},
		"provider but for the scheme": {func(s *directory.TokenServiceSpec) {
			s.Providers = []string{strings.Replace(stacktest.ForeignIssuer, "https", "http", 1)}
		}, "no OIDC provider"},
		"no such role":         {func(s *directory.TokenServiceSpec) { s.Rules[0].Role = "nobody" }, `no role "nobody"`},
		"longer than allowed":  {func(s *directory.TokenServiceSpec) { s.Rules[0].DurationSeconds = 7201 }, "max_session_duration is 7200"},
		"a host that is taken": {func(s *directory.TokenServiceSpec) { s.Hosts = []string{"taken.example.com"} }, "is that of " + stacktest.AccountA + "/taken"},
		"a second for all":     {func(s *directory.TokenServiceSpec) { s.Hosts = nil }, "everywhere answers already on every host"},
		"no audience":          {func(s *directory.TokenServiceSpec) { s.Audience = nil }, "audience"}, // the form is judged here too
		"keys of nobody":       {func(s *directory.TokenServiceSpec) { s.Keys = "" }, "keys: either"},
	} {
		spec := crayService()
		spec.Hosts = []string{"cray.example.com"}
		c.change(&spec)
		_, err := s.Directory.Apply(t.Context(), s.Operator(), directory.SiteSpec{TokenServices: []directory.TokenServiceSpec{spec}}, true)
		if identity.KindOf(err) != identity.KindValidation || !strings.Contains(identity.AsError(err).Public, c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestIssuerAliasesAreUnique(t *testing.T) {
	t.Parallel()
	const alias, other = "http://keycloak:8080/realms/x", "https://other.example/realms/x"
	s := stacktest.New(t, stacktest.WithSite(func(spec *directory.SiteSpec) {
		spec.Providers = append(spec.Providers, directory.ProviderSpec{
			AccountID: stacktest.AccountA, URL: other, ClientIDs: []string{"app"}, IssuerAliases: []string{alias},
		})
	}))
	foreign := func(account string, aliases ...string) directory.ProviderSpec {
		return directory.ProviderSpec{AccountID: account, URL: stacktest.ForeignIssuer, ClientIDs: []string{"app", "app2"}, IssuerAliases: aliases}
	}
	apply := func(dry bool, p ...directory.ProviderSpec) error {
		_, err := s.Directory.Apply(t.Context(), s.Operator(), directory.SiteSpec{Providers: p}, dry)
		return err
	}
	own := stacktest.ExternalURL
	for name, c := range map[string]struct {
		spec directory.ProviderSpec
		want string
	}{
		"alias of another":             {foreign(stacktest.AccountA, alias), "another provider"},
		"issuer of another":            {foreign(stacktest.AccountA, other), "another provider"},
		"that, but for the scheme":     {foreign(stacktest.AccountA, strings.Replace(other, "https", "http", 1)), "another provider"},
		"its own URL":                  {foreign(stacktest.AccountA, stacktest.ForeignIssuer), "not another issuer URL"},
		"one twice":                    {foreign(stacktest.AccountA, "http://a", "http://a"), "named once"},
		"no URL":                       {foreign(stacktest.AccountA, "keycloak"), "not another issuer URL"},
		"a URL with a query":           {foreign(stacktest.AccountA, "http://a?b"), "not another issuer URL"},
		"a realm of ours":              {foreign(stacktest.AccountA, own+"/auth/realms/shasta"), "of this installation"},
		"the root users' realm":        {foreign(stacktest.AccountA, own+"/auth/realms/root-accounts"), "of this installation"},
		"an issuer for others of ours": {foreign(stacktest.AccountA, own+identity.OutboundPath+stacktest.AccountA), "of this installation"},
		"too many":                     {foreign(stacktest.AccountA, strings.Split(strings.Repeat("http://a,", 21), ",")...), "up to 20"},
		"an alias of a realm":          {directory.ProviderSpec{AccountID: stacktest.AccountA, OwnRealm: "shasta", ClientIDs: []string{"shasta"}, IssuerAliases: []string{"http://a"}}, "one issuer, its own"},
		"an alias becomes an issuer":   {directory.ProviderSpec{AccountID: stacktest.AccountA, URL: alias, ClientIDs: []string{"app"}}, "is an alias of the provider"},
	} {
		err := apply(true, c.spec)
		if k := identity.KindOf(err); k != identity.KindValidation && k != identity.KindInvalidInput || !strings.Contains(identity.AsError(err).Public, c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	if err := apply(false, foreign(stacktest.AccountA, strings.Replace(stacktest.ForeignIssuer, "https", "http", 1)), foreign(stacktest.AccountB, alias)); err != nil {
		t.Errorf("another scheme of its own, and the same alias in another account: %v", err)
	}
	// The API makes no provider of what is an alias.
	caller := s.Operator()
	caller.AccountID, caller.Partition = stacktest.AccountA, "aws"
	if err := apply(false, foreign(stacktest.AccountA, "https://idp.inside.example")); err != nil {
		t.Fatal(err)
	}
	_, err := s.Directory.CreateOpenIDConnectProvider(t.Context(), caller, directory.NewProvider{URL: "https://idp.inside.example", ClientIDs: []string{"app"}})
	expect(t, "by the API", err, identity.KindInvalidInput, "The URL https://idp.inside.example is an alias of the provider "+stacktest.ForeignIssuer+".")
}
