package directory_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/stacktest"
)

const providerPrefix = "arn:aws:iam::" + stacktest.AccountA + ":oidc-provider/"

func TestCreateProvider(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t, stacktest.WithSite(func(spec *directory.SiteSpec) {
		spec.Realms = append(spec.Realms, directory.RealmSpec{Realm: identity.Realm{
			Name: "fresh", AccountID: stacktest.AccountA, Algorithm: "ES256", AccessTokenSeconds: 300,
		}})
	}))
	a, b, ctx := root(t, s, stacktest.AccountA, "aws"), root(t, s, stacktest.AccountB, "demo"), t.Context()
	thumb := strings.Repeat("a0", 20)
	made, err := s.Directory.CreateOpenIDConnectProvider(ctx, a, directory.NewProvider{
		URL: "https://" + githubHost, ClientIDs: []string{"x", "y", "x"}, Thumbprints: []string{thumb}, Tags: map[string]string{"k": "v"},
	})
	if err != nil || made.ARN != providerPrefix+githubHost || !slices.Equal(made.ClientIDs, []string{"x", "y"}) {
		t.Fatalf("%v, %+v", err, made)
	}
	realm := stacktest.ExternalURL + "/auth/realms/"
	ids := make([]string, 101)
	for i := range ids {
		ids[i] = fmt.Sprint("id", i)
	}
	for name, c := range map[string]struct {
		in   directory.NewProvider
		want identity.Kind
	}{
		"again":                       {directory.NewProvider{URL: "https://" + githubHost}, identity.KindAlreadyExists},
		"one of the site":             {directory.NewProvider{URL: stacktest.ForeignIssuer}, identity.KindAlreadyExists},
		"realm that is registered":    {directory.NewProvider{URL: realm + "shasta"}, identity.KindAlreadyExists},
		"realm of the root users":     {directory.NewProvider{URL: realm + "root-accounts"}, identity.KindInvalidInput},
		"plain HTTP":                  {directory.NewProvider{URL: "http://idp.example"}, identity.KindInvalidInput},
		"no scheme":                   {directory.NewProvider{URL: "idp.example"}, identity.KindInvalidInput},
		"query":                       {directory.NewProvider{URL: "https://idp.example?a"}, identity.KindInvalidInput},
		"fragment":                    {directory.NewProvider{URL: "https://idp.example#a"}, identity.KindInvalidInput},
		"user":                        {directory.NewProvider{URL: "https://u@idp.example"}, identity.KindInvalidInput},
		"key of a realm's provider":   {directory.NewProvider{URL: "https://realm:80/"}, identity.KindInvalidInput},
		"long URL":                    {directory.NewProvider{URL: "https://" + strings.Repeat("a", 248)}, identity.KindInvalidInput},
		"101 client IDs":              {directory.NewProvider{URL: "https://idp.example", ClientIDs: ids}, identity.KindLimitExceeded},
		"long client ID":              {directory.NewProvider{URL: "https://idp.example", ClientIDs: []string{strings.Repeat("a", 256)}}, identity.KindValidation},
		"thumbprint that is none":     {directory.NewProvider{URL: "https://idp.example", Thumbprints: []string{"x"}}, identity.KindInvalidInput},
		"six thumbprints":             {directory.NewProvider{URL: "https://idp.example", Thumbprints: slices.Repeat([]string{thumb}, 6)}, identity.KindInvalidInput},
		"realm that is not there yet": {directory.NewProvider{URL: realm + "fresh"}, ""},
	} {
		if _, err := s.Directory.CreateOpenIDConnectProvider(ctx, a, c.in); identity.KindOf(err) != c.want {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	if p, err := s.Directory.GetOpenIDConnectProvider(ctx, a, providerPrefix+"daypass.example.com/auth/realms/fresh"); err != nil || p.OwnRealm != "fresh" || p.URL != "" {
		t.Errorf("the realm's provider: %v, %+v", err, p)
	}
	if _, err := s.Directory.CreateOpenIDConnectProvider(ctx, b, directory.NewProvider{URL: realm + "shasta"}); identity.KindOf(err) != identity.KindInvalidInput {
		t.Errorf("another account took the realm: %v", err)
	}
	list, err := s.Directory.ListOpenIDConnectProviders(ctx, a)
	var arns []string
	for _, p := range list {
		arns = append(arns, strings.TrimPrefix(p.ARN, providerPrefix))
	}
	if got, want := strings.Join(arns, " "), "daypass.example.com/auth/realms/fresh daypass.example.com/auth/realms/shasta idp.example.org "+githubHost; err != nil || got != want {
		t.Errorf("%v, got %s, want %s", err, got, want)
	}
	for i := len(list); i < 100; i++ {
		if _, err := s.Directory.CreateOpenIDConnectProvider(ctx, a, directory.NewProvider{URL: fmt.Sprintf("https://p%d.example", i)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Directory.CreateOpenIDConnectProvider(ctx, a, directory.NewProvider{URL: "https://last.example"}); publicOf(err) != "Cannot exceed quota for OpenIdConnectProvidersPerAccount: 100" {
		t.Errorf("a provider too many: %v", err)
	}
}

func TestChangeProvider(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a, ctx := root(t, s, stacktest.AccountA, "aws"), t.Context()
	arn := providerPrefix + "idp.example.org"
	get := func() directory.ProviderDetails {
		t.Helper()
		p, err := s.Directory.GetOpenIDConnectProvider(ctx, a, arn)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, err := range []error{
		s.Directory.AddClientID(ctx, a, arn, "app3"), s.Directory.AddClientID(ctx, a, arn, "app3"),
		s.Directory.RemoveClientID(ctx, a, arn, "app"), s.Directory.RemoveClientID(ctx, a, arn, "none"),
		s.Directory.UpdateThumbprints(ctx, a, arn, []string{strings.Repeat("f", 40)}),
		s.Directory.TagOpenIDConnectProvider(ctx, a, arn, map[string]string{"a": "1", "b": "2"}),
		s.Directory.UntagOpenIDConnectProvider(ctx, a, arn, []string{"A", "none"}),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	if p := get(); strings.Join(p.ClientIDs, " ") != "app2 app3" || len(p.Thumbprints) != 1 || len(p.Tags) != 1 || p.Tags["b"] != "2" {
		t.Errorf("%+v", p)
	}
	for name, err := range map[string]error{
		"empty client ID": s.Directory.AddClientID(ctx, a, arn, ""),
		"bad tag":         s.Directory.TagOpenIDConnectProvider(ctx, a, arn, map[string]string{"$": ""}),
	} {
		if identity.KindOf(err) != identity.KindValidation {
			t.Errorf("%s: %v", name, err)
		}
	}
	tags, err := s.Directory.ListOpenIDConnectProviderTags(ctx, a, arn, directory.Page{})
	if err != nil || len(tags.Items) != 1 || tags.Items[0] != (directory.Tag{Key: "b", Value: "2"}) {
		t.Errorf("%v, %+v", err, tags)
	}
	// Deleted, nothing that came by it is believed, even when it comes back.
	if err := s.Directory.DeleteOpenIDConnectProvider(ctx, a, arn); err != nil {
		t.Fatal(err)
	}
	if err := s.Access.ForeignLive(s.DB.Snapshot(), stacktest.ForeignIssuer, "alice", arn, s.Clock.Now()); identity.KindOf(err) != identity.KindExpiredToken {
		t.Errorf("a token from before the deletion: %v", err)
	}
	if _, err := s.Directory.GetOpenIDConnectProvider(ctx, a, arn); publicOf(err) != "OpenIDConnect Provider not found for arn "+arn {
		t.Errorf("after the deletion: %v", err)
	}
}

func TestTags(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a, b, ctx := root(t, s, stacktest.AccountA, "aws"), root(t, s, stacktest.AccountB, "demo"), t.Context()
	tags := map[string]string{}
	for i := range 49 {
		tags[fmt.Sprintf("k%02d", i)] = "v"
	}
	for _, c := range []struct {
		add  map[string]string
		want identity.Kind
		n    int
	}{
		{tags, "", 49},
		{map[string]string{strings.Repeat("ü", 128): strings.Repeat("ü", 256)}, "", 50},
		{map[string]string{"K00": "w"}, "", 50},
		{map[string]string{"one more": ""}, identity.KindLimitExceeded, 50},
		{map[string]string{"x": "", "X": ""}, identity.KindInvalidInput, 50},
		{map[string]string{"Aws:x": ""}, identity.KindInvalidInput, 50},
		{map[string]string{"k01": strings.Repeat("a", 257)}, identity.KindValidation, 50},
		{map[string]string{"": "a"}, identity.KindValidation, 50},
	} {
		err := s.Directory.TagRole(ctx, a, stacktest.RoleName, c.add)
		got, gerr := s.Directory.GetRole(ctx, a, stacktest.RoleName)
		if identity.KindOf(err) != c.want || gerr != nil || len(got.Tags) != c.n {
			t.Errorf("%v: %v, %v, %d tags", c.add, err, gerr, len(got.Tags))
		}
	}
	var all []string
	page := directory.Page{MaxItems: 20}
	for range 3 {
		list, err := s.Directory.ListRoleTags(ctx, a, stacktest.RoleName, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, tag := range list.Items {
			all = append(all, tag.Key)
		}
		page.Marker = list.Next
		if page.Marker == "" {
			break
		}
		if _, err := s.Directory.ListRoleTags(ctx, a, stacktest.ReadOnlyRole, page); identity.KindOf(err) != identity.KindValidation {
			t.Errorf("the marker of another role: %v", err)
		}
	}
	if page.Marker != "" || len(all) != 50 || !slices.IsSorted(all) || all[0] != "K00" {
		t.Errorf("%d tags, %q", len(all), all)
	}
	if err := s.Directory.UntagRole(ctx, a, stacktest.RoleName, all[1:]); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Directory.GetRole(ctx, a, stacktest.RoleName); err != nil || len(got.Tags) != 1 || got.Tags["K00"] != "w" {
		t.Errorf("%v, %v", err, got.Tags)
	}
	if err := s.Directory.TagUser(ctx, b, stacktest.TestUser, map[string]string{"a": "b"}); identity.KindOf(err) != identity.KindNotFound {
		t.Errorf("another account's user: %v", err)
	}
}
