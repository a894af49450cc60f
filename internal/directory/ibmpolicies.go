package directory

import (
	"context"
	"slices"
	"time"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/policy"
	"daypass/internal/store"
)

// AccessPolicy is an access policy of a principal of an account.
type AccessPolicy struct {
	identity.AccessPolicy
	AccountID string
	UserID    string // unique ID
}

// IAMID is that of whom it gives something to.
func (p *AccessPolicy) IAMID() string { return identity.IAMIDOf(p.UserID) }

// NewAccessPolicy is what an access policy is made of. IAMID is whom it gives
// the roles to.
type NewAccessPolicy struct {
	IAMID, Description string
	Roles              []string // names
	Attributes         []identity.ResourceAttribute
}

func noAccessPolicy(id string) error {
	return &identity.Error{Kind: identity.KindNotFound, Op: "directory.accesspolicy", Public: "The policy " + clip(id) + " cannot be found."}
}

// subject finds whom an access policy can be given to: a user, a service ID or a
// trusted profile of the caller's account. The root user needs none. It is nil
// for everybody else.
func subject(r store.Reader, c *identity.Caller, userID string) (*identity.User, error) {
	if len(userID) > maxIBMID {
		return nil, nil
	}
	u, err := there(store.Users.Get(r, userID))
	if err != nil || u == nil || u.AccountID != c.AccountID || u.Root || u.Token != nil {
		return nil, err
	}
	return u, nil
}

// permitPolicies asks whether the caller may do something with the access
// policies of a principal, which may be absent (u nil). What IAM's inline
// policies are guarded by guards these too: its permissions boundary and tags
// are condition keys, and who is denied the like in IAM is denied it here.
func (d *Directory) permitPolicies(c *identity.Caller, op, crn, shown string, u *identity.User) error {
	res := access.Resource{ARN: crn, Shown: shown, AccountID: c.AccountID}
	decide := d.access.Authorize
	if u != nil {
		res.Keys = access.EntityKeys{}.Tagged(u.Tags).Bounded(u.Boundary)
		if u.ID == c.PrincipalID && (op == "get" || op == "list") {
			decide = d.access.AuthorizeOwn
		}
	}
	if err := decide(c, identity.IAMAccess+":policy."+op, res).Err; err != nil || u == nil {
		return err
	}
	action, ok := map[string]string{"create": "iam:PutUserPolicy", "update": "iam:PutUserPolicy", "delete": "iam:DeleteUserPolicy"}[op]
	if !ok {
		return nil
	}
	res.ARN, res.Unrecorded = u.ARN(c.Partition), true
	if d.access.Authorize(c, action, res).Effect != access.ExplicitDeny {
		return nil
	}
	res.Unrecorded = false
	return d.access.Authorize(c, action, res).Err
}

// findAccessPolicy finds an access policy by its ID and asks whether the caller
// may do something with those of its subject. Absent, foreign and forbidden ones
// answer alike.
func (d *Directory) findAccessPolicy(r store.Reader, c *identity.Caller, op, id string) (*identity.User, int, error) {
	var u *identity.User
	shown := identity.AccessPolicyCRN(c.AccountID, clip(id))
	crn := shown
	if identity.IsUUID(id) {
		list, err := store.Users.List(r, "access policy", store.Join(c.AccountID, id), store.After{}, 1)
		if err != nil {
			return nil, 0, err
		}
		if len(list) == 1 {
			if u, err = subject(r, c, list[0].ID); err != nil {
				return nil, 0, err
			}
		}
	}
	if u != nil {
		crn = identity.OwnerCRN(c.AccountID, u.ID)
	}
	if err := d.permitPolicies(c, op, crn, shown, u); err != nil {
		return nil, 0, err
	}
	if u == nil {
		return nil, 0, noAccessPolicy(id)
	}
	i := slices.IndexFunc(u.Access, func(p identity.AccessPolicy) bool { return p.ID == id })
	if i < 0 {
		return nil, 0, noAccessPolicy(id)
	}
	return u, i, nil
}

