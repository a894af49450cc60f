package ibm

import "net/http"

// templates are lists of what there is none of here: clients that list
// everything fail at an error.
var templates = map[string]endpoint{
	"/v1/profile_templates":            emptyList("ProfileTemplates", "profile_templates"),
	"/v1/profile_assignments":          emptyList("ProfileAssignments", "assignments"),
	"/v1/account_settings_templates":   emptyList("AccountSettingsTemplates", "account_settings_templates"),
	"/v1/account_settings_assignments": emptyList("AccountSettingsAssignments", "assignments"),
}

func emptyList(name, member string) endpoint {
	return endpoint{name, map[string]operation{http.MethodGet: signed(func(h *Handler, c *call) (answer, error) {
		q, err := c.query("account_id", "limit", "pagesize", "pagetoken", "sort", "order", "include_history",
			"template_id", "template_version", "target", "target_type", "principal")
		if err != nil {
			return answer{}, err
		}
		if err := c.ownAccount(q["account_id"]); err != nil {
			return answer{}, err
		}
		q["pagesize"] = q["limit"]
		p, err := q.page()
		if err != nil {
			return answer{}, err
		}
		l := h.listOf(c, p, 0, "")
		return answer{status: http.StatusOK, body: map[string]any{
			"offset": l.Offset, "limit": l.Limit, "first": l.First, member: []string{},
		}}, nil
	})}}
}
