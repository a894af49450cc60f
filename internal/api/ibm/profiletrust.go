package ibm

import (
	"encoding/json"
	"net/http"

	"daypass/internal/identity"
)

// rule is a rule of a trusted profile.
type rule struct {
	ID         string      `json:"id"`
	EntityTag  string      `json:"entity_tag"`
	CreatedAt  string      `json:"created_at"`
	ModifiedAt string      `json:"modified_at"`
	Name       string      `json:"name,omitempty"`
	Type       string      `json:"type"`
	RealmName  string      `json:"realm_name,omitempty"`
	Expiration int         `json:"expiration"`
	CRType     string      `json:"cr_type,omitempty"`
	Conditions []condition `json:"conditions"`
}

// condition is one of a rule's; its value is JSON in a string.
type condition struct {
	Claim    string `json:"claim"`
	Operator string `json:"operator"`
	Value    string `json:"value"`
}

// UnmarshalJSON reads a whole object.
func (v *condition) UnmarshalJSON(b []byte) error {
	return decodeObject(b, members{"claim": &v.Claim, "operator": &v.Operator, "value": &v.Value})
}

func showRule(r *identity.ProfileRule) rule {
	out := rule{
		ID: r.ID, EntityTag: r.Tag.String(), CreatedAt: timeText(r.CreatedAt), ModifiedAt: timeText(r.ModifiedAt), Name: r.Name, Type: r.Type,
		RealmName: r.RealmName, Expiration: r.Expiration, CRType: r.CRType, Conditions: []condition{},
	}
	for _, v := range r.Conditions {
		out.Conditions = append(out.Conditions, condition(v))
	}
	return out
}

// rule reads the body of a new or changed rule.
func (c *call) rule() (identity.ProfileRule, error) {
	var out identity.ProfileRule
	var conditions []condition
	var context json.RawMessage // of the original's answers, which clients may send back
	err := c.decode(members{
		"name": &out.Name, "type": &out.Type, "realm_name": &out.RealmName, "cr_type": &out.CRType, "expiration": &out.Expiration,
		"conditions": &conditions, "context": &context,
	})
	if err != nil {
		return out, err
	}
	for _, v := range conditions {
		out.Conditions = append(out.Conditions, identity.ProfileCondition(v))
	}
	return out, need("type", out.Type)
}

// trust reads a profile for what of it says who may become it.
func (h *Handler) trust(c *call) (*identity.TrustedProfile, error) {
	if _, err := c.query(); err != nil {
		return nil, err
	}
	u, err := h.Directory.TrustedProfile(c.ctx, c.caller, c.names[0])
	return u.Profile, err
}

func noPart() error { return identity.NewError(identity.KindNotFound, "ibm.profile", "") }

func (h *Handler) listRules(c *call) (answer, error) {
	p, err := h.trust(c)
	if err != nil {
		return answer{}, err
	}
	out := struct {
		Rules []rule `json:"rules"`
	}{[]rule{}}
	for i := range p.Rules {
		out.Rules = append(out.Rules, showRule(&p.Rules[i]))
	}
	return answer{status: http.StatusOK, body: out}, nil
}

func (h *Handler) readRule(c *call) (answer, error) {
	p, err := h.trust(c)
	if err != nil {
		return answer{}, err
	}
	r := p.Rule(c.names[1])
	if r == nil {
		return answer{}, noPart()
	}
	return answer{status: http.StatusOK, body: showRule(r), tag: r.Tag.String()}, nil
}

func (h *Handler) createRule(c *call) (answer, error) {
	if _, err := c.query(); err != nil {
		return answer{}, err
	}
	in, err := c.rule()
	if err != nil {
		return answer{}, err
	}
	r, err := h.Directory.CreateProfileRule(c.ctx, c.caller, c.names[0], in)
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusCreated, body: showRule(&r), tag: r.Tag.String()}, nil
}

