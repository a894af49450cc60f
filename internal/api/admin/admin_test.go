package admin

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"daypass/internal/directory"
	"daypass/internal/identity"
)

func operator(f identity.RequestFacts) identity.Caller {
	return identity.Caller{Kind: identity.Operator, Request: f}
}

// start serves a Handler on a socket with a path too long for sun_path.
func start(t *testing.T, c Config) (*Client, string) {
	t.Helper()
	c.Operator, c.Log = operator, slog.New(slog.DiscardHandler)
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	socket := SocketIn(dir)
	l, err := Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	handler := New(c)
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r.WithContext(identity.WithRequest(r.Context(), identity.RequestFacts{ID: "R1"})))
	})}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return NewClient(socket), socket
}

func TestApplyTravelsWhole(t *testing.T) {
	t.Parallel()
	password, yes := identity.Secret("s3cret"), true
	spec := directory.SiteSpec{
		Accounts: []directory.AccountSpec{{ID: "1", Partition: "aws", Name: "n", Alias: "a", RootEmail: "e", RootPassword: &password, OutboundFederation: &yes, AssumeRootIn: []string{"2"}}},
		Realms: []directory.RealmSpec{{
			Realm:   identity.Realm{Name: "r", AccountID: "1", Issuer: "i", Algorithm: "ES256", AccessTokenSeconds: 1, RefreshTokenSeconds: 2, Scope: "s", SupportContact: "c", RootLoginDisabled: true},
			Clients: []directory.ClientSpec{{ID: "c", Public: true, Grants: []string{"g"}, Audience: []string{"x"}, ServiceAccount: "sa", Secret: &password}},
		}},
		Policies: []directory.PolicySpec{{AccountID: "1", Name: "p", Path: "/", Description: "d", Document: "{}", Tags: map[string]string{"k": "v"}}},
		Groups: []directory.GroupSpec{
			{AccountID: "1", Name: "g", Path: "/", ManagedPolicies: []string{"p"}, InlinePolicies: map[string]string{"i": "{}"}},
			{AccountID: "1", Name: "left alone"},
			{AccountID: "1", Name: "emptied", ManagedPolicies: []string{}, InlinePolicies: map[string]string{}},
		},
		Users: []directory.UserSpec{{AccountID: "1", Name: "left alone"}, {
			AccountID: "1", Name: "u", Path: "/", Realm: "r", Email: "e", EmailVerified: true, ClientRoles: map[string][]string{"c": {"x"}},
			Groups: []string{"g"}, ManagedPolicies: []string{"p"}, InlinePolicies: map[string]string{"i": "{}"}, PermissionsBoundary: new(string),
			Tags: map[string]string{"k": "v"}, Disabled: true, MustChangePassword: true, MFARequired: true, Password: &password,
		}},
		Roles: []directory.RoleSpec{{
			AccountID: "1", Name: "r", Path: "/", Description: "d", Trust: "{}", MaxSessionDuration: 3600, ManagedPolicies: []string{},
			InlinePolicies: map[string]string{"i": "{}"}, PermissionsBoundary: new(string), Tags: map[string]string{"k": "v"},
		}},
		Providers: []directory.ProviderSpec{{AccountID: "1", URL: "u", OwnRealm: "r", ClientIDs: []string{"c"}, Thumbprints: []string{"t"}, CABundle: "b", JWKS: "j", BearerTokenFile: "f", RoleMappings: []identity.RoleMapping{{Claim: "groups", Value: "dev-*", Role: "dev"}}}},
	}
	spec.SAMLProviders = []directory.SAMLProviderSpec{{AccountID: "1", Name: "s", Metadata: "m", Audience: "a", Recipient: "r"}}
	var got directory.SiteSpec
	changes := []directory.Change{{Kind: "account", Name: "1"}}
	client, socket := start(t, Config{Apply: func(_ context.Context, c *identity.Caller, s directory.SiteSpec, dryRun bool) ([]directory.Change, error) {
		if c.Kind != identity.Operator || c.Request.ID != "R1" || !dryRun {
			t.Errorf("caller %+v, dry run %v", c, dryRun)
		}
		got = s
		return changes, nil
	}})
	result, err := client.Apply(t.Context(), spec, true)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(spec, got, cmp.Transformer("reveal", identity.Secret.Reveal)); d != "" {
		t.Errorf("spec (-sent +received)\n%s", d)
	}
	if d := cmp.Diff(ApplyResult{Changes: changes, DryRun: true}, result); d != "" {
		t.Errorf("result (-want +got)\n%s", d)
	}
	info, err := os.Stat(socket)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket: %v, %v", info, err)
	}
}

