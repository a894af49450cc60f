package directory

import (
	"context"
	"fmt"
	"slices"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// NewInstance is a service instance to be made. ResourceGroupID is "" for the
// default one, Plan may be "".
type NewInstance struct{ Name, Service, Plan, Region, ResourceGroupID string }

// CreateInstance makes a service instance (IBM resource controller, POST
// /v2/resource_instances), with the action resource-controller:instance.create on
// its CRN. KindValidation, KindLimitExceeded; KindNotFound where the account has
// no section of IBM's dialect.
func (d *Directory) CreateInstance(ctx context.Context, c *identity.Caller, in NewInstance) (identity.ServiceInstance, error) {
	uuid, err := identity.NewUUID(d.random)
	if err != nil {
		return identity.ServiceInstance{}, err
	}
	i := identity.ServiceInstance{
		ID: uuid, Name: in.Name, Service: clip(in.Service), Plan: in.Plan, Region: clip(in.Region), ResourceGroupID: clip(in.ResourceGroupID),
		CreatedBy: c.IAMID(), CreatedAt: d.clock.Now().UTC(),
	}
	ev := audit.Change(c, identity.ResourceController, "CreateInstance", map[string]string{"instanceId": uuid, "name": clip(in.Name), "service": i.Service})
	err = d.changeInstances(ctx, c, ev, "create", func(s *identity.IBMSite) *identity.ServiceInstance {
		if g := slices.IndexFunc(s.ResourceGroups, func(g identity.ResourceGroup) bool { return g.Default }); i.ResourceGroupID == "" && g >= 0 {
			i.ResourceGroupID = s.ResourceGroups[g].ID
		}
		return &i
	}, func(_ store.Tx, s *identity.IBMSite) error {
		if err := i.Check(s.Regions); err != nil {
			return err
		}
		if !slices.ContainsFunc(s.ResourceGroups, func(g identity.ResourceGroup) bool { return g.ID == i.ResourceGroupID }) {
			return invalid("The property resource_group names no resource group of the account.")
		}
		made := 0
		for _, have := range s.Instances {
			if have.CreatedBy != "" {
				made++
			}
		}
		if made >= identity.InstancesPerAccount {
			return &identity.Error{
				Kind: identity.KindLimitExceeded, Op: "directory.instance",
				Public: fmt.Sprintf("An account can have at most %d service instances that were made by the API.", identity.InstancesPerAccount),
			}
		}
		s.Instances = append(slices.Clone(s.Instances), i)
		return nil
	})
	return i, err
}

// DeleteInstance takes a service instance away, by its ID or its CRN (DELETE
// /v2/resource_instances/{id}), with the action resource-controller:instance.delete.
// KindNotFound; KindConflict for one that the site file names or that has keys,
// deleted ones that are not purged included.
func (d *Directory) DeleteInstance(ctx context.Context, c *identity.Caller, id string) error {
	ev := audit.Change(c, identity.ResourceController, "DeleteInstance", map[string]string{"instanceId": clip(id)})
	at := -1
	return d.changeInstances(ctx, c, ev, "delete", func(s *identity.IBMSite) *identity.ServiceInstance {
		at = slices.IndexFunc(s.Instances, func(i identity.ServiceInstance) bool { return i.ID == id || i.CRN(c.AccountID) == id })
		if at < 0 {
			return nil
		}
		return &s.Instances[at]
	}, func(tx store.Tx, s *identity.IBMSite) error {
		if at < 0 {
			return absent("The service instance %s cannot be found.", clip(id))
		}
		if s.Instances[at].CreatedBy == "" {
			return identity.NewError(identity.KindConflict, "directory.instance", "The site file names the service instance: take it out there.")
		}
		gone := s.Instances[at].ID
		s.Instances = slices.Delete(slices.Clone(s.Instances), at, at+1)
		return dropInstance(tx, gone)
	})
}

// dropInstance removes what key management knows of an instance that goes.
// KindConflict while it has keys.
func dropInstance(tx store.Tx, id string) error {
	keys, err := store.KMSKeys.List(tx, store.IndexKMSCreated, id+"/", store.After{}, 1)
	if err != nil {
		return err
	}
	if len(keys) > 0 {
		return identity.NewError(identity.KindConflict, "directory.instance", "The service instance "+id+" has keys: delete and purge them first.")
	}
	rings, err := store.KMSRings.List(tx, "", id+"/", store.After{}, 0)
	if err != nil {
		return err
	}
	for _, r := range rings {
		if err := store.KMSRings.Delete(tx, r.Key()); err != nil {
			return err
		}
	}
	for _, err := range []error{store.KMSInstances.Delete(tx, id), store.KMSImportTokens.Delete(tx, id)} {
		if err != nil && identity.KindOf(err) != identity.KindNotFound {
			return err
		}
	}
	return nil
}

// changeInstances runs a change of the section's instances as a transaction: find
// says which it is about, nil for one that is not there, and change makes it in a
// copy of the section. Without the right nothing is told.
func (d *Directory) changeInstances(ctx context.Context, c *identity.Caller, ev audit.Event, op string, find func(*identity.IBMSite) *identity.ServiceInstance, change func(store.Tx, *identity.IBMSite) error) error {
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		have, err := there(store.IBMSites.Get(tx, identity.IBMSiteName))
		if err != nil {
			return err
		}
		if have == nil || have.AccountID != c.AccountID {
			have = nil
		}
		site := identity.IBMSite{}
		if have != nil {
			site = *have
		}
		res := access.Resource{ARN: resourceControllerCRN(c, "instance", "*"), AccountID: c.AccountID}
		if i := find(&site); i != nil {
			res.ARN, res.Keys = i.CRN(c.AccountID), access.EntityKeys{ibmResourceGroup: {i.ResourceGroupID}}
		}
		if err := d.access.Authorize(c, identity.ResourceController+":instance."+op, res).Err; err != nil {
			return err
		}
		if have == nil {
			return absent("The account has no service instances.")
		}
		if err := change(tx, &site); err != nil {
			return err
		}
		return store.IBMSites.Put(tx, &site)
	})
}
