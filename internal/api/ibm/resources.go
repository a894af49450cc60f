package ibm

import (
	"net/http"
	"slices"
	"strings"

	"daypass/internal/directory"
	"daypass/internal/identity"
)

// resources are the calls of the resource manager and the resource controller
// that clients make to find groups and service instances, and to make these.
var resources = map[string]endpoint{
	"/v2/resource_groups":   {"ResourceGroups", map[string]operation{http.MethodGet: signed((*Handler).listGroups)}},
	"/v2/resource_groups/*": {"ResourceGroup", map[string]operation{http.MethodGet: signed((*Handler).readGroup)}},
	"/v2/resource_instances": {"ResourceInstances", map[string]operation{
		http.MethodGet: signed((*Handler).listInstances), http.MethodPost: signed((*Handler).createInstance),
	}},
	"/v2/resource_instances/*": {"ResourceInstance", map[string]operation{
		http.MethodGet: signed((*Handler).readInstance), http.MethodDelete: signed((*Handler).deleteInstance),
	}},
}

// resourceGroup is a group of service instances.
type resourceGroup struct {
	ID        string `json:"id"`
	CRN       string `json:"crn"`
	AccountID string `json:"account_id"`
	Name      string `json:"name"`
	State     string `json:"state"`
	Default   bool   `json:"default"`
}

func showGroup(account string, g *identity.ResourceGroup) resourceGroup {
	return resourceGroup{g.ID, groupCRN(account, g.ID), account, g.Name, "ACTIVE", g.Default}
}

func groupCRN(account, id string) string {
	return "crn:v1:bluemix:public:resource-controller::a/" + account + "::resource-group:" + id
}

type groupList struct {
	Resources []resourceGroup `json:"resources"`
}

func (h *Handler) listGroups(c *call) (answer, error) {
	q, err := c.query("account_id", "name", "default", "include_deleted", "date")
	if err != nil {
		return answer{}, err
	}
	if err := c.ownAccount(q["account_id"]); err != nil {
		return answer{}, err
	}
	if err := q.unserved("date"); err != nil {
		return answer{}, err
	}
	if _, err := q.flag("include_deleted"); err != nil { // none is remembered
		return answer{}, err
	}
	onlyDefault, err := q.flag("default")
	if err != nil {
		return answer{}, err
	}
	found, err := h.Directory.ResourceGroups(c.ctx, c.caller)
	if err != nil {
		return answer{}, err
	}
	out := groupList{[]resourceGroup{}}
	for i := range found {
		if g := &found[i]; (!onlyDefault || g.Default) && (q["name"] == "" || q["name"] == g.Name) {
			out.Resources = append(out.Resources, showGroup(c.caller.AccountID, g))
		}
	}
	return answer{status: http.StatusOK, body: out}, nil
}

func (h *Handler) readGroup(c *call) (answer, error) {
	if _, err := c.query(); err != nil {
		return answer{}, err
	}
	found, err := h.Directory.ResourceGroups(c.ctx, c.caller)
	if err != nil {
		return answer{}, err
	}
	i := slices.IndexFunc(found, func(g identity.ResourceGroup) bool { return g.ID == c.names[0] })
	if i < 0 {
		return answer{}, identity.NewError(identity.KindNotFound, "ibm.group", "")
	}
	return answer{status: http.StatusOK, body: showGroup(c.caller.AccountID, &found[i])}, nil
}

// instance is an instance of a service. Its ID is its CRN.
type instance struct {
	ID               string `json:"id"`
	GUID             string `json:"guid"`
	URL              string `json:"url"`
	CRN              string `json:"crn"`
	AccountID        string `json:"account_id"`
	Name             string `json:"name"`
	RegionID         string `json:"region_id"`
	ResourceGroupID  string `json:"resource_group_id"`
	ResourceGroupCRN string `json:"resource_group_crn"`
	ResourceID       string `json:"resource_id"` // the service
	ResourcePlanID   string `json:"resource_plan_id,omitempty"`
	Type             string `json:"type"`
	State            string `json:"state"`
	CreatedAt        string `json:"created_at,omitempty"` // of what the API made, as the rest
	CreatedBy        string `json:"created_by,omitempty"`
}

