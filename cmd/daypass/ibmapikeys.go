package main

import (
	"strings"

	"github.com/spf13/cobra"

	"daypass/internal/client"
)

func newIAM() *cobra.Command {
	c := group(&cobra.Command{
		Use: "iam", Short: "API keys, service IDs and policies, as IBM Cloud's command line has them",
		Long: `API keys, service IDs, their API keys, and policies, in the words and tables of IBM
Cloud's command line, for scripts that know those. Log in first: daypass login -a URL.`,
	}, "a verb is missing: oauth-tokens, api-key-create, service-id-create and others")
	c.AddCommand(newOAuthTokens())
	for _, verbs := range [][]*cobra.Command{apiKeyVerbs(), serviceIDVerbs(), serviceKeyVerbs(), policyVerbs()} {
		c.AddCommand(verbs...)
	}
	return c
}

func newOAuthTokens() *cobra.Command {
	var f ibmFlags
	c := &cobra.Command{
		Use:   "oauth-tokens",
		Short: "Print the access token",
		Long:  `Print the access token, renewed when less than 5 minutes are left of it.`,
		Example: `  daypass iam oauth-tokens
  curl -H "Authorization: $(daypass iam oauth-tokens --output JSON | jq -r .iam_token)" URL/v1/apikeys`,
		Args: noArgs,
		RunE: f.serve(func(v *ibmVerb, _ []string) error {
			t, err := v.keeper.IBMToken(v.c.Context(), client.RenewalWindow)
			if err != nil {
				return err
			}
			if v.asJSON {
				return v.json(map[string]string{"iam_token": t.Bearer()})
			}
			v.say("IAM token:  %s", t.Bearer())
			return nil
		}),
	}
	f.add(c)
	return c
}

func apiKeyVerbs() []*cobra.Command {
	return []*cobra.Command{
		newAPIKeyCreate(), newAPIKeyList(), newAPIKeyShow(), newAPIKeyUpdate(), newAPIKeyDelete(), newAPIKeyReportLeaked(),
		newAPIKeySwitch("api-key-lock", "Lock an API key: it can be neither changed nor deleted", client.IBMLock, true, "locked"),
		newAPIKeySwitch("api-key-unlock", "Unlock an API key", client.IBMLock, false, "unlocked"),
		newAPIKeySwitch("api-key-disable", "Disable an API key, which ends what was obtained with it", client.IBMDisable, true, "disabled"),
		newAPIKeySwitch("api-key-enable", "Enable an API key", client.IBMDisable, false, "enabled"),
	}
}

// apiKeyFlags are those of a new API key.
type apiKeyFlags struct {
	ibmFlags
	description, file, expires, whenLeaked string
	lock, force                            bool
}

func (f *apiKeyFlags) add(c *cobra.Command) {
	f.ibmFlags.add(c)
	flags := c.Flags()
	flags.StringVarP(&f.description, "description", "d", "", "`text` that says what the key is for")
	flags.StringVar(&f.file, "file", "", "write the key into a new `file` that you alone may read, and do not print it")
	flags.BoolVar(&f.force, "force", false, "let --file replace a file that is there")
	flags.BoolVar(&f.lock, "lock", false, "lock the key: it can be neither changed nor deleted")
	flags.StringVar(&f.expires, "expires-at", "", "`time` of its end, such as 2027-01-31T12:00:00Z (default never)")
	flags.StringVar(&f.whenLeaked, "action-if-leaked", "", "what happens when it is reported as leaked: none, disable or delete")
	complete(c, "action-if-leaked", func() []string { return []string{"none", "disable", "delete"} })
}

// created shows a new API key. said is the sentence that says so.
func (f *apiKeyFlags) created(v *ibmVerb, key *client.IBMAPIKey, file *keyFile, said string) error {
	if err := file.write(key); err != nil {
		// Nobody will ever see the key: it must not live on.
		if undo := v.keeper.DeleteIBMAPIKey(v.c.Context(), key.ID); undo != nil {
			notices(v.c)("API key " + key.ID + " was made and could not be deleted again: " + describe(undo))
		}
		return err
	}
	if v.asJSON {
		shown := *key
		if f.file != "" {
			shown.Text = ""
		}
		return v.json(shown)
	}
	v.ok()
	v.say("%s", said)
	if f.file != "" {
		v.say("Successfully save API key information to %s", f.file)
		return nil
	}
	v.say("\nPlease preserve the API key! It cannot be retrieved after it's created.\n")
	return v.rows(row{"ID", key.ID}, row{"Name", key.Name}, row{"Description", key.Description}, row{"Created At", key.CreatedAt},
		row{"API Key", key.Text}, row{"Locked", yesNo(key.Locked)})
}

