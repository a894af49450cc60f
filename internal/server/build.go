package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"daypass/internal/access"
	"daypass/internal/api/admin"
	"daypass/internal/api/cognito"
	"daypass/internal/api/cray"
	"daypass/internal/api/iam"
	"daypass/internal/api/ibm"
	"daypass/internal/api/keyprotect"
	"daypass/internal/api/oidc"
	"daypass/internal/api/stax"
	"daypass/internal/api/sts"
	"daypass/internal/audit"
	"daypass/internal/authn"
	"daypass/internal/directory"
	"daypass/internal/egress"
	"daypass/internal/gateway/embedded"
	"daypass/internal/gateway/s3"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/keyring"
	"daypass/internal/kms"
	"daypass/internal/operate"
	"daypass/internal/store"
	"daypass/internal/store/sqlite"
	"daypass/internal/token"
)

// core is everything between the listeners and the disk.
type core struct {
	log       *slog.Logger
	objects   *embedded.Store // nil when switched off
	upstreams *upstreams
	db        *store.DB
	keys      *keyring.Keyring
	rootAway  atomic.Bool // by the last look
	audit     *audit.Log
	web       *egress.Client
	issuers   *egress.Issuers
	authn     *authn.Authn
	access    *access.Access
	directory *directory.Directory
	sessions  *directory.SessionIndex
	issuer    *issue.Issuer
	operate   *operate.Operations
	kms       *kms.KMS
	gateway   *s3.Gateway

	handlers map[string]http.Handler
	console  http.Handler // nil without one
	admin    http.Handler
}

// startObjectStore begins to run the child, without waiting for it; nil when it
// is switched off.
func startObjectStore(c *Config, data *dataDir, log *slog.Logger) (*embedded.Store, error) {
	if !c.ObjectStore.Enabled {
		return nil, nil
	}
	objects, err := embedded.Start(embedded.Config{
		Root: c.objectsDir(data.path), Region: c.Region, Binary: c.ObjectStore.Binary, Logger: log.With("part", "objectstore"),
	})
	if err != nil {
		if e := identity.AsError(err); e.Err != nil {
			err = e.Err // people need the cause, not the function that met it
		}
		return nil, fmt.Errorf("the object store cannot be started (make build makes bin/daypass-objectstore; object_store.binary names it elsewhere): %w", err)
	}
	return objects, nil
}

// open opens the store and makes what stands on it, lower layers first.
func (c *core) open(ctx context.Context, s *server) error {
	config := &s.Config
	// Before the store is made: a store without its root key is a lost one.
	own := s.ownAddresses()
	root, err := s.data.rootKey(rootSource{config: config, demo: s.Dev, own: own, log: s.Log})
	if err != nil {
		return err
	}
	if config.Keyring.KMS.URL != "" && !exists(s.data.file(databaseName)) {
		if _, _, err := root.New(ctx, make([]byte, 16)); err != nil {
			return wrongRootKey(s.data.path, err)
		}
	}
	if err := c.openStore(ctx, config, s.data, s.Clock); err != nil {
		return err
	}
	if c.keys, err = keyring.Open(ctx, c.db, root, keyring.Options{Clock: s.Clock, Log: s.Log}); err != nil {
		return wrongRootKey(s.data.path, err)
	}
	c.web, err = egress.NewClient(egress.Config{Exempt: config.Egress.Exempt, Own: func() []netip.AddrPort { return own }})
	if err != nil {
		return err
	}
	c.issuers = egress.NewIssuers(egress.IssuersConfig{Client: c.web, Clock: s.Clock, Logger: s.Log})
	return c.openLogic(s)
}

// openStore opens the store and the audit log.
func (c *core) openStore(ctx context.Context, config *Config, data *dataDir, clock identity.Clock) error {
	engine, err := sqlite.Open(ctx, data.file(databaseName), sqlite.Options{})
	if err != nil {
		return fmt.Errorf("the store %s cannot be opened: %w", data.file(databaseName), err)
	}
	c.db, err = store.OpenDB(ctx, engine, store.Options{
		Clock: clock, Log: c.log, MaxPrincipals: config.Cache.Principals, MaxStaleness: config.Store.Staleness,
	})
	if err != nil {
		return errors.Join(err, engine.Close())
	}
	if c.audit, err = audit.Open(audit.Config{
		Dir: data.file(auditName), Durability: audit.Durability(config.Audit.Durability), MaxBytes: config.Audit.MaxBytes,
		MaxFiles: config.Audit.Keep, Region: config.Region, Clock: clock, Logger: c.log,
	}); err != nil {
		return fmt.Errorf("the audit log cannot be opened: %w", err)
	}
	return nil
}

// wrongRootKey says what to do when the root key is another one.
func wrongRootKey(data string, err error) error {
	switch e := identity.AsError(err); e.Kind {
	case identity.KindUpstream:
		return &identity.Error{Kind: e.Kind, Op: "server.keyring", Err: err, Public: "the root key of " + data + " does not open: " + e.Public}
	case identity.KindValidation:
		return &identity.Error{Kind: e.Kind, Op: "server.keyring", Err: err, Public: strings.TrimSuffix(e.Public, ".") +
			": put back the root key, or name the place that " + data + " was moved to last (root_key_file, passphrase_file, keyring.kms)"}
	}
	return fmt.Errorf("the keyring cannot be opened: %w", err)
}

