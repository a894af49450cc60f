package main

import (
	"cmp"
	"errors"

	"github.com/spf13/cobra"

	"daypass/internal/client"
)

func newResource() *cobra.Command {
	c := group(&cobra.Command{
		Use: "resource", Short: "Resource groups and service instances, as IBM Cloud's command line has them",
		Long: `Resource groups and service instances of the account, in the words and tables of IBM
Cloud's command line. The site file names resource groups and some of the instances.`,
	}, "a verb is missing: groups, service-instances, service-instance, service-instance-create or service-instance-delete")
	c.AddCommand(newResourceGroups(), newInstances(), newInstance(), newInstanceCreate(), newInstanceDelete())
	return c
}

func newResourceGroups() *cobra.Command {
	var f ibmFlags
	c := &cobra.Command{
		Use:   "groups",
		Short: "List the resource groups of the account",
		Example: `  daypass resource groups
  daypass resource groups --output JSON`,
		Args: noArgs,
		RunE: f.serve(func(v *ibmVerb, _ []string) error {
			user, account, err := v.who()
			if err != nil {
				return err
			}
			v.doing("Retrieving all resource groups under account %s as %s...", account, user)
			list, err := v.keeper.IBMResourceGroups(v.c.Context())
			if err != nil {
				return err
			}
			if v.asJSON {
				return v.json(append([]client.IBMResourceGroup{}, list...))
			}
			v.ok()
			lines := [][]string{{"Name", "ID", "Default Group", "State"}}
			for _, g := range list {
				lines = append(lines, []string{g.Name, g.ID, yesNo(g.Default), g.State})
			}
			return v.table(lines)
		}),
	}
	f.add(c)
	return c
}

func newInstances() *cobra.Command {
	var (
		f       ibmFlags
		service string
	)
	c := &cobra.Command{
		Use:   "service-instances",
		Short: "List the service instances of the account",
		Example: `  daypass resource service-instances
  daypass resource service-instances --service-name kms --output JSON`,
		Args: noArgs,
		RunE: f.serve(func(v *ibmVerb, _ []string) error {
			user, account, err := v.who()
			if err != nil {
				return err
			}
			v.doing("Retrieving service instances in all resource groups and all locations under account %s as %s...", account, user)
			list, err := v.keeper.IBMInstances(v.c.Context())
			if err != nil {
				return err
			}
			found := []client.IBMInstance{}
			for _, i := range list {
				if service == "" || i.ResourceID == service {
					found = append(found, i)
				}
			}
			if v.asJSON {
				return v.json(found)
			}
			v.ok()
			if len(found) == 0 {
				v.say("No service instance found.")
				return nil
			}
			lines := [][]string{{"Name", "Location", "State", "Type", "GUID"}}
			for _, i := range found {
				lines = append(lines, []string{i.Name, i.RegionID, i.State, i.Type, i.GUID})
			}
			return v.table(lines)
		}),
	}
	f.add(c)
	c.Flags().StringVar(&service, "service-name", "", "only instances of this `service`, such as kms")
	return c
}

func newInstance() *cobra.Command {
	var f ibmFlags
	c := &cobra.Command{
		Use:     "service-instance NAME|ID",
		Short:   "Show a service instance",
		Example: "  daypass resource service-instance kms-demo",
		Args:    oneArg("name one service instance, by NAME, GUID or CRN"),
		RunE: f.serve(func(v *ibmVerb, args []string) error {
			user, account, err := v.who()
			if err != nil {
				return err
			}
			v.doing("Retrieving service instance %s in all resource groups under account %s as %s...", args[0], account, user)
			i, err := v.findInstance(args[0])
			if err != nil {
				return err
			}
			if v.asJSON {
				return v.json(i)
			}
			v.ok()
			return v.showInstance(i)
		}),
	}
	f.add(c)
	return c
}

