package ibm

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"daypass/internal/directory"
	"daypass/internal/identity"
)

// Paths of the policy API: access policies in their older and newer shape, and
// the roles that they can give.
const (
	policiesPath   = "/v1/policies"
	policiesV2Path = "/v2/policies"
	rolesPath      = "/v2/roles"
)

var (
	policies   = policyEndpoints(policiesPath, "Policies", "Policy", shapeV1)
	policiesV2 = policyEndpoints(policiesV2Path, "V2Policies", "V2Policy", shapeV2)
)

// shape is how policies are written and read at one path.
type shape struct {
	read func(*call) (directory.NewAccessPolicy, error)
	show func(h *Handler, p *directory.AccessPolicy) any
}

func policyEndpoints(path, many, one string, s shape) map[string]endpoint {
	return map[string]endpoint{
		path: {many, map[string]operation{http.MethodGet: signed(s.list), http.MethodPost: signed(s.create)}},
		path + "/*": {one, map[string]operation{
			http.MethodGet: signed(s.get), http.MethodPut: signed(s.replace), http.MethodDelete: signed(deletePolicy),
		}},
	}
}

func (s shape) answer(h *Handler, status int, p *directory.AccessPolicy) answer {
	return answer{status: status, body: s.show(h, p), tag: p.Tag.String()}
}

func (s shape) create(h *Handler, c *call) (answer, error) {
	if _, err := c.query(); err != nil {
		return answer{}, err
	}
	in, err := s.read(c)
	if err != nil {
		return answer{}, err
	}
	p, err := h.Directory.CreateAccessPolicy(c.ctx, c.caller, in)
	if err != nil {
		return answer{}, err
	}
	return s.answer(h, http.StatusCreated, &p), nil
}

func (s shape) get(h *Handler, c *call) (answer, error) {
	q, err := c.query("format")
	if err == nil {
		err = q.unserved("format")
	}
	if err != nil {
		return answer{}, err
	}
	p, err := h.Directory.AccessPolicy(c.ctx, c.caller, c.names[0])
	if err != nil {
		return answer{}, err
	}
	return s.answer(h, http.StatusOK, &p), nil
}

func (s shape) replace(h *Handler, c *call) (answer, error) {
	if _, err := c.query(); err != nil {
		return answer{}, err
	}
	tag, err := c.ifMatch()
	if err != nil {
		return answer{}, err
	}
	in, err := s.read(c)
	if err != nil {
		return answer{}, err
	}
	p, err := h.Directory.ReplaceAccessPolicy(c.ctx, c.caller, c.names[0], tag, in)
	if err != nil {
		return answer{}, err
	}
	return s.answer(h, http.StatusOK, &p), nil
}

func deletePolicy(h *Handler, c *call) (answer, error) {
	if _, err := c.query(); err != nil {
		return answer{}, err
	}
	return noContent, h.Directory.DeleteAccessPolicy(c.ctx, c.caller, c.names[0])
}

// policyList is a page of policies; it speaks of pages when one was asked for.
type policyList struct {
	Limit    int       `json:"limit,omitempty"`
	First    *pageLink `json:"first,omitempty"`
	Next     *pageLink `json:"next,omitempty"`
	Policies []any     `json:"policies"`
}

type pageLink struct {
	Href  string `json:"href"`
	Start string `json:"start,omitempty"`
}

func (s shape) list(h *Handler, c *call) (answer, error) {
	q, err := c.query("account_id", "iam_id", "access_group_id", "type", "service_type", "service_name", "service_group_id", "tag_name",
		"tag_value", "sort", "format", "state", "limit", "start")
	if err != nil {
		return answer{}, err
	}
	if err := need("account_id", q["account_id"]); err != nil {
		return answer{}, err
	}
	if err := c.ownAccount(q["account_id"]); err != nil {
		return answer{}, err
	}
	if err := q.unserved("access_group_id", "service_type", "service_name", "service_group_id", "tag_name", "tag_value", "format"); err != nil {
		return answer{}, err
	}
	kind, err := q.oneOf("type", "access", "authorization")
	if err != nil {
		return answer{}, err
	}
	state, err := q.oneOf("state", "active", "deleted")
	if err != nil {
		return answer{}, err
	}
	p := directory.Page{Marker: q["start"], MaxItems: identity.AccessPoliciesPerAccount}
	if q["limit"] != "" {
		if p.MaxItems, err = strconv.Atoi(q["limit"]); err != nil || p.MaxItems < 1 || p.MaxItems > maxPage {
			return answer{}, invalidValue("limit")
		}
	}
	order, err := q.order()
	if err != nil {
		return answer{}, err
	}
	found, err := h.Directory.AccessPolicies(c.ctx, c.caller, directory.AccessPolicyFilter{IAMID: q["iam_id"], Sort: order}, p)
	if err != nil {
		return answer{}, err
	}
	if kind != "access" || state != "active" { // there are no others
		found = directory.Listing[directory.AccessPolicy]{}
	}
	return answer{status: http.StatusOK, body: s.page(h, c, q, p, &found)}, nil
}

