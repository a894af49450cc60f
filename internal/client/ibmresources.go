package client

import (
	"context"
	"net/http"
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
}

// IBMInstances lists the service instances of the account.
func (k *Keeper) IBMInstances(ctx context.Context) ([]IBMInstance, error) {
	var out struct {
		Resources []IBMInstance `json:"resources"`
	}
	_, err := k.ibm(ctx, ibmCall{doing: "listing service instances", method: http.MethodGet, path: "/v2/resource_instances"}, &out)
	return out.Resources, err
}
