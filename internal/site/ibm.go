package site

import (
	"fmt"

	"go.yaml.in/yaml/v3"

	"daypass/internal/directory"
)

// The YAML form of IBM's dialect.
type (
	ibm struct {
		Account        string           `yaml:"account"`
		Realm          string           `yaml:"realm"`
		Algorithm      string           `yaml:"algorithm"`
		Regions        []string         `yaml:"regions"`
		ResourceGroups []resourceGroup  `yaml:"resource_groups"`
		Instances      []instance       `yaml:"instances"`
		ServiceIDs     []serviceID      `yaml:"service_ids"`
		Profiles       []trustedProfile `yaml:"profiles"`
		APIKeys        []apiKey         `yaml:"api_keys"`
		Access         []access         `yaml:"access"`
	}
	resourceGroup struct {
		Name    string `yaml:"name"`
		Default bool   `yaml:"default"`
	}
	instance struct {
		ID            string `yaml:"id"`
		Name          string `yaml:"name"`
		Service       string `yaml:"service"`
		Region        string `yaml:"region"`
		ResourceGroup string `yaml:"resource_group"`
	}
	serviceID struct {
		Name            string               `yaml:"name"`
		Description     string               `yaml:"description"`
		ManagedPolicies []string             `yaml:"managed_policies"`
		InlinePolicies  map[string]yaml.Node `yaml:"inline_policies"`
		Disabled        bool                 `yaml:"disabled"`
	}
	apiKey struct {
		User        string  `yaml:"user"`
		ServiceID   string  `yaml:"service_id"`
		Name        string  `yaml:"name"`
		Description string  `yaml:"description"`
		Disabled    bool    `yaml:"disabled"`
		Secret      *Secret `yaml:"secret"`
	}
)

// What the section may leave out: IBM's clients check RS256.
const (
	defaultIBMAlgorithm = "RS256"
	defaultIBMRegion    = "us-south"
	defaultIBMService   = "kms"
)

func (b *builder) ibm(s *ibm) *directory.IBMSpec {
	if s == nil {
		return nil
	}
	b.require("ibm", "account", s.Account)
	b.require("ibm", "realm", s.Realm)
	out := &directory.IBMSpec{
		AccountID: s.Account, Realm: s.Realm, Algorithm: orDefault(s.Algorithm, defaultIBMAlgorithm), Regions: s.Regions,
	}
	if len(out.Regions) == 0 {
		out.Regions = []string{defaultIBMRegion}
	}
	for i, g := range s.ResourceGroups {
		at := fmt.Sprintf("ibm.resource_groups[%d]", i)
		b.require(at, "name", g.Name)
		b.once(at+".name", "resource group", g.Name)
		out.ResourceGroups = append(out.ResourceGroups, directory.ResourceGroupSpec(g))
	}
	for i, v := range s.Instances {
		at := fmt.Sprintf("ibm.instances[%d]", i)
		b.require(at, "id", v.ID)
		b.once(at+".id", "instance", v.ID)
		v.Name, v.Service, v.Region = orDefault(v.Name, v.ID), orDefault(v.Service, defaultIBMService), orDefault(v.Region, out.Regions[0])
		out.Instances = append(out.Instances, directory.InstanceSpec(v))
	}
	for i, v := range s.ServiceIDs {
		at := fmt.Sprintf("ibm.service_ids[%d]", i)
		b.require(at, "name", v.Name)
		b.once(at+".name", "service ID", v.Name)
		out.ServiceIDs = append(out.ServiceIDs, directory.ServiceIDSpec{
			Name: v.Name, Description: v.Description, ManagedPolicies: v.ManagedPolicies,
			InlinePolicies: b.policies(at+".inline_policies", v.InlinePolicies), Disabled: v.Disabled,
		})
	}
	out.Profiles = b.profiles(s.Account, s.Profiles)
	out.Access = b.access(s)
	for i, k := range s.APIKeys {
		at := fmt.Sprintf("ibm.api_keys[%d]", i)
		b.require(at, "name", k.Name)
		if (k.User == "") == (k.ServiceID == "") {
			b.complain(at, "give either user or service_id")
		}
		b.once(at+".name", "API key", k.User+"/"+k.ServiceID, k.Name)
		out.APIKeys = append(out.APIKeys, directory.APIKeySpec{
			User: k.User, ServiceID: k.ServiceID, Name: k.Name, Description: k.Description, Disabled: k.Disabled,
			Secret: b.secret(at+".secret", k.Secret),
		})
	}
	return out
}
