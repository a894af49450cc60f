package kms

import (
	"context"
	"fmt"
	"strings"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// Bounds of registrations.
const (
	maxRegistrations = 1000 // of a key
	registrationScan = 500  // read at once
	maxCRN           = 512
	crnSegments      = 10
)

// RegistrationQuery chooses registrations: those of one key by ID or alias, or with
// "" of all that the caller may list. Resource is a CRN in whose segments "*"
// stands for all, and at the end of the last for whatever follows; "" chooses all.
type RegistrationQuery struct {
	Key           string
	Resource      string
	Prevents      *bool
	Limit, Offset int
	Count         bool // how many there are beyond the page
}

// RegistrationList is a page of registrations. Total is set where it was asked for.
type RegistrationList struct {
	Registrations []identity.KMSRegistration
	Total         int
}

// Registrations lists what uses root keys (kms:registrations.list). ReasonBadField;
// ReasonNotFound for a key that is not there.
func (k *KMS) Registrations(ctx context.Context, c *identity.Caller, at At, q RegistrationQuery) (RegistrationList, error) {
	const action = "registrations.list"
	var out RegistrationList
	snap := k.db.Snapshot()
	p, prefix, seen, err := k.registered(snap, c, at, q.Key, action)
	if err != nil {
		return out, err
	}
	matches, err := crnPattern(q.Resource)
	if err != nil {
		return out, err
	}
	skip := q.Offset
	chosen := func(r *identity.KMSRegistration) bool {
		if !matches(r.Resource) || q.Prevents != nil && *q.Prevents != r.PreventsDelete {
			return false
		}
		key, err := store.KMSKeys.Get(snap, r.KeyID)
		return err == nil && key.Instance == p.ID && seen.has(key.Ring)
	}
	err = k.db.View(ctx, func(r store.Reader) error {
		out, skip = RegistrationList{}, q.Offset
		return eachRegistration(r, prefix, func(have *identity.KMSRegistration) bool {
			switch {
			case !chosen(have):
				return true
			case skip > 0:
				skip--
			case len(out.Registrations) < q.Limit:
				out.Registrations = append(out.Registrations, *have)
			}
			out.Total++
			return q.Count || len(out.Registrations) < q.Limit
		})
	})
	return out, err
}

// registered is where the registrations of a key are, or of all keys, and in which
// rings the keys must be.
func (k *KMS) registered(snap *store.Snapshot, c *identity.Caller, at At, key, action string) (p place, prefix string, seen rings, err error) {
	if key != "" {
		p, of, err := k.target(snap, c, at, key, action)
		if err != nil {
			return p, "", rings{}, err
		}
		return p, p.ID + "/" + of.ID, rings{all: true}, nil
	}
	if p, err = k.instance(snap, c, at, action); err != nil {
		return p, "", rings{}, err
	}
	seen, err = k.visibleRings(snap, c, &p, at, action)
	return p, p.ID + "/", seen, err
}

// eachRegistration calls fn for the registrations under a prefix of their index
// until it returns false.
func eachRegistration(r store.Reader, prefix string, fn func(*identity.KMSRegistration) bool) error {
	after := store.After{}
	for {
		list, err := store.KMSRegistrations.List(r, store.IndexKMSInstance, prefix, after, registrationScan)
		if err != nil {
			return err
		}
		for _, have := range list {
			if !fn(have) {
				return nil
			}
			after = store.After{Value: have.Instance + "/" + have.KeyID, Key: have.Key()}
		}
		if len(list) < registrationScan {
			return nil
		}
	}
}

// crnPattern compiles RegistrationQuery.Resource.
func crnPattern(s string) (func(string) bool, error) {
	if s == "" {
		return func(string) bool { return true }, nil
	}
	want := strings.SplitN(s, ":", crnSegments)
	if len(want) != crnSegments || len(s) > maxCRN {
		return nil, badField("urlEncodedResourceCRNQuery", fmt.Sprintf("is a CRN of %d segments", crnSegments))
	}
	start, open := strings.CutSuffix(want[crnSegments-1], "*")
	return func(crn string) bool {
		have := strings.SplitN(crn, ":", crnSegments)
		for i := range crnSegments - 1 {
			if want[i] != "*" && want[i] != have[i] {
				return false
			}
		}
		if open {
			return strings.HasPrefix(have[crnSegments-1], start)
		}
		return have[crnSegments-1] == start
	}, nil
}

// checkCRN judges the name of a resource.
func checkCRN(s string) error {
	if !text(s, maxCRN) || !strings.HasPrefix(s, "crn:v1:") || strings.Count(s, ":") < crnSegments-1 || strings.Contains(s, "*") {
		return badField("resourceCrn", fmt.Sprintf("is a CRN of %d segments and at most %d characters", crnSegments, maxCRN))
	}
	return nil
}

// RegistrationChange is what a registration says; nil leaves it as it is, or "" and
// false in a new one.
type RegistrationChange struct {
	Description *string
	Prevents    *bool
	VersionID   *string // of the key, that the resource uses
}

// onRegistration runs a change of a registration as a transaction. Services alone
// change them: others who may list them are told so.
func (k *KMS) onRegistration(ctx context.Context, c *identity.Caller, at At, id, resource, action string, fn func(tx store.Tx, key *identity.KMSKey) error) error {
	ev := k.event(c, at, id, action)
	ev.RequestParameters["resourceCrn"] = clip(resource)
	return k.change(ctx, c, ev, func(tx store.Tx) error {
		if c.Kind != identity.ServiceID {
			if _, _, err := k.target(tx, c, at, id, "registrations.list"); err != nil {
				return err
			}
			return refuse(identity.KindAccessDenied, ReasonServiceOnly, "Only service IDs may do this.")
		}
		_, key, err := k.target(tx, c, at, id, action)
		if err != nil {
			return err
		}
		if err := checkCRN(resource); err != nil {
			return err
		}
		return fn(tx, key)
	})
}

// Register says that a resource uses a root key (kms:registrations.write), which
// the service ID that says so alone may change then. With replace there may be one
// already. ReasonNotFound, ReasonServiceOnly, ReasonRegistersRoot, ReasonDeleted,
// ReasonExists, ReasonNotOwner, ReasonLimit, ReasonBadField.
func (k *KMS) Register(ctx context.Context, c *identity.Caller, at At, id, resource string, change RegistrationChange, replace bool) (identity.KMSRegistration, error) {
	var out identity.KMSRegistration
	err := k.onRegistration(ctx, c, at, id, resource, "registrations.write", func(tx store.Tx, key *identity.KMSKey) error {
		switch {
		case key.State == identity.KeyDestroyed:
			return deleted()
		case key.Extractable:
			return refuse(identity.KindValidation, ReasonRegistersRoot, "Only root keys are registered with resources.")
		}
		out = identity.KMSRegistration{Instance: key.Instance, KeyID: key.ID, Resource: resource, CreatedBy: c.IAMID(), CreatedAt: k.now()}
		have, err := ownRegistration(tx, c, &out)
		switch {
		case err != nil:
			return err
		case have != nil && !replace:
			return refuse(identity.KindAlreadyExists, ReasonExists, "The resource is registered already.")
		case have != nil:
			out.CreatedBy, out.CreatedAt, out.UpdatedBy, out.UpdatedAt = have.CreatedBy, have.CreatedAt, c.IAMID(), k.now()
		default:
			if err := roomForRegistration(tx, key); err != nil {
				return err
			}
		}
		return putRegistration(tx, key, &out, change)
	})
	return out, err
}

// UpdateRegistration changes a registration (kms:registrations.write). ReasonNotFound,
// ReasonServiceOnly, ReasonNotOwner, ReasonBadField.
func (k *KMS) UpdateRegistration(ctx context.Context, c *identity.Caller, at At, id, resource string, change RegistrationChange) (identity.KMSRegistration, error) {
	var out identity.KMSRegistration
	err := k.onRegistration(ctx, c, at, id, resource, "registrations.write", func(tx store.Tx, key *identity.KMSKey) error {
		have, err := ownRegistration(tx, c, &identity.KMSRegistration{KeyID: key.ID, Resource: resource})
		if err != nil {
			return err
		}
		if have == nil {
			return notRegistered()
		}
		out = *have
		out.UpdatedBy, out.UpdatedAt = c.IAMID(), k.now()
		return putRegistration(tx, key, &out, change)
	})
	return out, err
}

// Unregister says that a resource no longer uses a key (kms:registrations.delete).
// Where the service ID that registered it is gone, whoever may delete the key
// (kms:secrets.delete) may say so. ReasonNotFound, ReasonServiceOnly,
// ReasonNotOwner.
func (k *KMS) Unregister(ctx context.Context, c *identity.Caller, at At, id, resource string) error {
	abandoned := false
	err := k.db.View(ctx, func(r store.Reader) error {
		key, err := find(k.db.Snapshot(), &place{ServiceInstance: &identity.ServiceInstance{ID: at.Instance}}, at, id)
		if err != nil || key == nil {
			return err
		}
		abandoned, err = isAbandoned(r, &identity.KMSRegistration{KeyID: key.ID, Resource: resource})
		return err
	})
	if err != nil {
		return err
	}
	if abandoned {
		ev := k.event(c, at, id, "registrations.delete")
		ev.RequestParameters["resourceCrn"] = clip(resource)
		return k.change(ctx, c, ev, func(tx store.Tx) error {
			_, key, err := k.target(tx, c, at, id, "secrets.delete")
			if err != nil {
				return err
			}
			// Of the key that the right was asked for: an alias may have moved.
			orphan := identity.KMSRegistration{KeyID: key.ID, Resource: resource}
			still, err := isAbandoned(tx, &orphan)
			if err == nil && !still {
				err = notRegistered()
			}
			if err != nil {
				return err
			}
			return store.KMSRegistrations.Delete(tx, orphan.Key())
		})
	}
	return k.onRegistration(ctx, c, at, id, resource, "registrations.delete", func(tx store.Tx, key *identity.KMSKey) error {
		r := identity.KMSRegistration{KeyID: key.ID, Resource: resource}
		have, err := ownRegistration(tx, c, &r)
		if err == nil && have == nil {
			err = notRegistered()
		}
		if err != nil {
			return err
		}
		return store.KMSRegistrations.Delete(tx, r.Key())
	})
}

// isAbandoned reports whether a registration is there whose service ID is not.
func isAbandoned(r store.Reader, like *identity.KMSRegistration) (bool, error) {
	have, err := store.KMSRegistrations.Get(r, like.Key())
	if err != nil {
		return false, gone(err)
	}
	owner, _ := identity.UserOfIAMID(have.CreatedBy)
	_, err = store.Users.Get(r, owner)
	return identity.KindOf(err) == identity.KindNotFound, gone(err)
}

func notRegistered() error {
	return refuse(identity.KindNotFound, ReasonNotFound, "The resource is not registered with the key.")
}

// ownRegistration is the registration of a resource, nil where there is none.
// Another service's is not the caller's to change.
func ownRegistration(r store.Reader, c *identity.Caller, like *identity.KMSRegistration) (*identity.KMSRegistration, error) {
	have, err := store.KMSRegistrations.Get(r, like.Key())
	if err != nil {
		return nil, gone(err)
	}
	if have.CreatedBy != c.IAMID() {
		return nil, refuse(identity.KindAccessDenied, ReasonNotOwner, "Another service has registered the resource.")
	}
	return have, nil
}

func roomForRegistration(r store.Reader, key *identity.KMSKey) error {
	have, err := store.KMSRegistrations.List(r, store.IndexKMSInstance, key.Instance+"/"+key.ID, store.After{}, maxRegistrations)
	if err == nil && len(have) >= maxRegistrations {
		err = refuse(identity.KindLimitExceeded, ReasonLimit, fmt.Sprintf("A key has at most %d registrations.", maxRegistrations))
	}
	return err
}

func putRegistration(tx store.Tx, key *identity.KMSKey, r *identity.KMSRegistration, change RegistrationChange) error {
	if change.Description != nil {
		r.Description = *change.Description
	}
	if change.Prevents != nil {
		r.PreventsDelete = *change.Prevents
	}
	if !text(r.Description, maxDescription) {
		return badField("description", fmt.Sprintf("has at most %d printable characters", maxDescription))
	}
	switch {
	case change.VersionID != nil:
		r.VersionID = *change.VersionID
		if r.VersionID != key.Version.ID && !identity.IsUUID(r.VersionID) {
			return badField("keyVersion", "names a version of the key")
		}
	case r.VersionID == "":
		r.VersionID = key.Version.ID
	}
	return store.KMSRegistrations.Put(tx, r)
}
