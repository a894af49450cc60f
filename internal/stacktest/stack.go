// Package stacktest wires the core (store to issue) over the in-memory engine
// and a clock that tests move, with one small site applied. Only tests import
// it.
//
// It refuses to know any wire format.
package stacktest

import (
	"cmp"
	"context"
	"crypto"
	"crypto/rand"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/authn"
	"daypass/internal/directory"
	"daypass/internal/egress"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/keyring"
	"daypass/internal/kms"
	"daypass/internal/operate"
	"daypass/internal/store"
	"daypass/internal/token"
	"daypass/internal/upstream"
)

// ExternalURL is what the realms' issuers begin with.
const ExternalURL = "https://daypass.example.com"

// ConsoleURL is where people log in.
const ConsoleURL = "https://console.example.com/"

// Accounts, users and secrets of the site that New applies.
const (
	AccountA      = "123456789012"
	AccountB      = "0f5e1c2a-1111-4222-8333-444455556666" // partition "demo"
	RootEmailA    = "a@example.com"
	RootEmailB    = "b@example.com"
	RootPassword  = "correct horse"
	TestUser      = "testuser"
	TestPassword  = "test password"
	ClientSecret  = "client secret"
	RoleName      = "shasta-admin"
	ReadOnlyRole  = "reader"
	ForeignIssuer = "https://idp.example.org"
)

// Clock is a clock that stands still until a test moves it.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// Now returns the clock's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock on.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Stack is the core, wired.
type Stack struct {
	Clock     *Clock
	Engine    store.Engine
	DB        *store.DB
	Root      keyring.RootKey
	Keyring   *keyring.Keyring
	Sessions  *token.Sessions
	JWTs      *token.JWTs
	Authn     *authn.Authn
	Access    *access.Access
	Directory *directory.Directory
	Issuer    *issue.Issuer
	Index     *directory.SessionIndex
	Operate   *operate.Operations
	KMS       *kms.KMS
	Audit     *audit.Log
	AuditDir  string
	Foreign   *ForeignKeys
}

// Option changes what New builds.
type Option func(*settings)

type settings struct {
	limits  authn.Limits
	engine  store.Engine
	root    keyring.RootKey
	clock   *Clock
	site    []func(*directory.SiteSpec)
	minDur  int
	random  io.Reader
	minted  func(store.SessionRecord)
	web     *egress.Client
	stores  []*upstream.S3
	brokers func(upstream string) (*upstream.STS, bool)
}

// WithIBM gives account A and the realm shasta IBM's dialect.
func WithIBM() Option { return WithSite(AddIBM) }

// AddIBM is what WithIBM does to a site.
func AddIBM(spec *directory.SiteSpec) {
	spec.IBM = &directory.IBMSpec{AccountID: AccountA, Realm: "shasta", Algorithm: "RS256", Regions: []string{"us-south", "eu-de"}}
}

// Instances of key management that WithKMS adds.
const (
	KMSInstance      = "0b8ff2f5-1111-4222-8333-444455556666"
	OtherKMSInstance = "0b8ff2f5-2222-4222-8333-444455556666"
)

// WithKMS is WithIBM with two instances of key management.
func WithKMS() Option { return WithSite(AddKMS) }

// AddKMS is what WithKMS does to a site.
func AddKMS(spec *directory.SiteSpec) {
	AddIBM(spec)
	spec.IBM.Instances = append(spec.IBM.Instances,
		directory.InstanceSpec{ID: KMSInstance, Name: "keys", Service: identity.KeyManagement, Region: "us-south"},
		directory.InstanceSpec{ID: OtherKMSInstance, Name: "other keys", Service: identity.KeyManagement, Region: "eu-de"},
	)
}

// WithWeb reaches foreign issuers over the network, in place of Stack.Foreign.
func WithWeb(c *egress.Client) Option { return func(s *settings) { s.web = c } }

// WithUpstreams puts stores behind the gate.
func WithUpstreams(list ...*upstream.S3) Option { return func(s *settings) { s.stores = list } }

// WithMinted is told of every session that is minted.
func WithMinted(fn func(store.SessionRecord)) Option { return func(s *settings) { s.minted = fn } }

// WithLimits sets the limits on guessing; by default they are out of the way.
func WithLimits(l authn.Limits) Option { return func(s *settings) { s.limits = l } }

// WithEngine uses another engine than memory.
func WithEngine(e store.Engine) Option { return func(s *settings) { s.engine = e } }

// WithRootKey opens what another stack with the same one left in the engine.
func WithRootKey(key keyring.RootKey) Option { return func(s *settings) { s.root = key } }

