package ibm

import (
	"net/http"

	"daypass/internal/identity"
)

// profileIdentity is a user, a service ID or a CRN that may become a trusted
// profile.
type profileIdentity struct {
	IAMID       string   `json:"iam_id"`
	Identifier  string   `json:"identifier"`
	Type        string   `json:"type"`
	Accounts    []string `json:"accounts,omitempty"`
	Description string   `json:"description,omitempty"`
}

func showIdentity(v *identity.ProfileIdentity) profileIdentity {
	return profileIdentity{v.IAMID(), v.Identifier, v.Type, v.Accounts, v.Description}
}

// UnmarshalJSON reads a whole object; iam_id is taken from answers and follows
// from the rest.
func (v *profileIdentity) UnmarshalJSON(b []byte) error {
	return decodeObject(b, v.members())
}

func (v *profileIdentity) members() members {
	return members{
		"iam_id": &v.IAMID, "identifier": &v.Identifier, "type": &v.Type, "accounts": &v.Accounts, "description": &v.Description,
	}
}

func (v *profileIdentity) noun() (identity.ProfileIdentity, error) {
	out := identity.ProfileIdentity{Type: v.Type, Identifier: v.Identifier, Accounts: v.Accounts, Description: v.Description}
	if err := need("type", v.Type); err != nil {
		return out, err
	}
	return out, need("identifier", v.Identifier)
}

// identityList is who may become a trusted profile.
type identityList struct {
	EntityTag  string            `json:"entity_tag"`
	Identities []profileIdentity `json:"identities"`
}

func showIdentities(p *identity.TrustedProfile) answer {
	out := identityList{p.IdentitiesTag.String(), []profileIdentity{}}
	for i := range p.Identities {
		out.Identities = append(out.Identities, showIdentity(&p.Identities[i]))
	}
	return answer{status: http.StatusOK, body: out, tag: out.EntityTag}
}

func (h *Handler) listIdentities(c *call) (answer, error) {
	p, err := h.trust(c)
	if err != nil {
		return answer{}, err
	}
	return showIdentities(p), nil
}

func (h *Handler) setIdentities(c *call) (answer, error) {
	if _, err := c.query(); err != nil {
		return answer{}, err
	}
	tag, err := c.ifMatch()
	if err != nil {
		return answer{}, err
	}
	var list []profileIdentity
	if err := c.decode(members{"identities": &list}); err != nil {
		return answer{}, err
	}
	var nouns []identity.ProfileIdentity
	for i := range list {
		noun, err := list[i].noun()
		if err != nil {
			return answer{}, err
		}
		nouns = append(nouns, noun)
	}
	u, err := h.Directory.SetProfileIdentities(c.ctx, c.caller, c.names[0], tag, nouns)
	if err != nil {
		return answer{}, err
	}
	return showIdentities(u.Profile), nil
}

func (h *Handler) addIdentity(c *call) (answer, error) {
	if _, err := c.query(); err != nil {
		return answer{}, err
	}
	var in profileIdentity
	if err := c.decode(in.members()); err != nil {
		return answer{}, err
	}
	noun, err := in.noun()
	if err != nil {
		return answer{}, err
	}
	if noun.Type != c.names[1] {
		return answer{}, invalidValue("type")
	}
	v, err := h.Directory.AddProfileIdentity(c.ctx, c.caller, c.names[0], noun)
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusOK, body: showIdentity(&v)}, nil
}

func (h *Handler) readIdentity(c *call) (answer, error) {
	p, err := h.trust(c)
	if err != nil {
		return answer{}, err
	}
	v := p.Identity(c.names[1], c.names[2])
	if v == nil {
		return answer{}, noPart()
	}
	return answer{status: http.StatusOK, body: showIdentity(v)}, nil
}

func (h *Handler) deleteIdentity(c *call) (answer, error) {
	if _, err := c.query(); err != nil {
		return answer{}, err
	}
	return noContent, h.Directory.DeleteProfileIdentity(c.ctx, c.caller, c.names[0], c.names[1], c.names[2])
}