// openLogic makes layers 3 to 6.
func (c *core) openLogic(s *server) (err error) {
	if c.upstreams, err = openUpstreams(&s.Config, c.objects, s.Clock, s.Log); err != nil {
		return err
	}
	sessions := token.NewSessions(c.keys, s.Clock, rand.Reader)
	if c.authn, err = authn.New(authn.Options{
		DB: c.db, Keyring: c.keys, Issuers: c.issuers, Clock: s.Clock, Log: s.Log, ExternalURL: s.externalURL,
		ConsoleURL: s.consoleURL, Web: c.web,
	}); err != nil {
		return err
	}
	c.access = access.New(access.Options{DB: c.db, Keyring: c.keys, Sessions: sessions, Authn: c.authn, Audit: c.audit, Clock: s.Clock, Log: s.Log})
	c.directory = directory.New(directory.Options{
		DB: c.db, Keyring: c.keys, Authn: c.authn, Access: c.access, Audit: c.audit, Clock: s.Clock, Log: s.Log,
		ExternalURL: s.externalURL, ConsoleURL: s.consoleURL, ReservedBuckets: ControlSegments(),
	})
	c.sessions = directory.NewSessionIndex(c.db, s.Clock)
	c.issuer = issue.New(issue.Options{
		DB: c.db, Keyring: c.keys, Sessions: sessions, JWTs: token.NewJWTs(c.keys), Authn: c.authn, Access: c.access,
		Audit: c.audit, Clock: s.Clock, Log: s.Log, ExternalURL: s.externalURL, MinDurationSeconds: s.Config.STS.MinDurationSeconds,
		AccessKeyMaxAge: time.Duration(s.Config.AccessKeys.MaxAgeDays) * 24 * time.Hour, Minted: c.sessions.Add,
		PoolSessionSeconds: s.Config.STS.PoolDurationSeconds, Brokers: c.upstreams.set.STS,
	})
	c.kms = kms.New(kms.Options{
		DB: c.db, Keyring: c.keys, Access: c.access, Audit: c.audit, Clock: s.Clock, Log: s.Log,
		PurgeAfter: s.Config.KMS.PurgeAfter, RotateEvery: s.Config.KMS.RotateEvery, EnableAfter: s.Config.KMS.EnableAfter,
	})
	c.operate = operate.New(operate.Options{
		DB: c.db, Keyring: c.keys, Access: c.access, Audit: c.audit, Clock: s.Clock, Upstreams: c.upstreams.set, ReservedBuckets: ControlSegments(),
		Version: s.Version,
	})
	return nil
}

// dialects makes layer 7: one line per dialect.
func (c *core) dialects(s *server) error {
	s.hosts = NewHosts(s.Config.BaseDomains, c.accountByAlias)
	if err := c.openGateway(s); err != nil {
		return err
	}
	pools := cognito.New(cognito.Config{Access: c.access, SignIn: c.issuer, People: c.access, Self: c.directory, Identities: c.issuer, IdentityPools: c.directory, UserPools: c.directory, PoolUsers: c.directory, PoolGroups: c.directory, AdminSignIn: c.issuer, Log: s.Log})
	c.handlers = map[string]http.Handler{
		serviceS3: c.gateway,
		serviceSTS: sts.New(sts.Config{
			Access: c.access, Issuer: c.issuer, Messages: c.directory, Log: s.Log,
			MinDurationSeconds: s.Config.STS.MinDurationSeconds, LongExpiredCode: s.Config.STS.LongExpiredCode,
		}),
		serviceIAM:        iam.New(iam.Config{Access: c.access, Issuer: c.issuer, Directory: c.directory, Log: s.Log}),
		servicePool:       &cognito.Discovery{Issuers: c.issuer, Log: s.Log},
		serviceCognitoIDP: pools, serviceCognitoIdentity: pools,
		serviceAPI:  stax.New(stax.Config{Access: c.access, Issuer: c.issuer, Directory: c.directory, Log: s.Log}),
		serviceCray: cray.New(cray.Config{Issuer: c.issuer, Log: s.Log}),
		serviceIBM:  ibm.New(ibm.Config{Access: c.access, Issuer: c.issuer, Directory: c.directory, ExternalURL: s.externalURL, ConsoleURL: s.consoleURL, Clock: s.Clock, Log: s.Log}),
		serviceKMS:  keyprotect.New(keyprotect.Config{Access: c.access, KMS: c.kms, Log: s.Log}),
		serviceOIDC: oidc.New(oidc.Config{Issuer: c.issuer, ExternalURL: s.externalURL, Log: s.Log}),
	}
	c.admin = admin.New(admin.Config{
		Apply:     c.directory.Apply,
		KeyStatus: func(ctx context.Context, o *identity.Caller) (any, error) { return c.operate.KeyStatus(ctx, o) },
		RotateKeys: func(ctx context.Context, o *identity.Caller, what string, now, compromised bool) (any, error) {
			return c.operate.RotateKeys(ctx, o, what, operate.Rotation{Now: now, Compromised: compromised})
		},
		Sessions: c.directory, Cut: c.gateway.Cut, Users: c.directory, KeyUses: c.kms, OpenInstance: c.kms.OpenInstance, Stores: c.operate, Backups: c.operate,
		Operator: access.OperatorCaller,
		Log:      s.Log,
	})
	c.meter(s.metrics)
	return nil
}