// WithRestored is a stack on an engine that another stack was restored to.
func WithRestored(from *Stack, e store.Engine) Option {
	return func(s *settings) { s.engine, s.root, s.clock = e, from.Root, from.Clock }
}

// WithSite changes the site before it is applied.
func WithSite(fn func(*directory.SiteSpec)) Option {
	return func(s *settings) { s.site = append(s.site, fn) }
}

// WithBrokers gives the issuer upstreams whose STS it can ask.
func WithBrokers(fn func(upstream string) (*upstream.STS, bool)) Option {
	return func(s *settings) { s.brokers = fn }
}

// WithRandom makes unique IDs and keys from r, so that transcripts stay the same.
func WithRandom(r io.Reader) Option { return func(s *settings) { s.random = r } }

// What WithPools adds.
const (
	PoolRegion     = "ap-southeast-2"
	PoolClient     = "stackclient"
	SecretClient   = "stacksecretclient"
	PoolSecret     = "0123456789abcdefghijklmnopqrstuv"
	IdentityPoolID = PoolRegion + ":0a1b2c3d-1111-4222-8333-444455556666"
	APIAccessKey   = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
	APISecretKey   = "abcdefghijklmnopqrstuvwxyz012345"
)

// WithPools gives the realm shasta a user pool with a public client and one with
// a secret, and the account A an identity pool, an API token (api_admin), the
// roles api_admin and api_readonly, which the pool may give, and a Stax-style
// API. Making their RSA keys takes time: only for tests that need them.
func WithPools() Option { return WithSite(AddPools) }

// AddPools is what WithPools does to a site.
func AddPools(spec *directory.SiteSpec) {
	client := func(id string, secrets ...identity.Secret) directory.PoolClientSpec {
		return directory.PoolClientSpec{Secrets: secrets, PoolClient: identity.PoolClient{
			ID: id, Name: id, HasSecret: len(secrets) > 0, AccessTokenSeconds: 3600, IDTokenSeconds: 3600,
			RefreshTokenSeconds: 86400, AuthSessionSeconds: 180,
			AuthFlows: []string{"ALLOW_USER_PASSWORD_AUTH", "ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_ADMIN_USER_PASSWORD_AUTH"},
		}}
	}
	for i := range spec.Realms {
		if spec.Realms[i].Name == "shasta" {
			spec.Realms[i].UserPool = &directory.UserPoolSpec{
				Name: "shasta", Region: PoolRegion, MFA: identity.MFAOptional,
				Clients: []directory.PoolClientSpec{client(PoolClient), client(SecretClient, PoolSecret)},
			}
		}
	}
	trust := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Federated":"cognito-identity.amazonaws.com"},` +
		`"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"cognito-identity.amazonaws.com:aud":"` + IdentityPoolID + `"}}}}`
	for name, actions := range map[string]string{"api_admin": `["execute-api:Invoke","iam:PassRole","s3:*"]`, "api_readonly": `"s3:ListAllMyBuckets"`} {
		spec.Roles = append(spec.Roles, directory.RoleSpec{
			AccountID: AccountA, Name: name, Trust: trust, MaxSessionDuration: 3600,
			InlinePolicies: map[string]string{"api": `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":` + actions + `,"Resource":"*"}}`},
		})
	}
	spec.IdentityPools = append(spec.IdentityPools, directory.IdentityPoolSpec{
		ID: IdentityPoolID, AccountID: AccountA, Name: "stack", Region: PoolRegion, Authenticated: "api_readonly",
		UserPools:     []directory.PoolLoginSpec{{Realm: "shasta", ClientID: PoolClient}},
		OIDCProviders: []string{ForeignIssuer},
		RoleMappings:  map[string]identity.PoolRoleMapping{"shasta": {Type: "Token", Ambiguous: "AuthenticatedRole"}},
	})
	secret := identity.Secret(APISecretKey)
	spec.APITokens = append(spec.APITokens, directory.APITokenSpec{
		AccountID: AccountA, Realm: "shasta", Name: "robot", Role: "api_admin", AccessKey: APIAccessKey, Secret: &secret,
	})
	spec.StaxAPIs = append(spec.StaxAPIs, directory.StaxAPISpec{
		Name: "stack", AccountID: AccountA, Region: PoolRegion, Realm: "shasta", ClientID: PoolClient, IdentityPool: "stack",
	})
}

