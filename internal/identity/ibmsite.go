package identity

import (
	"crypto/sha256"
	"encoding/hex"
)

// IBMSiteName is the key of the one IBMSite.
const IBMSiteName = "ibm"

// IBMSite is what IBM's dialect stands on: whose users and service IDs it logs
// in, and which regions, resource groups and service instances it tells of.
type IBMSite struct {
	AccountID string `json:"account_id"`
	// Realm is where passwords are checked.
	Realm   string   `json:"realm"`
	Regions []string `json:"regions"`
	// Algorithm signs access tokens: RS256 or ES256.
	Algorithm      string            `json:"algorithm"`
	ResourceGroups []ResourceGroup   `json:"resource_groups"`
	Instances      []ServiceInstance `json:"instances,omitempty"`
}

// ResourceGroup is a group of service instances of an account.
type ResourceGroup struct {
	ID      string `json:"id"` // 32 hexadecimal digits
	Name    string `json:"name"`
	Default bool   `json:"default,omitempty"`
}

// ResourceGroupID is the ID of an account's resource group: always the same.
func ResourceGroupID(account, name string) string {
	sum := sha256.Sum256([]byte("resource group\x00" + account + "\x00" + name))
	return hex.EncodeToString(sum[:16])
}

// ServiceInstance is an instance of a service, such as key management ("kms").
type ServiceInstance struct {
	ID              string `json:"id"` // a UUID
	Name            string `json:"name"`
	Service         string `json:"service"`
	Region          string `json:"region"`
	ResourceGroupID string `json:"resource_group_id"`
}

// CRN names an instance of an account (IBM Cloud, CRN: ten segments).
func (i *ServiceInstance) CRN(account string) string {
	return "crn:v1:bluemix:public:" + i.Service + ":" + i.Region + ":a/" + account + ":" + i.ID + "::"
}
