package directory

import (
	"context"
	"crypto/subtle"
	"slices"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// prepared is what must be made before the transaction, which may run more
// than once: random values and slow hashes.
type prepared struct {
	users   map[string]*preparedUser // by account and folded name
	pools   map[string]string        // realm -> pool name
	secrets map[string]string        // client -> hash, where it is to change
	logins  map[string][]byte        // foreign log-in -> sealed secret, likewise
	// poolSecrets are sealed, by client of a user pool, where they are to change;
	// identityPools are the IDs of identity pools, by account and name.
	poolSecrets   map[string][]byte
	identityPools map[string]string
	ibm           preparedIBM
}

type preparedUser struct {
	id, subject string
	exists      bool
	password    *store.Password // nil: leave it alone
}

func (d *Directory) prepare(ctx context.Context, spec SiteSpec) (*prepared, error) {
	p := &prepared{users: map[string]*preparedUser{}, pools: map[string]string{}, secrets: map[string]string{}, poolSecrets: map[string][]byte{}, identityPools: map[string]string{}, logins: map[string][]byte{}}
	for _, r := range spec.Realms {
		pool, err := d.uniqueID("", 9)
		if err != nil {
			return nil, err
		}
		if have, err := store.Realms.Get(d.db.Snapshot(), r.Name); err == nil {
			pool = have.PoolName
		}
		p.pools[r.Name] = pool
		if err := d.prepareLogins(ctx, p, r); err != nil {
			return nil, err
		}
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
	var err error
	if p.ibm, err = d.prepareIBM(spec.IBM); err != nil {
		return nil, err
	}
	return p, d.preparePools(ctx, p, spec)
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