func (h *Handler) updateRule(c *call) (answer, error) {
	if _, err := c.query(); err != nil {
		return answer{}, err
	}
	tag, err := c.ifMatch()
	if err != nil {
		return answer{}, err
	}
	in, err := c.rule()
	if err != nil {
		return answer{}, err
	}
	r, err := h.Directory.UpdateProfileRule(c.ctx, c.caller, c.names[0], c.names[1], tag, in)
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusOK, body: showRule(&r), tag: r.Tag.String()}, nil
}

func (h *Handler) deleteRule(c *call) (answer, error) {
	if _, err := c.query(); err != nil {
		return answer{}, err
	}
	return noContent, h.Directory.DeleteProfileRule(c.ctx, c.caller, c.names[0], c.names[1])
}

// link is a compute resource that may become a trusted profile.
type link struct {
	ID         string     `json:"id"`
	EntityTag  string     `json:"entity_tag"`
	CreatedAt  string     `json:"created_at"`
	ModifiedAt string     `json:"modified_at"`
	Name       string     `json:"name,omitempty"`
	CRType     string     `json:"cr_type"`
	Link       linkObject `json:"link"`
}

type linkObject struct {
	CRN           string `json:"crn,omitempty"`
	Namespace     string `json:"namespace,omitempty"`
	Name          string `json:"name,omitempty"`
	ComponentType string `json:"component_type,omitempty"`
	ComponentName string `json:"component_name,omitempty"`
}

// UnmarshalJSON reads a whole object.
func (v *linkObject) UnmarshalJSON(b []byte) error {
	return decodeObject(b, members{
		"crn": &v.CRN, "namespace": &v.Namespace, "name": &v.Name, "component_type": &v.ComponentType, "component_name": &v.ComponentName,
	})
}

func showLink(l *identity.ProfileLink) link {
	return link{
		l.ID, l.Tag.String(), timeText(l.CreatedAt), timeText(l.ModifiedAt), l.Name, l.CRType,
		linkObject{l.CRN, l.Namespace, l.Resource, l.ComponentType, l.ComponentName},
	}
}

func (h *Handler) listLinks(c *call) (answer, error) {
	p, err := h.trust(c)
	if err != nil {
		return answer{}, err
	}
	out := struct {
		Links []link `json:"links"`
	}{[]link{}}
	for i := range p.Links {
		out.Links = append(out.Links, showLink(&p.Links[i]))
	}
	return answer{status: http.StatusOK, body: out}, nil
}

func (h *Handler) readLink(c *call) (answer, error) {
	p, err := h.trust(c)
	if err != nil {
		return answer{}, err
	}
	l := p.Link(c.names[1])
	if l == nil {
		return answer{}, noPart()
	}
	return answer{status: http.StatusOK, body: showLink(l), tag: l.Tag.String()}, nil
}

func (h *Handler) createLink(c *call) (answer, error) {
	if _, err := c.query(); err != nil {
		return answer{}, err
	}
	in, across, of := identity.ProfileLink{}, false, linkObject{}
	if err := c.decode(members{"name": &in.Name, "cr_type": &in.CRType, "link": &of, "is_cross_account": &across}); err != nil {
		return answer{}, err
	}
	if across {
		return answer{}, identity.NewError(identity.KindNotImplemented, "ibm.link", "A link to another account's compute resource is not served.")
	}
	if err := need("cr_type", in.CRType); err != nil {
		return answer{}, err
	}
	in.CRN, in.Namespace, in.Resource, in.ComponentType, in.ComponentName = of.CRN, of.Namespace, of.Name, of.ComponentType, of.ComponentName
	l, err := h.Directory.CreateProfileLink(c.ctx, c.caller, c.names[0], in)
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusCreated, body: showLink(&l), tag: l.Tag.String()}, nil
}

func (h *Handler) deleteLink(c *call) (answer, error) {
	if _, err := c.query(); err != nil {
		return answer{}, err
	}
	return noContent, h.Directory.DeleteProfileLink(c.ctx, c.caller, c.names[0], c.names[1])
}
