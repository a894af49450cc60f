package client

import (
	"context"
	"net/http"
	"net/url"
)

// IBMResourceGroup is a resource group as the resource manager shows it.
type IBMResourceGroup struct {
	ID        string `json:"id"`
	CRN       string `json:"crn"`
	AccountID string `json:"account_id"`
	Name      string `json:"name"`
	State     string `json:"state"`
	Default   bool   `json:"default"`
}

// IBMResourceGroups lists the resource groups of the account.
func (k *Keeper) IBMResourceGroups(ctx context.Context) ([]IBMResourceGroup, error) {
	var out struct {
		Resources []IBMResourceGroup `json:"resources"`
	}
	_, err := k.ibm(ctx, ibmCall{doing: "listing resource groups", method: http.MethodGet, path: "/v2/resource_groups"}, &out)
	return out.Resources, err
}

// IBMInstance is a service instance as the resource controller shows it.
type IBMInstance struct {
	ID              string `json:"id"`
	GUID            string `json:"guid"`
	CRN             string `json:"crn"`
	AccountID       string `json:"account_id"`
	Name            string `json:"name"`
	RegionID        string `json:"region_id"`
	ResourceGroupID string `json:"resource_group_id"`
	ResourceID      string `json:"resource_id"`
	Type            string `json:"type"`
	State           string `json:"state"`
	CreatedAt       string `json:"created_at,omitempty"`
}

const pathInstances = "/v2/resource_instances"

// IBMInstances lists the service instances of the account.
func (k *Keeper) IBMInstances(ctx context.Context) ([]IBMInstance, error) {
	var out struct {
		Resources []IBMInstance `json:"resources"`
	}
	_, err := k.ibm(ctx, ibmCall{doing: "listing service instances", method: http.MethodGet, path: pathInstances}, &out)
	return out.Resources, err
}

// CreateIBMInstance makes a service instance; group is the ID of its resource
// group, "" for the default one.
func (k *Keeper) CreateIBMInstance(ctx context.Context, name, service, plan, region, group string) (IBMInstance, error) {
	body := map[string]string{"name": name, "target": region, "resource_plan_id": service}
	if plan != "" {
		body["resource_plan_id"] += ":" + plan
	}
	if group != "" {
		body["resource_group"] = group
	}
	var out IBMInstance
	_, err := k.ibm(ctx, ibmCall{doing: "creating service instance " + name, method: http.MethodPost, path: pathInstances, body: body}, &out)
	return out, err
}

// DeleteIBMInstance takes one away, by its GUID.
func (k *Keeper) DeleteIBMInstance(ctx context.Context, guid string) error {
	_, err := k.ibm(ctx, ibmCall{doing: "deleting service instance " + guid, method: http.MethodDelete, path: pathInstances + "/" + url.PathEscape(guid)}, nil)
	return err
}
