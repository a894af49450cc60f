package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"daypass/internal/client"
	"daypass/internal/identity"
)

// policySubject is a kind of principals that policies are about.
type policySubject struct {
	word, noun, argument, example string
	// find finds the IAM ID of the one that is named.
	find func(v *ibmVerb, name string) (string, error)
}

var policySubjects = []policySubject{
	{"user", "user", "USER", "IBMid-AIDAIOSFODNN7EXAMPLE", (*ibmVerb).userIAMID},
	{"service", "service ID", "SERVICE_ID", "builds", func(v *ibmVerb, name string) (string, error) {
		s, err := v.findServiceID(name)
		if err != nil {
			return "", err
		}
		return s.IAMID, nil
	}},
}

// userIAMID takes an IAM ID, or the name of who is logged in.
func (v *ibmVerb) userIAMID(name string) (string, error) {
	if strings.HasPrefix(name, "IBMid-") {
		return name, nil
	}
	t, err := v.keeper.IBMToken(v.c.Context(), client.RenewalWindow)
	if err == nil && name == t.User {
		return t.IAMID, nil
	}
	if err == nil {
		err = identity.NewError(identity.KindNotFound, "ibm.user", "user "+name+" was not found: name another user than yourself by its IAM ID (IBMid-…), which 'daypass target --output JSON' shows to it")
	}
	return "", err
}

func policyVerbs() (out []*cobra.Command) {
	for _, s := range policySubjects {
		out = append(out, newPolicyCreate(s), newPolicyList(s), newPolicyShow(s), newPolicyDelete(s))
	}
	return append(out, newRoles())
}

// policyFlags say what a policy gives, and on what.
type policyFlags struct {
	ibmFlags
	file, description, roles                      string
	service, instance, where, kind, name, ofGroup string
}

func (f *policyFlags) add(c *cobra.Command) {
	f.ibmFlags.add(c)
	flags := c.Flags()
	flags.StringVar(&f.file, "file", "", "JSON `file` of a policy: roles and resources")
	flags.StringVar(&f.roles, "roles", "", "`names` of roles, as in Viewer,Manager (daypass iam roles)")
	flags.StringVarP(&f.description, "description", "d", "", "`text` that says what it is for")
	flags.StringVar(&f.service, "service-name", "", "`name` of the service, such as kms")
	flags.StringVar(&f.instance, "service-instance", "", "`GUID` of one instance of the service")
	flags.StringVar(&f.where, "region", "", "`name` of the region of the resources")
	flags.StringVar(&f.kind, "resource-type", "", "`type` of the resources, such as key")
	flags.StringVar(&f.name, "resource", "", "`ID` of one resource")
	flags.StringVar(&f.ofGroup, "resource-group-id", "", "`ID` of a resource group")
	c.MarkFlagsOneRequired("file", "roles")
	c.MarkFlagsMutuallyExclusive("file", "roles")
}

// policy is what the flags say.
func (f *policyFlags) policy(v *ibmVerb, account string) (p client.IBMPolicy, err error) {
	if f.file != "" {
		data, err := wholeSecret(v.c, f.file)
		if err != nil {
			return p, err
		}
		if err := json.Unmarshal([]byte(data.Reveal()), &p); err != nil {
			return p, errors.Join(errors.New(f.file+" is no policy"), err)
		}
		return client.IBMPolicy{Description: p.Description, Roles: p.Roles, Resources: p.Resources}, nil
	}
	p.Description = f.description
	if p.Roles, err = v.rolesNamed(f.service, strings.Split(f.roles, ",")); err != nil {
		return p, err
	}
	resource := client.IBMAttributes{List: []client.IBMAttribute{{Name: "accountId", Value: account}}}
	for _, a := range [][2]string{
		{"serviceName", f.service},
		{"serviceInstance", f.instance},
		{"region", f.where},
		{"resourceType", f.kind},
		{"resource", f.name},
		{"resourceGroupId", f.ofGroup},
	} {
		if a[1] != "" {
			resource.List = append(resource.List, client.IBMAttribute{Name: a[0], Value: a[1]})
		}
	}
	p.Resources = []client.IBMAttributes{resource}
	return p, nil
}

