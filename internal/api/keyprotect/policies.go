package keyprotect

import (
	"net/http"
	"time"

	"daypass/internal/identity"
	"daypass/internal/kms"
)

// policy is a policy of a key.
type policy struct {
	ID        string        `json:"id"`
	Type      string        `json:"type"`
	CRN       string        `json:"crn"`
	CreatedBy string        `json:"createdBy"`
	CreatedAt *time.Time    `json:"creationDate"`
	UpdatedBy string        `json:"updatedBy"`
	UpdatedAt *time.Time    `json:"lastUpdateDate"`
	Rotation  *rotation     `json:"rotation,omitempty"`
	DualAuth  *enabledState `json:"dualAuthDelete,omitempty"`
}

type enabledState struct {
	Enabled bool `json:"enabled"`
}

// policyBody is what a client wants a policy to be.
type policyBody struct {
	Rotation *rotationBody
	DualAuth *switchBody
}

type rotationBody struct {
	Enabled *bool `json:"enabled"`
	Months  *int  `json:"interval_month"`
}

type switchBody struct {
	Enabled *bool `json:"enabled"`
}

// Names of policies in the parameter policy.
const (
	rotationPolicy = "rotation"
	dualAuthPolicy = "dualAuthDelete"
)

// policies shows those of a key, or the one of a name.
func policies(status int, k *kms.Key, name string) answer {
	var out []policy
	show := func(kind string, p *identity.KMSPolicy) *policy {
		if p == nil || name != "" && name != kind {
			return nil
		}
		out = append(out, policy{
			ID: k.ID + ":" + kind, Type: policyType, CRN: k.CRN + ":policy:" + kind, CreatedBy: p.CreatedBy, CreatedAt: at(p.CreatedAt),
			UpdatedBy: p.UpdatedBy, UpdatedAt: at(p.UpdatedAt),
		})
		return &out[len(out)-1]
	}
	if p := show(rotationPolicy, k.Rotation); p != nil {
		p.Rotation = &rotation{k.Rotation.Enabled, k.Rotation.Months}
	}
	if p := show(dualAuthPolicy, k.DualAuth); p != nil {
		p.DualAuth = &enabledState{k.DualAuth.Enabled}
	}
	return answer{status, collectionOf(policyType, out)}
}

// policyName reads the parameter policy.
func (c *call) policyName() (string, error) {
	q, err := c.query("policy")
	if err != nil {
		return "", err
	}
	switch q["policy"] {
	case "", rotationPolicy, dualAuthPolicy:
		return q["policy"], nil
	}
	return "", badParameter("policy")
}

func (h *Handler) getPolicies(c *call) (answer, error) {
	name, err := c.policyName()
	if err != nil {
		return answer{}, err
	}
	k, err := h.KMS.Policies(c.ctx, c.caller, c.at, c.id())
	if err != nil {
		return answer{}, err
	}
	return policies(http.StatusOK, k, name), nil
}

// putPolicies answers with the policies always: IBM's client for Go looks for
// them, even when it prefers less.
func (h *Handler) putPolicies(c *call) (answer, error) {
	name, err := c.policyName()
	if err != nil {
		return answer{}, err
	}
	if _, err := c.prefers(); err != nil {
		return answer{}, err
	}
	list, err := c.resources()
	if err != nil {
		return answer{}, err
	}
	var change kms.PolicyChange
	for _, o := range list {
		var p policyBody
		if err := o.read(map[string]any{rotationPolicy: &p.Rotation, dualAuthPolicy: &p.DualAuth}); err != nil {
			return answer{}, err
		}
		if err := p.addTo(&change, name); err != nil {
			return answer{}, err
		}
	}
	k, err := h.KMS.SetPolicies(c.ctx, c.caller, c.at, c.id(), change)
	if err != nil {
		return answer{}, err
	}
	return policies(http.StatusOK, k, name), nil
}

// addTo takes one resource of a body: one policy, that of the name where there is
// one.
func (p *policyBody) addTo(change *kms.PolicyChange, name string) error {
	switch {
	case (p.Rotation == nil) == (p.DualAuth == nil):
		return bad("Each resource has one of the fields rotation and dualAuthDelete.")
	case p.Rotation != nil && name == dualAuthPolicy, p.DualAuth != nil && name == rotationPolicy:
		return errQueryMismatch
	case p.Rotation != nil && change.Rotation != nil, p.DualAuth != nil && change.DualAuth != nil:
		return bad("A policy stands twice in the body.")
	case p.Rotation != nil && p.Rotation.Enabled == nil && p.Rotation.Months == nil:
		return bad("The field rotation has neither enabled nor interval_month.")
	case p.Rotation != nil:
		change.Rotation = &kms.RotationChange{Enabled: p.Rotation.Enabled, Months: p.Rotation.Months}
	case p.DualAuth.Enabled == nil:
		return bad("The field dualAuthDelete.enabled is missing.")
	default:
		change.DualAuth = p.DualAuth.Enabled
	}
	return nil
}
