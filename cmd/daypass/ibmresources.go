package main

import (
	"github.com/spf13/cobra"

	"daypass/internal/client"
)

func newResource() *cobra.Command {
	c := group(&cobra.Command{
		Use: "resource", Short: "Resource groups and service instances, as IBM Cloud's command line has them",
		Long: `Resource groups and service instances of the account, in the words and tables of IBM
Cloud's command line. The site file names them.`,
	}, "a verb is missing: groups, service-instances or service-instance")
	c.AddCommand(newResourceGroups(), newInstances(), newInstance())
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
			list, err := v.keeper.IBMInstances(v.c.Context())
			if err != nil {
				return err
			}
			i, err := oneOf("service instance", args[0], list, func(i *client.IBMInstance) (string, string) {
				if args[0] == i.ID {
					return i.Name, i.ID
				}
				return i.Name, i.GUID
			})
			if err != nil {
				return err
			}
			if v.asJSON {
				return v.json(i)
			}
			v.ok()
			return v.rows(row{"Name:", i.Name}, row{"ID:", i.ID}, row{"GUID:", i.GUID}, row{"Location:", i.RegionID}, row{"Service Name:", i.ResourceID},
				row{"Resource Group ID:", i.ResourceGroupID}, row{"State:", i.State}, row{"Type:", i.Type})
		}),
	}
	f.add(c)
	return c
}