// rolesNamed finds roles by their names, in any case.
func (v *ibmVerb) rolesNamed(service string, names []string) (out []client.IBMRole, err error) {
	all, err := v.keeper.IBMRoles(v.c.Context(), service)
	if err != nil {
		return nil, err
	}
	var known []string
	for _, r := range all {
		known = append(known, r.Name)
	}
	for _, name := range names {
		name = strings.TrimSpace(name)
		i := slices.IndexFunc(known, func(k string) bool { return strings.EqualFold(k, name) })
		if i < 0 {
			return nil, unknown("role", name, known)
		}
		out = append(out, client.IBMRole{CRN: all[i].CRN})
	}
	return out, nil
}

// attributeNames are how people call the attributes of resources.
var attributeNames = map[string]string{
	"serviceName": "Service Name", "serviceInstance": "Service Instance", "region": "Region", "resourceType": "Resource Type",
	"resource": "Resource", "resourceGroupId": "Resource Group ID", "keyRing": "Key Ring", "accountId": "Account ID",
}

func (v *ibmVerb) showPolicies(list []client.IBMPolicy) error {
	for i, p := range list {
		if i > 0 {
			v.say("")
		}
		var roles []string
		for _, r := range p.Roles {
			roles = append(roles, r.Name)
		}
		rows := []row{{"Policy ID:", p.ID}, {"Roles:", strings.Join(roles, ", ")}}
		if p.Description != "" {
			rows = append(rows, row{"Description:", p.Description})
		}
		name := "Resources:"
		for _, resource := range p.Resources {
			for _, a := range resource.List {
				rows = append(rows, row{name, fmt.Sprintf("%-18s %s", cmp.Or(attributeNames[a.Name], a.Name), a.Value)})
				name = ""
			}
		}
		if err := v.rows(rows...); err != nil {
			return err
		}
	}
	return nil
}

// policyVerb is a verb about policies of one principal, which is found first;
// other arguments follow its name.
func policyVerb(f *ibmFlags, s policySubject, c *cobra.Command, arguments int, doing string, do func(v *ibmVerb, iamID string, args []string) error) *cobra.Command {
	c.Args = func(_ *cobra.Command, args []string) error {
		if len(args) != arguments {
			return fmt.Errorf("name the %s by its name or ID%s", s.noun, map[int]string{2: ", then the policy by its ID"}[arguments])
		}
		return nil
	}
	c.RunE = f.serve(func(v *ibmVerb, args []string) error {
		user, account, err := v.who()
		if err != nil {
			return err
		}
		v.doing("%s under account %s for %s %s as %s...", doing, account, s.noun, args[0], user)
		iamID, err := s.find(v, args[0])
		if err != nil {
			return err
		}
		return do(v, iamID, args[1:])
	})
	return c
}

func newPolicyCreate(s policySubject) *cobra.Command {
	var f policyFlags
	c := policyVerb(&f.ibmFlags, s, &cobra.Command{
		Use:   s.word + "-policy-create " + s.argument,
		Short: "Give roles to a " + s.noun,
		Example: "  daypass iam " + s.word + "-policy-create " + s.example + " --roles Manager --service-name kms\n" +
			"  daypass iam " + s.word + "-policy-create " + s.example + " --file policy.json",
	}, 1, "Creating policy", func(v *ibmVerb, iamID string, _ []string) error {
		_, account, err := v.who()
		if err != nil {
			return err
		}
		p, err := f.policy(v, account)
		if err != nil {
			return err
		}
		made, err := v.keeper.CreateIBMPolicy(v.c.Context(), iamID, p)
		if err != nil {
			return err
		}
		if v.asJSON {
			return v.json(made)
		}
		v.ok()
		v.say("Policy is successfully created\n")
		return v.showPolicies([]client.IBMPolicy{made})
	})
	f.add(c)
	return c
}

