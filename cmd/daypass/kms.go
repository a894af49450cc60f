package main

import (
	"cmp"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"daypass/internal/client"
	"daypass/internal/identity"
)

// envKMSInstance is the variable of IBM's plug-in for its command line.
const envKMSInstance = "KP_INSTANCE_ID"

func newKMS() *cobra.Command {
	c := group(&cobra.Command{
		Use: "kms", Short: "Keys that wrap other keys, and keys that are kept",
		Long: `Keys of key management (IBM Key Protect's API): root keys, which wrap and unwrap
what you give and never leave the server, and standard keys, which are kept there
and can be read back. Log in first: daypass login -a URL.`,
	}, "a verb is missing: keys, key, wrap, unwrap, usage or open-instance")
	key := group(&cobra.Command{Use: "key", Short: "Make, show, rotate, disable and delete a key"},
		"a verb is missing: create, show, rotate, disable, enable, delete or restore")
	key.AddCommand(newKMSCreate(), newKMSShow(), newKMSRotate(), newKMSDelete(), newKMSRestore(),
		newKMSSwitch("disable", "Disable a key: it neither wraps nor unwraps until it is enabled", "disabled"),
		newKMSSwitch("enable", "Enable a key that was disabled", "enabled"))
	c.AddCommand(newKMSKeys(), key, newKMSWrap(), newKMSUnwrap(), newKMSUsage(), newKMSOpenInstance())
	return c
}

// kmsFlags are those of the verbs about an instance.
type kmsFlags struct {
	ibmFlags
	instance string
}

func (f *kmsFlags) add(c *cobra.Command) {
	f.ibmFlags.add(c)
	c.Flags().StringVarP(&f.instance, "instance", "i", "", "`name` or ID of the service instance (default $"+envKMSInstance+", then the only one)")
}

// kmsVerb is a verb at work on an instance, by its ID.
type kmsVerb struct {
	*ibmVerb
	instance string
}

// serve makes a verb about an instance.
func (f *kmsFlags) serve(do func(v *kmsVerb, args []string) error) func(*cobra.Command, []string) error {
	return f.ibmFlags.serve(func(v *ibmVerb, args []string) error {
		id, err := v.kmsInstance(cmp.Or(f.instance, os.Getenv(envKMSInstance)))
		if err != nil {
			return err
		}
		return do(&kmsVerb{v, id}, args)
	})
}

// kmsInstance finds the instance of key management. An ID is taken at its word: who
// may use keys need not be able to list instances.
func (v *ibmVerb) kmsInstance(name string) (id string, err error) {
	if isUUID(name) {
		return name, nil
	}
	list, err := v.keeper.IBMInstances(v.c.Context())
	if err != nil {
		return "", err
	}
	var found []client.IBMInstance
	for _, i := range list {
		if i.ResourceID == identity.KeyManagement {
			found = append(found, i)
		}
	}
	if name != "" {
		i, err := oneOf("service instance of key management", name, found, func(i *client.IBMInstance) (string, string) { return i.Name, i.GUID })
		if err != nil {
			return "", err
		}
		return i.GUID, nil
	}
	switch len(found) {
	case 0:
		return "", identity.NewError(identity.KindNotFound, "kms.instance", "There is no service instance of key management; make one: daypass resource service-instance-create NAME kms tiered-pricing REGION")
	case 1:
		return found[0].GUID, nil
	}
	text := "There are several service instances of key management: name one with --instance:"
	for _, i := range found {
		text += "\n  " + i.GUID + "  " + cell(i.Name)
	}
	return "", identity.NewError(identity.KindConflict, "kms.instance", text)
}

// isUUID reports whether a text is in the form of the IDs of keys and instances.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, r := range s {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (r == '-') || !dash && !strings.ContainsRune("0123456789abcdefABCDEF", r) {
			return false
		}
	}
	return true
}

// key finds a key by its ID, alias or name; deleted looks at deleted ones too. An ID
// is taken at its word: who may use a key need not be able to list keys.
func (v *kmsVerb) key(name string, deleted bool) (*client.KMSKey, error) {
	if isUUID(name) {
		return &client.KMSKey{ID: name}, nil
	}
	list, err := v.keeper.KMSKeys(v.c.Context(), v.instance, deleted)
	if err != nil {
		return nil, err
	}
	return oneOf("key", name, list, func(k *client.KMSKey) (string, string) {
		for _, alias := range k.Aliases {
			if alias == name {
				return alias, k.ID
			}
		}
		return k.Name, k.ID
	})
}

