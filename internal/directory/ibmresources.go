package directory

import (
	"context"

	"daypass/internal/access"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// ResourceGroups lists the resource groups of the caller's account: all with the
// right to list them, else those that it may see. No more than a site file names.
func (d *Directory) ResourceGroups(_ context.Context, c *identity.Caller) ([]identity.ResourceGroup, error) {
	s, err := d.ibmOf(c)
	if err != nil {
		return nil, err
	}
	return visible(d, c, "resource-group", s.ResourceGroups, func(g *identity.ResourceGroup) access.Resource {
		return access.Resource{ARN: resourceControllerCRN(c, "resource-group", g.ID), Keys: access.EntityKeys{ibmResourceGroup: {g.ID}}}
	})
}

// Instances lists the service instances of the caller's account: all with the
// right to list them, else those that it may see.
func (d *Directory) Instances(_ context.Context, c *identity.Caller) ([]identity.ServiceInstance, error) {
	s, err := d.ibmOf(c)
	if err != nil {
		return nil, err
	}
	return visible(d, c, "instance", s.Instances, func(i *identity.ServiceInstance) access.Resource {
		return access.Resource{ARN: i.CRN(c.AccountID), Keys: access.EntityKeys{ibmResourceGroup: {i.ResourceGroupID}}}
	})
}

// ibmResourceGroup is the condition key by which policies name the resource
// group of an instance.
const ibmResourceGroup = "ibm:ResourceGroupId"

func resourceControllerCRN(c *identity.Caller, kind, id string) string {
	return "crn:v1:bluemix:public:" + identity.ResourceController + "::a/" + c.AccountID + "::" + kind + ":" + id
}

// visible are the things of a kind that the caller may see. Who may see none is
// denied to list them.
func visible[T any](d *Directory, c *identity.Caller, kind string, all []T, resource func(*T) access.Resource) ([]T, error) {
	action := identity.ResourceController + ":" + kind
	whole := access.Resource{ARN: resourceControllerCRN(c, kind, "*"), AccountID: c.AccountID, Unrecorded: true, Brief: true}
	if d.access.Authorize(c, action+".list", whole).Allowed() {
		return all, nil
	}
	var out []T
	for i := range all {
		one := resource(&all[i])
		one.AccountID, one.Unrecorded, one.Brief = c.AccountID, true, true
		if d.access.Authorize(c, action+".get", one).Allowed() {
			out = append(out, all[i])
		}
	}
	if out == nil {
		return nil, d.permit(c, action+".list", whole.ARN, c.AccountID)
	}
	return out, nil
}

// ibmOf is the section where it is of the caller's account, else an empty one.
func (d *Directory) ibmOf(c *identity.Caller) (*identity.IBMSite, error) {
	s, err := there(store.IBMSites.Get(d.db.Snapshot(), identity.IBMSiteName))
	if err != nil || s == nil || s.AccountID != c.AccountID {
		return &identity.IBMSite{}, err
	}
	return s, nil
}
