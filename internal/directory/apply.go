package directory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/keyring"
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
		a := &applying{
			d: d, tx: tx, made: made, now: d.clock.Now().UTC(), accounts: map[string]*identity.Account{}, roles: map[string]*roleBefore{},
		}
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
	pools, err := d.poolSets(realms)
	if err != nil {
		return err
	}
	ibm, err := d.ibmSets()
	if err != nil {
		return err
	}
	specs = append(append(specs, pools...), ibm...)
	for _, acc := range accounts {
		if acc.OutboundFederation {
			specs = append(specs, outboundSets(acc)...)
		}
	}
	return d.keys.EnsureSets(ctx, specs)
}

// applying is one run of the transaction.
type applying struct {
	d       *Directory
	tx      store.Tx
	made    *prepared
	now     time.Time
	changes []Change
	// accounts are those that were looked up, and roles those of the spec.
	accounts map[string]*identity.Account
	roles    map[string]*roleBefore
}

// all applies things after those that they name: the accounts' root users need
// their realm, trust policies name users and other roles, clients name users
// as service accounts.
func (a *applying) all(spec SiteSpec) error {
	for _, step := range []func() error{
		each(a.realm, spec.Realms), each(a.account, spec.Accounts), each(a.realmAccount, spec.Realms),
		each(a.provider, spec.Providers), each(a.samlProvider, spec.SAMLProviders), each(a.policy, spec.Policies), each(a.group, spec.Groups), each(a.user, spec.Users),
		each(a.nameRole, spec.Roles), each(a.role, spec.Roles), each(a.clients, spec.Realms),
		each(a.poolThings, spec.Realms), each(a.poolMember, spec.Users), each(a.identityPool, spec.IdentityPools), each(a.apiToken, spec.APITokens),
		each(a.staxAPI, spec.StaxAPIs), each(a.tokenService, spec.TokenServices),
		each(a.staxAPI, spec.StaxAPIs), func() error { return a.ibm(spec.IBM) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func each[T any](apply func(T) error, list []T) func() error {
	return func() error {
		for _, v := range list {
			if err := apply(v); err != nil {
				return err
			}
		}
		return nil
	}
}

// upsert writes want where it differs from what is there, nil for nothing, and
// notes the difference field by field.
func upsert[T any](a *applying, t *store.Table[T], kind, name string, have, want *T) error {
	if have == nil {
		a.changes = append(a.changes, Change{Kind: kind, Name: name, To: "created"})
		return t.Put(a.tx, want)
	}
	diff := fieldDiff(kind, name, have, want)
	if len(diff) == 0 {
		return nil
	}
	a.changes = append(a.changes, diff...)
	return t.Put(a.tx, want)
}

// there is the record that a look-up found, nil when there is none.
func there[T any](v *T, err error) (*T, error) {
	if identity.KindOf(err) == identity.KindNotFound {
		return nil, nil
	}
	return v, err
}

// inAccount returns the account that a thing of the site is in.
func (a *applying) inAccount(what, id string) (*identity.Account, error) {
	if acc := a.accounts[id]; acc != nil {
		return acc, nil
	}
	acc, err := store.Accounts.Get(a.tx, id)
	if err != nil {
		return nil, invalid("%s: there is no account %q", what, id)
	}
	a.accounts[id] = acc
	return acc, nil
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
