package directory

import (
	"slices"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// TrustedProfileSpec is a trusted profile, which a site finds by its name. Of
// policies, rules, links and identities nil leaves alone what there is.
type TrustedProfileSpec struct {
	Name, Description, Email string
	ManagedPolicies          []string
	InlinePolicies           map[string]string
	Disabled                 bool
	Rules                    []identity.ProfileRule // without IDs, tags and times
	Links                    []identity.ProfileLink // likewise
	Identities               *ProfileIdentitiesSpec
}

// ProfileIdentitiesSpec names users of the account and service IDs of the
// section, all of them by names, that may become a trusted profile.
type ProfileIdentitiesSpec struct{ Users, ServiceIDs []string }

func checkProfileSpecs(s *IBMSpec, serviceIDs map[string]bool) error {
	seen := map[string]bool{}
	for _, v := range s.Profiles {
		what := "ibm: trusted profile " + v.Name
		p := identity.TrustedProfile{Name: v.Name, Description: v.Description, Email: v.Email, Rules: v.Rules, Links: v.Links}
		if err := checkProfile(&p, s.AccountID); err != nil {
			return prefixed(what, err)
		}
		if seen[store.Fold(v.Name)] {
			return invalid("%s stands twice", what)
		}
		seen[store.Fold(v.Name)] = true
		if v.Identities == nil {
			continue
		}
		for _, name := range v.Identities.ServiceIDs {
			if !serviceIDs[name] {
				return invalid("%s: the section has no service ID %q", what, name)
			}
		}
	}
	return nil
}

// profile brings a trusted profile into line.
func (a *applying) profile(acc *identity.Account, s TrustedProfileSpec, serviceIDs map[string]*identity.User) error {
	have, err := there(store.Users.By(a.tx, "profile name", store.Join(acc.ID, store.Fold(s.Name))))
	if err != nil {
		return err
	}
	if have != nil && have.Profile.CreatedBy != madeBySite.IAMID() {
		return invalid("ibm: the account has a trusted profile %q that no site file made", s.Name)
	}
	var u identity.User
	if have == nil {
		in := NewTrustedProfile{AccountID: acc.ID, Name: s.Name, Description: s.Description, Email: s.Email}
		if u, err = a.d.newProfile(madeBySite, in, a.made.ibm.profiles[s.Name]); err != nil {
			return err
		}
	} else {
		u = *have
		p := *have.Profile
		u.Profile, p.Name, p.Description, p.Email = &p, s.Name, s.Description, s.Email
	}
	u.Disabled = s.Disabled
	if err := a.profileTrust(u.Profile, acc, s, serviceIDs); err != nil {
		return err
	}
	if err := checkProfile(u.Profile, acc.ID); err != nil {
		return prefixed("ibm: trusted profile "+s.Name, err)
	}
	set := policySet{managed: s.ManagedPolicies, inline: s.InlinePolicies}
	if u.Policies, err = a.policies(Owner{UserOwner, s.Name}, acc, set, u.Policies); err != nil {
		return err
	}
	if have == nil {
		a.changes = append(a.changes, Change{Kind: "trusted profile", Name: s.Name, To: "created"})
		return insertProfile(a.tx, &u)
	}
	if diff := fieldDiff("trusted profile", s.Name, have, &u); len(diff) > 0 {
		a.changes = append(a.changes, diff...)
		if u.Profile.Tag, err = u.Profile.Tag.Next(a.d.random); err != nil {
			return err
		}
		if err := a.d.trustsLess(a.tx, &u, have.Profile); err != nil {
			return err
		}
		done := identity.Changed{Action: "UPDATE", Message: "The trusted profile was changed by the site file."}
		if err := putProfile(a.tx, madeBySite, &u, done, a.now); err != nil {
			return err
		}
	}
	return a.d.userChanged(a.tx, have, &u, false)
}

// profileTrust brings into line who may become a profile. A rule or a link that
// is there already stays as it is.
func (a *applying) profileTrust(p *identity.TrustedProfile, acc *identity.Account, s TrustedProfileSpec, serviceIDs map[string]*identity.User) error {
	if s.Rules != nil {
		old := p.Rules
		p.Rules = nil
		for _, r := range s.Rules {
			if i := slices.IndexFunc(old, r.Same); i >= 0 {
				p.Rules, old = append(p.Rules, old[i]), slices.Delete(slices.Clone(old), i, i+1)
				continue
			}
			if err := a.stamp(identity.RulePrefix, &r.ID, &r.Tag); err != nil {
				return err
			}
			r.CreatedAt, r.ModifiedAt = a.now, a.now
			p.Rules = append(p.Rules, r)
		}
	}
	if s.Links != nil {
		old := p.Links
		p.Links = nil
		for _, l := range s.Links {
			if slices.ContainsFunc(p.Links, l.Same) {
				return invalid("ibm: trusted profile %s: a link stands twice", s.Name)
			}
			if i := slices.IndexFunc(old, func(have identity.ProfileLink) bool { return l.Same(have) && l.Name == have.Name }); i >= 0 {
				p.Links = append(p.Links, old[i])
				continue
			}
			if err := a.stamp(identity.LinkPrefix, &l.ID, &l.Tag); err != nil {
				return err
			}
			l.CreatedAt, l.ModifiedAt = a.now, a.now
			p.Links = append(p.Links, l)
		}
	}
	if s.Identities == nil {
		return nil
	}
	return a.profileIdentities(p, acc, s, serviceIDs)
}

// stamp gives a new rule or link its ID and its first tag.
func (a *applying) stamp(prefix string, id *string, tag *identity.EntityTag) error {
	uuid, err := identity.NewUUID(a.d.random)
	if err != nil {
		return err
	}
	*id = prefix + uuid
	*tag, err = identity.EntityTag{}.Next(a.d.random)
	return err
}

func (a *applying) profileIdentities(p *identity.TrustedProfile, acc *identity.Account, s TrustedProfileSpec, serviceIDs map[string]*identity.User) error {
	var list []identity.ProfileIdentity
	add := func(kind, identifier string) error {
		v := identity.ProfileIdentity{Type: kind, Identifier: identifier}
		if err := identityThere(a.tx, acc.ID, v); err != nil {
			return prefixed("ibm: trusted profile "+s.Name, err)
		}
		if have := p.Identity(kind, identifier); have != nil { // with its description
			v = *have
		}
		list = append(list, v)
		return nil
	}
	for _, name := range s.Identities.Users {
		u, err := store.Users.By(a.tx, "name", store.Join(acc.ID, store.Fold(name)))
		if err != nil {
			return ifAbsent(err, invalid("ibm: trusted profile %s: the account %s has no user %q", s.Name, acc.ID, name))
		}
		if err := add(identity.IdentityUser, u.IAMID()); err != nil {
			return err
		}
	}
	for _, name := range s.Identities.ServiceIDs {
		if err := add(identity.IdentityServiceID, serviceIDs[name].Name); err != nil {
			return err
		}
	}
	same := slices.EqualFunc(list, p.Identities, func(v, w identity.ProfileIdentity) bool { return v.Type == w.Type && v.Identifier == w.Identifier })
	if same {
		return nil
	}
	p.Identities = list
	var err error
	p.IdentitiesTag, err = p.IdentitiesTag.Next(a.d.random)
	return err
}
