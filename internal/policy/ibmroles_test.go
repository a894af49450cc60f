package policy

import (
	"slices"
	"strings"
	"testing"
	"time"

	"daypass/internal/identity"
)

const (
	grantee  = "123456789012"
	instance = "00000000-1111-4222-8333-444444444444"
	other    = "99999999-1111-4222-8333-444444444444"
)

// accessPolicy makes one of "name=value" attributes; "~" makes it a pattern.
func accessPolicy(roles string, attributes ...string) *identity.AccessPolicy {
	p := &identity.AccessPolicy{ID: instance, Roles: strings.Fields(roles)}
	for _, text := range append([]string{"accountId=" + grantee}, attributes...) {
		name, value, ok := strings.Cut(text, "=")
		operator := identity.StringEquals
		if !ok {
			name, value, _ = strings.Cut(text, "~")
			operator = identity.StringMatch
		}
		p.Attributes = append(p.Attributes, identity.ResourceAttribute{Name: name, Value: value, Operator: operator})
	}
	return p
}

// may asks the engine what an access policy allows.
func may(t testing.TB, p *identity.AccessPolicy, action, resource string, keys Keys) bool {
	t.Helper()
	if err := CheckAccess(p, grantee); err != nil {
		t.Fatalf("%v %v: %v", p.Roles, p.Attributes, err)
	}
	document, err := Parse(InlinePolicy, Granted(p, grantee, "aws"), Options{ID: p.InlineName(), Partition: "aws"})
	if err != nil {
		t.Fatalf("%v: %v", err, Granted(p, grantee, "aws"))
	}
	r := Request{
		Principal: Principal{Kind: identity.ServiceID, Account: grantee, ID: "iam-ServiceId-" + other}, Action: action, Resource: resource,
		ResourceAccount: grantee, Time: time.Unix(0, 0), Context: keys,
	}
	return Evaluate(&r, &Set{Identity: []*Policy{document}}).Allowed()
}

// TestRolesOfKeyManagement compares each role with IBM's table, action by
// action.
func TestRolesOfKeyManagement(t *testing.T) {
	t.Parallel()
	reader := "keyrings.list registrations.list secrets.head secrets.list secrets.listkeyversions secrets.readmetadata secrets.rewrap secrets.unwrap secrets.wrap"
	plus := reader + " secrets.read"
	writer := plus + " importtoken.create importtoken.read keyrings.create secrets.create secrets.rotate secrets.setkeyfordeletion secrets.sync secrets.unsetkeyfordeletion"
	manager := writer + " instancepolicies.read instancepolicies.write keyrings.delete policies.read policies.write secrets.delete secrets.disable secrets.enable secrets.patch secrets.restore usage.read"
	all := manager + " secrets.purge"
	crn := "crn:v1:bluemix:public:kms:us-south:a/" + grantee + ":" + instance + ":key:" + other
	for role, want := range map[string]string{
		"Reader": reader, "ReaderPlus": plus, "Writer": writer, "Manager": manager, "KeyPurge": "secrets.purge", "Manager KeyPurge": all,
		"Viewer": "", "Operator": "", "Editor": "", "Administrator": "",
	} {
		p := accessPolicy(role, "serviceName=kms")
		for _, action := range strings.Fields(all) {
			if got := may(t, p, "kms:"+action, crn, nil); got != slices.Contains(strings.Fields(want), action) {
				t.Errorf("%s, %s: allowed %v", role, action, got)
			}
		}
		if may(t, p, "kms:secrets.somethingnew", crn, nil) || may(t, p, "s3:GetObject", "arn:aws:s3:::b/k", nil) {
			t.Errorf("%s may what it is not about", role)
		}
	}
}

