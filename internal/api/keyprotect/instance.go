package keyprotect

import (
	"net/http"
	"time"

	"daypass/internal/kms"
)

// instancePolicy is a policy of an instance.
type instancePolicy struct {
	Type      string             `json:"policy_type"`
	Data      instancePolicyData `json:"policy_data"`
	CreatedBy string             `json:"createdBy"`
	CreatedAt *time.Time         `json:"creationDate"`
	UpdatedBy string             `json:"updatedBy"`
	UpdatedAt *time.Time         `json:"lastUpdated"`
}

type instancePolicyData struct {
	Enabled    bool           `json:"enabled"`
	Attributes map[string]any `json:"attributes,omitempty"`
}

// Attributes of policies of instances; those of keyCreateImportAccess are by their
// names.
const (
	attrMonths    = "interval_month"
	attrNetwork   = "allowed_network"
	attrAddresses = "allowed_ip"
)

func showInstancePolicy(p *kms.InstancePolicy) instancePolicy {
	out := instancePolicy{
		Type: p.Type, Data: instancePolicyData{Enabled: p.Enabled, Attributes: map[string]any{}},
		CreatedBy: p.CreatedBy, CreatedAt: at(p.CreatedAt), UpdatedBy: p.UpdatedBy, UpdatedAt: at(p.UpdatedAt),
	}
	if p.Months != 0 {
		out.Data.Attributes[attrMonths] = p.Months
	}
	if p.Network != "" {
		out.Data.Attributes[attrNetwork] = p.Network
	}
	if p.Addresses != nil {
		out.Data.Attributes[attrAddresses] = p.Addresses
	}
	for name, allowed := range p.Creation {
		out.Data.Attributes[name] = allowed
	}
	return out
}

func (h *Handler) getInstancePolicies(c *call) (answer, error) {
	q, err := c.query("policy")
	if err != nil {
		return answer{}, err
	}
	list, err := h.KMS.InstancePolicies(c.ctx, c.caller, c.at, q["policy"])
	if err != nil {
		return answer{}, err
	}
	out := make([]instancePolicy, len(list))
	for i := range list {
		out[i] = showInstancePolicy(&list[i])
	}
	return answer{http.StatusOK, collectionOf(policyType, out)}, nil
}

func (h *Handler) putInstancePolicies(c *call) (answer, error) {
	q, err := c.query("policy")
	if err != nil {
		return answer{}, err
	}
	list, err := c.resources()
	if err != nil {
		return answer{}, err
	}
	changes := make([]kms.InstancePolicyChange, len(list))
	for i, o := range list {
		if changes[i], err = o.instancePolicy(); err != nil {
			return answer{}, err
		}
		if name := q["policy"]; name != "" && name != changes[i].Type {
			return answer{}, errQueryMismatch
		}
	}
	return noContent, h.KMS.SetInstancePolicies(c.ctx, c.caller, c.at, changes)
}

func (o object) instancePolicy() (kms.InstancePolicyChange, error) {
	var out kms.InstancePolicyChange
	var data, attributes object
	var enabled *bool
	if err := o.read(map[string]any{"policy_type": &out.Type, "policy_data": &data}); err != nil {
		return out, err
	}
	if err := data.read(map[string]any{"enabled": &enabled, "attributes": &attributes}); err != nil {
		return out, err
	}
	if enabled == nil {
		return out, bad("The field policy_data.enabled is missing.")
	}
	out.Enabled = *enabled
	if err := attributes.read(map[string]any{attrMonths: &out.Months, attrNetwork: &out.Network, attrAddresses: &out.Addresses}); err != nil {
		return out, err
	}
	for name := range attributes {
		if !plain(name) { // an error would repeat it
			return out, bad("The field policy_data.attributes has a member that is not known.")
		}
		if name == attrMonths || name == attrNetwork || name == attrAddresses {
			continue
		}
		var allowed *bool
		if err := attributes.read(map[string]any{name: &allowed}); err != nil {
			return out, err
		}
		if allowed == nil {
			continue
		}
		if out.Creation == nil {
			out.Creation = map[string]bool{}
		}
		out.Creation[name] = *allowed
	}
	return out, nil
}

// privatePort is where an instance with allowed addresses is reached over private
// networks: here, as everywhere, at the port of https.
const privatePort = 443

type ipPort struct {
	Port int `json:"private_endpoint_port"`
}

func (h *Handler) allowedIPPort(c *call) (answer, error) {
	if _, err := c.query(); err != nil {
		return answer{}, err
	}
	on, err := h.KMS.AllowsAddresses(c.ctx, c.caller, c.at)
	if err != nil {
		return answer{}, err
	}
	var out []ipPort
	if on {
		out = append(out, ipPort{privatePort})
	}
	return answer{http.StatusOK, collectionOf(portType, out)}, nil
}