const instanceType, instanceState = "service_instance", "active"

func showInstance(account string, i *identity.ServiceInstance) instance {
	crn := i.CRN(account)
	out := instance{
		ID: crn, GUID: i.ID, URL: "/v2/resource_instances/" + i.ID, CRN: crn, AccountID: account, Name: i.Name, RegionID: i.Region,
		ResourceGroupID: i.ResourceGroupID, ResourceGroupCRN: groupCRN(account, i.ResourceGroupID), ResourceID: i.Service,
		Type: instanceType, State: instanceState,
	}
	if i.CreatedBy != "" {
		out.ResourcePlanID, out.CreatedAt, out.CreatedBy = i.Service+":"+i.Plan, timeText(i.CreatedAt), i.CreatedBy
	}
	return out
}

// instanceList is all there is: a site names few.
type instanceList struct {
	Rows      int        `json:"rows_count"`
	NextURL   *string    `json:"next_url"`
	Resources []instance `json:"resources"`
}

func (h *Handler) listInstances(c *call) (answer, error) {
	q, err := c.query("guid", "name", "resource_group_id", "resource_id", "resource_plan_id", "type", "sub_type", "limit", "start", "state", "updated_from", "updated_to")
	if err != nil {
		return answer{}, err
	}
	if err := q.unserved("resource_plan_id", "sub_type", "start", "updated_from", "updated_to"); err != nil {
		return answer{}, err
	}
	found, err := h.Directory.Instances(c.ctx, c.caller)
	if err != nil {
		return answer{}, err
	}
	out := instanceList{Resources: []instance{}}
	for i := range found {
		shown := showInstance(c.caller.AccountID, &found[i])
		if q.allows("guid", shown.GUID) && q.allows("name", shown.Name) && q.allows("resource_group_id", shown.ResourceGroupID) &&
			q.allows("resource_id", shown.ResourceID) && q.allows("type", shown.Type) && q.allows("state", shown.State) {
			out.Resources = append(out.Resources, shown)
		}
	}
	out.Rows = len(out.Resources)
	return answer{status: http.StatusOK, body: out}, nil
}

// allows reports whether a filter, when it is there, names the value.
func (q query) allows(name, value string) bool { return q[name] == "" || q[name] == value }

// readInstance takes the ID of the instance or its CRN.
func (h *Handler) readInstance(c *call) (answer, error) {
	if _, err := c.query(); err != nil {
		return answer{}, err
	}
	found, err := h.Directory.Instances(c.ctx, c.caller)
	if err != nil {
		return answer{}, err
	}
	for i := range found {
		if shown := showInstance(c.caller.AccountID, &found[i]); c.names[0] == shown.GUID || c.names[0] == shown.CRN {
			return answer{status: http.StatusOK, body: shown}, nil
		}
	}
	return answer{}, identity.NewError(identity.KindNotFound, "ibm.instance", "")
}

// createInstance takes as resource_plan_id, which in the original is an ID from a
// catalogue, the name of a service, alone or with a colon and a plan.
func (h *Handler) createInstance(c *call) (answer, error) {
	if _, err := c.query(); err != nil {
		return answer{}, err
	}
	if locked, err := c.switchHeader("Entity-Lock"); err != nil {
		return answer{}, err
	} else if locked {
		return answer{}, identity.NewError(identity.KindNotImplemented, "ibm.instance", "Locks of service instances are not served.")
	}
	var in directory.NewInstance
	plan := ""
	if err := c.decode(members{"name": &in.Name, "target": &in.Region, "resource_group": &in.ResourceGroupID, "resource_plan_id": &plan}); err != nil {
		return answer{}, err
	}
	in.Service, in.Plan, _ = strings.Cut(plan, ":")
	made, err := h.Directory.CreateInstance(c.ctx, c.caller, in)
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusCreated, body: showInstance(c.caller.AccountID, &made)}, nil
}

func (h *Handler) deleteInstance(c *call) (answer, error) {
	if _, err := c.query(); err != nil {
		return answer{}, err
	}
	return noContent, h.Directory.DeleteInstance(c.ctx, c.caller, c.names[0])
}
