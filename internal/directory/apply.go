package directory

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/keyring"
	"daypass/internal/policy"
	"daypass/internal/store"
)

// errDryRun rolls the transaction of a dry run back.
var errDryRun = errors.New("dry run")

// Apply brings the site into line with spec, all of it in one transaction or,
// on any error, none of it; a dry run only tells what would change. Applying
// the same spec again changes nothing. Operator only. When it returns, the
// signing keys of new realms exist.
func (d *Directory) Apply(ctx context.Context, c *identity.Caller, spec SiteSpec, dryRun bool) ([]Change, error) {
	if err := d.permit(c, "daypass:Apply", "", ""); err != nil {
		return nil, err
	}
	if err := d.checkSpec(spec); err != nil {
		return nil, err
	}
	made, err := d.prepare(ctx, spec)
	if err != nil {
		return nil, err
	}
	var changes []Change
	run := func(tx store.Tx) error {
		a := &applying{d: d, tx: tx, made: made, now: d.clock.Now().UTC()}
		if err := a.all(spec); err != nil {
			return err
		}
		changes = a.changes
		if dryRun || len(changes) == 0 {
			return errDryRun
		}
		return nil
	}
	err = d.change(ctx, c, audit.Change(c, "daypass", "Apply", nil), run)
	if identity.KindOf(err) == identity.KindAlreadyExists { // found at commit: nobody knows which
		return nil, invalid("A name, alias or e-mail address of this site is taken by another principal; nothing was applied.")
	}
	if err != nil && !errors.Is(err, errDryRun) {
		return nil, err
	}
	if dryRun {
		return changes, nil
	}
	return changes, d.ensureSigningKeys(ctx)
}

// ensureSigningKeys makes the first keys of every issuer that has none.
func (d *Directory) ensureSigningKeys(ctx context.Context) error {
	realms, err := store.Realms.List(d.db.Snapshot(), "", "", store.After{}, 0)
	if err != nil {
		return err
	}
	accounts, err := store.Accounts.List(d.db.Snapshot(), "", "", store.After{}, 0)
	if err != nil {
		return err
	}
	specs := make([]keyring.SetSpec, len(realms))
	for i, r := range realms {
		specs[i] = keyring.SetSpec{
			Set: r.KeySet(), Algorithm: r.Algorithm, MaxTokenLife: time.Duration(r.AccessTokenSeconds) * time.Second,
		}
	}
	for _, acc := range accounts {
		if acc.OutboundFederation {
			specs = append(specs, outboundSets(acc)...)
		}
	}
	return d.keys.EnsureSets(ctx, specs)
}

// prepared is what must be made before the transaction, which may run more
// than once: random values and slow hashes.
type prepared struct {
	users   map[string]*preparedUser // by account and folded name
	pools   map[string]string        // realm -> pool name
	secrets map[string]string        // client -> hash, where it is to change
}

type preparedUser struct {
	id, subject string
	exists      bool
	password    *store.Password // nil: leave it alone
}