// TestAttributesChoose asks about resources that attributes choose and others.
func TestAttributesChoose(t *testing.T) {
	t.Parallel()
	kms := func(region, account, instance, rest string) string {
		return "crn:v1:bluemix:public:kms:" + region + ":a/" + account + ":" + instance + ":" + rest
	}
	key := kms("us-south", grantee, instance, "key:"+other)
	for _, c := range []struct {
		name             string
		p                *identity.AccessPolicy
		action, resource string
		keys             Keys
		want             bool
	}{
		{"any key", accessPolicy("Reader", "serviceName=kms"), "kms:secrets.wrap", key, nil, true},
		{"the instance itself", accessPolicy("Reader", "serviceName=kms"), "kms:secrets.list", kms("us-south", grantee, instance, ":"), nil, true},
		{"another account", accessPolicy("Reader", "serviceName=kms"), "kms:secrets.wrap", kms("us-south", "1", instance, "key:"+other), nil, false},
		{"its instance", accessPolicy("Reader", "serviceName=kms", "serviceInstance="+instance), "kms:secrets.wrap", key, nil, true},
		{"another instance", accessPolicy("Reader", "serviceName=kms", "serviceInstance="+other), "kms:secrets.wrap", key, nil, false},
		{"another region", accessPolicy("Reader", "serviceName=kms", "region=eu-de"), "kms:secrets.wrap", key, nil, false},
		{"its region", accessPolicy("Reader", "serviceName=kms", "region=us-south"), "kms:secrets.wrap", key, nil, true},
		{"its key", accessPolicy("Reader", "serviceName=kms", "resourceType=key", "resource="+other), "kms:secrets.wrap", key, nil, true},
		{"another key", accessPolicy("Reader", "serviceName=kms", "resourceType=key", "resource="+instance), "kms:secrets.wrap", key, nil, false},
		{"keys are not the instance", accessPolicy("Reader", "serviceName=kms", "resourceType=key"), "kms:secrets.list", kms("us-south", grantee, instance, ":"), nil, false},
		{"keys by pattern", accessPolicy("Reader", "serviceName=kms", "resourceType=key", "resource~9999*"), "kms:secrets.wrap", key, nil, true},
		{"its ring", accessPolicy("Reader", "serviceName=kms", "keyRing=red"), "kms:secrets.wrap", key, Keys{"kms:keyring": {"red"}}, true},
		{"another ring", accessPolicy("Reader", "serviceName=kms", "keyRing=red"), "kms:secrets.wrap", key, Keys{"kms:keyring": {"blue"}}, false},
		{"no ring", accessPolicy("Reader", "serviceName=kms", "keyRing=red"), "kms:secrets.wrap", key, nil, false},
		{"a ring by pattern", accessPolicy("Reader", "serviceName=kms", "keyRing~r*"), "kms:secrets.wrap", key, Keys{"kms:keyring": {"red"}}, true},
		{"its resource group", accessPolicy("Reader", "resourceGroupId=g1"), "kms:secrets.wrap", key, Keys{"ibm:resourcegroupid": {"g1"}}, true},
		{"another resource group", accessPolicy("Reader", "resourceGroupId=g1"), "kms:secrets.wrap", key, Keys{"ibm:resourcegroupid": {"g2"}}, false},
		{"all services", accessPolicy("Writer"), "s3:PutObject", "arn:aws:s3:::b/k", nil, true},
		{"all services, the account's", accessPolicy("Viewer"), "iam-identity:apikey.list", identity.IAMIdentityCRN(grantee, "apikey", "*"), nil, false},
		{"the account's services", accessPolicy("Viewer", "serviceType=platform_service"), "iam-identity:apikey.list", identity.IAMIdentityCRN(grantee, "apikey", "*"), nil, true},
		{"a role of one of the services", accessPolicy("KeyPurge", "serviceType=service"), "s3:GetObject", "arn:aws:s3:::b/k", nil, false},
		{"a bucket", accessPolicy("Reader", "serviceName=cloud-object-storage", "resourceType=bucket", "resource=b"), "s3:ListBucket", "arn:aws:s3:::b", nil, true},
		{"an object in it", accessPolicy("Reader", "serviceName=cloud-object-storage", "resourceType=bucket", "resource=b"), "s3:GetObject", "arn:aws:s3:::b/k", nil, true},
		{"another bucket", accessPolicy("Reader", "serviceName=cloud-object-storage", "resourceType=bucket", "resource=b"), "s3:GetObject", "arn:aws:s3:::bb/k", nil, false},
		{"a reader writes", accessPolicy("Reader", "serviceName=cloud-object-storage"), "s3:PutObject", "arn:aws:s3:::b/k", nil, false},
		{"a writer deletes", accessPolicy("Writer", "serviceName=cloud-object-storage"), "s3:DeleteObject", "arn:aws:s3:::b/k", nil, true},
		{"a writer makes a bucket", accessPolicy("Writer", "serviceName=cloud-object-storage"), "s3:CreateBucket", "arn:aws:s3:::b", nil, false},
		{"a writer lets others in", accessPolicy("Writer", "serviceName=cloud-object-storage"), "s3:PutObjectAcl", "arn:aws:s3:::b/k", nil, false},
		{"a manager makes a bucket", accessPolicy("Manager", "serviceName=cloud-object-storage"), "s3:CreateBucket", "arn:aws:s3:::b", nil, true},
		{"by an instance", accessPolicy("Reader", "serviceName=cloud-object-storage", "serviceInstance="+instance), "s3:GetObject", "arn:aws:s3:::b/k", Keys{"ibm:serviceinstance": {instance}}, true},
		{"by another instance", accessPolicy("Reader", "serviceName=cloud-object-storage", "serviceInstance="+instance), "s3:GetObject", "arn:aws:s3:::b/k", Keys{"ibm:serviceinstance": {other}}, false},
		{"by no instance", accessPolicy("Reader", "serviceName=cloud-object-storage", "serviceInstance="+instance), "s3:GetObject", "arn:aws:s3:::b/k", nil, false},
		{"sees its instance", accessPolicy("Viewer", "serviceName=kms", "serviceInstance="+instance), "resource-controller:instance.get", kms("us-south", grantee, instance, ":"), nil, true},
		{"sees another instance", accessPolicy("Viewer", "serviceName=kms", "serviceInstance="+instance), "resource-controller:instance.get", kms("us-south", grantee, other, ":"), nil, false},
	} {
		if got := may(t, c.p, c.action, c.resource, c.keys); got != c.want {
			t.Errorf("%s: allowed %v, want %v: %s", c.name, got, c.want, Granted(c.p, grantee, "aws"))
		}
	}
}

