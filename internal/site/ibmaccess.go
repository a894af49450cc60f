package site

import (
	"fmt"
	"strings"

	"daypass/internal/directory"
	"daypass/internal/identity"
)

// access is the YAML form of an access policy: who has which roles on what.
// Things are named as the section names them.
type access struct {
	User          string   `yaml:"user"`
	ServiceID     string   `yaml:"service_id"`
	Profile       string   `yaml:"profile"`
	Description   string   `yaml:"description"`
	Roles         []string `yaml:"roles"`
	Service       string   `yaml:"service"`
	ServiceType   string   `yaml:"service_type"`
	Instance      string   `yaml:"instance"`
	Region        string   `yaml:"region"`
	ResourceGroup string   `yaml:"resource_group"`
	ResourceType  string   `yaml:"resource_type"`
	Resource      string   `yaml:"resource"`
	KeyRing       string   `yaml:"key_ring"`
}

func (b *builder) access(s *ibm) []directory.AccessSpec {
	if s.Access == nil {
		return nil
	}
	out := []directory.AccessSpec{}
	for i, v := range s.Access {
		at := fmt.Sprintf("ibm.access[%d]", i)
		named := 0
		for _, name := range []string{v.User, v.ServiceID, v.Profile} {
			if name != "" {
				named++
			}
		}
		if named != 1 {
			b.complain(at, "give one of user, service_id and profile")
		}
		if len(v.Roles) == 0 {
			b.complain(at+".roles", "must be given")
		}
		spec := directory.AccessSpec{User: v.User, ServiceID: v.ServiceID, Profile: v.Profile, Description: v.Description, Roles: v.Roles}
		for _, a := range [][2]string{
			{"accountId", s.Account},
			{"serviceName", v.Service},
			{"serviceType", v.ServiceType},
			{"serviceInstance", b.instanceNamed(at, s, v.Instance)},
			{"region", v.Region},
			{"resourceGroupId", b.groupNamed(at, s, v.ResourceGroup)},
			{"resourceType", v.ResourceType},
			{"resource", v.Resource},
			{"keyRing", v.KeyRing},
		} {
			if a[1] == "" {
				continue
			}
			operator := identity.StringEquals
			if strings.ContainsAny(a[1], "*?") {
				operator = identity.StringMatch
			}
			spec.Attributes = append(spec.Attributes, identity.ResourceAttribute{Name: a[0], Value: a[1], Operator: operator})
		}
		out = append(out, spec)
	}
	return out
}

// instanceNamed is the ID of the one instance of the section with a name; any
// other text is an ID, or a pattern of IDs, itself.
func (b *builder) instanceNamed(at string, s *ibm, name string) string {
	id := ""
	for _, v := range s.Instances {
		if v.Name != name || name == "" {
			continue
		}
		if id != "" {
			b.complain(at+".instance", "several instances have this name: give the ID of one")
		}
		id = v.ID
	}
	return orDefault(id, name)
}

// groupNamed is the ID of a resource group of the section.
func (b *builder) groupNamed(at string, s *ibm, name string) string {
	if name == "" {
		return ""
	}
	known := len(s.ResourceGroups) == 0 && name == "Default"
	for _, g := range s.ResourceGroups {
		known = known || g.Name == name
	}
	if !known {
		b.complain(at+".resource_group", "the section has no such resource group")
	}
	return identity.ResourceGroupID(s.Account, name)
}
