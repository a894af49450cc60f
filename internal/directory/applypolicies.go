package directory

import (
	"maps"
	"slices"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// policySet is what a site says of the policies of one owner; nil leaves alone.
type policySet struct {
	managed  []string
	inline   map[string]string
	boundary *string
}

// policies are those that an owner in an account shall have who has some.
func (a *applying) policies(o Owner, acc *identity.Account, set policySet, have identity.Policies) (identity.Policies, error) {
	what := o.word() + " " + o.Name
	want := have.Clone()
	if set.managed != nil {
		want.Managed = slices.Clone(set.managed)
		if len(want.Managed) > maxAttached {
			return want, invalid("%s: at most %d managed policies", what, maxAttached)
		}
		for i, arn := range want.Managed {
			if err := a.usable(what, acc, arn); err != nil {
				return want, err
			}
			if slices.Contains(want.Managed[:i], arn) {
				return want, invalid("%s: the managed policy %q is named twice", what, arn)
			}
		}
	}
	if set.inline != nil {
		want.Inline = maps.Clone(set.inline)
		for name, document := range want.Inline {
			if err := checkInline(o, want, name, document, acc.Partition); err != nil {
				return want, prefixed(what+", inline policy "+name, err)
			}
		}
	}
	if set.boundary != nil {
		want.Boundary = *set.boundary
		if want.Boundary != "" {
			return want, a.usable(what, acc, want.Boundary)
		}
	}
	return want, nil
}

func (a *applying) usable(what string, acc *identity.Account, arn string) error {
	_, err := usablePolicy(a.tx, acc, arn)
	if identity.KindOf(err) == identity.KindNotFound {
		return invalid("%s: the account %s has no managed policy %q", what, acc.ID, arn)
	}
	return err
}

// policyFields are what a site says of a managed policy, for the difference.
type policyFields struct {
	Description string            `json:"description,omitempty"`
	Document    string            `json:"document"`
	Tags        map[string]string `json:"tags,omitempty"`
}

func fieldsOf(p *identity.ManagedPolicy) policyFields {
	return policyFields{Description: p.Description, Document: p.InForce(), Tags: p.Tags}
}

func (a *applying) policy(s PolicySpec) error {
	what := "policy " + s.Name
	acc, err := a.inAccount(what, s.AccountID)
	if err != nil {
		return err
	}
	want := &identity.ManagedPolicy{
		AccountID: s.AccountID, Name: s.Name, Path: orSlash(s.Path), Description: s.Description, Tags: s.Tags,
		Versions: []identity.PolicyVersion{{ID: firstVersion, Document: s.Document, CreatedAt: a.now}},
		Default:  firstVersion, Last: 1, CreatedAt: a.now, UpdatedAt: a.now,
	}
	if err := checkManaged(want, acc.Partition); err != nil {
		return prefixed(what, err)
	}
	have, err := there(store.ManagedPolicies.By(a.tx, "name", store.Join(s.AccountID, store.Fold(s.Name))))
	switch {
	case err != nil:
		return err
	case have == nil:
		if want.ID, err = a.d.uniqueID(managedPolicyIDs, uniqueIDLength); err != nil {
			return err
		}
		return upsert(a, store.ManagedPolicies, "policy", s.Name, nil, want)
	case have.Path != want.Path || have.Name != want.Name:
		return invalid("%s: a managed policy keeps its name and path, here %s%s", what, have.Path, have.Name)
	}
	if s.Tags == nil {
		want.Tags = have.Tags
	}
	diff := fieldDiff("policy", s.Name, fieldsOf(have), fieldsOf(want))
	if len(diff) == 0 {
		return nil
	}
	a.changes = append(a.changes, diff...)
	next := *have
	next.Description, next.Tags = want.Description, want.Tags
	if s.Document != have.InForce() {
		makeRoom(&next)
		a.d.addVersion(&next, s.Document, true)
	}
	return store.ManagedPolicies.Put(a.tx, &next)
}

// makeRoom takes the oldest version that is not in force out of a policy that
// has as many as it may.
func makeRoom(p *identity.ManagedPolicy) {
	if len(p.Versions) < maxVersions {
		return
	}
	i := slices.IndexFunc(p.Versions, func(v identity.PolicyVersion) bool { return v.ID != p.Default })
	p.Versions = slices.Delete(slices.Clone(p.Versions), i, i+1)
}

func (a *applying) group(s GroupSpec) error {
	acc, err := a.inAccount("group "+s.Name, s.AccountID)
	if err != nil {
		return err
	}
	want := &identity.Group{AccountID: s.AccountID, Name: s.Name, Path: orSlash(s.Path), CreatedAt: a.now}
	if err := checkGroup(want); err != nil {
		return prefixed("group "+s.Name, err)
	}
	have, err := there(store.Groups.By(a.tx, "name", store.Join(s.AccountID, store.Fold(s.Name))))
	if err != nil {
		return err
	}
	if have != nil {
		want.ID, want.CreatedAt, want.Policies = have.ID, have.CreatedAt, have.Policies
	} else if want.ID, err = a.d.uniqueID(groupIDs, uniqueIDLength); err != nil {
		return err
	}
	set := policySet{managed: s.ManagedPolicies, inline: s.InlinePolicies}
	if want.Policies, err = a.policies(Owner{GroupOwner, s.Name}, acc, set, want.Policies); err != nil {
		return err
	}
	return upsert(a, store.Groups, "group", s.Name, have, want)
}
