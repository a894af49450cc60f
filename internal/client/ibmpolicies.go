package client

import (
	"context"
	"net/http"
	"net/url"

	"daypass/internal/identity"
)

// IBMAttribute is one of a policy's subject or resource.
type IBMAttribute struct {
	Name     string `json:"name"`
	Value    string `json:"value"`
	Operator string `json:"operator,omitempty"`
}

// IBMAttributes are those of one subject or resource.
type IBMAttributes struct {
	List []IBMAttribute `json:"attributes"`
}

// IBMRole is a role; of a new policy's its CRN alone counts.
type IBMRole struct {
	CRN         string `json:"role_id"`
	Name        string `json:"display_name,omitempty"`
	Description string `json:"description,omitempty"`
}

// IBMPolicy is an access policy as the policy API shows it. A new one has no ID.
type IBMPolicy struct {
	ID          string          `json:"id,omitempty"`
	Type        string          `json:"type"`
	Description string          `json:"description,omitempty"`
	Subjects    []IBMAttributes `json:"subjects"`
	Roles       []IBMRole       `json:"roles"`
	Resources   []IBMAttributes `json:"resources"`
	CreatedAt   string          `json:"created_at,omitempty"`
	CreatedBy   string          `json:"created_by_id,omitempty"`
	State       string          `json:"state,omitempty"`
}

const pathPolicies = "/v1/policies"

// CreateIBMPolicy gives a principal the roles of a policy, whose type and subject
// are filled in (POST /v1/policies).
func (k *Keeper) CreateIBMPolicy(ctx context.Context, iamID string, p IBMPolicy) (IBMPolicy, error) {
	p.Type = "access"
	p.Subjects = []IBMAttributes{{[]IBMAttribute{{Name: "iam_id", Value: iamID}}}}
	var out IBMPolicy
	_, err := k.ibm(ctx, ibmCall{doing: "creating a policy for " + iamID, method: http.MethodPost, path: pathPolicies, body: p}, &out)
	return out, err
}

// IBMPolicies lists the access policies of a principal.
func (k *Keeper) IBMPolicies(ctx context.Context, iamID string) ([]IBMPolicy, error) {
	token, err := k.IBMToken(ctx, RenewalWindow)
	if err != nil {
		return nil, err
	}
	var out struct {
		Policies []IBMPolicy `json:"policies"`
	}
	_, err = k.wire.ibm(ctx, token, ibmCall{
		doing: "listing the policies of " + iamID, method: http.MethodGet, path: pathPolicies,
		query: url.Values{"account_id": {token.Account}, "iam_id": {iamID}, "type": {"access"}},
	}, &out)
	return out.Policies, err
}

// IBMPolicy reads an access policy of a principal. KindNotFound for another's.
func (k *Keeper) IBMPolicy(ctx context.Context, iamID, id string) (IBMPolicy, error) {
	var out IBMPolicy
	doing := "reading policy " + id
	_, err := k.ibm(ctx, ibmCall{doing: doing, method: http.MethodGet, path: pathPolicies + "/" + url.PathEscape(id)}, &out)
	if err != nil {
		return out, err
	}
	for _, subject := range out.Subjects {
		for _, a := range subject.List {
			if a.Name == "iam_id" && a.Value == iamID {
				return out, nil
			}
		}
	}
	return IBMPolicy{}, k.wire.failed(identity.KindNotFound, doing, "the policy is not one of "+iamID, "", "", nil)
}

// DeleteIBMPolicy takes an access policy away.
func (k *Keeper) DeleteIBMPolicy(ctx context.Context, id string) error {
	_, err := k.ibm(ctx, ibmCall{doing: "deleting policy " + id, method: http.MethodDelete, path: pathPolicies + "/" + url.PathEscape(id)}, nil)
	return err
}

// IBMRoles lists the roles that a policy may give, of a service or of all.
func (k *Keeper) IBMRoles(ctx context.Context, service string) ([]IBMRole, error) {
	type role struct {
		CRN         string `json:"crn"`
		Name        string `json:"display_name"`
		Description string `json:"description"`
	}
	var out struct {
		Service []role `json:"service_roles"`
		System  []role `json:"system_roles"`
	}
	q := url.Values{}
	if service != "" {
		q.Set("service_name", service)
	}
	_, err := k.ibm(ctx, ibmCall{doing: "listing roles", method: http.MethodGet, path: "/v2/roles", query: q}, &out)
	var roles []IBMRole
	for _, r := range append(out.System, out.Service...) {
		roles = append(roles, IBMRole(r))
	}
	return roles, err
}