// New builds a stack that ends with the test.
func New(t testing.TB, opts ...Option) *Stack {
	t.Helper()
	set := settings{limits: authn.Limits{PrincipalBurst: 1000, AddressBurst: 1000, PairBurst: 1000}, minDur: 900, random: rand.Reader}
	for _, o := range opts {
		o(&set)
	}
	if set.engine == nil {
		set.engine = store.NewMemory()
	}
	log := slog.New(slog.DiscardHandler)
	s := &Stack{
		Clock: cmp.Or(set.clock, &Clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}), Engine: set.engine,
		AuditDir: filepath.Join(t.TempDir(), "audit"), Foreign: &ForeignKeys{},
	}
	ctx := context.Background()
	var err error
	check := func() {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	s.DB, err = store.OpenDB(ctx, s.Engine, store.Options{Clock: s.Clock, Log: log, MaxStaleness: 1e6 * time.Hour})
	check()
	t.Cleanup(func() { _ = s.DB.Close() })
	if s.Root = set.root; s.Root == nil {
		secret := make([]byte, keyring.RootKeyBytes)
		_, _ = rand.Read(secret)
		s.Root, err = keyring.NewRootKey(secret)
		check()
	}
	s.Keyring, err = keyring.Open(ctx, s.DB, s.Root, keyring.Options{Clock: s.Clock, Log: log, NewRSA: usedRSA()})
	check()
	s.Audit, err = audit.Open(audit.Config{Dir: s.AuditDir, Durability: audit.Buffered, Clock: s.Clock, MinFree: -1})
	check()
	t.Cleanup(func() { _ = s.Audit.Close() })
	s.Sessions = token.NewSessions(s.Keyring, s.Clock, set.random)
	s.JWTs = token.NewJWTs(s.Keyring)
	proofs := authn.Options{
		DB: s.DB, Keyring: s.Keyring, Issuers: s.Foreign, Clock: s.Clock, Log: log, ExternalURL: ExternalURL, ConsoleURL: ConsoleURL, Limits: set.limits,
	}
	if _, measured := t.(*testing.B); !measured {
		proofs.HashMemory = 64
	}
	if set.web != nil {
		issuers := egress.NewIssuers(egress.IssuersConfig{Client: set.web, Clock: s.Clock})
		t.Cleanup(issuers.Close)
		proofs.Web, proofs.Issuers = set.web, issuers
	}
	s.Authn, err = authn.New(proofs)
	check()
	s.Access = access.New(access.Options{DB: s.DB, Keyring: s.Keyring, Sessions: s.Sessions, Authn: s.Authn, Audit: s.Audit, Clock: s.Clock, Log: log})
	s.Directory = directory.New(directory.Options{
		DB: s.DB, Keyring: s.Keyring, Authn: s.Authn, Access: s.Access, Audit: s.Audit, Clock: s.Clock, Log: log,
		ExternalURL: ExternalURL, ConsoleURL: ConsoleURL, ReservedBuckets: controlSegments, Random: set.random,
	})
	s.Index = directory.NewSessionIndex(s.DB, s.Clock)
	s.Issuer = issue.New(issue.Options{
		DB: s.DB, Keyring: s.Keyring, Sessions: s.Sessions, JWTs: s.JWTs, Authn: s.Authn, Access: s.Access, Audit: s.Audit,
		Clock: s.Clock, Log: log, ExternalURL: ExternalURL, MinDurationSeconds: set.minDur, Random: set.random, Brokers: set.brokers,
		Minted: func(r store.SessionRecord) {
			s.Index.Add(r)
			if set.minted != nil {
				set.minted(r)
			}
		},
	})
	s.Operate = operate.New(operate.Options{
		DB: s.DB, Keyring: s.Keyring, Access: s.Access, Audit: s.Audit, Clock: s.Clock, Upstreams: stores(set.stores), ReservedBuckets: controlSegments,
	})
	s.KMS = kms.New(kms.Options{DB: s.DB, Keyring: s.Keyring, Access: s.Access, Audit: s.Audit, Clock: s.Clock, Log: log, Random: set.random})
	spec := Site()
	for _, change := range set.site {
		change(&spec)
	}
	_, err = s.Directory.Apply(ctx, s.Operator(), spec, false)
	check()
	return s
}

var controlSegments = []string{"auth", "realms", "keycloak"}

// stores is the upstreams of a stack; there may be none.
type stores []*upstream.S3

func (s stores) All() []*upstream.S3 { return s }

func (s stores) STS(string) (*upstream.STS, bool) { return nil, false }

func (s stores) ByName(name string) (*upstream.S3, bool) {
	for _, u := range s {
		if u.Name == name {
			return u, true
		}
	}
	return nil, false
}

// Operator is the operator's caller.
func (s *Stack) Operator() *identity.Caller {
	c := access.OperatorCaller(identity.RequestFacts{ID: "TEST", Dialect: "admin"})
	return &c
}

