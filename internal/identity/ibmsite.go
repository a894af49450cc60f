package identity

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
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
	// Settings are changed by the API alone; a site file leaves them.
	Settings IBMSettings `json:"settings,omitzero"`
}

// IBMSettings are the account settings of IBM's dialect. Lifetimes are in
// seconds, 0 for the longest, and count for what is given from then on.
type IBMSettings struct {
	AccessTokenSeconds  int       `json:"access_token_seconds,omitempty"`
	RefreshTokenSeconds int       `json:"refresh_token_seconds,omitempty"`
	Tag                 EntityTag `json:"tag,omitzero"`
	History             []Changed `json:"history,omitempty"`
}

// MinIBMTokenLife is the shortest lifetime that a setting may give a token.
const MinIBMTokenLife = 15 * time.Minute

// Check judges the lifetimes. KindValidation.
func (s *IBMSettings) Check() error {
	for _, v := range []struct {
		name string
		have int
		most time.Duration
	}{
		{"system_access_token_expiration_in_seconds", s.AccessTokenSeconds, IBMAccessTokenLife},
		{"system_refresh_token_expiration_in_seconds", s.RefreshTokenSeconds, IBMRefreshTokenLife},
	} {
		least, most := int(MinIBMTokenLife/time.Second), int(v.most/time.Second)
		if v.have != 0 && (v.have < least || v.have > most) {
			return NewError(KindValidation, "ibm", fmt.Sprintf("The property %s is from %d to %d, or NOT_SET.", v.name, least, most))
		}
	}
	return nil
}

// EntityTag names the version of the settings; they have one before any change.
func (s *IBMSettings) EntityTag() EntityTag {
	if s.Tag == (EntityTag{}) {
		return EntityTag{Random: strings.Repeat("0", 32)}
	}
	return s.Tag
}

// AccessTokenLife is how long access tokens of the dialect live.
func (s *IBMSettings) AccessTokenLife() time.Duration {
	return orSeconds(s.AccessTokenSeconds, IBMAccessTokenLife)
}

// RefreshTokenLife is how long refresh tokens of the dialect live.
func (s *IBMSettings) RefreshTokenLife() time.Duration {
	return orSeconds(s.RefreshTokenSeconds, IBMRefreshTokenLife)
}

func orSeconds(n int, most time.Duration) time.Duration {
	if n == 0 {
		return most
	}
	return time.Duration(n) * time.Second
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

// ObjectStorage is the service whose instances IBM's S3 clients name. It has no
// region: its instances are GlobalRegion.
const (
	ObjectStorage = "cloud-object-storage"
	GlobalRegion  = "global"
)

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