var kmsStates = map[int]string{1: "active", 2: "disabled", 3: "expired", 5: "deleted"}

func kmsType(k *client.KMSKey) string {
	if k.Extractable {
		return "standard"
	}
	return "root"
}

func newKMSKeys() *cobra.Command {
	var (
		f       kmsFlags
		deleted bool
	)
	c := &cobra.Command{
		Use:   "keys",
		Short: "List keys; never their material",
		Example: `  daypass kms keys
  daypass kms keys --instance kms-demo --deleted --output JSON`,
		Args: noArgs,
		RunE: f.serve(func(v *kmsVerb, _ []string) error {
			v.doing("Retrieving keys...")
			list, err := v.keeper.KMSKeys(v.c.Context(), v.instance, deleted)
			if err != nil {
				return err
			}
			if v.asJSON {
				return v.json(append([]client.KMSKey{}, list...))
			}
			v.ok()
			if len(list) == 0 {
				v.say("No keys found.")
				return nil
			}
			lines := [][]string{{"Key ID", "Key Name", "Type", "State", "Aliases", "Key Ring"}}
			for _, k := range list {
				lines = append(lines, []string{k.ID, k.Name, kmsType(&k), cmp.Or(kmsStates[k.State], "unknown"), dash(strings.Join(k.Aliases, ",")), k.Ring})
			}
			return v.table(lines)
		}),
	}
	f.add(c)
	c.Flags().BoolVar(&deleted, "deleted", false, "list deleted keys too")
	return c
}

const nameKMSKey = "name one key, by ID, alias or NAME (daypass kms keys)"

func newKMSShow() *cobra.Command {
	var (
		f    kmsFlags
		into outFile
	)
	c := &cobra.Command{
		Use:   "show KEY",
		Short: "Show a key; with --payload-out also the material of a standard one",
		Long: `Show a key. The material of a standard key goes into a file that you alone may
read, with --payload-out FILE, or for - to standard output in place of all else;
that of a root key goes nowhere.`,
		Example: `  daypass kms key show root-of-backups
  daypass kms key show database --payload-out db.key`,
		Args: oneArg(nameKMSKey),
		RunE: f.serve(func(v *kmsVerb, args []string) error {
			if err := into.ready(); err != nil {
				return err
			}
			found, err := v.key(args[0], true)
			if err != nil {
				return err
			}
			k, err := v.keeper.KMSKey(v.c.Context(), v.instance, found.ID, into.path != "")
			if err != nil {
				return err
			}
			if into.path != "" {
				if k.Payload == "" {
					return identity.NewError(identity.KindValidation, "kms.show", "key "+args[0]+" is a root key, whose material never leaves the server, or its material is gone")
				}
				if err := into.writeBase64(v.c, k.Payload); err != nil || into.path == "-" {
					return err
				}
				k.Payload = ""
			}
			return v.showKey(&k)
		}),
	}
	f.add(c)
	c.Flags().StringVar(&into.path, "payload-out", "", "new `file` for the material of a standard key, - for standard output")
	into.addForce(c)
	return c
}

// showKey shows a key.
func (v *kmsVerb) showKey(k *client.KMSKey) error {
	if v.asJSON {
		return v.json(k)
	}
	v.ok()
	rows := []row{
		{"Key ID", k.ID},
		{"Key Name", k.Name},
		{"Description", dash(k.Description)},
		{"Type", kmsType(k)},
		{"State", cmp.Or(kmsStates[k.State], "unknown")},
		{"Aliases", dash(strings.Join(k.Aliases, ","))},
		{"Key Ring", k.Ring},
		{"Imported", yesNo(k.Imported)},
		{"Version", k.Version.ID},
		{"Created At", k.CreatedAt},
		{"Created By", k.CreatedBy},
		{"CRN", k.CRN},
	}
	for _, more := range []row{
		{"Rotated At", k.RotatedAt},
		{"Expires At", k.ExpiresAt},
		{"Deleted At", k.DeletedAt},
		{"Deleted By", k.DeletedBy},
		{"Purge From", k.PurgeFrom},
		{"Purged On", k.PurgeOn},
	} {
		if more[1] != "" {
			rows = append(rows, more)
		}
	}
	return v.rows(rows...)
}
