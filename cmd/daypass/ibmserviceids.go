package main

import (
	"strings"

	"github.com/spf13/cobra"

	"daypass/internal/client"
)

func serviceIDVerbs() []*cobra.Command {
	return []*cobra.Command{
		newServiceIDCreate(), newServiceIDList(), newServiceIDShow(), newServiceIDUpdate(), newServiceIDDelete(),
		newServiceIDLock("service-id-lock", "Lock a service ID: it can be neither changed nor deleted", true, "locked"),
		newServiceIDLock("service-id-unlock", "Unlock a service ID", false, "unlocked"),
	}
}

func (v *ibmVerb) showServiceID(s *client.IBMServiceID) error {
	return v.rows(row{"ID", s.ID}, row{"Name", s.Name}, row{"Description", s.Description}, row{"CRN", s.CRN}, row{"Version", s.EntityTag},
		row{"Locked", yesNo(s.Locked)})
}

func newServiceIDCreate() *cobra.Command {
	var (
		f           ibmFlags
		description string
		lock        bool
	)
	c := &cobra.Command{
		Use:   "service-id-create NAME",
		Short: "Make a service ID: the identity of a program",
		Long: `Make a service ID, the identity of a program. It has no password: give it API keys
(service-api-key-create), and policies that say what it may do.`,
		Example: `  daypass iam service-id-create builds -d "the build machines"
  daypass iam service-api-key-create main builds --file builds.json`,
		Args: oneArg("name the service ID"),
		RunE: f.serve(func(v *ibmVerb, args []string) error {
			user, _, err := v.who()
			if err != nil {
				return err
			}
			v.doing("Creating service ID %s bound to current account as %s...", args[0], user)
			s, err := v.keeper.CreateIBMServiceID(v.c.Context(), args[0], description, lock)
			if err != nil {
				return err
			}
			if v.asJSON {
				return v.json(s)
			}
			v.ok()
			v.say("Service ID %s is created successfully\n", args[0])
			return v.showServiceID(&s)
		}),
	}
	f.add(c)
	c.Flags().StringVarP(&description, "description", "d", "", "`text` that says what it is for")
	c.Flags().BoolVar(&lock, "lock", false, "lock it: it can be neither changed nor deleted")
	return c
}

func newServiceIDList() *cobra.Command {
	var f ibmFlags
	c := &cobra.Command{
		Use:   "service-ids",
		Short: "List the service IDs of the account",
		Example: `  daypass iam service-ids
  daypass iam service-ids --output JSON`,
		Args: noArgs,
		RunE: f.serve(func(v *ibmVerb, _ []string) error {
			user, account, err := v.who()
			if err != nil {
				return err
			}
			v.doing("Getting all service IDs bound to account %s as %s...", account, user)
			list, err := v.keeper.IBMServiceIDs(v.c.Context(), "")
			if err != nil {
				return err
			}
			if v.asJSON {
				return v.json(append([]client.IBMServiceID{}, list...))
			}
			v.ok()
			if len(list) == 0 {
				v.say("No service ID found")
				return nil
			}
			lines := [][]string{{"ID", "Name", "Created At", "Last Updated", "Description", "Locked"}}
			for _, s := range list {
				lines = append(lines, []string{s.ID, s.Name, s.CreatedAt, s.ModifiedAt, s.Description, yesNo(s.Locked)})
			}
			return v.table(lines)
		}),
	}
	f.add(c)
	return c
}

// findServiceID finds a service ID by its ID, with or without "iam-" before it, or
// by its name.
func (v *ibmVerb) findServiceID(name string) (*client.IBMServiceID, error) {
	if id := strings.TrimPrefix(name, "iam-"); strings.HasPrefix(id, "ServiceId-") {
		s, err := v.keeper.IBMServiceID(v.c.Context(), id)
		return &s, err
	}
	list, err := v.keeper.IBMServiceIDs(v.c.Context(), name)
	if err != nil {
		return nil, err
	}
	return oneOf("service ID", name, list, func(s *client.IBMServiceID) (string, string) { return s.Name, s.ID })
}