// CreateAccessPolicy gives roles to a user, a service ID or a trusted profile of
// the caller's account (POST /v1/policies). Whoever may do that for a principal
// may give it anything that roles hold; a permissions boundary of the principal
// stays in force. KindValidation, KindNotFound for a principal that is absent or
// another account's, KindAlreadyExists for what it was given already,
// KindConflict for a locked service ID, KindLimitExceeded.
func (d *Directory) CreateAccessPolicy(ctx context.Context, c *identity.Caller, in NewAccessPolicy) (AccessPolicy, error) {
	var out AccessPolicy
	id, err := identity.NewUUID(d.random)
	if err != nil {
		return out, err
	}
	ev := audit.Change(c, identity.IAMAccess, "CreatePolicy", map[string]string{"iamId": clip(in.IAMID), "policyId": id})
	return out, d.change(ctx, c, ev, func(tx store.Tx) error {
		userID, _ := identity.UserOfIAMID(in.IAMID)
		u, err := subject(tx, c, userID)
		if err != nil {
			return err
		}
		crn := identity.OwnerCRN(c.AccountID, clip(userID))
		if err := d.permitPolicies(c, "create", crn, crn, u); err != nil {
			return err
		}
		if u == nil {
			return absent("The IAM ID %s cannot be found.", clip(in.IAMID))
		}
		all, err := store.Users.List(tx, "access policy", store.Join(c.AccountID, ""), store.After{}, identity.AccessPoliciesPerAccount)
		switch {
		case err != nil:
			return err
		case len(u.Access) >= identity.AccessPoliciesPerSubject:
			return exceeded("A principal can have at most %d access policies.", identity.AccessPoliciesPerSubject)
		case len(all) >= identity.AccessPoliciesPerAccount:
			return exceeded("An account can have at most %d access policies.", identity.AccessPoliciesPerAccount)
		}
		now := d.clock.Now().UTC()
		p := identity.AccessPolicy{ID: id, CreatedBy: c.IAMID(), CreatedAt: now}
		if err := d.setAccessPolicy(c, u, -1, &p, in, now); err != nil {
			return err
		}
		out = AccessPolicy{p, u.AccountID, u.ID}
		return putAccess(tx, u, append(slices.Clone(u.Access), p))
	})
}

// setAccessPolicy writes into a policy what it shall be; i is its place among
// those of its subject, or -1.
func (d *Directory) setAccessPolicy(c *identity.Caller, u *identity.User, i int, p *identity.AccessPolicy, in NewAccessPolicy, now time.Time) (err error) {
	p.Description, p.Roles, p.Attributes = in.Description, in.Roles, in.Attributes
	p.ModifiedBy, p.ModifiedAt = c.IAMID(), now
	if err := policy.CheckAccess(p, u.AccountID); err != nil {
		return err
	}
	if u.ServiceID != nil && u.ServiceID.Locked {
		return locked("service ID")
	}
	for j := range u.Access {
		if j != i && u.Access[j].Same(p) {
			return &identity.Error{Kind: identity.KindAlreadyExists, Op: "directory.accesspolicy", Public: "The policy " + u.Access[j].ID + " gives the same roles on the same resources."}
		}
	}
	p.Tag, err = p.Tag.Next(d.random)
	return err
}

func putAccess(tx store.Tx, u *identity.User, list []identity.AccessPolicy) error {
	v := *u
	v.Access = list
	return store.Users.Put(tx, &v)
}

// ReplaceAccessPolicy changes an access policy (PUT /v1/policies/{id}). ifMatch
// is its entity tag or "*". Its subject stays: KindValidation for another, and
// errors as of CreateAccessPolicy and UpdateIBMAPIKey.
func (d *Directory) ReplaceAccessPolicy(ctx context.Context, c *identity.Caller, id, ifMatch string, in NewAccessPolicy) (AccessPolicy, error) {
	var out AccessPolicy
	ev := audit.Change(c, identity.IAMAccess, "UpdatePolicy", map[string]string{"policyId": clip(id)})
	return out, d.change(ctx, c, ev, func(tx store.Tx) error {
		u, i, err := d.findAccessPolicy(tx, c, "update", id)
		if err != nil {
			return err
		}
		p := u.Access[i]
		if err := matches(p.Tag, ifMatch); err != nil {
			return err
		}
		if in.IAMID != u.IAMID() {
			return invalid("The subject of a policy cannot be changed.")
		}
		if err := d.setAccessPolicy(c, u, i, &p, in, d.clock.Now().UTC()); err != nil {
			return err
		}
		list := slices.Clone(u.Access)
		list[i] = p
		out = AccessPolicy{p, u.AccountID, u.ID}
		return putAccess(tx, u, list)
	})
}

// DeleteAccessPolicy takes an access policy away, at once (DELETE
// /v1/policies/{id}). KindNotFound, KindConflict for a locked service ID's.
func (d *Directory) DeleteAccessPolicy(ctx context.Context, c *identity.Caller, id string) error {
	ev := audit.Change(c, identity.IAMAccess, "DeletePolicy", map[string]string{"policyId": clip(id)})
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		u, i, err := d.findAccessPolicy(tx, c, "delete", id)
		if err != nil {
			return err
		}
		if u.ServiceID != nil && u.ServiceID.Locked {
			return locked("service ID")
		}
		return putAccess(tx, u, slices.Delete(slices.Clone(u.Access), i, i+1))
	})
}
