package policy

import (
	"slices"
	"strings"

	"daypass/internal/identity"
)

// IBMRole is a role of IBM's dialect. A platform role is of every service.
type IBMRole struct {
	Name, CRN, Description string
	Platform               bool
	// Actions are what it may do, as policies name it.
	Actions []string
}

// permission are actions on resources of one kind: "" is whatever the policy
// speaks of. owned leaves out the API keys of people.
type permission struct {
	kind    string
	owned   bool
	actions string // with blanks between
}

// roleTable is what one service lets a role do. A role has what the ones that it
// includes have besides.
type roleTable map[string]struct {
	includes string
	adds     []permission
}

// Kinds of resources in permissions.
const (
	kindInstance  = "instance"
	kindSubject   = "subject"
	kindServiceID = "serviceid"
)

const (
	seesInstance  = "resource-controller:instance.get"
	makesInstance = "resource-controller:instance.create resource-controller:instance.delete"
)

// ibmRoles is the one table of what roles mean, by service. The rows of kms are
// those of IBM's documents. Who may give somebody else a way to act as another,
// by an API key or by what a trusted profile trusts, is an Administrator.
var ibmRoles = map[string]roleTable{
	identity.IAMIdentity: {
		"Viewer": {"", []permission{{"", false, "iam-identity:account.get iam-identity:apikey.get iam-identity:apikey.list " +
			"iam-identity:profile.get iam-identity:profile.list iam-identity:serviceid.get iam-identity:serviceid.list"}}},
		"Operator": {"Viewer", []permission{
			{"", false, "iam-identity:serviceid.lock"},
			{"", true, "iam-identity:apikey.disable iam-identity:apikey.lock iam-identity:apikey.reportleaked"},
		}},
		"Editor": {"Operator", []permission{
			{"", false, "iam-identity:profile.create iam-identity:profile.delete " +
				"iam-identity:serviceid.create iam-identity:serviceid.delete iam-identity:serviceid.update"},
			{"", true, "iam-identity:apikey.delete iam-identity:apikey.update"},
		}},
		"Administrator": {"Editor", []permission{
			{"", false, "iam-identity:account.update iam-identity:apikey.delete iam-identity:apikey.disable iam-identity:apikey.lock " +
				"iam-identity:apikey.reportleaked iam-identity:apikey.update iam-identity:profile.trust iam-identity:profile.update"},
			{kindServiceID, false, "iam-identity:apikey.create"}, // people make their own
		}},
	},
	identity.IAMAccess: {
		"Viewer":   {"", []permission{{kindSubject, false, "iam-access-management:policy.get iam-access-management:policy.list"}}},
		"Operator": {"Viewer", nil},
		"Editor":   {"Operator", nil},
		"Administrator": {"Editor", []permission{
			{kindSubject, false, "iam-access-management:policy.create iam-access-management:policy.delete iam-access-management:policy.update"},
		}},
	},
	identity.ResourceController: {
		"Viewer": {"", []permission{{"", false, "resource-controller:instance.get resource-controller:instance.list " +
			"resource-controller:resource-group.get resource-controller:resource-group.list"}}},
		"Operator":      {"Viewer", nil},
		"Editor":        {"Operator", nil},
		"Administrator": {"Editor", nil},
	},
	identity.KeyManagement: {
		"Viewer":        {"", []permission{{kindInstance, false, seesInstance}}},
		"Operator":      {"Viewer", nil},
		"Editor":        {"Operator", []permission{{kindInstance, false, makesInstance}}},
		"Administrator": {"Editor", nil},
		"Reader": {"", []permission{{"", false, "kms:keyrings.list kms:registrations.list kms:secrets.head kms:secrets.list kms:secrets.listkeyversions " +
			"kms:secrets.readmetadata kms:secrets.rewrap kms:secrets.unwrap kms:secrets.wrap"}}},
		"ReaderPlus": {"Reader", []permission{{"", false, "kms:secrets.read"}}},
		"Writer": {"ReaderPlus", []permission{{"", false, "kms:importtoken.create kms:importtoken.read kms:keyrings.create kms:registrations.delete kms:registrations.write kms:secrets.create " +
			"kms:secrets.rotate kms:secrets.setkeyfordeletion kms:secrets.sync kms:secrets.unsetkeyfordeletion"}}},
		"Manager": {"Writer", []permission{{"", false, "kms:instancepolicies.read kms:instancepolicies.write kms:keyrings.delete kms:policies.read " +
			"kms:policies.write kms:secrets.delete kms:secrets.disable kms:secrets.enable kms:secrets.patch kms:secrets.restore kms:usage.read"}}},
		"KeyPurge": {"", []permission{{"", false, "kms:secrets.purge"}}},
	},
	identity.ObjectStorage: {
		"Viewer":        {"", []permission{{kindInstance, false, seesInstance}}},
		"Operator":      {"Viewer", nil},
		"Editor":        {"Operator", []permission{{kindInstance, false, makesInstance}}},
		"Administrator": {"Editor", nil},
		"Reader":        {"", []permission{{"", false, "s3:Get* s3:List*"}}},
		"Writer": {"Reader", []permission{{"", false, "s3:AbortMultipartUpload s3:DeleteObject s3:DeleteObjectTagging s3:DeleteObjectVersion " +
			"s3:DeleteObjectVersionTagging s3:PutObject s3:PutObjectTagging s3:PutObjectVersionTagging"}}},
		"Manager": {"Writer", []permission{{"", false, "s3:*"}}},
	},
}

