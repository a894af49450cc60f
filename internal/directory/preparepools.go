package directory

import (
	"context"
	"slices"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// preparePools makes what pools and API tokens need before the transaction.
func (d *Directory) preparePools(ctx context.Context, p *prepared, spec SiteSpec) error {
	for _, r := range spec.Realms {
		if r.UserPool == nil {
			continue
		}
		for _, c := range r.UserPool.Clients {
			if err := d.preparePoolSecrets(ctx, p, c); err != nil {
				return err
			}
		}
	}
	for _, s := range spec.IdentityPools {
		if err := d.prepareIdentityPool(p, s); err != nil {
			return err
		}
	}
	for _, t := range spec.APITokens {
		if err := d.prepareToken(ctx, p, t); err != nil {
			return err
		}
	}
	return nil
}

func (d *Directory) preparePoolSecrets(ctx context.Context, p *prepared, c PoolClientSpec) error {
	if c.Secrets == nil {
		return nil
	}
	var have *store.PoolClientSecret
	err := d.db.View(ctx, func(r store.Reader) (err error) {
		have, err = there(store.PoolClientSecrets.Get(r, c.ID))
		return err
	})
	if err != nil {
		return err
	}
	if have != nil {
		secrets, err := d.openPoolSecrets(have)
		if err != nil {
			return err
		}
		if slices.EqualFunc(secrets, c.Secrets, identity.Secret.Equal) {
			return nil
		}
	}
	p.poolSecrets[c.ID], err = d.sealPoolSecrets(c.ID, c.Secrets)
	return err
}

func (d *Directory) prepareIdentityPool(p *prepared, s IdentityPoolSpec) error {
	id := s.ID
	if id == "" {
		pools, err := store.IdentityPools.List(d.db.Snapshot(), "name", store.Join(s.AccountID, s.Name), store.After{}, 0)
		if err != nil {
			return err
		}
		for _, have := range pools {
			if have.Name == s.Name {
				id = have.ID
			}
		}
	}
	if id == "" {
		uuid, err := identity.NewUUID(d.random)
		if err != nil {
			return err
		}
		id = s.Region + ":" + uuid
	}
	p.identityPools[identityPoolKey(s)] = id
	return nil
}

func (d *Directory) prepareToken(ctx context.Context, p *prepared, s APITokenSpec) error {
	var have *identity.User
	err := d.db.View(ctx, func(r store.Reader) (err error) {
		have, err = there(store.Users.By(r, "login", store.Join(s.Realm, s.AccessKey)))
		return err
	})
	if err != nil {
		return err
	}
	u := &preparedUser{exists: have != nil}
	if have != nil {
		u.id, u.subject = have.ID, have.Subject
	} else {
		if u.id, err = d.uniqueID("AIDA", 17); err != nil {
			return err
		}
		if u.subject, err = identity.NewUUID(d.random); err != nil {
			return err
		}
	}
	p.users[tokenKey(s)] = u
	if s.Secret == nil {
		return nil
	}
	pool := d.poolName(p, s.Realm)
	if u.exists {
		if same, err := d.authn.SameAPISecret(ctx, u.id, pool, u.subject, *s.Secret); same || err != nil {
			return err
		}
	}
	u.password, err = d.authn.APITokenPassword(u.id, pool, u.subject, *s.Secret, d.clock.Now().UTC())
	return err
}
