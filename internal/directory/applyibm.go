package directory

import (
	"cmp"
	"slices"

	"daypass/internal/identity"
	"daypass/internal/keyring"
	"daypass/internal/store"
)

// preparedIBM is what the section needs before the transaction.
type preparedIBM struct {
	serviceIDs map[string]string      // name -> UUID for a new one
	profiles   map[string]string      // likewise
	keys       map[int]preparedAPIKey // by place in the section
}

// preparedAPIKey is a UUID for a new key, and the hashes that its text may be
// kept by, first the one for a new text; none to leave it alone.
type preparedAPIKey struct {
	id     string
	hashes []string
}

func (d *Directory) prepareIBM(s *IBMSpec) (p preparedIBM, err error) {
	if s == nil {
		return p, nil
	}
	p = preparedIBM{serviceIDs: map[string]string{}, profiles: map[string]string{}, keys: map[int]preparedAPIKey{}}
	for _, v := range s.ServiceIDs {
		if p.serviceIDs[v.Name], err = identity.NewUUID(d.random); err != nil {
			return p, err
		}
	}
	for _, v := range s.Profiles {
		if p.profiles[v.Name], err = identity.NewUUID(d.random); err != nil {
			return p, err
		}
	}
	for i, k := range s.APIKeys {
		made := preparedAPIKey{}
		if made.id, err = identity.NewUUID(d.random); err != nil {
			return p, err
		}
		if k.Secret != nil {
			made.hashes = append([]string{d.authn.APIKeyHash(*k.Secret)}, d.authn.APIKeyHashes(*k.Secret)...)
		}
		p.keys[i] = made
	}
	return p, nil
}

// ibm applies the section of IBM's dialect.
func (a *applying) ibm(s *IBMSpec) error {
	if s == nil {
		return nil
	}
	acc, err := a.inAccount("ibm", s.AccountID)
	if err != nil {
		return err
	}
	if r, err := store.Realms.Get(a.tx, s.Realm); err != nil || r.AccountID != s.AccountID {
		return invalid("ibm: the account %s has no realm %q", s.AccountID, s.Realm)
	}
	want := ibmSite(s)
	have, err := there(store.IBMSites.Get(a.tx, identity.IBMSiteName))
	if err != nil {
		return err
	}
	if have != nil && have.AccountID != s.AccountID {
		return invalid("ibm: the section is of the account %s and cannot move to another", have.AccountID)
	}
	if have != nil { // what the API changed and made is left alone
		want.Settings = have.Settings
		for _, i := range have.Instances {
			stays := func(v identity.ServiceInstance) bool { return v.ID == i.ID && v.Service == i.Service }
			switch {
			case slices.ContainsFunc(want.Instances, stays):
			case i.CreatedBy != "":
				want.Instances = append(want.Instances, i)
			default:
				if err := dropInstance(a.tx, i.ID); err != nil {
					return err
				}
			}
		}
	}
	if err := upsert(a, store.IBMSites, "ibm", s.AccountID, have, want); err != nil {
		return err
	}
	owners := map[string]*identity.User{}
	for _, v := range s.ServiceIDs {
		if owners[v.Name], err = a.serviceID(acc, v); err != nil {
			return err
		}
	}
	for _, v := range s.Profiles {
		if err := a.profile(acc, v, owners); err != nil {
			return err
		}
	}
	if err := a.access(acc, s.Access, owners); err != nil {
		return err
	}
	for i, k := range s.APIKeys {
		owner := owners[k.ServiceID]
		if k.User != "" {
			if owner, err = store.Users.By(a.tx, "name", store.Join(s.AccountID, store.Fold(k.User))); err != nil {
				return ifAbsent(err, invalid("ibm: API key %s: the account %s has no user %q", k.Name, s.AccountID, k.User))
			}
		}
		if err := a.apiKey(owner, k, a.made.ibm.keys[i]); err != nil {
			return err
		}
	}
	return nil
}

func ibmSite(s *IBMSpec) *identity.IBMSite {
	out := &identity.IBMSite{AccountID: s.AccountID, Realm: s.Realm, Regions: s.Regions, Algorithm: s.Algorithm}
	groups := s.ResourceGroups
	if len(groups) == 0 {
		groups = []ResourceGroupSpec{{Name: "Default", Default: true}}
	}
	standard := ""
	for _, g := range groups {
		id := identity.ResourceGroupID(s.AccountID, g.Name)
		if out.ResourceGroups = append(out.ResourceGroups, identity.ResourceGroup{ID: id, Name: g.Name, Default: g.Default}); g.Default {
			standard = g.Name
		}
	}
	for _, i := range s.Instances {
		out.Instances = append(out.Instances, identity.ServiceInstance{
			ID: i.ID, Name: i.Name, Service: i.Service, Region: i.Region,
			ResourceGroupID: identity.ResourceGroupID(s.AccountID, cmp.Or(i.ResourceGroup, standard)),
		})
	}
	return out
}

// madeBySite is who made what a site file names, as histories and records say.
var madeBySite = &identity.Caller{Kind: identity.Operator}