func (c *core) openGateway(s *server) (err error) {
	c.gateway, err = s3.New(s3.Config{
		Access: c.access, Registry: c.directory,
		Bucket: func(name string) (identity.Bucket, bool) {
			b, err := store.Buckets.Get(c.db.Snapshot(), name)
			if err != nil {
				return identity.Bucket{}, false
			}
			return *b, true
		},
		Upstreams: c.upstreams.set, Clock: s.Clock,
		MaxPerPrincipal: s.Config.S3.MaxRequestsPerPrincipal,
		BasesFor:        s.hosts.S3Bases, ControlSegments: ControlSegments(), ExternalURL: s.externalURL, Region: s.Config.Region, Log: s.Log,
	})
	return err
}

// queryActions are the actions that are served, for the metrics' labels.
func queryActions() []string {
	return slices.Concat(sts.Actions(), iam.Actions(), cognito.Operations())
}

// meter adds what the core can tell to the metrics.
func (c *core) meter(m *Metrics) {
	m.Gauge("daypass_feed_staleness_seconds", "Age of the store's last sign of life.", func() float64 { return c.db.Staleness().Seconds() })
	m.Gauge("daypass_clock_skew_seconds", "How far this node's clock is off the store's.", func() float64 { return c.db.ClockSkew().Seconds() })
	m.Gauge("daypass_root_key_up", "0 when the root key would not open at the next start.", func() float64 { return zeroIf(c.rootAway.Load()) })
	if c.objects != nil {
		m.Gauge("daypass_objectstore_up", "1 while the object store serves.", func() float64 { return zeroIf(!c.objects.Healthy()) })
	}
	m.registry.MustRegister(upstreamMetrics{c.upstreams})
	m.Counter("daypass_session_index_dropped_total", "Sessions that were issued without an entry in the index of sessions.",
		func() float64 { return float64(c.sessions.Dropped()) })
	m.Counter("daypass_password_hashes_total", "Passwords hashed.", func() float64 { hashes, _ := c.authn.Worked(); return float64(hashes) })
	m.Counter("daypass_srp_steps_total", "Steps of SRP log-ins computed.", func() float64 { _, powers := c.authn.Worked(); return float64(powers) })
	for _, t := range []struct {
		name, help string
		value      func(audit.Stats) uint64
	}{
		{"daypass_audit_recorded_total", "Audit events recorded.", func(s audit.Stats) uint64 { return s.Recorded }},
		{"daypass_audit_failed_total", "Audit events that could not be recorded; their call was refused.", func(s audit.Stats) uint64 { return s.Failed }},
		{"daypass_audit_refusals_total", "Events of refused calls.", func(s audit.Stats) uint64 { return s.Refused }},
		{"daypass_audit_dropped_total", "Events of refused calls that were lost.", func(s audit.Stats) uint64 { return s.Dropped }},
		{"daypass_audit_rotations_total", "Rotations of the audit log.", func(s audit.Stats) uint64 { return s.Rotations }},
	} {
		m.Counter(t.name, t.help, func() float64 { return float64(t.value(c.audit.Stats())) })
	}
}

// zeroIf is the value of a gauge of what is up or is not.
func zeroIf(down bool) float64 {
	if down {
		return 0
	}
	return 1
}

// accountByAlias reads the snapshot.
func (c *core) accountByAlias(alias string) (string, bool) {
	a, err := store.Accounts.By(c.db.Snapshot(), "alias", alias)
	if err != nil || a.Disabled {
		return "", false
	}
	return a.ID, true
}

// tokenHost reports whether a host name is one of a token service's own.
func (c *core) tokenHost(host string) bool {
	all, err := store.TokenServices.List(c.db.Snapshot(), "", "", store.After{}, 0)
	return err == nil && slices.ContainsFunc(all, func(s *identity.TokenService) bool { return slices.Contains(s.Hosts, hostOnly(host)) })
}

// ready says why no requests should come now. Upstreams beyond this process do
// not count: nodes share them, so that one outage would take every node out of
// service, with the log-ins and the buckets of other upstreams that still work.
// Metrics and log tell their state.
func (c *core) ready() error {
	if err := c.db.Fresh(); err != nil {
		return errors.New("the store is away")
	}
	if skew := c.db.ClockSkew(); skew > maxClockSkew || skew < -maxClockSkew {
		return errors.New("the clock is off the store's")
	}
	if c.objects != nil && !c.objects.Healthy() {
		return errors.New("the object store is away")
	}
	return nil
}
