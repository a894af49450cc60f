package main

import (
	"errors"

	"github.com/spf13/cobra"

	"daypass/internal/client"
)

func serviceKeyVerbs() []*cobra.Command {
	return []*cobra.Command{
		newServiceKeyCreate(), newServiceKeyList(),
		newServiceKeyShow(), newServiceKeyUpdate(), newServiceKeyDelete(),
		newServiceKeySwitch("service-api-key-lock", "Lock an API key of a service ID", client.IBMLock, true, "locked"),
		newServiceKeySwitch("service-api-key-unlock", "Unlock an API key of a service ID", client.IBMLock, false, "unlocked"),
		newServiceKeySwitch("service-api-key-disable", "Disable an API key of a service ID, which ends what was obtained with it", client.IBMDisable, true, "disabled"),
		newServiceKeySwitch("service-api-key-enable", "Enable an API key of a service ID", client.IBMDisable, false, "enabled"),
	}
}

// keyAndService is for verbs about an API key of a service ID.
func keyAndService(_ *cobra.Command, args []string) error {
	if len(args) != 2 {
		return errors.New("name the API key, then its service ID by NAME or ID")
	}
	return nil
}

func newServiceKeyCreate() *cobra.Command {
	var f apiKeyFlags
	c := &cobra.Command{
		Use:   "service-api-key-create NAME SERVICE_ID",
		Short: "Make an API key of a service ID",
		Long: `Make an API key of a service ID, which is named by its name or ID. The key is shown
now and never again: printed, or with --file written into a new file that you alone
may read.`,
		Example: `  daypass iam service-api-key-create main builds --file builds.json
  daypass login -a URL --profile builds --apikey @builds.json`,
		Args: keyAndService,
		RunE: f.serve(func(v *ibmVerb, args []string) error {
			user, account, err := v.who()
			if err != nil {
				return err
			}
			s, err := v.findServiceID(args[1])
			if err != nil {
				return err
			}
			file, err := newKeyFile(f.file, f.force)
			if err != nil {
				return err
			}
			v.doing("Creating API key %s of service ID %s under account %s as %s...", args[0], args[1], account, user)
			key, err := v.keeper.CreateIBMAPIKey(v.c.Context(), client.NewIBMAPIKey{
				Name: args[0], Description: f.description, IAMID: s.IAMID, ExpiresAt: f.expires, WhenLeaked: f.whenLeaked, Locked: f.lock,
			})
			if err != nil {
				return file.abandon(err)
			}
			return f.created(v, &key, file, "Service ID API key "+args[0]+" is created")
		}),
	}
	f.add(c)
	return c
}

func newServiceKeyList() *cobra.Command {
	var f ibmFlags
	return serviceIDVerb(&f, &cobra.Command{
		Use:     "service-api-keys SERVICE_ID",
		Short:   "List the API keys of a service ID",
		Example: "  daypass iam service-api-keys builds\n  daypass iam service-api-keys builds --output JSON",
	}, "Getting all API keys of", func(v *ibmVerb, s *client.IBMServiceID) error {
		list, err := v.keeper.IBMAPIKeys(v.c.Context(), s.IAMID)
		if err != nil {
			return err
		}
		return v.apiKeys(list)
	})
}

// serviceKeyVerb is a verb about one API key of a service ID, which is found
// first.
func serviceKeyVerb(f *ibmFlags, c *cobra.Command, do func(v *ibmVerb, key *client.IBMAPIKey, what string) error) *cobra.Command {
	c.Args = keyAndService
	c.RunE = f.serve(func(v *ibmVerb, args []string) error {
		s, err := v.findServiceID(args[1])
		if err != nil {
			return err
		}
		key, err := v.findAPIKey(s.IAMID, args[0])
		if err != nil {
			return err
		}
		if key.IAMID != s.IAMID {
			return errors.New("API key " + args[0] + " is not one of service ID " + args[1])
		}
		return do(v, key, "API key "+cell(args[0])+" of service ID "+cell(args[1]))
	})
	f.add(c)
	return c
}

func newServiceKeyShow() *cobra.Command {
	var f ibmFlags
	return serviceKeyVerb(&f, &cobra.Command{
		Use: "service-api-key NAME|ID SERVICE_ID", Short: "Show an API key of a service ID, but for the key itself",
		Example: "  daypass iam service-api-key main builds",
	}, func(v *ibmVerb, key *client.IBMAPIKey, what string) error {
		v.doing("Getting %s...", what)
		return v.showAPIKey(key)
	})
}

func newServiceKeyUpdate() *cobra.Command {
	var (
		f      ibmFlags
		labels labelFlags
	)
	c := serviceKeyVerb(&f, &cobra.Command{
		Use: "service-api-key-update NAME|ID SERVICE_ID", Short: "Give an API key of a service ID another name or description",
		Example: "  daypass iam service-api-key-update main builds -n old",
	}, func(v *ibmVerb, key *client.IBMAPIKey, what string) error {
		v.doing("Updating %s...", what)
		updated, err := v.keeper.UpdateIBMAPIKey(v.c.Context(), key, labels.change(v.c))
		if err != nil {
			return err
		}
		return v.showAPIKey(&updated)
	})
	labels.add(c)
	return c
}

func newServiceKeyDelete() *cobra.Command {
	var (
		f     ibmFlags
		force bool
	)
	c := serviceKeyVerb(&f, &cobra.Command{
		Use: "service-api-key-delete NAME|ID SERVICE_ID", Short: "Delete an API key of a service ID, which ends what was obtained with it",
		Example: "  daypass iam service-api-key-delete main builds --force",
	}, func(v *ibmVerb, key *client.IBMAPIKey, what string) error { return v.deleteKey(force, key, what) })
	c.Flags().BoolVarP(&force, "force", "f", false, "do not ask")
	return c
}

func newServiceKeySwitch(use, short, what string, on bool, done string) *cobra.Command {
	var f ibmFlags
	return serviceKeyVerb(&f, &cobra.Command{
		Use: use + " NAME|ID SERVICE_ID", Short: short, Example: "  daypass iam " + use + " main builds",
	}, func(v *ibmVerb, key *client.IBMAPIKey, name string) error {
		if err := v.keeper.SwitchIBMAPIKey(v.c.Context(), key.ID, what, on); err != nil {
			return err
		}
		v.ok()
		v.say("%s was %s", name, done)
		return nil
	})
}