// Site is the site that New applies.
func Site() directory.SiteSpec {
	secret := func(s string) *identity.Secret { v := identity.Secret(s); return &v }
	shasta := ExternalURL + "/auth/realms/shasta"
	trust := func(provider, condition string) string {
		return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::` + AccountA +
			`:oidc-provider/` + identity.TrimScheme(provider) + `"},"Action":"sts:AssumeRoleWithWebIdentity"` + condition + `}}`
	}
	return directory.SiteSpec{
		Accounts: []directory.AccountSpec{
			{ID: AccountA, Partition: "aws", Name: "a", Alias: "alias-a", RootEmail: RootEmailA, RootPassword: secret(RootPassword)},
			{ID: AccountB, Partition: "demo", Name: "b", RootEmail: RootEmailB, RootPassword: secret(RootPassword)},
		},
		Realms: []directory.RealmSpec{
			{
				Realm:   identity.Realm{Name: identity.RootRealm, Algorithm: "ES256", AccessTokenSeconds: 300, RefreshTokenSeconds: 1800, Scope: "email", SupportContact: "help@example.com"},
				Clients: []directory.ClientSpec{{ID: "root-client", Public: true, Grants: []string{"password", "refresh_token"}}},
			},
			{
				Realm: identity.Realm{Name: "shasta", AccountID: AccountA, Algorithm: "ES256", AccessTokenSeconds: 3600, RefreshTokenSeconds: 1800, Scope: "email"},
				Clients: []directory.ClientSpec{
					{ID: "shasta", Public: true, Grants: []string{"password", "refresh_token"}, Audience: []string{"shasta"}},
					{ID: "other", Public: true, Grants: []string{"refresh_token"}},
					{ID: "admin-client", Grants: []string{"client_credentials"}, Audience: []string{"shasta"}, ServiceAccount: "service", Secret: secret(ClientSecret)},
				},
			},
		},
		Users: []directory.UserSpec{
			{AccountID: AccountA, Name: TestUser, Realm: "shasta", Email: "t@example.com", Password: secret(TestPassword), ClientRoles: map[string][]string{"shasta": {"admin"}}},
			{AccountID: AccountA, Name: "service", Realm: "shasta"},
			{AccountID: AccountA, Name: "mfa", Realm: "shasta", Password: secret(TestPassword), MFARequired: true},
			{AccountID: AccountA, Name: "stale", Realm: "shasta", Password: secret(TestPassword), MustChangePassword: true},
			{AccountID: AccountA, Name: "disabled", Realm: "shasta", Password: secret(TestPassword), Disabled: true},
		},
		Roles: []directory.RoleSpec{
			{AccountID: AccountA, Name: RoleName, Trust: trust(shasta, ""), MaxSessionDuration: 7200, ManagedPolicies: []string{"arn:aws:iam::aws:policy/AmazonS3FullAccess"}},
			{AccountID: AccountA, Name: ReadOnlyRole, Trust: trust(ForeignIssuer, `,"Condition":{"StringEquals":{"idp.example.org:aud":"app","idp.example.org:sub":"alice"}}`), MaxSessionDuration: 3600, ManagedPolicies: []string{"arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"}},
		},
		Providers: []directory.ProviderSpec{
			{AccountID: AccountA, OwnRealm: "shasta", ClientIDs: []string{"shasta"}},
			{AccountID: AccountA, URL: ForeignIssuer, ClientIDs: []string{"app", "app2"}},
		},
	}
}

// AuditLines returns what the audit log holds, once its writer is idle.
func (s *Stack) AuditLines(t testing.TB) string {
	t.Helper()
	if err := s.Audit.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(s.AuditDir, "audit.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// ForeignKeys stands for package egress: public keys by issuer and key ID.
type ForeignKeys struct {
	mu   sync.Mutex
	keys map[string]crypto.PublicKey
	Down bool
}

// Set publishes a key.
func (f *ForeignKeys) Set(issuer, kid string, key crypto.PublicKey) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.keys == nil {
		f.keys = map[string]crypto.PublicKey{}
	}
	f.keys[issuer+"#"+kid] = key
}

// Drop withdraws a key.
func (f *ForeignKeys) Drop(issuer, kid string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.keys, issuer+"#"+kid)
}

// Key is authn.KeySource.
func (f *ForeignKeys) Key(_ context.Context, p *identity.Provider, kid, _ string) (crypto.PublicKey, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.Down {
		return nil, &identity.Error{Kind: identity.KindProviderUnreachable, Op: "stacktest"}
	}
	k, ok := f.keys[p.URL+"#"+kid]
	if !ok {
		return nil, &identity.Error{Kind: identity.KindInvalidIdentity, Op: "stacktest"}
	}
	return k, nil
}