func TestErrorsKeepTheirKind(t *testing.T) {
	t.Parallel()
	client, _ := start(t, Config{KeyStatus: func(context.Context, *identity.Caller) (any, error) {
		return nil, &identity.Error{Kind: identity.KindInternal, Public: "hush", Err: errors.New("disk")}
	}, RotateKeys: func(_ context.Context, _ *identity.Caller, what string, _, _ bool) (any, error) {
		return nil, identity.NewError(identity.KindValidation, "x", "There is no key "+what+".")
	}})
	_, err := client.RotateKeys(t.Context(), "q", false, false)
	if got := identity.AsError(err); got.Kind != identity.KindValidation || got.Public != "There is no key q. [request R1]" {
		t.Errorf("got %v", got)
	}
	_, err = client.KeyStatus(t.Context())
	if got := identity.AsError(err); got.Kind != identity.KindInternal || strings.Contains(got.Error(), "hush") || strings.Contains(got.Error(), "disk") {
		t.Errorf("got %v", got)
	}
}

func TestEveryKindHasAStatusAndASentence(t *testing.T) {
	t.Parallel()
	for _, k := range identity.Kinds() {
		if s := status(k); s < 400 || sentence(k) == "" {
			t.Errorf("%s: status %d, sentence %q", k, s, sentence(k))
		}
	}
}

func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	_, err := NewClient(SocketIn(t.TempDir())).KeyStatus(t.Context())
	if got := identity.AsError(err); got.Kind != identity.KindUnavailable || !strings.Contains(got.Public, "start the server") {
		t.Errorf("got %v", got)
	}
}

func TestBadCalls(t *testing.T) {
	t.Parallel()
	h := New(Config{Operator: operator, Log: slog.New(slog.DiscardHandler)})
	for _, tc := range []struct {
		method, path, body string
		want               int
	}{
		{"POST", "/v1/apply", "{", 400},
		{"POST", "/v1/apply", `{"spec":{},"x":1}`, 400},
		{"POST", "/v1/apply", `{} {}`, 400},
		{"POST", "/v1/apply", strings.Repeat(" ", MaxBody) + "{}", 413},
		{"GET", "/v1/apply", "", 404},
		{"GET", "/", "", 404},
		{"DELETE", "/v1/keyring", "", 404},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(tc.method, tc.path, strings.NewReader(tc.body)))
		if w.Code != tc.want || !strings.Contains(w.Body.String(), `{"error":{"kind":`) {
			t.Errorf("%s %s: got %d %s", tc.method, tc.path, w.Code, w.Body)
		}
	}
}

func FuzzApplyBody(f *testing.F) {
	f.Add(`{"spec":{"accounts":[{"id":"1"}],"realms":[{"name":"r","clients":[{"id":"c","secret":"s"}]}]},"dry_run":true}`)
	f.Add(`{"spec":null}`)
	h := New(Config{Operator: operator, Log: slog.New(slog.DiscardHandler), Apply: func(context.Context, *identity.Caller, directory.SiteSpec, bool) ([]directory.Change, error) {
		return nil, nil
	}})
	f.Fuzz(func(t *testing.T, body string) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", "/v1/apply", strings.NewReader(body)))
		if w.Code != 200 && w.Code != 400 {
			t.Errorf("status %d", w.Code)
		}
	})
}