func newAPIKeyCreate() *cobra.Command {
	var f apiKeyFlags
	c := &cobra.Command{
		Use:   "api-key-create NAME",
		Short: "Make an API key of your own",
		Long: `Make an API key of who is logged in. It is shown now and never again: printed, or
with --file written into a new file that you alone may read.`,
		Example: `  daypass iam api-key-create laptop -d "my laptop"
  daypass iam api-key-create ci --file ci-key.json
  daypass login -a URL --apikey @ci-key.json`,
		Args: oneArg("name the API key"),
		RunE: f.serve(func(v *ibmVerb, args []string) error {
			user, account, err := v.who()
			if err != nil {
				return err
			}
			file, err := newKeyFile(f.file, f.force)
			if err != nil {
				return err
			}
			v.doing("Creating API key %s under %s as %s...", args[0], account, user)
			key, err := v.keeper.CreateIBMAPIKey(v.c.Context(), client.NewIBMAPIKey{
				Name: args[0], Description: f.description, ExpiresAt: f.expires, WhenLeaked: f.whenLeaked, Locked: f.lock,
			})
			if err != nil {
				return file.abandon(err)
			}
			return f.created(v, &key, file, "API key "+args[0]+" was created")
		}),
	}
	f.add(c)
	return c
}

func newAPIKeyList() *cobra.Command {
	var f ibmFlags
	c := &cobra.Command{
		Use:   "api-keys",
		Short: "List your API keys",
		Example: `  daypass iam api-keys
  daypass iam api-keys --output JSON`,
		Args: noArgs,
		RunE: f.serve(func(v *ibmVerb, _ []string) error {
			user, account, err := v.who()
			if err != nil {
				return err
			}
			v.doing("Getting all API keys under %s as %s...", account, user)
			list, err := v.keeper.IBMAPIKeys(v.c.Context(), "")
			if err != nil {
				return err
			}
			return v.apiKeys(list)
		}),
	}
	f.add(c)
	return c
}

func (v *ibmVerb) apiKeys(list []client.IBMAPIKey) error {
	if v.asJSON {
		return v.json(append([]client.IBMAPIKey{}, list...))
	}
	v.ok()
	if len(list) == 0 {
		v.say("No API keys found")
		return nil
	}
	lines := [][]string{{"ID", "Name", "Description", "Created At", "Locked", "Disabled"}}
	for _, k := range list {
		lines = append(lines, []string{k.ID, k.Name, k.Description, k.CreatedAt, yesNo(k.Locked), yesNo(k.Disabled)})
	}
	return v.table(lines)
}

// findAPIKey finds a key by its ID, or by its name among those of an owner, ""
// for who is logged in.
func (v *ibmVerb) findAPIKey(owner, name string) (*client.IBMAPIKey, error) {
	if strings.HasPrefix(name, "ApiKey-") {
		key, err := v.keeper.IBMAPIKey(v.c.Context(), name)
		return &key, err
	}
	list, err := v.keeper.IBMAPIKeys(v.c.Context(), owner)
	if err != nil {
		return nil, err
	}
	return oneOf("API key", name, list, func(k *client.IBMAPIKey) (string, string) { return k.Name, k.ID })
}

func (v *ibmVerb) showAPIKey(key *client.IBMAPIKey) error {
	if v.asJSON {
		return v.json(key)
	}
	v.ok()
	rows := []row{
		{"ID", key.ID},
		{"Name", key.Name},
		{"Description", key.Description},
		{"Created At", key.CreatedAt},
		{"Locked", yesNo(key.Locked)},
		{"Disabled", yesNo(key.Disabled)},
		{"Owner", key.IAMID},
		{"Version", key.EntityTag},
	}
	if key.ExpiresAt != "" {
		rows = append(rows, row{"Expires At", key.ExpiresAt})
	}
	return v.rows(rows...)
}

const nameAPIKey = "name one API key, by NAME or ID"

