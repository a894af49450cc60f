package directory

import (
	"context"
	"fmt"
	"strings"
	"time"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// NewServiceID is what a service ID is made of; AccountID is the caller's own
// when it is "".
type NewServiceID struct {
	AccountID, Name, Description, GroupID string
	InstanceCRNs                          []string
	Locked                                bool
}

func noServiceID(id string) error {
	return &identity.Error{Kind: identity.KindNotFound, Op: "directory.serviceid", Public: "The service ID " + clip(id) + " cannot be found."}
}

// permitServiceID asks whether the caller may do something with a service ID
// ("ServiceId-…"), and returns it. Without rights absent, foreign and forbidden
// ones answer alike.
func (d *Directory) permitServiceID(r store.Reader, c *identity.Caller, op, id string) (*identity.User, error) {
	res := access.Resource{ARN: identity.IAMIdentityCRN(c.AccountID, "serviceid", clip(id)), AccountID: c.AccountID}
	if err := d.access.Authorize(c, identity.IAMIdentity+":serviceid."+op, res).Err; err != nil {
		return nil, err
	}
	if !strings.HasPrefix(id, identity.ServiceIDPrefix) || len(id) > maxIBMID {
		return nil, noServiceID(id)
	}
	u, err := store.Users.Get(r, identity.ServiceIAMID(id))
	if err != nil {
		return nil, ifAbsent(err, noServiceID(id))
	}
	if u.ServiceID == nil || u.AccountID != c.AccountID {
		return nil, noServiceID(id)
	}
	return u, nil
}

// CreateServiceID makes a service ID (POST /v1/serviceids/). Names need not be
// unique. KindValidation, KindLimitExceeded, KindNotFound for an account that is
// not the caller's.
func (d *Directory) CreateServiceID(ctx context.Context, c *identity.Caller, in NewServiceID) (identity.User, error) {
	if in.AccountID == "" {
		in.AccountID = c.AccountID
	}
	// In another account nobody has rights.
	if err := d.permit(c, identity.IAMIdentity+":serviceid.create", identity.IAMIdentityCRN(clip(in.AccountID), "serviceid", "*"), in.AccountID); err != nil {
		return identity.User{}, err
	}
	uuid, err := identity.NewUUID(d.random)
	if err != nil {
		return identity.User{}, err
	}
	u, err := d.newServiceID(c, in, uuid)
	if err != nil {
		return u, err
	}
	ev := audit.Change(c, identity.IAMIdentity, "CreateServiceId", map[string]string{"serviceId": u.Name, "name": in.Name})
	return u, d.change(ctx, c, ev, func(tx store.Tx) error { return insertServiceID(tx, &u) })
}

// newServiceID is the record of a service ID.
func (d *Directory) newServiceID(c *identity.Caller, in NewServiceID, uuid string) (identity.User, error) {
	now := d.clock.Now().UTC()
	s := &identity.ServiceIdentity{
		Name: in.Name, Description: in.Description, GroupID: in.GroupID, InstanceCRNs: in.InstanceCRNs, Locked: in.Locked, CreatedBy: c.IAMID(),
	}
	name := identity.ServiceIDPrefix + uuid
	u := identity.User{
		ID: identity.ServiceIAMID(name), AccountID: in.AccountID, Name: name, Path: identity.ServiceIDPath, Local: true, ServiceID: s,
		CreatedAt: now, ModifiedAt: now,
	}
	if err := s.Check(); err != nil {
		return u, err
	}
	var err error
	s.Tag, err = s.Tag.Next(d.random)
	s.History = identity.Remember(nil, identity.Changed{
		At: now, IAMID: c.IAMID(), AccountID: c.AccountID, Action: "CREATE", Message: "The service ID was created.",
	})
	return u, err
}

// insertServiceID keeps a new service ID, if the account may have one more.
func insertServiceID(tx store.Tx, u *identity.User) error {
	if _, err := store.Accounts.Get(tx, u.AccountID); err != nil {
		return ifAbsent(err, absent("The account %s cannot be found.", clip(u.AccountID)))
	}
	have, err := store.Users.List(tx, "service id", store.Join(u.AccountID, ""), store.After{}, identity.ServiceIDsPerAccount)
	if err != nil {
		return err
	}
	if len(have) >= identity.ServiceIDsPerAccount {
		return exceeded("An account can have at most %d service IDs.", identity.ServiceIDsPerAccount)
	}
	return store.Users.Insert(tx, u)
}

// ServiceIDFilter chooses service IDs: those of a name, or all.
type ServiceIDFilter struct {
	Name string
	Sort IBMSort
}

// ServiceIDs lists the service IDs of the caller's account (GET
// /v1/serviceids/). KindValidation.
func (d *Directory) ServiceIDs(ctx context.Context, c *identity.Caller, f ServiceIDFilter, p Page) (Listing[identity.User], error) {
	var out Listing[identity.User]
	if err := d.permit(c, identity.IAMIdentity+":serviceid.list", identity.IAMIdentityCRN(c.AccountID, "serviceid", "*"), c.AccountID); err != nil {
		return out, err
	}
	key, err := f.Sort.key("created_at", "description", "name")
	if err != nil {
		return out, err
	}
	shown := func(u *identity.User) bool { return f.Name == "" || u.ServiceID.Name == f.Name }
	return d.principals(ctx, c, "service id", fmt.Sprintf("ibm-serviceids %+v", f), f.Sort, key, p, shown, func(u *identity.User) sortable {
		return sortable{
			name: u.ServiceID.Name, description: u.ServiceID.Description, createdBy: u.ServiceID.CreatedBy, createdAt: u.CreatedAt.UTC().Format(timeSort),
		}
	})
}

// ServiceID returns a service ID by its ID, "ServiceId-…" (GET
// /v1/serviceids/{id}). KindNotFound.
func (d *Directory) ServiceID(ctx context.Context, c *identity.Caller, id string) (identity.User, error) {
	var out identity.User
	err := d.db.View(ctx, func(r store.Reader) error {
		u, err := d.permitServiceID(r, c, "get", id)
		if err == nil {
			out = *u
		}
		return err
	})
	return out, err
}

// ServiceIDChange is what UpdateServiceID changes; nil leaves things alone.
type ServiceIDChange struct {
	Name, Description *string
	InstanceCRNs      []string
}

// UpdateServiceID changes a service ID (PUT /v1/serviceids/{id}). ifMatch is its
// entity tag or "*"; errors as of UpdateIBMAPIKey.
func (d *Directory) UpdateServiceID(ctx context.Context, c *identity.Caller, id, ifMatch string, in ServiceIDChange) (identity.User, error) {
	return d.changeServiceID(ctx, c, "UpdateServiceId", "update", id, func(s *identity.ServiceIdentity) (identity.Changed, error) {
		done := identity.Changed{Action: "UPDATE", Message: "The service ID was changed."}
		if err := matches(s.Tag, ifMatch); err != nil {
			return done, err
		}
		if s.Locked {
			return done, locked("service ID")
		}
		setValue(&s.Name, in.Name, "name", &done)
		setValue(&s.Description, in.Description, "description", &done)
		if in.InstanceCRNs != nil {
			s.InstanceCRNs, done.Params = in.InstanceCRNs, append(done.Params, "unique_instance_crns")
		}
		return done, s.Check()
	})
}

// LockServiceID keeps a service ID from being changed and deleted, or ends that
// (POST, DELETE /v1/serviceids/{id}/lock). KindNotFound.
func (d *Directory) LockServiceID(ctx context.Context, c *identity.Caller, id string, lock bool) error {
	name, done := "LockServiceId", identity.Changed{Action: "LOCK", Message: "The service ID was locked."}
	if !lock {
		name, done = "UnlockServiceId", identity.Changed{Action: "UNLOCK", Message: "The service ID was unlocked."}
	}
	_, err := d.changeServiceID(ctx, c, name, "lock", id, func(s *identity.ServiceIdentity) (identity.Changed, error) {
		if s.Locked == lock {
			return identity.Changed{}, nil
		}
		s.Locked = lock
		return done, nil
	})
	return err
}

// changeServiceID is changeAPIKey for service IDs.
func (d *Directory) changeServiceID(ctx context.Context, c *identity.Caller, event, op, id string, fn func(*identity.ServiceIdentity) (identity.Changed, error)) (identity.User, error) {
	var out identity.User
	ev := audit.Change(c, identity.IAMIdentity, event, map[string]string{"serviceId": clip(id)})
	err := d.change(ctx, c, ev, func(tx store.Tx) error {
		u, err := d.permitServiceID(tx, c, op, id)
		if err != nil {
			return err
		}
		s := *u.ServiceID
		out = *u
		out.ServiceID = &s
		done, err := fn(&s)
		if err != nil || done.Action == "" {
			return err
		}
		return d.putServiceID(tx, c, &out, done, d.clock.Now().UTC())
	})
	return out, err
}

func (d *Directory) putServiceID(tx store.Tx, c *identity.Caller, u *identity.User, done identity.Changed, now time.Time) (err error) {
	s := u.ServiceID
	if s.Tag, err = s.Tag.Next(d.random); err != nil {
		return err
	}
	u.ModifiedAt = now
	done.At, done.IAMID, done.AccountID = now, c.IAMID(), c.AccountID
	s.History = identity.Remember(s.History, done)
	return store.Users.Put(tx, u)
}

// DeleteServiceID deletes a service ID with its API keys and policies, and ends
// what it obtained (DELETE /v1/serviceids/{id}). KindConflict for a locked one,
// KindNotFound.
func (d *Directory) DeleteServiceID(ctx context.Context, c *identity.Caller, id string) error {
	ev := audit.Change(c, identity.IAMIdentity, "DeleteServiceId", map[string]string{"serviceId": clip(id)})
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		u, err := d.permitServiceID(tx, c, "delete", id)
		if err != nil {
			return err
		}
		if u.ServiceID.Locked {
			return locked("service ID")
		}
		if err := d.dropAPIKeys(tx, u.ID); err != nil {
			return err
		}
		if err := store.Users.Delete(tx, u.ID); err != nil {
			return err
		}
		return d.access.Revoke(tx, identity.Revocation{Kind: identity.LineagePrincipal, ID: u.ID, Reason: "service ID deleted"})
	})
}