// plural is how the list of policies is called.
var plural = map[string]string{"user": "user-policies", "service": "service-policies"}

func newPolicyList(s policySubject) *cobra.Command {
	var f ibmFlags
	c := policyVerb(&f, s, &cobra.Command{
		Use: plural[s.word] + " " + s.argument, Short: "List the policies of a " + s.noun,
		Example: "  daypass iam " + plural[s.word] + " " + s.example,
	}, 1, "Getting policies", func(v *ibmVerb, iamID string, _ []string) error {
		list, err := v.keeper.IBMPolicies(v.c.Context(), iamID)
		if err != nil {
			return err
		}
		if v.asJSON {
			return v.json(append([]client.IBMPolicy{}, list...))
		}
		v.ok()
		if len(list) == 0 {
			v.say("No policy found.")
		}
		return v.showPolicies(list)
	})
	f.add(c)
	return c
}

func newPolicyShow(s policySubject) *cobra.Command {
	var f ibmFlags
	c := policyVerb(&f, s, &cobra.Command{
		Use: s.word + "-policy " + s.argument + " POLICY_ID", Short: "Show a policy of a " + s.noun,
		Example: "  daypass iam " + s.word + "-policy " + s.example + " 00000000-1111-2222-3333-444444444444",
	}, 2, "Getting policy", func(v *ibmVerb, iamID string, args []string) error {
		p, err := v.keeper.IBMPolicy(v.c.Context(), iamID, args[0])
		if err != nil {
			return err
		}
		if v.asJSON {
			return v.json(p)
		}
		v.ok()
		return v.showPolicies([]client.IBMPolicy{p})
	})
	f.add(c)
	return c
}

func newPolicyDelete(s policySubject) *cobra.Command {
	var (
		f     ibmFlags
		force bool
	)
	c := policyVerb(&f, s, &cobra.Command{
		Use: s.word + "-policy-delete " + s.argument + " POLICY_ID", Short: "Take a policy away from a " + s.noun,
		Example: "  daypass iam " + s.word + "-policy-delete " + s.example + " 00000000-1111-2222-3333-444444444444 --force",
	}, 2, "Deleting policy", func(v *ibmVerb, iamID string, args []string) error {
		p, err := v.keeper.IBMPolicy(v.c.Context(), iamID, args[0])
		if err != nil {
			return err
		}
		if yes, err := v.confirmed(force, "Really delete policy "+p.ID+"?"); err != nil || !yes {
			return err
		}
		if err := v.keeper.DeleteIBMPolicy(v.c.Context(), p.ID); err != nil {
			return err
		}
		v.ok()
		v.say("Policy %s is deleted successfully", p.ID)
		return nil
	})
	f.add(c)
	c.Flags().BoolVarP(&force, "force", "f", false, "do not ask")
	return c
}

func newRoles() *cobra.Command {
	var (
		f       ibmFlags
		service string
	)
	c := &cobra.Command{
		Use: "roles", Short: "List the roles that a policy may give",
		Example: "  daypass iam roles\n  daypass iam roles --service-name kms",
		Args:    noArgs,
		RunE: f.serve(func(v *ibmVerb, _ []string) error {
			v.doing("Getting roles...")
			list, err := v.keeper.IBMRoles(v.c.Context(), service)
			if err != nil {
				return err
			}
			if v.asJSON {
				return v.json(append([]client.IBMRole{}, list...))
			}
			v.ok()
			lines := [][]string{{"Name", "Role ID", "Description"}}
			for _, r := range list {
				lines = append(lines, []string{r.Name, r.CRN, r.Description})
			}
			return v.table(lines)
		}),
	}
	f.add(c)
	c.Flags().StringVar(&service, "service-name", "", "only roles of this `service`, such as kms")
	return c
}