const nameServiceID = "name one service ID, by NAME or ID"

// serviceIDVerb is a verb about one service ID, which is found first.
func serviceIDVerb(f *ibmFlags, c *cobra.Command, doing string, do func(v *ibmVerb, s *client.IBMServiceID) error) *cobra.Command {
	c.Args = oneArg(nameServiceID)
	c.RunE = f.serve(func(v *ibmVerb, args []string) error {
		user, account, err := v.who()
		if err != nil {
			return err
		}
		v.doing("%s service ID %s bound to account %s as %s...", doing, args[0], account, user)
		s, err := v.findServiceID(args[0])
		if err != nil {
			return err
		}
		return do(v, s)
	})
	f.add(c)
	return c
}

func newServiceIDShow() *cobra.Command {
	var f ibmFlags
	return serviceIDVerb(&f, &cobra.Command{
		Use:     "service-id NAME|ID",
		Short:   "Show a service ID",
		Example: "  daypass iam service-id builds\n  daypass iam service-id builds --output JSON",
	}, "Getting", func(v *ibmVerb, s *client.IBMServiceID) error {
		if v.asJSON {
			return v.json(s)
		}
		v.ok()
		return v.showServiceID(s)
	})
}

func newServiceIDUpdate() *cobra.Command {
	var (
		f      ibmFlags
		labels labelFlags
	)
	c := serviceIDVerb(&f, &cobra.Command{
		Use:     "service-id-update NAME|ID",
		Short:   "Give a service ID another name or description",
		Example: `  daypass iam service-id-update builds -n old-builds -d "to be removed"`,
	}, "Updating", func(v *ibmVerb, s *client.IBMServiceID) error {
		updated, err := v.keeper.UpdateIBMServiceID(v.c.Context(), s, labels.change(v.c))
		if err != nil {
			return err
		}
		if v.asJSON {
			return v.json(updated)
		}
		v.ok()
		v.say("Service ID %s is updated successfully\n", s.Name)
		return v.showServiceID(&updated)
	})
	labels.add(c)
	return c
}

func newServiceIDDelete() *cobra.Command {
	var (
		f     ibmFlags
		force bool
	)
	c := serviceIDVerb(&f, &cobra.Command{
		Use:   "service-id-delete NAME|ID",
		Short: "Delete a service ID with its API keys, which ends what was obtained with them",
		Example: `  daypass iam service-id-delete builds
  daypass iam service-id-delete ServiceId-00000000-1111-2222-3333-444444444444 --force`,
	}, "Deleting", func(v *ibmVerb, s *client.IBMServiceID) error {
		if yes, err := v.confirmed(force, "Really delete service ID "+cell(s.Name)+" ("+s.ID+") with its API keys?"); err != nil || !yes {
			return err
		}
		if err := v.keeper.DeleteIBMServiceID(v.c.Context(), s.ID); err != nil {
			return err
		}
		v.ok()
		v.say("Service ID %s is deleted successfully", cell(s.Name))
		return nil
	})
	c.Flags().BoolVarP(&force, "force", "f", false, "do not ask")
	return c
}

func newServiceIDLock(use, short string, locked bool, done string) *cobra.Command {
	var f ibmFlags
	doing := "Unlocking"
	if locked {
		doing = "Locking"
	}
	return serviceIDVerb(&f, &cobra.Command{
		Use: use + " NAME|ID", Short: short, Example: "  daypass iam " + use + " builds",
	}, doing, func(v *ibmVerb, s *client.IBMServiceID) error {
		if err := v.keeper.LockIBMServiceID(v.c.Context(), s.ID, locked); err != nil {
			return err
		}
		v.ok()
		v.say("Service ID %s is %s", cell(s.Name), done)
		return nil
	})
}
