package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"daypass/internal/identity"
)

// Names of resource attributes of access policies.
const (
	attrAccount       = "accountId"
	attrService       = "serviceName"
	attrServiceType   = "serviceType"
	attrInstance      = "serviceInstance"
	attrRegion        = "region"
	attrType          = "resourceType"
	attrResource      = "resource"
	attrResourceGroup = "resourceGroupId"
	attrKeyRing       = "keyRing"
)

// served are the attributes that each service has, besides those of the account
// and the service, and the types of its resources.
var served = map[string]struct{ attributes, types []string }{
	"":                          {[]string{attrResourceGroup}, nil},
	identity.IAMIdentity:        {[]string{attrType, attrResource}, []string{"account", "apikey", "profile", kindServiceID}},
	identity.IAMAccess:          {},
	identity.ResourceController: {[]string{attrType, attrResource}, []string{kindInstance, "resource-group"}},
	identity.KeyManagement:      {[]string{attrInstance, attrRegion, attrType, attrResource, attrKeyRing, attrResourceGroup}, []string{"key"}},
	identity.ObjectStorage:      {[]string{attrInstance, attrType, attrResource, attrResourceGroup}, []string{"bucket"}},
}

// patterned are the attributes whose values may have wildcards.
var patterned = []string{attrInstance, attrResource, attrKeyRing}

func unfit(format string, args ...any) error {
	return identity.NewError(identity.KindValidation, "policy.access", fmt.Sprintf(format, args...))
}

// CheckAccess judges the roles and attributes of an access policy of an account.
// What is not understood is refused, and so is what could never allow anything.
// KindValidation.
func CheckAccess(p *identity.AccessPolicy, account string) error {
	if err := p.Check(); err != nil {
		return err
	}
	if a, ok := p.Attribute(attrAccount); !ok || a.Value != account {
		return unfit("The resource attribute accountId must be there and name the account of the policy.")
	}
	service, named := p.Attribute(attrService)
	kind, typed := p.Attribute(attrServiceType)
	if of, known := served[service.Value]; !known || named && typed {
		return unfit("The resource attribute serviceName is one of %s, and stands without serviceType.", strings.Join(slices.Concat(accountServices, enabledServices), ", "))
	} else if err := checkAttributes(p, service.Value, of.attributes, of.types); err != nil {
		return err
	}
	if typed && kind.Value != "service" && kind.Value != "platform_service" {
		return unfit("The resource attribute serviceType is service or platform_service.")
	}
	for _, role := range p.Roles {
		if !slices.ContainsFunc(servicesOf(p), func(s string) bool { _, has := ibmRoles[s][role]; return has }) {
			return unfit("The role %s is not one of the service.", role)
		}
	}
	if Granted(p, account, "aws") == "" {
		return unfit("The policy gives nothing.")
	}
	return nil
}

func checkAttributes(p *identity.AccessPolicy, service string, names, types []string) error {
	for _, a := range p.Attributes {
		switch {
		case slices.Contains([]string{attrAccount, attrService, attrServiceType}, a.Name):
		case !slices.Contains(names, a.Name):
			if service == "" {
				service = "a policy without serviceName"
			}
			return unfit("The resource attribute %q is not one of %s.", a.Name, service)
		case a.Name == attrType && !slices.Contains(types, a.Value):
			return unfit("The resource attribute resourceType is one of %s.", strings.Join(types, ", "))
		}
		if a.Operator != identity.StringEquals && !slices.Contains(patterned, a.Name) {
			return unfit("The resource attribute %s takes the operator stringEquals alone.", a.Name)
		}
	}
	_, typed := p.Attribute(attrType)
	if _, named := p.Attribute(attrResource); named && !typed {
		return unfit("The resource attribute resource needs resourceType.")
	}
	return nil
}

// servicesOf are the services that a policy speaks of.
func servicesOf(p *identity.AccessPolicy) []string {
	if a, ok := p.Attribute(attrService); ok {
		return []string{a.Value}
	}
	if a, ok := p.Attribute(attrServiceType); ok && a.Value == "platform_service" {
		return accountServices
	}
	return enabledServices
}

