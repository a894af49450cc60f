package identity

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
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

// InstancesPerAccount is how many service instances the API may make.
const InstancesPerAccount = 200

// ServiceInstance is an instance of a service, such as key management ("kms").
type ServiceInstance struct {
	ID              string `json:"id"` // a UUID
	Name            string `json:"name"`
	Service         string `json:"service"`
	Region          string `json:"region"`
	ResourceGroupID string `json:"resource_group_id"`
	// Plan is what the API was asked for; nothing depends on it.
	Plan string `json:"plan,omitempty"`
	// CreatedBy is the IAM ID of who made it by the API; "" for the site file.
	CreatedBy string    `json:"created_by,omitempty"`
	CreatedAt time.Time `json:"created_at,omitzero"`
}

// Check judges what people write into an instance, and whether it can be in its
// region, which is one of the site's. KindValidation.
func (i *ServiceInstance) Check(regions []string) error {
	switch {
	case strings.TrimSpace(i.Name) == "" || utf8.RuneCountInString(i.Name) > maxInstanceName || !printable(i.Name):
		return NewError(KindValidation, "ibm", fmt.Sprintf("The property name must have 1 to %d printable characters.", maxInstanceName))
	case !serviceRE.MatchString(i.Service):
		return NewError(KindValidation, "ibm", "The property resource_plan_id is a service, such as kms, alone or with a colon and a plan.")
	case len(i.Plan) > maxInstanceName || !printable(i.Plan):
		return NewError(KindValidation, "ibm", "The property resource_plan_id is not valid.")
	case !slices.Contains(regions, i.Region) && (i.Service != ObjectStorage || i.Region != GlobalRegion):
		return NewError(KindValidation, "ibm", "The property target is one of the regions: "+strings.Join(regions, ", ")+
			"; "+GlobalRegion+" for "+ObjectStorage+".")
	}
	return nil
}

const maxInstanceName = 180

var serviceRE = regexp.MustCompile(`^[a-z][a-z0-9-]{0,63}$`)

// CRN names an instance of an account (IBM Cloud, CRN: ten segments).
func (i *ServiceInstance) CRN(account string) string {
	return "crn:v1:bluemix:public:" + i.Service + ":" + i.Region + ":a/" + account + ":" + i.ID + "::"
}