// catalogue are the roles in the order of what they may; service is set where
// the role is of that service alone.
var catalogue = []struct{ name, service, description string }{
	{"Viewer", "", "See what there is and how it is set."},
	{"Operator", "", "See what there is, and switch it off and on."},
	{"Editor", "", "All that an operator may; make, change and delete as well."},
	{"Administrator", "", "All that an editor may; decide as well who may act as whom, and what others may."},
	{"Reader", "*", "Read, and use without changing."},
	{"ReaderPlus", identity.KeyManagement, "All that a reader may; read the payload of standard keys as well."},
	{"Writer", "*", "All that a reader may; make and change as well."},
	{"Manager", "*", "All that a writer may; everything else but purging keys as well."},
	{"KeyPurge", identity.KeyManagement, "Purge deleted keys, and nothing else."},
}

// Services that a policy without a service name speaks of.
var (
	enabledServices = []string{identity.KeyManagement, identity.ObjectStorage}
	accountServices = []string{identity.IAMIdentity, identity.IAMAccess, identity.ResourceController}
)

// IBMRoles lists the roles of a service, of all services when it is "". It
// reports false for a service that has none here.
func IBMRoles(service string) ([]IBMRole, bool) {
	services := []string{service}
	if service == "" {
		services = slices.Concat(accountServices, enabledServices)
	} else if ibmRoles[service] == nil {
		return nil, false
	}
	var out []IBMRole
	for _, c := range catalogue {
		if !slices.ContainsFunc(services, func(s string) bool { _, has := ibmRoles[s][c.name]; return has }) {
			continue
		}
		r := IBMRole{Name: c.name, Description: c.description, Platform: c.service == "", CRN: "crn:v1:bluemix:public:"}
		switch c.service {
		case "":
			r.CRN += "iam::::role:" + c.name
		case "*":
			r.CRN += "iam::::serviceRole:" + c.name
		default:
			r.CRN += c.service + "::::serviceRole:" + c.name
		}
		for _, s := range services {
			for _, p := range permissionsOf(ibmRoles[s], c.name) {
				r.Actions = append(r.Actions, strings.Fields(p.actions)...)
			}
		}
		slices.Sort(r.Actions)
		r.Actions = slices.Compact(r.Actions)
		out = append(out, r)
	}
	return out, true
}

// IBMRoleByCRN finds the name of a role by its CRN; "" for none.
func IBMRoleByCRN(crn string) string {
	all, _ := IBMRoles("")
	for _, r := range all {
		if r.CRN == crn {
			return r.Name
		}
	}
	return ""
}

// permissionsOf collects what a role may at a service, with the roles that it
// includes: one permission for each kind of resources.
func permissionsOf(table roleTable, role string) []permission {
	var out []permission
	for row, ok := table[role]; ok; row, ok = table[row.includes] {
		for _, p := range row.adds {
			i := slices.IndexFunc(out, func(o permission) bool { return o.kind == p.kind && o.owned == p.owned })
			if i < 0 {
				out = append(out, p)
			} else {
				out[i].actions = p.actions + " " + out[i].actions
			}
		}
	}
	return out
}