// Granted is the document that an access policy of an account stands for.
func Granted(p *identity.AccessPolicy, account, partition string) string {
	type statement struct {
		Sid       string
		Effect    string
		Action    []string
		Resource  []string
		Condition map[string]map[string]string `json:",omitempty"`
	}
	doc := struct {
		Version   string
		Statement []statement
	}{Version: version2012}
	t := target{p, account, partition}
	for _, service := range servicesOf(p) {
		for _, role := range p.Roles {
			for i, may := range permissionsOf(ibmRoles[service], role) {
				resources := t.resources(service, may.kind)
				if resources == nil {
					continue
				}
				s := statement{
					Sid: role + "On" + strings.ReplaceAll(service, "-", ""), Effect: "Allow", Action: strings.Fields(may.actions),
					Resource: resources, Condition: t.conditions(service, &may),
				}
				if i > 0 {
					s.Sid += fmt.Sprint(i + 1)
				}
				doc.Statement = append(doc.Statement, s)
			}
		}
	}
	text, err := json.Marshal(doc)
	if err != nil || len(doc.Statement) == 0 {
		return "" // which denies
	}
	return string(text)
}

// target is what an access policy speaks of.
type target struct {
	policy             *identity.AccessPolicy
	account, partition string
}

// or is the value of an attribute, or another where there is none.
func (t *target) or(name, other string) string {
	if a, ok := t.policy.Attribute(name); ok {
		return a.Value
	}
	return other
}

// resources are the patterns of those that a permission of a service is about;
// nil for none.
func (t *target) resources(service, kind string) []string {
	scope := "a/" + t.account
	start := func(service string) string { return "crn:v1:bluemix:public:" + service + ":" }
	have := t.or(attrType, "")
	switch {
	case kind == kindSubject:
		return []string{start(identity.IAMIdentity) + ":" + scope + "::*", start(identity.IAMAccess) + ":" + scope + "::*"}
	case kind == kindInstance:
		return []string{start(service) + t.or(attrRegion, "*") + ":" + scope + ":" + t.or(attrInstance, "*") + "::"}
	case service == identity.ObjectStorage:
		if have == "" {
			return []string{"arn:" + t.partition + ":s3:::*"}
		}
		bucket := identity.BucketARN(t.partition, t.or(attrResource, "*"))
		return []string{bucket, bucket + "/*"}
	case kind != "" && have != "" && kind != have:
		return nil
	case kind != "":
		have = kind
	}
	rest := "*"
	if have != "" {
		rest = have + ":" + t.or(attrResource, "*")
	}
	if service == identity.KeyManagement {
		return []string{start(service) + t.or(attrRegion, "*") + ":" + scope + ":" + t.or(attrInstance, "*") + ":" + rest}
	}
	return []string{start(service) + ":" + scope + "::" + rest}
}

// conditionKeys are the attributes that resources do not have in their names,
// and the condition keys by which the services tell them.
var conditionKeys = []struct{ attribute, key string }{
	{attrKeyRing, "kms:KeyRing"}, {attrResourceGroup, "ibm:ResourceGroupId"},
}

func (t *target) conditions(service string, may *permission) map[string]map[string]string {
	out := map[string]map[string]string{}
	add := func(a identity.ResourceAttribute, key string) {
		operator := "StringEquals"
		if a.Operator == identity.StringMatch {
			operator = "StringLike"
		}
		if out[operator] == nil {
			out[operator] = map[string]string{}
		}
		out[operator][key] = a.Value
	}
	if may.owned { // not by people, whose IAM IDs begin otherwise
		add(identity.ResourceAttribute{Value: "iam-*", Operator: identity.StringMatch}, "iam-identity:ownerid")
	}
	for _, c := range conditionKeys {
		if a, ok := t.policy.Attribute(c.attribute); ok && !(c.attribute == attrKeyRing && may.kind == kindInstance) {
			add(a, c.key)
		}
	}
	if a, ok := t.policy.Attribute(attrInstance); ok && service == identity.ObjectStorage && may.kind != kindInstance {
		add(a, "ibm:ServiceInstance") // buckets are of the account, not of an instance
	}
	return out
}