func (d *Directory) prepare(ctx context.Context, spec SiteSpec) (*prepared, error) {
	p := &prepared{users: map[string]*preparedUser{}, pools: map[string]string{}, secrets: map[string]string{}}
	for _, r := range spec.Realms {
		pool, err := d.uniqueID("", 9)
		if err != nil {
			return nil, err
		}
		if have, err := store.Realms.Get(d.db.Snapshot(), r.Name); err == nil {
			pool = have.PoolName
		}
		p.pools[r.Name] = pool
		for _, cl := range r.Clients {
			if err := d.prepareSecret(ctx, p, r.Name, cl); err != nil {
				return nil, err
			}
		}
	}
	for _, a := range spec.Accounts {
		if err := d.prepareUser(ctx, p, a.ID, "root", a.ID, identity.RootRealm, a.RootPassword); err != nil {
			return nil, err
		}
	}
	for _, u := range spec.Users {
		if err := d.prepareUser(ctx, p, u.AccountID, u.Name, "", u.Realm, u.Password); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (d *Directory) prepareSecret(ctx context.Context, p *prepared, realm string, cl ClientSpec) error {
	if cl.Secret == nil {
		return nil
	}
	key := realm + "/" + cl.ID
	hashes := d.keys.Hashes(clientSecretLabel, []byte(cl.Secret.Reveal()))
	var have *store.ClientSecret
	err := d.db.View(ctx, func(r store.Reader) (err error) {
		have, err = store.ClientSecrets.Get(r, key)
		return err
	})
	if err != nil && identity.KindOf(err) != identity.KindNotFound {
		return err
	}
	if have != nil && slices.ContainsFunc(hashes, func(h string) bool {
		return subtle.ConstantTimeCompare([]byte(h), []byte(have.Hash)) == 1
	}) {
		return nil
	}
	p.secrets[key] = hashes[0]
	return nil
}

func (d *Directory) prepareUser(ctx context.Context, p *prepared, account, name, id, realm string, password *identity.Secret) error {
	var have *identity.User
	err := d.db.View(ctx, func(r store.Reader) (err error) {
		have, err = store.Users.By(r, "name", store.Join(account, store.Fold(name)))
		return err
	})
	if err != nil && identity.KindOf(err) != identity.KindNotFound {
		return err
	}
	u := &preparedUser{id: id, subject: id}
	if have != nil {
		u.id, u.subject, u.exists = have.ID, have.Subject, true
	}
	if u.id == "" {
		if u.id, err = d.uniqueID("AIDA", 17); err != nil {
			return err
		}
	}
	if u.subject == "" {
		if u.subject, err = identity.NewUUID(d.random); err != nil {
			return err
		}
	}
	p.users[userKey(account, name)] = u
	if password == nil {
		return nil
	}
	if u.exists {
		if same, err := d.authn.SamePassword(ctx, u.id, *password); same || err != nil {
			return err
		}
	}
	u.password, err = d.authn.NewPassword(ctx, u.id, d.poolName(p, realm), u.subject, *password, d.clock.Now().UTC())
	return err
}

func (d *Directory) poolName(p *prepared, realm string) string {
	if pool, ok := p.pools[realm]; ok {
		return pool
	}
	if r, err := store.Realms.Get(d.db.Snapshot(), realm); err == nil {
		return r.PoolName
	}
	return ""
}

func userKey(account, name string) string { return store.Join(account, store.Fold(name)) }

// applying is one run of the transaction.
type applying struct {
	d       *Directory
	tx      store.Tx
	made    *prepared
	now     time.Time
	changes []Change
}

func (a *applying) all(spec SiteSpec) error {
	for _, r := range spec.Realms {
		if err := a.realm(r); err != nil {
			return err
		}
	}
	for _, acc := range spec.Accounts {
		if err := a.account(acc); err != nil {
			return err
		}
	}
	for _, r := range spec.Realms { // the accounts' root users need their realm first
		if r.AccountID != "" {
			if err := a.needAccount("realm "+r.Name, r.AccountID); err != nil {
				return err
			}
		}
	}
	for _, p := range spec.Providers {
		if err := a.provider(p); err != nil {
			return err
		}
	}
	for _, r := range spec.Roles {
		if err := a.role(r); err != nil {
			return err
		}
	}
	for _, u := range spec.Users {
		if err := a.user(u); err != nil {
			return err
		}
	}
	for _, r := range spec.Realms { // clients name users as service accounts
		for _, cl := range r.Clients {
			if err := a.client(r.Name, cl); err != nil {
				return err
			}
		}
	}
	return nil
}

// upsert writes want where it differs from what is there, and notes the
// difference field by field. keep carries over what the spec does not set.
func upsert[T any](a *applying, t *store.Table[T], kind, name string, have *T, err error, keep func(have, want *T), want *T) error {
	switch identity.KindOf(err) {
	case "":
		keep(have, want)
		diff := fieldDiff(kind, name, have, want)
		if len(diff) == 0 {
			return nil
		}
		a.changes = append(a.changes, diff...)
	case identity.KindNotFound:
		a.changes = append(a.changes, Change{Kind: kind, Name: name, To: "created"})
	default:
		return err
	}
	return t.Put(a.tx, want)
}

func (a *applying) account(s AccountSpec) error {
	want := &identity.Account{ID: s.ID, Partition: s.Partition, Name: s.Name, Alias: s.Alias, AssumeRootIn: s.AssumeRootIn, CreatedAt: a.now}
	if s.OutboundFederation != nil {
		want.OutboundFederation = *s.OutboundFederation
	}
	have, err := store.Accounts.Get(a.tx, s.ID)
	err = upsert(a, store.Accounts, "account", s.ID, have, err, func(have, want *identity.Account) {
		want.CreatedAt, want.Disabled, want.AccessKeyMaxAgeDays = have.CreatedAt, have.Disabled, have.AccessKeyMaxAgeDays
		if s.OutboundFederation == nil {
			want.OutboundFederation = have.OutboundFederation
		}
	}, want)
	if err != nil {
		return named("account "+s.ID, err)
	}
	made := a.made.users[userKey(s.ID, "root")]
	return a.putUser(&identity.User{
		ID: made.id, AccountID: s.ID, Root: true, Name: "root", Path: "/", Realm: identity.RootRealm, Subject: s.ID,
		Email: s.RootEmail, EmailVerified: true, CreatedAt: a.now,
	}, made, "root of "+s.ID)
}

func (a *applying) user(s UserSpec) error {
	made := a.made.users[userKey(s.AccountID, s.Name)]
	if s.Path == "" {
		s.Path = "/"
	}
	if err := a.needAccount("user "+s.Name, s.AccountID); err != nil {
		return err
	}
	if s.Realm != "" {
		r, err := store.Realms.Get(a.tx, s.Realm)
		if err != nil || r.AccountID != s.AccountID {
			return invalid("user %s: the account %s has no realm %q", s.Name, s.AccountID, s.Realm)
		}
	}
	u := &identity.User{
		ID: made.id, AccountID: s.AccountID, Name: s.Name, Path: s.Path, Realm: s.Realm, Email: s.Email,
		EmailVerified: s.EmailVerified, ClientRoles: s.ClientRoles, Policies: identity.Policies{Managed: s.ManagedPolicies}, Tags: s.Tags,
		Disabled: s.Disabled, MustChangePassword: s.MustChangePassword, MFARequired: s.MFARequired, CreatedAt: a.now,
	}
	if s.Realm != "" {
		u.Subject = made.subject
	}
	return a.putUser(u, made, s.Name)
}

func (a *applying) putUser(u *identity.User, made *preparedUser, label string) error {
	have, err := store.Users.By(a.tx, "name", store.Join(u.AccountID, store.Fold(u.Name)))
	if (err == nil) != made.exists || (err == nil && have.ID != made.id) {
		return &identity.Error{Kind: identity.KindConflict, Op: "directory.apply", Public: "The user " + label + " changed at the same time; apply again."}
	}
	if err := upsert(a, store.Users, "user", label, have, err, func(have, want *identity.User) { want.CreatedAt = have.CreatedAt }, u); err != nil {
		return named("user "+label, err)
	}
	if made.password != nil {
		if err := store.Passwords.Put(a.tx, made.password); err != nil {
			return err
		}
		if made.exists {
			a.changes = append(a.changes, Change{Kind: "user", Name: label, Field: "password", To: "(secret)"})
		}
	}
	if made.exists {
		return a.d.userChanged(a.tx, have, u, made.password != nil)
	}
	return nil
}

func (a *applying) realm(s RealmSpec) error {
	want := s.Realm
	want.PoolName = a.made.pools[s.Name]
	have, err := store.Realms.Get(a.tx, s.Name)
	if err == nil && (have.PoolName != want.PoolName || have.AccountID != want.AccountID) {
		return invalid("realm %s: a realm cannot move to another account", s.Name)
	}
	want.LongestTokenSeconds = max(want.AccessTokenSeconds, want.RefreshTokenSeconds)
	return upsert(a, store.Realms, "realm", s.Name, have, err, func(have, want *identity.Realm) {
		want.LongestTokenSeconds = max(want.LongestTokenSeconds, have.LongestTokenSeconds, have.AccessTokenSeconds, have.RefreshTokenSeconds)
	}, &want)
}

func (a *applying) client(realm string, s ClientSpec) error {
	want := &identity.Client{Realm: realm, ID: s.ID, Public: s.Public, Grants: s.Grants, Audience: s.Audience, CreatedAt: a.now}
	if s.ServiceAccount != "" {
		u, err := store.Users.By(a.tx, "login", store.Join(realm, store.Fold(s.ServiceAccount)))
		if err != nil {
			return invalid("client %s: the realm %s has no user %q", s.ID, realm, s.ServiceAccount)
		}
		want.ServiceAccount = u.ID
	}
	before, err := store.Clients.Get(a.tx, want.Key())
	err = upsert(a, store.Clients, "client", want.Key(), before, err, func(have, want *identity.Client) { want.CreatedAt = have.CreatedAt }, want)
	if err != nil {
		return err
	}
	hash, ok := a.made.secrets[want.Key()]
	if !ok {
		return nil
	}
	a.changes = append(a.changes, Change{Kind: "client", Name: want.Key(), Field: "secret", To: "(secret)"})
	if before != nil && before.ServiceAccount != "" { // the secret was its proof
		err := a.d.access.Revoke(a.tx, identity.Revocation{Kind: identity.LineagePrincipal, ID: before.ServiceAccount, Reason: "client secret changed by apply"})
		if err != nil {
			return err
		}
	}
	return store.ClientSecrets.Put(a.tx, &store.ClientSecret{Client: want.Key(), Hash: hash})
}

func (a *applying) role(s RoleSpec) error {
	if s.Path == "" {
		s.Path = "/"
	}
	if err := a.needAccount("role "+s.Name, s.AccountID); err != nil {
		return err
	}
	id, err := a.d.uniqueID("AROA", 17)
	if err != nil {
		return err
	}
	_, bound, err := parseBound(a.tx, policy.TrustPolicy, s.Trust, policy.Options{})
	if err != nil {
		return prefixed("role "+s.Name+", trust", err)
	}
	want := &identity.Role{
		ID: id, AccountID: s.AccountID, Name: s.Name, Path: s.Path, Description: s.Description, Trust: s.Trust, TrustBindings: bound,
		MaxSessionDuration: s.MaxSessionDuration, Policies: identity.Policies{Managed: s.ManagedPolicies}, Tags: s.Tags, CreatedAt: a.now,
	}
	have, err := store.Roles.By(a.tx, "name", store.Join(s.AccountID, store.Fold(s.Name)))
	if err == nil {
		if err := a.d.trustChanged(a.tx, have, want); err != nil {
			return err
		}
	}
	return upsert(a, store.Roles, "role", s.Name, have, err, func(have, want *identity.Role) {
		want.ID, want.CreatedAt = have.ID, have.CreatedAt
	}, want)
}

func (a *applying) provider(s ProviderSpec) error {
	if err := a.needAccount("provider "+s.URL+s.OwnRealm, s.AccountID); err != nil {
		return err
	}
	if s.OwnRealm != "" {
		if r, err := store.Realms.Get(a.tx, s.OwnRealm); err != nil || (r.AccountID != s.AccountID) {
			return invalid("provider: the account %s has no realm %q", s.AccountID, s.OwnRealm)
		}
	}
	want := &identity.Provider{
		AccountID: s.AccountID, URL: s.URL, OwnRealm: s.OwnRealm, ClientIDs: s.ClientIDs,
		Thumbprints: s.Thumbprints, CABundle: s.CABundle, JWKS: s.JWKS, BearerTokenFile: s.BearerTokenFile,
		RoleMappings: s.RoleMappings, CreatedAt: a.now,
	}
	have, err := store.Providers.Get(a.tx, want.Key())
	if err == nil {
		if err := a.d.providerChanged(a.tx, have, want); err != nil {
			return err
		}
	}
	return upsert(a, store.Providers, "provider", want.Key(), have, err, func(have, want *identity.Provider) {
		want.CreatedAt, want.Tags, want.KeysSleepAfterDays = have.CreatedAt, have.Tags, have.KeysSleepAfterDays
	}, want)
}

func (a *applying) needAccount(what, id string) error {
	if _, err := store.Accounts.Get(a.tx, id); err != nil {
		return invalid("%s: there is no account %q", what, id)
	}
	return nil
}

func named(what string, err error) error {
	if identity.KindOf(err) == identity.KindAlreadyExists {
		return invalid("%s: the name, alias or e-mail is taken", what)
	}
	return err
}

// fieldDiff lists the members in which two records differ, by their JSON names.
func fieldDiff(kind, name string, have, want any) []Change {
	h, w := fields(have), fields(want)
	names := slices.Collect(maps.Keys(h))
	for k := range w {
		if _, ok := h[k]; !ok {
			names = append(names, k)
		}
	}
	slices.Sort(names)
	var out []Change
	for _, k := range names {
		if string(h[k]) != string(w[k]) {
			out = append(out, Change{Kind: kind, Name: name, Field: k, From: string(h[k]), To: string(w[k])})
		}
	}
	return out
}

func fields(v any) map[string]json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("directory: a record that is no JSON: %v", err))
	}
	var m map[string]json.RawMessage
	_ = json.Unmarshal(b, &m)
	return m
}