// TestPlatformRoles compares the platform roles on the account's own services.
func TestPlatformRoles(t *testing.T) {
	t.Parallel()
	programs := Keys{"iam-identity:ownerid": {"iam-ServiceId-" + other}}
	people := Keys{"iam-identity:ownerid": {"IBMid-AIDAIOSFODNN7EXAMPLE"}}
	id := func(kind, name string) string { return identity.IAMIdentityCRN(grantee, kind, name) }
	roles := []string{"Viewer", "Operator", "Editor", "Administrator"}
	for _, c := range []struct {
		action, resource string
		keys             Keys
		from             string // the first of roles that may, "" for none
	}{
		{"iam-identity:apikey.list", id("apikey", "*"), nil, "Viewer"},
		{"iam-identity:apikey.list", id("user", "IBMid-A"), nil, "Viewer"},
		{"iam-identity:apikey.get", id("apikey", "ApiKey-"+other), people, "Viewer"},
		{"iam-identity:serviceid.get", id("serviceid", "ServiceId-"+other), nil, "Viewer"},
		{"iam-identity:profile.list", id("profile", "*"), nil, "Viewer"},
		{"iam-identity:account.get", id("account", grantee), nil, "Viewer"},
		{"iam-identity:apikey.disable", id("apikey", "ApiKey-"+other), programs, "Operator"},
		{"iam-identity:apikey.lock", id("apikey", "ApiKey-"+other), people, "Administrator"},
		{"iam-identity:serviceid.lock", id("serviceid", "ServiceId-"+other), nil, "Operator"},
		{"iam-identity:serviceid.create", id("serviceid", "*"), nil, "Editor"},
		{"iam-identity:serviceid.delete", id("serviceid", "ServiceId-"+other), nil, "Editor"},
		{"iam-identity:profile.create", id("profile", "*"), nil, "Editor"},
		{"iam-identity:profile.update", id("profile", "Profile-"+other), nil, "Administrator"},
		{"iam-identity:profile.trust", id("profile", "Profile-"+other), nil, "Administrator"},
		{"iam-identity:apikey.update", id("apikey", "ApiKey-"+other), programs, "Editor"},
		{"iam-identity:apikey.delete", id("apikey", "ApiKey-"+other), people, "Administrator"},
		{"iam-identity:apikey.create", id("serviceid", "ServiceId-"+other), nil, "Administrator"},
		{"iam-identity:apikey.create", id("user", "IBMid-A"), nil, ""},
		{"iam-identity:account.update", id("account", grantee), nil, "Administrator"},
		{"iam-access-management:policy.list", identity.AccessPolicyCRN(grantee, "*"), nil, "Viewer"},
		{"iam-access-management:policy.get", id("user", "IBMid-A"), nil, "Viewer"},
		{"iam-access-management:policy.create", id("serviceid", "ServiceId-"+other), nil, "Administrator"},
		{"iam-access-management:policy.delete", id("user", "IBMid-A"), nil, "Administrator"},
		{"resource-controller:instance.list", "crn:v1:bluemix:public:resource-controller::a/" + grantee + "::instance:*", nil, "Viewer"},
		{"iam:PutUserPolicy", "arn:aws:iam::" + grantee + ":user/a", nil, ""},
		{"sts:AssumeRole", "arn:aws:iam::" + grantee + ":role/a", nil, ""},
		{"kms:secrets.wrap", "crn:v1:bluemix:public:kms:us-south:a/" + grantee + ":" + instance + ":key:" + other, nil, ""},
	} {
		for i, role := range roles {
			want := c.from != "" && i >= slices.Index(roles, c.from)
			if got := may(t, accessPolicy(role, "serviceType=platform_service"), c.action, c.resource, c.keys); got != want {
				t.Errorf("%s, %s on %s: allowed %v", role, c.action, c.resource, got)
			}
		}
	}
	at := func(region string) string {
		return "crn:v1:bluemix:public:kms:" + region + ":a/" + grantee + ":" + instance + "::"
	}
	for i, role := range roles {
		p := accessPolicy(role, "serviceName=kms", "region=us-south")
		editor := i >= slices.Index(roles, "Editor")
		if may(t, p, "resource-controller:instance.create", at("us-south"), nil) != editor || may(t, p, "resource-controller:instance.delete", at("us-south"), nil) != editor ||
			may(t, p, "resource-controller:instance.create", at("eu-de"), nil) {
			t.Errorf("%s: instances of kms", role)
		}
	}
	one := accessPolicy("Administrator", "serviceName=iam-identity", "resourceType=serviceid", "resource=ServiceId-"+other)
	if !may(t, one, "iam-identity:apikey.create", id("serviceid", "ServiceId-"+other), nil) || may(t, one, "iam-identity:apikey.create", id("serviceid", "ServiceId-"+instance), nil) ||
		may(t, accessPolicy("Administrator", "serviceName=iam-identity", "resourceType=apikey"), "iam-identity:apikey.create", id("serviceid", "ServiceId-"+other), nil) {
		t.Error("an Administrator of one service ID, or of keys alone, makes keys for another")
	}
}

