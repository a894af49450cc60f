package directory

import (
	"regexp"
	"slices"

	"daypass/internal/authn"
	"daypass/internal/identity"
)

// IBMSpec is IBM's dialect: of one account, with one realm.
type IBMSpec struct {
	AccountID, Realm, Algorithm string
	Regions                     []string
	// ResourceGroups are "Default" alone where none is named.
	ResourceGroups []ResourceGroupSpec
	Instances      []InstanceSpec
	ServiceIDs     []ServiceIDSpec
	Profiles       []TrustedProfileSpec
	APIKeys        []APIKeySpec
	// Access nil leaves access policies alone.
	Access []AccessSpec
}

// ResourceGroupSpec is a resource group of the account.
type ResourceGroupSpec struct {
	Name    string
	Default bool
}

// InstanceSpec is a service instance; ResourceGroup is a name, the default one
// when it is "".
type InstanceSpec struct{ ID, Name, Service, Region, ResourceGroup string }

// ServiceIDSpec is a service ID, which a site finds by its name among those that
// it made. Of its policies nil leaves alone what there is.
type ServiceIDSpec struct {
	Name, Description string
	ManagedPolicies   []string
	InlinePolicies    map[string]string
	Disabled          bool
}

// APIKeySpec is an API key of a user or of a service ID of the site, by names,
// which a site finds by its own name among those of its owner that it made.
type APIKeySpec struct {
	User, ServiceID, Name, Description string
	Disabled                           bool
	Secret                             *identity.Secret
}

var uuidRE = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// maxIBMThings bounds the lists of the section.
const maxIBMThings = 1000

func checkIBMSpec(s *IBMSpec) error {
	switch {
	case s == nil:
		return nil
	case s.AccountID == "" || s.Realm == "":
		return invalid("ibm: give an account and the realm where passwords are checked")
	case s.Algorithm != "RS256" && s.Algorithm != "ES256":
		return invalid("ibm: the algorithm is RS256 or ES256")
	case len(s.Regions) == 0 || slices.ContainsFunc(s.Regions, func(r string) bool { return !regionRE.MatchString(r) || len(r) > 32 }):
		return invalid("ibm: regions are one or more, such as us-south")
	case len(s.Regions)+len(s.ResourceGroups)+len(s.Instances)+len(s.ServiceIDs)+len(s.Profiles)+len(s.APIKeys) > maxIBMThings:
		return invalid("ibm: at most %d regions, groups, instances, service IDs, trusted profiles and API keys", maxIBMThings)
	}
	defaults, groups := 0, map[string]bool{}
	for _, g := range s.ResourceGroups {
		if g.Name == "" || len(g.Name) > 64 || groups[g.Name] {
			return invalid("ibm: the name %q of a resource group has 1 to 64 characters, and stands once", g.Name)
		}
		if groups[g.Name] = true; g.Default {
			defaults++
		}
	}
	if len(s.ResourceGroups) > 0 && defaults != 1 {
		return invalid("ibm: exactly one resource group is the default")
	}
	return checkIBMThings(s, groups)
}

func checkIBMThings(s *IBMSpec, groups map[string]bool) error {
	ids, names := map[string]bool{}, map[string]bool{}
	for _, i := range s.Instances {
		switch {
		case !uuidRE.MatchString(i.ID) || ids[i.ID]:
			return invalid("ibm: the ID %q of an instance is a UUID in lower case, and stands once", i.ID)
		case i.ResourceGroup != "" && !groups[i.ResourceGroup]:
			return invalid("ibm: instance %s: there is no resource group %q", i.ID, i.ResourceGroup)
		}
		if err := (&identity.ServiceInstance{Name: i.Name, Service: i.Service, Region: i.Region}).Check(s.Regions); err != nil {
			return prefixed("ibm: instance "+i.ID, err)
		}
		ids[i.ID] = true
	}
	for _, v := range s.ServiceIDs {
		if err := (&identity.ServiceIdentity{Name: v.Name, Description: v.Description}).Check(); err != nil {
			return prefixed("ibm: service ID "+v.Name, err)
		}
		if names[v.Name] {
			return invalid("ibm: the service ID %q stands twice", v.Name)
		}
		names[v.Name] = true
	}
	if err := checkProfileSpecs(s, names); err != nil {
		return err
	}
	if err := checkAccessSpecs(s, names); err != nil {
		return err
	}
	seen := map[APIKeySpec]bool{}
	for _, k := range s.APIKeys {
		what := "ibm: API key " + k.Name
		if err := (&identity.APIKey{Name: k.Name, Description: k.Description, WhenLeaked: identity.LeakedDisable}).Check(); err != nil {
			return prefixed(what, err)
		}
		key := APIKeySpec{User: k.User, ServiceID: k.ServiceID, Name: k.Name}
		switch {
		case (k.User == "") == (k.ServiceID == ""):
			return invalid("%s: give either user or service_id", what)
		case k.ServiceID != "" && !names[k.ServiceID]:
			return invalid("%s: the section has no service ID %q", what, k.ServiceID)
		case k.Secret != nil && !authn.IsAPIKey(*k.Secret):
			return invalid("%s: an API key has exactly 44 letters, digits, hyphens and underscores", what)
		case seen[key]:
			return invalid("%s stands twice", what)
		}
		seen[key] = true
	}
	return nil
}
