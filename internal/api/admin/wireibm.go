package admin

import (
	"daypass/internal/directory"
	"daypass/internal/identity"
)

// The wire form of directory.IBMSpec.
type (
	wireIBM struct {
		AccountID      string                        `json:"account_id"`
		Realm          string                        `json:"realm"`
		Algorithm      string                        `json:"algorithm"`
		Regions        []string                      `json:"regions"`
		ResourceGroups []directory.ResourceGroupSpec `json:"resource_groups,omitempty"`
		Instances      []directory.InstanceSpec      `json:"instances,omitempty"`
		ServiceIDs     []wireServiceID               `json:"service_ids,omitempty"`
		Profiles       []wireProfile                 `json:"profiles,omitempty"`
		APIKeys        []wireAPIKey                  `json:"api_keys,omitempty"`
		Access         []wireAccess                  `json:"access"`
	}
	wireServiceID struct {
		Name            string            `json:"name"`
		Description     string            `json:"description,omitempty"`
		ManagedPolicies []string          `json:"managed_policies"`
		InlinePolicies  map[string]string `json:"inline_policies"`
		Disabled        bool              `json:"disabled,omitempty"`
	}
	wireProfile struct {
		Name            string                 `json:"name"`
		Description     string                 `json:"description,omitempty"`
		Email           string                 `json:"email,omitempty"`
		ManagedPolicies []string               `json:"managed_policies"`
		InlinePolicies  map[string]string      `json:"inline_policies"`
		Disabled        bool                   `json:"disabled,omitempty"`
		Rules           []identity.ProfileRule `json:"rules"`
		Links           []identity.ProfileLink `json:"links"`
		Identities      *wireIdentities        `json:"identities"`
	}
	wireIdentities struct {
		Users      []string `json:"users,omitempty"`
		ServiceIDs []string `json:"service_ids,omitempty"`
	}
	wireAccess struct {
		User        string                       `json:"user,omitempty"`
		ServiceID   string                       `json:"service_id,omitempty"`
		Profile     string                       `json:"profile,omitempty"`
		Description string                       `json:"description,omitempty"`
		Roles       []string                     `json:"roles"`
		Attributes  []identity.ResourceAttribute `json:"attributes"`
	}
	wireAPIKey struct {
		User        string  `json:"user,omitempty"`
		ServiceID   string  `json:"service_id,omitempty"`
		Name        string  `json:"name"`
		Description string  `json:"description,omitempty"`
		Disabled    bool    `json:"disabled,omitempty"`
		Secret      *string `json:"secret,omitempty"`
	}
)

func encodeIBM(s *directory.IBMSpec) *wireIBM {
	if s == nil {
		return nil
	}
	w := &wireIBM{s.AccountID, s.Realm, s.Algorithm, s.Regions, s.ResourceGroups, s.Instances, nil, nil, nil, nil}
	for _, v := range s.ServiceIDs {
		w.ServiceIDs = append(w.ServiceIDs, wireServiceID(v))
	}
	for _, v := range s.Profiles {
		w.Profiles = append(w.Profiles, wireProfile{
			v.Name, v.Description, v.Email, v.ManagedPolicies, v.InlinePolicies, v.Disabled, v.Rules, v.Links, (*wireIdentities)(v.Identities),
		})
	}
	for _, k := range s.APIKeys {
		w.APIKeys = append(w.APIKeys, wireAPIKey{k.User, k.ServiceID, k.Name, k.Description, k.Disabled, reveal(k.Secret)})
	}
	if s.Access != nil {
		w.Access = []wireAccess{}
	}
	for _, v := range s.Access {
		w.Access = append(w.Access, wireAccess(v))
	}
	return w
}

func (w *wireIBM) decode() *directory.IBMSpec {
	if w == nil {
		return nil
	}
	s := &directory.IBMSpec{
		AccountID: w.AccountID, Realm: w.Realm, Algorithm: w.Algorithm, Regions: w.Regions, ResourceGroups: w.ResourceGroups, Instances: w.Instances,
	}
	for _, v := range w.ServiceIDs {
		s.ServiceIDs = append(s.ServiceIDs, directory.ServiceIDSpec(v))
	}
	for _, v := range w.Profiles {
		s.Profiles = append(s.Profiles, directory.TrustedProfileSpec{
			Name: v.Name, Description: v.Description, Email: v.Email, ManagedPolicies: v.ManagedPolicies, InlinePolicies: v.InlinePolicies,
			Disabled: v.Disabled, Rules: v.Rules, Links: v.Links, Identities: (*directory.ProfileIdentitiesSpec)(v.Identities),
		})
	}
	for _, k := range w.APIKeys {
		s.APIKeys = append(s.APIKeys, directory.APIKeySpec{
			User: k.User, ServiceID: k.ServiceID, Name: k.Name, Description: k.Description, Disabled: k.Disabled, Secret: secret(k.Secret),
		})
	}
	if w.Access != nil {
		s.Access = []directory.AccessSpec{}
	}
	for _, v := range w.Access {
		s.Access = append(s.Access, directory.AccessSpec(v))
	}
	return s
}