// TestAccessPolicyRefused: what is not understood, and what could never allow
// anything, is refused.
func TestAccessPolicyRefused(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]*identity.AccessPolicy{
		"no role":                    accessPolicy("", "serviceName=kms"),
		"unknown role":               accessPolicy("Owner", "serviceName=kms"),
		"a role of another service":  accessPolicy("KeyPurge", "serviceName=cloud-object-storage"),
		"a role twice":               accessPolicy("Reader Reader", "serviceName=kms"),
		"unknown service":            accessPolicy("Viewer", "serviceName=databases"),
		"service and type":           accessPolicy("Viewer", "serviceName=kms", "serviceType=service"),
		"unknown type of services":   accessPolicy("Viewer", "serviceType=all"),
		"unknown attribute":          accessPolicy("Viewer", "serviceName=kms", "color=red"),
		"a ring of buckets":          accessPolicy("Reader", "serviceName=cloud-object-storage", "keyRing=red"),
		"attributes of no service":   accessPolicy("Reader", "serviceInstance="+instance),
		"unknown resource type":      accessPolicy("Reader", "serviceName=kms", "resourceType=bucket"),
		"a resource without a type":  accessPolicy("Reader", "serviceName=kms", "resource="+other),
		"an attribute twice":         accessPolicy("Reader", "serviceName=kms", "keyRing=a", "keyRing=b"),
		"a wildcard that is none":    accessPolicy("Reader", "serviceName=kms", "keyRing=a*"),
		"a variable":                 accessPolicy("Reader", "serviceName=kms", "keyRing~${aws:username}"),
		"a colon":                    accessPolicy("Reader", "serviceName=kms", "serviceInstance=a:b"),
		"a slash":                    accessPolicy("Reader", "serviceName=cloud-object-storage", "resourceType=bucket", "resource=b/k"),
		"beyond ASCII":               accessPolicy("Reader", "serviceName=kms", "keyRing=é"),
		"an empty value":             accessPolicy("Reader", "serviceName=kms", "keyRing="),
		"a long value":               accessPolicy("Reader", "serviceName=kms", "keyRing="+strings.Repeat("a", 256)),
		"a pattern of services":      accessPolicy("Reader", "serviceName~*"),
		"a pattern of regions":       accessPolicy("Reader", "serviceName=kms", "region~*"),
		"resource group of identity": accessPolicy("Viewer", "serviceName=iam-identity", "resourceGroupId=g"),
	} {
		if err := CheckAccess(p, grantee); identity.KindOf(err) != identity.KindValidation {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := CheckAccess(accessPolicy("Viewer", "serviceName=kms"), "another"); identity.KindOf(err) != identity.KindValidation {
		t.Errorf("another account: %v", err)
	}
}

// TestEveryRoleCompiles: whatever is accepted is a document that the engine
// reads, and a role's actions are in it.
func TestEveryRoleCompiles(t *testing.T) {
	t.Parallel()
	for service := range ibmRoles {
		roles, ok := IBMRoles(service)
		if !ok || len(roles) < 4 {
			t.Errorf("%s: %v", service, roles)
		}
		for _, r := range roles {
			p := accessPolicy(r.Name, "serviceName="+service)
			if err := CheckAccess(p, grantee); err != nil || IBMRoleByCRN(r.CRN) != r.Name || len(r.Actions) == 0 {
				t.Errorf("%s, %+v: %v", service, r, err)
			}
			if Load(InlinePolicy, Granted(p, grantee, "aws"), Options{}).Unreadable() != nil {
				t.Errorf("%s, %s: %s", service, r.Name, Granted(p, grantee, "aws"))
			}
		}
	}
	if _, ok := IBMRoles("databases"); ok || IBMRoleByCRN("crn:v1:bluemix:public:iam::::role:Owner") != "" {
		t.Error("there are roles of nothing")
	}
}