func (s shape) page(h *Handler, c *call, q query, p directory.Page, found *directory.Listing[directory.AccessPolicy]) policyList {
	out := policyList{Policies: []any{}}
	for i := range found.Items {
		out.Policies = append(out.Policies, s.show(h, &found.Items[i]))
	}
	if q["limit"] == "" {
		return out
	}
	path, raw, _ := strings.Cut(c.r.RequestURI, "?")
	values, _ := url.ParseQuery(raw) // query has read it
	values.Del("start")
	out.Limit, out.First = p.MaxItems, &pageLink{Href: h.ExternalURL + path + "?" + values.Encode()}
	if found.Next != "" {
		values.Set("start", found.Next)
		out.Next = &pageLink{Href: h.ExternalURL + path + "?" + values.Encode(), Start: found.Next}
	}
	return out
}

// policyTime is how the policy API writes times.
const policyTime = "2006-01-02T15:04:05.000Z"

// policyFacts end every policy.
type policyFacts struct {
	ID         string `json:"id"`
	Href       string `json:"href"`
	CreatedAt  string `json:"created_at"`
	CreatedBy  string `json:"created_by_id"`
	ModifiedAt string `json:"last_modified_at"`
	ModifiedBy string `json:"last_modified_by_id"`
	State      string `json:"state"`
}

func (h *Handler) policyFacts(path string, p *directory.AccessPolicy) policyFacts {
	at := func(t time.Time) string { return t.UTC().Format(policyTime) }
	return policyFacts{p.ID, h.ExternalURL + path + "/" + p.ID, at(p.CreatedAt), p.CreatedBy, at(p.ModifiedAt), p.ModifiedBy, "active"}
}

// role is a role as the policy API shows it.
type role struct {
	CRN         string   `json:"crn"`
	Name        string   `json:"display_name"`
	Description string   `json:"description"`
	Actions     []string `json:"actions"`
}

// roleList are the roles of a service. Nobody can make roles.
type roleList struct {
	Custom  []role `json:"custom_roles"`
	Service []role `json:"service_roles"`
	System  []role `json:"system_roles"`
}

var roles = map[string]endpoint{rolesPath: {"Roles", map[string]operation{http.MethodGet: signed(listRoles)}}}

func listRoles(_ *Handler, c *call) (answer, error) {
	q, err := c.query("account_id", "service_name", "source_service_name", "policy_type", "service_group_id")
	if err != nil {
		return answer{}, err
	}
	if err := c.ownAccount(q["account_id"]); err != nil {
		return answer{}, err
	}
	if err := q.unserved("source_service_name", "service_group_id"); err != nil {
		return answer{}, err
	}
	if kind := q["policy_type"]; kind != "" && kind != "access" {
		return answer{}, q.unserved("policy_type")
	}
	found, ok := directory.IBMRoles(q["service_name"])
	if !ok {
		return answer{}, identity.NewError(identity.KindNotFound, "ibm.roles", "The service has no roles here.")
	}
	out := roleList{[]role{}, []role{}, []role{}}
	for _, r := range found {
		list := &out.Service
		if r.Platform {
			list = &out.System
		}
		*list = append(*list, role{r.CRN, r.Name, r.Description, r.Actions})
	}
	return answer{status: http.StatusOK, body: out}, nil
}

// roleOf finds a role by its name; every policy's are known.
func roleOf(name string) directory.IBMRole {
	all, _ := directory.IBMRoles("")
	i := slices.IndexFunc(all, func(r directory.IBMRole) bool { return r.Name == name })
	if i < 0 {
		return directory.IBMRole{Name: name}
	}
	return all[i]
}