func (a *applying) serviceID(acc *identity.Account, s ServiceIDSpec) (*identity.User, error) {
	list, err := store.Users.List(a.tx, "service id", store.Join(acc.ID, ""), store.After{}, 0)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(u *identity.User) bool {
		return u.ServiceID.Name != s.Name || u.ServiceID.CreatedBy != madeBySite.IAMID()
	})
	var have *identity.User
	if len(list) > 1 {
		return nil, invalid("ibm: there are several service IDs %q", s.Name)
	} else if len(list) == 1 {
		have = list[0]
	}
	var u identity.User
	if have == nil {
		in := NewServiceID{AccountID: acc.ID, Name: s.Name, Description: s.Description}
		if u, err = a.d.newServiceID(madeBySite, in, a.made.ibm.serviceIDs[s.Name]); err != nil {
			return nil, err
		}
	} else {
		u = *have
		v := *have.ServiceID
		u.ServiceID = &v
		v.Description = s.Description
	}
	u.Disabled = s.Disabled
	set := policySet{managed: s.ManagedPolicies, inline: s.InlinePolicies}
	if u.Policies, err = a.policies(Owner{UserOwner, s.Name}, acc, set, u.Policies); err != nil {
		return nil, err
	}
	if have == nil {
		return &u, upsert(a, store.Users, "service ID", s.Name, nil, &u)
	}
	if diff := fieldDiff("service ID", s.Name, have, &u); len(diff) > 0 {
		a.changes = append(a.changes, diff...)
		done := identity.Changed{Action: "UPDATE", Message: "The service ID was changed by the site file."}
		if err := a.d.putServiceID(a.tx, madeBySite, &u, done, a.now); err != nil {
			return nil, err
		}
	}
	return &u, a.d.userChanged(a.tx, have, &u, false)
}

// apiKey brings an API key into line. Another text ends what was obtained with
// the one before.
func (a *applying) apiKey(owner *identity.User, s APIKeySpec, made preparedAPIKey) error {
	list, err := store.APIKeys.List(a.tx, "user", store.Join(owner.ID, ""), store.After{}, 0)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(list, func(k *identity.APIKey) bool { return k.Name == s.Name && k.CreatedBy == madeBySite.IAMID() })
	label := cmp.Or(s.User, s.ServiceID) + "/" + s.Name
	if i < 0 {
		if len(made.hashes) == 0 {
			return invalid("ibm: API key %s: a new one needs a secret", s.Name)
		}
		k := &identity.APIKey{
			ID: identity.APIKeyPrefix + made.id, AccountID: owner.AccountID, UserID: owner.ID, Name: s.Name, Description: s.Description,
			CreatedBy: madeBySite.IAMID(), Disabled: s.Disabled, WhenLeaked: identity.LeakedDisable, CreatedAt: a.now,
		}
		a.changes = append(a.changes, Change{Kind: "API key", Name: label, To: "created"})
		if err := a.d.putAPIKey(a.tx, madeBySite, k, identity.Changed{Action: "CREATE", Message: "The API key was created by the site file."}); err != nil {
			return err
		}
		return a.keyText(k, made.hashes)
	}
	have := list[i]
	another, err := a.anotherText(have, made.hashes)
	if err != nil {
		return err
	}
	k := *have
	k.Leaked = have.Leaked && !another
	k.Description, k.Disabled = s.Description, s.Disabled || k.Leaked
	diff := fieldDiff("API key", label, have, &k)
	if another {
		diff = append(diff, Change{Kind: "API key", Name: label, Field: "secret", To: "(secret)"})
	}
	if len(diff) == 0 {
		return nil
	}
	a.changes = append(a.changes, diff...)
	if another || s.Disabled && !have.Disabled {
		if err := a.d.keyEnded(a.tx, k.ID, "API key changed by apply"); err != nil {
			return err
		}
	}
	if err := a.d.putAPIKey(a.tx, madeBySite, &k, identity.Changed{Action: "UPDATE", Message: "The API key was changed by the site file."}); err != nil {
		return err
	}
	if !another {
		return nil
	}
	return a.keyText(&k, made.hashes)
}

// anotherText says whether a key is kept by none of the hashes of the text that
// it shall have; without any it is left alone.
func (a *applying) anotherText(k *identity.APIKey, hashes []string) (bool, error) {
	for _, hash := range hashes {
		h, err := there(store.APIKeyHashes.Get(a.tx, hash))
		if err != nil || h != nil && h.KeyID == k.ID {
			return false, err
		}
	}
	return len(hashes) > 0, nil
}

// keyText makes a key's text the one with these hashes alone.
func (a *applying) keyText(k *identity.APIKey, hashes []string) error {
	for _, hash := range hashes {
		h, err := there(store.APIKeyHashes.Get(a.tx, hash))
		if err != nil {
			return err
		}
		if h != nil && h.KeyID != k.ID {
			return invalid("ibm: API key %s: another API key has this text, or one that was leaked had it", k.Name)
		}
	}
	if err := dropHashes(a.tx, k.ID); err != nil {
		return err
	}
	return store.APIKeyHashes.Insert(a.tx, &store.APIKeyHash{Hash: hashes[0], KeyID: k.ID})
}

// ibmSets is the signing set of the dialect, where there is one.
func (d *Directory) ibmSets() ([]keyring.SetSpec, error) {
	s, err := there(store.IBMSites.Get(d.db.Snapshot(), identity.IBMSiteName))
	if s == nil {
		return nil, err
	}
	return []keyring.SetSpec{{Set: identity.IBMKeySet, Algorithm: s.Algorithm, MaxTokenLife: identity.IBMAccessTokenLife}}, nil
}
