package directory

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"daypass/internal/identity"
	"daypass/internal/store"
)

const (
	maxForeign = 20 // of a realm
	maxScopes  = 20 // of a log-in
)

var (
	loginRE = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$`)
	scopeRE = regexp.MustCompile(`^[!#-\[\]-~]{1,128}$`) // RFC 6749 §3.3
)

// checkLogins judges a realm's log-ins by foreign issuers.
func (d *Directory) checkLogins(r RealmSpec) error {
	if len(r.Logins) > 0 && r.Name == identity.RootRealm {
		return invalid("realm %s: no other issuer speaks for root users", r.Name)
	}
	if len(r.Logins) > maxForeign {
		return invalid("realm %s: up to %d logins", r.Name, maxForeign)
	}
	seen := map[string]bool{}
	for _, l := range r.Logins {
		at := "realm " + r.Name + ", login " + l.Name
		switch {
		case !loginRE.MatchString(l.Name):
			return invalid("realm %s: login %q: a name has up to 32 lower-case letters, digits and hyphens", r.Name, l.Name)
		case seen[l.Name]:
			return invalid("%s: the name is there twice", at)
		case !isIssuer(l.Issuer) || len(l.Issuer) > maxProviderID:
			return invalid("%s: %q is not an issuer URL of up to %d characters", at, l.Issuer, maxProviderID)
		case l.Issuer == d.external || strings.HasPrefix(l.Issuer, d.external+"/"):
			return invalid("%s: the issuer is of this installation", at)
		case l.ClientID == "" || len(l.ClientID) > maxProviderID:
			return invalid("%s: client_id has 1 to %d characters", at, maxProviderID)
		case len(l.Scopes) > maxScopes || slices.ContainsFunc(l.Scopes, func(s string) bool { return !scopeRE.MatchString(s) || s == "openid" }):
			return invalid("%s: scopes are up to %d, besides openid", at, maxScopes)
		}
		seen[l.Name] = true
	}
	for name := range r.LoginSecrets {
		if !seen[name] {
			return invalid("realm %s: a secret for the log-in %q, which is not there", r.Name, name)
		}
	}
	return nil
}

// prepareLogins seals the secrets that are to change, by identity.LoginKey.
func (d *Directory) prepareLogins(ctx context.Context, p *prepared, r RealmSpec) error {
	for name, secret := range r.LoginSecrets {
		key := identity.LoginKey(r.Name, name)
		var have *store.LoginSecret
		err := d.db.View(ctx, func(rd store.Reader) (err error) {
			have, err = there(store.LoginSecrets.Get(rd, key))
			return err
		})
		if err != nil {
			return err
		}
		if have != nil {
			plain, err := d.keys.Unseal(store.LoginSecrets.Name(), "secret", key, have.Sealed)
			if err != nil {
				return err
			}
			if secret.Equal(identity.Secret(plain)) {
				continue
			}
		}
		sealed, err := d.keys.Seal(store.LoginSecrets.Name(), "secret", key, []byte(secret.Reveal()))
		if err != nil {
			return err
		}
		p.logins[key] = sealed
	}
	return nil
}

// logins brings a realm's foreign log-ins into line: have is the realm before,
// nil for a new one. What came through one that is gone, or is another issuer's
// now, ends.
func (a *applying) logins(s RealmSpec, have *identity.Realm) error {
	var before []identity.ForeignLogin
	if have != nil {
		before = have.Logins
	}
	for _, l := range before {
		key := identity.LoginKey(s.Name, l.Name)
		i := slices.IndexFunc(s.Logins, func(n identity.ForeignLogin) bool { return n.Name == l.Name })
		if i >= 0 && s.Logins[i].Issuer == l.Issuer && s.Logins[i].ClientID == l.ClientID {
			continue
		}
		// A secret is for the issuer that it was given for.
		if _, given := s.LoginSecrets[l.Name]; i < 0 || !given {
			if err := store.LoginSecrets.Delete(a.tx, key); orAbsent(err) != nil {
				return err
			}
		}
		err := a.d.access.Revoke(a.tx, identity.Revocation{Kind: identity.LineageProvider, ID: identity.LoginProvider(s.Name, l.Name), Reason: "log-in removed or changed"})
		if err != nil {
			return err
		}
	}
	for _, l := range s.Logins {
		key := identity.LoginKey(s.Name, l.Name)
		sealed, ok := a.made.logins[key]
		if !ok {
			continue
		}
		a.changes = append(a.changes, Change{Kind: "login", Name: key, Field: "secret", To: "(secret)"})
		if err := store.LoginSecrets.Put(a.tx, &store.LoginSecret{Login: key, Sealed: sealed}); err != nil {
			return err
		}
	}
	return nil
}
