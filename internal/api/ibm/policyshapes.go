package ibm

import (
	"daypass/internal/directory"
	"daypass/internal/identity"
)

var (
	shapeV1 = shape{readPolicy, showPolicy}
	shapeV2 = shape{readPolicyV2, showPolicyV2}
)

// attribute is one of a subject or a resource. The newer shape calls its name
// "key".
type attribute struct {
	Name     string `json:"name"`
	Value    string `json:"value"`
	Operator string `json:"operator,omitempty"`
}

// UnmarshalJSON reads a whole object.
func (a *attribute) UnmarshalJSON(b []byte) error {
	return decodeObject(b, members{"name": &a.Name, "value": &a.Value, "operator": &a.Operator})
}

// attributeV2 is an attribute in the newer shape.
type attributeV2 struct {
	Key      string `json:"key"`
	Operator string `json:"operator"`
	Value    string `json:"value"`
}

// UnmarshalJSON reads a whole object.
func (a *attributeV2) UnmarshalJSON(b []byte) error {
	return decodeObject(b, members{"key": &a.Key, "value": &a.Value, "operator": &a.Operator})
}

// attributes are those of one subject or resource, all of them together.
type attributes[A any] struct {
	List []A `json:"attributes"`
}

// UnmarshalJSON reads a whole object. Tags are of the original.
func (a *attributes[A]) UnmarshalJSON(b []byte) error {
	var tags []any
	if err := decodeObject(b, members{"attributes": &a.List, "tags": &tags}); err != nil {
		return err
	}
	if len(tags) > 0 {
		return badRequest("Property 'tags' is not served.")
	}
	return nil
}

// roleRef names a role; what else there is of it is for people.
type roleRef struct {
	CRN         string `json:"role_id"`
	Name        string `json:"display_name,omitempty"`
	Description string `json:"description,omitempty"`
}

// UnmarshalJSON reads a whole object.
func (r *roleRef) UnmarshalJSON(b []byte) error {
	return decodeObject(b, members{"role_id": &r.CRN, "display_name": &r.Name, "description": &r.Description})
}

// policy is a policy in the older shape.
type policy struct {
	Type        string                  `json:"type"`
	Description string                  `json:"description,omitempty"`
	Subjects    []attributes[attribute] `json:"subjects"`
	Roles       []roleRef               `json:"roles"`
	Resources   []attributes[attribute] `json:"resources"`
	policyFacts
}

func showPolicy(h *Handler, p *directory.AccessPolicy) any {
	out := policy{
		Type: accessPolicy, Description: p.Description, policyFacts: h.policyFacts(policiesPath, p),
		Subjects:  []attributes[attribute]{{[]attribute{{Name: iamIDAttribute, Value: p.IAMID()}}}},
		Resources: []attributes[attribute]{{}},
	}
	for _, name := range p.Roles {
		r := roleOf(name)
		out.Roles = append(out.Roles, roleRef{r.CRN, r.Name, r.Description})
	}
	for _, a := range p.Attributes {
		out.Resources[0].List = append(out.Resources[0].List, attribute{a.Name, a.Value, a.Operator})
	}
	return out
}

const (
	accessPolicy   = "access"
	iamIDAttribute = "iam_id"
)

func readPolicy(c *call) (in directory.NewAccessPolicy, err error) {
	var p policy
	if err = c.decode(members{
		"type": &p.Type, "description": &p.Description, "subjects": &p.Subjects, "roles": &p.Roles, "resources": &p.Resources,
	}); err != nil {
		return in, err
	}
	if len(p.Subjects) != 1 || len(p.Resources) != 1 {
		return in, badRequest("A policy has one element in 'subjects' and one in 'resources'.")
	}
	return newPolicy(p.Type, p.Description, p.Subjects[0].List, p.Resources[0].List, p.Roles)
}

// newPolicy puts together what both shapes say. What it means is judged behind.
func newPolicy(kind, description string, subject, resource []attribute, roles []roleRef) (in directory.NewAccessPolicy, err error) {
	if err = need("type", kind); err != nil {
		return in, err
	}
	if kind != accessPolicy {
		return in, badRequest("Policies of other types than 'access' are not served.")
	}
	if len(subject) != 1 || subject[0].Name != iamIDAttribute || operator(subject[0].Operator) != identity.StringEquals {
		return in, badRequest("The subject of a policy is one attribute iam_id.")
	}
	in = directory.NewAccessPolicy{IAMID: subject[0].Value, Description: description}
	for _, r := range roles {
		name := directory.IBMRoleByCRN(r.CRN)
		if name == "" {
			return in, badRequest("There is no such role as a role_id names.")
		}
		in.Roles = append(in.Roles, name)
	}
	for _, a := range resource {
		op := operator(a.Operator)
		if op != identity.StringEquals && op != identity.StringMatch {
			return in, badRequest("The operators of resource attributes are stringEquals and stringMatch.")
		}
		in.Attributes = append(in.Attributes, identity.ResourceAttribute{Name: a.Name, Value: a.Value, Operator: op})
	}
	return in, nil
}

func operator(written string) string {
	if written == "" {
		return identity.StringEquals
	}
	return written
}

// control is what a policy of the newer shape does.
type control struct {
	Grant granted `json:"grant"`
}

// UnmarshalJSON reads a whole object.
func (g *control) UnmarshalJSON(b []byte) error { return decodeObject(b, members{"grant": &g.Grant}) }

type granted struct {
	Roles []roleRef `json:"roles"`
}

// UnmarshalJSON reads a whole object.
func (g *granted) UnmarshalJSON(b []byte) error { return decodeObject(b, members{"roles": &g.Roles}) }

// policyV2 is a policy in the newer shape.
type policyV2 struct {
	Type        string                  `json:"type"`
	Description string                  `json:"description,omitempty"`
	Subject     attributes[attributeV2] `json:"subject"`
	Resource    attributes[attributeV2] `json:"resource"`
	Control     control                 `json:"control"`
	policyFacts
}

func showPolicyV2(h *Handler, p *directory.AccessPolicy) any {
	out := policyV2{
		Type: accessPolicy, Description: p.Description, policyFacts: h.policyFacts(policiesV2Path, p),
		Subject: attributes[attributeV2]{[]attributeV2{{iamIDAttribute, identity.StringEquals, p.IAMID()}}},
	}
	for _, name := range p.Roles {
		out.Control.Grant.Roles = append(out.Control.Grant.Roles, roleRef{CRN: roleOf(name).CRN})
	}
	for _, a := range p.Attributes {
		out.Resource.List = append(out.Resource.List, attributeV2{a.Name, a.Operator, a.Value})
	}
	return out
}

func readPolicyV2(c *call) (in directory.NewAccessPolicy, err error) {
	var p policyV2
	var pattern string
	var rule any
	if err = c.decode(members{
		"type": &p.Type, "description": &p.Description, "subject": &p.Subject, "resource": &p.Resource, "control": &p.Control,
		"pattern": &pattern, "rule": &rule,
	}); err != nil {
		return in, err
	}
	if rule != nil || pattern != "" {
		return in, badRequest("Properties 'rule' and 'pattern' are not served: policies hold at any time and for all attributes of a request.")
	}
	return newPolicy(p.Type, p.Description, olderShape(p.Subject.List), olderShape(p.Resource.List), p.Control.Grant.Roles)
}

func olderShape(list []attributeV2) []attribute {
	out := make([]attribute, len(list))
	for i, a := range list {
		out[i] = attribute{a.Key, a.Value, a.Operator}
	}
	return out
}
