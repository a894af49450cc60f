package directory

import (
	"slices"
	"strconv"
	"strings"

	"daypass/internal/identity"
	"daypass/internal/policy"
	"daypass/internal/store"
)

// AccessSpec gives roles to a user of the account, or to a service ID or a
// trusted profile of the section: one of the three, by its name. A site finds an
// access policy by what it gives, among those of its subject.
type AccessSpec struct {
	User, ServiceID, Profile string
	Description              string
	Roles                    []string
	Attributes               []identity.ResourceAttribute
}

// policy is the record, without what only a kept one has.
func (s *AccessSpec) policy() identity.AccessPolicy {
	return identity.AccessPolicy{Description: s.Description, Roles: s.Roles, Attributes: s.Attributes}
}

func (s *AccessSpec) subject() string { return s.User + s.ServiceID + s.Profile }

func checkAccessSpecs(s *IBMSpec, serviceIDs map[string]bool) error {
	if len(s.Access) > identity.AccessPoliciesPerAccount {
		return invalid("ibm: at most %d access policies", identity.AccessPoliciesPerAccount)
	}
	for i := range s.Access {
		v := &s.Access[i]
		p := v.policy()
		what := "ibm: " + accessLabel(v.subject(), &p)
		if err := policy.CheckAccess(&p, s.AccountID); err != nil {
			return prefixed(what, err)
		}
		given := 0
		for _, name := range []string{v.User, v.ServiceID, v.Profile} {
			if name != "" {
				given++
			}
		}
		ofSection := func(p TrustedProfileSpec) bool { return store.Fold(p.Name) == store.Fold(v.Profile) }
		switch {
		case given != 1:
			return invalid("%s: give one of user, service_id and profile", what)
		case v.ServiceID != "" && !serviceIDs[v.ServiceID]:
			return invalid("%s: the section has no service ID %q", what, v.ServiceID)
		case v.Profile != "" && !slices.ContainsFunc(s.Profiles, ofSection):
			return invalid("%s: the section has no trusted profile %q", what, v.Profile)
		}
		if slices.ContainsFunc(s.Access[:i], func(o AccessSpec) bool {
			other := o.policy()
			return o.User == v.User && o.ServiceID == v.ServiceID && o.Profile == v.Profile && other.Same(&p)
		}) {
			return invalid("%s stands twice", what)
		}
	}
	return nil
}

// accessLabel is how people read an access policy: "builds: Writer on kms, keyRing
// ci".
func accessLabel(subject string, p *identity.AccessPolicy) string {
	on := "all services"
	var more strings.Builder
	for _, a := range p.Attributes {
		switch a.Name {
		case "accountId":
		case "serviceName", "serviceType":
			on = a.Value
		default:
			more.WriteString(", " + a.Name + " " + a.Value)
		}
	}
	return subject + ": " + strings.Join(p.Roles, ", ") + " on " + on + more.String()
}

// access brings the access policies that the site gave into line, and leaves
// alone what was given otherwise; nil leaves all of them alone.
func (a *applying) access(acc *identity.Account, specs []AccessSpec, serviceIDs map[string]*identity.User) error {
	if specs == nil {
		return nil
	}
	have, err := store.Users.List(a.tx, "access policy", store.Join(acc.ID, ""), store.After{}, 0)
	if err != nil {
		return err
	}
	var subjects []string // unique IDs
	want := map[string][]AccessSpec{}
	for _, s := range specs {
		u, err := a.accessSubject(acc, s, serviceIDs)
		if err != nil {
			return err
		}
		subjects, want[u.ID] = append(subjects, u.ID), append(want[u.ID], s)
	}
	for _, u := range have {
		subjects = append(subjects, u.ID)
	}
	count, seen := len(have), map[string]bool{} // who has several is listed by each
	for _, id := range subjects {
		if seen[id] {
			continue
		}
		seen[id] = true
		u, err := store.Users.Get(a.tx, id)
		if err != nil {
			return err
		}
		list, changed, err := a.accessOf(u, want[id])
		if err != nil {
			return err
		}
		if count += len(list) - len(u.Access); len(list) > identity.AccessPoliciesPerSubject || count > identity.AccessPoliciesPerAccount {
			return invalid("ibm: at most %d access policies of %s, and %d in the account", identity.AccessPoliciesPerSubject, subjectName(u), identity.AccessPoliciesPerAccount)
		}
		if !changed {
			continue
		}
		if err := putAccess(a.tx, u, list); err != nil {
			return err
		}
	}
	return nil
}

// accessSubject is whom a policy of the site is for. Nobody gives root anything.
func (a *applying) accessSubject(acc *identity.Account, s AccessSpec, serviceIDs map[string]*identity.User) (*identity.User, error) {
	switch {
	case s.ServiceID != "":
		return serviceIDs[s.ServiceID], nil
	case s.Profile != "":
		return store.Users.By(a.tx, "profile name", store.Join(acc.ID, store.Fold(s.Profile)))
	}
	u, err := there(store.Users.By(a.tx, "name", store.Join(acc.ID, store.Fold(s.User))))
	if err == nil && (u == nil || u.Root || u.Token != nil) {
		err = invalid("ibm: access: the account %s has no user %q who can be given any", acc.ID, s.User)
	}
	return u, err
}

// accessOf is what a principal has when the site gives it these.
func (a *applying) accessOf(u *identity.User, specs []AccessSpec) (list []identity.AccessPolicy, changed bool, err error) {
	specs = slices.Clone(specs)
	for _, p := range u.Access {
		i := slices.IndexFunc(specs, func(s AccessSpec) bool {
			want := s.policy()
			return want.Same(&p)
		})
		ours := p.CreatedBy == madeBySite.IAMID()
		switch {
		case i < 0 && ours:
			a.changes = append(a.changes, Change{Kind: "access policy", Name: accessLabel(subjectName(u), &p), Field: "policy", From: strconv.Quote(p.ID)})
			changed = true
			continue
		case i >= 0:
			if ours && p.Description != specs[i].Description {
				name := accessLabel(subjectName(u), &p)
				a.changes = append(a.changes, fieldDiff("access policy", name, map[string]string{"description": p.Description}, map[string]string{"description": specs[i].Description})...)
				p.Description, p.ModifiedBy, p.ModifiedAt, changed = specs[i].Description, madeBySite.IAMID(), a.now, true
				if p.Tag, err = p.Tag.Next(a.d.random); err != nil {
					return nil, false, err
				}
			}
			specs = slices.Delete(specs, i, i+1)
		}
		list = append(list, p)
	}
	for _, s := range specs {
		p := s.policy()
		p.CreatedBy, p.ModifiedBy, p.CreatedAt, p.ModifiedAt = madeBySite.IAMID(), madeBySite.IAMID(), a.now, a.now
		if err := a.stamp("", &p.ID, &p.Tag); err != nil {
			return nil, false, err
		}
		a.changes = append(a.changes, Change{Kind: "access policy", Name: accessLabel(subjectName(u), &p), To: "created"})
		list, changed = append(list, p), true
	}
	return list, changed, nil
}

// subjectName is what a site file calls a principal.
func subjectName(u *identity.User) string {
	switch {
	case u.ServiceID != nil:
		return u.ServiceID.Name
	case u.Profile != nil:
		return u.Profile.Name
	}
	return u.Name
}