// findInstance finds a service instance by its name, GUID or CRN.
func (v *ibmVerb) findInstance(name string) (*client.IBMInstance, error) {
	list, err := v.keeper.IBMInstances(v.c.Context())
	if err != nil {
		return nil, err
	}
	return oneOf("service instance", name, list, func(i *client.IBMInstance) (string, string) {
		if name == i.ID {
			return i.Name, i.ID
		}
		return i.Name, i.GUID
	})
}

func (v *ibmVerb) showInstance(i *client.IBMInstance) error {
	return v.rows(row{"Name:", i.Name}, row{"ID:", i.ID}, row{"GUID:", i.GUID}, row{"Location:", i.RegionID}, row{"Service Name:", i.ResourceID},
		row{"Resource Group ID:", i.ResourceGroupID}, row{"State:", i.State}, row{"Type:", i.Type})
}

func newInstanceCreate() *cobra.Command {
	var (
		f     ibmFlags
		group string
	)
	c := &cobra.Command{
		Use:   "service-instance-create NAME SERVICE PLAN LOCATION",
		Short: "Make a service instance",
		Long: `Make an instance of a service, such as kms or cloud-object-storage, in a region, in the
resource group that is targeted or the default one. The plan is noted, and nothing depends on it.`,
		Example: `  daypass resource service-instance-create keys kms tiered-pricing us-south
  daypass resource service-instance-create files cloud-object-storage standard global -g Default`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 4 {
				return &usageError{c.CommandPath(), errors.New("give NAME SERVICE PLAN LOCATION")}
			}
			return nil
		},
		RunE: f.serve(func(v *ibmVerb, args []string) error {
			user, account, err := v.who()
			if err != nil {
				return err
			}
			name, id, err := v.groupOf(cmp.Or(group, v.profile.ResourceGroup))
			if err != nil {
				return err
			}
			v.doing("Creating service instance %s in resource group %s of account %s as %s...", args[0], cell(name), account, user)
			i, err := v.keeper.CreateIBMInstance(v.c.Context(), args[0], args[1], args[2], args[3], id)
			if err != nil {
				return err
			}
			if v.asJSON {
				return v.json(i)
			}
			v.ok()
			v.say("Service instance %s was created.\n", args[0])
			return v.showInstance(&i)
		}),
	}
	f.add(c)
	c.Flags().StringVarP(&group, "group", "g", "", "`name` of the resource group")
	return c
}

// groupOf finds a resource group by its name, or the default one for "".
func (v *ibmVerb) groupOf(name string) (found, id string, err error) {
	list, err := v.keeper.IBMResourceGroups(v.c.Context())
	if err != nil {
		return "", "", err
	}
	var names []string
	for _, g := range list {
		if g.Name == name || name == "" && g.Default {
			return g.Name, g.ID, nil
		}
		names = append(names, g.Name)
	}
	return "", "", unknown("resource group", name, names)
}

func newInstanceDelete() *cobra.Command {
	var (
		f     ibmFlags
		force bool
	)
	c := &cobra.Command{
		Use:   "service-instance-delete NAME|ID",
		Short: "Take a service instance away that was made by service-instance-create",
		Example: `  daypass resource service-instance-delete keys
  daypass resource service-instance-delete 00000000-1111-4222-8333-444455556666 --force`,
		Args: oneArg("name one service instance, by NAME, GUID or CRN"),
		RunE: f.serve(func(v *ibmVerb, args []string) error {
			user, account, err := v.who()
			if err != nil {
				return err
			}
			v.doing("Deleting service instance %s of account %s as %s...", args[0], account, user)
			i, err := v.findInstance(args[0])
			if err != nil {
				return err
			}
			if yes, err := v.confirmed(force, "Really delete service instance "+cell(i.Name)+" ("+i.GUID+")?"); err != nil || !yes {
				return err
			}
			if err := v.keeper.DeleteIBMInstance(v.c.Context(), i.GUID); err != nil {
				return err
			}
			v.ok()
			v.say("Service instance %s is deleted successfully", cell(i.Name))
			return nil
		}),
	}
	f.add(c)
	c.Flags().BoolVarP(&force, "force", "f", false, "do not ask")
	return c
}
