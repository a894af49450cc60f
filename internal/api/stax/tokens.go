package stax

import (
	"strings"
	"unicode/utf8"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
)

// maxFilter is how many access keys id_filter can name.
const maxFilter = 100

// apiToken is one entry of "ApiTokens"; SecretKey only of one just made.
type apiToken struct {
	AccessKey   string
	SecretKey   string `json:",omitempty"`
	Name        string
	Description string
	Role        string
	Status      string
	CreatedTS   string
	ModifiedTS  string
	CreatedBy   *string
	Tags        map[string]string
}

type tokensAnswer struct {
	APITokens []apiToken `json:"ApiTokens"`
}

func shownToken(u *identity.User) apiToken {
	out := apiToken{
		AccessKey: u.Name, Name: u.Token.Name, Description: u.Token.Description, Role: u.Token.Role, Status: statusActive,
		CreatedTS: timeOf(u.CreatedAt), ModifiedTS: timeOf(u.Token.ModifiedAt), Tags: u.Token.Tags,
	}
	if u.Token.Deleted {
		out.Status = statusDeleted
	}
	if u.Token.CreatedBy != "" {
		out.CreatedBy = &u.Token.CreatedBy
	}
	if out.Tags == nil {
		out.Tags = map[string]string{}
	}
	return out
}

func oneToken(u *identity.User, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return tokensAnswer{[]apiToken{shownToken(u)}}, nil
}

func listTokens(h *Handler, c *call) (any, error) {
	if err := c.onlyParameters("status", "id_filter"); err != nil {
		return nil, err
	}
	f := directory.APITokenFilter{}
	switch status := c.query["status"]; {
	case len(status) == 0, len(status) == 1 && status[0] == statusActive:
	case len(status) == 1 && status[0] == statusDeleted:
		f.Deleted = true
	default:
		return nil, refusal(identity.KindValidation, "status must be ACTIVE or DELETED")
	}
	for _, list := range c.query["id_filter"] {
		for _, id := range strings.Split(list, ",") {
			if id = strings.TrimSpace(id); id == "" {
				continue
			}
			if f.AccessKeys = append(f.AccessKeys, id); len(f.AccessKeys) > maxFilter {
				return nil, refusal(identity.KindValidation, "id_filter names too many tokens")
			}
		}
	}
	list, err := h.Directory.APITokens(c.ctx, c.caller, c.host, f, directory.Page{MaxItems: identity.APITokensPerAccount})
	if err != nil {
		return nil, err
	}
	out := tokensAnswer{APITokens: make([]apiToken, len(list.Items))}
	for i := range list.Items {
		out.APITokens[i] = shownToken(&list.Items[i])
	}
	return out, nil
}

func createToken(h *Handler, c *call) (any, error) {
	if err := c.noParameters(); err != nil {
		return nil, err
	}
	var name, role, description, keyID *string
	var store *bool // where to keep the secret is the client's business
	var tags tagMap
	if err := decode(c.body, members{
		"Name": &name, "Role": &role, "Description": &description, "Tags": &tags, "StoreToken": &store, "TokenKeyId": &keyID,
	}); err != nil {
		return nil, err
	}
	for _, required := range []struct {
		name  string
		value *string
	}{{"Name", name}, {"Role", role}} {
		if required.value == nil {
			return nil, refusal(identity.KindMissingParameter, required.name+" is required")
		}
	}
	if keyID != nil && *keyID == "" {
		return nil, refusal(identity.KindValidation, "TokenKeyId must not be empty")
	}
	made, err := h.Issuer.APIToken(c.ctx, c.caller, c.host, issue.NewAPIToken{
		Name: *name, Role: *role, Description: valueOf(description), KeyID: valueOf(keyID), Tags: tags,
	})
	if err != nil {
		return nil, err
	}
	out := shownToken(&made.User)
	out.SecretKey = made.Secret.Reveal()
	return tokensAnswer{[]apiToken{out}}, nil
}

func readToken(h *Handler, c *call) (any, error) {
	if err := c.noParameters(); err != nil {
		return nil, err
	}
	u, err := h.Directory.APIToken(c.ctx, c.caller, c.host, c.name)
	return oneToken(&u, err)
}

func updateToken(h *Handler, c *call) (any, error) {
	if err := c.noParameters(); err != nil {
		return nil, err
	}
	var in directory.APITokenChange
	var tags tagMap
	if err := decode(c.body, members{"Description": &in.Description, "Role": &in.Role, "Tags": &tags}); err != nil {
		return nil, err
	}
	in.Tags = tags
	if in.Description != nil && utf8.RuneCountInString(*in.Description) < 2 {
		return nil, refusal(identity.KindValidation, "Description must have 2 to 1024 characters")
	}
	u, err := h.Directory.UpdateAPIToken(c.ctx, c.caller, c.host, c.name, in)
	return oneToken(&u, err)
}

func deleteToken(h *Handler, c *call) (any, error) {
	if err := c.noParameters(); err != nil {
		return nil, err
	}
	u, err := h.Directory.DeleteAPIToken(c.ctx, c.caller, c.host, c.name)
	return oneToken(&u, err)
}