func newAPIKeyShow() *cobra.Command {
	var f ibmFlags
	c := &cobra.Command{
		Use:   "api-key NAME|ID",
		Short: "Show one of your API keys, but for the key itself",
		Example: `  daypass iam api-key laptop
  daypass iam api-key ApiKey-00000000-1111-2222-3333-444444444444 --output JSON`,
		Args: oneArg(nameAPIKey),
		RunE: f.serve(func(v *ibmVerb, args []string) error {
			user, account, err := v.who()
			if err != nil {
				return err
			}
			v.doing("Getting API key %s under %s as %s...", args[0], account, user)
			key, err := v.findAPIKey("", args[0])
			if err != nil {
				return err
			}
			return v.showAPIKey(key)
		}),
	}
	f.add(c)
	return c
}

// labelFlags are another name and description.
type labelFlags struct{ name, description string }

func (f *labelFlags) add(c *cobra.Command) {
	c.Flags().StringVarP(&f.name, "name", "n", "", "another `name`")
	c.Flags().StringVarP(&f.description, "description", "d", "", "another `text` that says what it is for")
	c.MarkFlagsOneRequired("name", "description")
}

// change holds what was given.
func (f *labelFlags) change(c *cobra.Command) (out client.IBMLabels) {
	if c.Flags().Changed("name") {
		out.Name = &f.name
	}
	if c.Flags().Changed("description") {
		out.Description = &f.description
	}
	return out
}

func newAPIKeyUpdate() *cobra.Command {
	var (
		f      ibmFlags
		labels labelFlags
	)
	c := &cobra.Command{
		Use:     "api-key-update NAME|ID",
		Short:   "Give an API key another name or description",
		Example: `  daypass iam api-key-update laptop -n old-laptop -d "to be removed"`,
		Args:    oneArg(nameAPIKey),
		RunE: f.serve(func(v *ibmVerb, args []string) error {
			user, account, err := v.who()
			if err != nil {
				return err
			}
			v.doing("Updating API key %s under %s as %s...", args[0], account, user)
			key, err := v.findAPIKey("", args[0])
			if err != nil {
				return err
			}
			updated, err := v.keeper.UpdateIBMAPIKey(v.c.Context(), key, labels.change(v.c))
			if err != nil {
				return err
			}
			return v.showAPIKey(&updated)
		}),
	}
	f.add(c)
	labels.add(c)
	return c
}

func newAPIKeyDelete() *cobra.Command {
	var (
		f     ibmFlags
		force bool
	)
	c := &cobra.Command{
		Use:   "api-key-delete NAME|ID",
		Short: "Delete an API key, which ends what was obtained with it",
		Example: `  daypass iam api-key-delete laptop
  daypass iam api-key-delete ApiKey-00000000-1111-2222-3333-444444444444 --force`,
		Args: oneArg(nameAPIKey),
		RunE: f.serve(func(v *ibmVerb, args []string) error {
			key, err := v.findAPIKey("", args[0])
			if err != nil {
				return err
			}
			return v.deleteKey(force, key, "API key "+args[0])
		}),
	}
	f.add(c)
	c.Flags().BoolVarP(&force, "force", "f", false, "do not ask")
	return c
}

func (v *ibmVerb) deleteKey(force bool, key *client.IBMAPIKey, what string) error {
	user, account, err := v.who()
	if err != nil {
		return err
	}
	if yes, err := v.confirmed(force, "Really delete "+what+" ("+key.ID+")?"); err != nil || !yes {
		return err
	}
	v.doing("Deleting %s under %s as %s...", what, account, user)
	if err := v.keeper.DeleteIBMAPIKey(v.c.Context(), key.ID); err != nil {
		return err
	}
	v.ok()
	v.say("%s was deleted", what)
	return nil
}

func newAPIKeySwitch(use, short, what string, on bool, done string) *cobra.Command {
	var f ibmFlags
	c := &cobra.Command{
		Use:     use + " NAME|ID",
		Short:   short,
		Example: "  daypass iam " + use + " laptop",
		Args:    oneArg(nameAPIKey),
		RunE: f.serve(func(v *ibmVerb, args []string) error {
			key, err := v.findAPIKey("", args[0])
			if err != nil {
				return err
			}
			if err := v.keeper.SwitchIBMAPIKey(v.c.Context(), key.ID, what, on); err != nil {
				return err
			}
			v.ok()
			v.say("API key %s was %s", args[0], done)
			return nil
		}),
	}
	f.add(c)
	return c
}
