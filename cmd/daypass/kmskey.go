package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"daypass/internal/client"
	"daypass/internal/identity"
)

func newKMSCreate() *cobra.Command {
	var (
		f        kmsFlags
		in       client.NewKMSKey
		payload  inFile
		expires  string
		standard bool
	)
	c := &cobra.Command{
		Use:   "create NAME",
		Short: "Make a key: a root key of random material, unless told otherwise",
		Long: `Make a key. A root key wraps and unwraps, and never leaves; a standard one
(--standard) is kept and can be read back. The material is random, or with
--payload-file what that file holds: 16, 24 or 32 bytes for a root key.`,
		Example: `  daypass kms key create root-of-backups --alias backups
  head -c 32 /dev/urandom | daypass kms key create brought --payload-file -
  daypass kms key create database --standard --payload-file db.key --payload-base64`,
		Args: oneArg("give the key a NAME"),
		RunE: f.serve(func(v *kmsVerb, args []string) error {
			in.Name, in.Extractable = args[0], standard
			if expires != "" {
				at, err := time.Parse(time.RFC3339, expires)
				if err != nil {
					return &usageError{v.c.CommandPath(), errors.New("--expires-at takes a time such as 2027-01-31T12:00:00Z")}
				}
				in.ExpiresAt = at.UTC().Format(time.RFC3339)
			}
			material, err := payload.read(v.c)
			if err != nil {
				return err
			}
			in.Payload = material
			v.doing("Creating key: '%s', in instance: '%s'...", args[0], v.instance)
			k, err := v.keeper.CreateKMSKey(v.c.Context(), v.instance, in)
			if err != nil {
				return err
			}
			if v.asJSON {
				k.Payload = ""
				return v.json(k)
			}
			v.ok()
			return v.table([][]string{{"Key ID", "Key Name"}, {k.ID, k.Name}})
		}),
	}
	f.add(c)
	flags := c.Flags()
	flags.BoolVarP(&standard, "standard", "s", false, "make a standard key, which can be read back")
	flags.StringVarP(&in.Description, "description", "d", "", "`text` that says what the key is for")
	flags.StringSliceVar(&in.Aliases, "alias", nil, "further `names` of the key, at most 5")
	flags.StringVar(&in.Ring, "key-ring", "", "`ID` of the key ring (default default)")
	flags.StringVar(&expires, "expires-at", "", "`time` of its end, such as 2027-01-31T12:00:00Z (default never)")
	payload.add(c, "payload-file", "`file` with the key's material, - for standard input (default random)")
	return c
}

const newMaterial = "`file` with the material, of a key that was imported; - for standard input"

func newKMSRotate() *cobra.Command {
	var (
		f       kmsFlags
		payload inFile
	)
	c := &cobra.Command{
		Use:   "rotate KEY",
		Short: "Make a new version of a root key; what older ones wrapped still unwraps",
		Example: `  daypass kms key rotate backups
  daypass kms key rotate brought --payload-file new.key`,
		Args: oneArg(nameKMSKey),
		RunE: f.serve(func(v *kmsVerb, args []string) error {
			material, err := payload.read(v.c)
			if err != nil {
				return err
			}
			k, err := v.key(args[0], false)
			if err != nil {
				return err
			}
			v.doing("Rotating key...")
			return v.done(args[0], "rotated", v.keeper.KMSAction(v.c.Context(), v.instance, k.ID, "rotate", material))
		}),
	}
	f.add(c)
	payload.add(c, "payload-file", newMaterial)
	return c
}

// done says that something happened to a key, unless it did not.
func (v *kmsVerb) done(key, what string, err error) error {
	if err != nil {
		return err
	}
	if v.asJSON {
		return v.json(map[string]string{"key": key, "result": what})
	}
	v.ok()
	v.say("Key %s was %s", cell(key), what)
	return nil
}

func newKMSSwitch(action, short, done string) *cobra.Command {
	var f kmsFlags
	c := &cobra.Command{
		Use:     action + " KEY",
		Short:   short,
		Example: "  daypass kms key " + action + " backups",
		Args:    oneArg(nameKMSKey),
		RunE: f.serve(func(v *kmsVerb, args []string) error {
			k, err := v.key(args[0], false)
			if err != nil {
				return err
			}
			return v.done(args[0], done, v.keeper.KMSAction(v.c.Context(), v.instance, k.ID, action, nil))
		}),
	}
	f.add(c)
	return c
}

func newKMSDelete() *cobra.Command {
	var (
		f                kmsFlags
		force, protected bool
	)
	c := &cobra.Command{
		Use:   "delete KEY",
		Short: "Delete a key: what it wrapped opens no more, unless it is restored in time",
		Long: `Delete a key. What a root key wrapped opens no more. For 30 days it can be restored;
after that, or once somebody with the role KeyPurge has purged it, its material is
gone for ever, out of backups too.`,
		Example: `  daypass kms key delete backups
  daypass kms key delete backups --force --protected`,
		Args: oneArg(nameKMSKey),
		RunE: f.serve(func(v *kmsVerb, args []string) error {
			k, err := v.key(args[0], false)
			if err != nil {
				return err
			}
			if yes, err := v.confirmed(force, "Really delete key "+cell(args[0])+" ("+k.ID+")?"); err != nil || !yes {
				return err
			}
			v.doing("Deleting key: '%s', from instance: '%s'...", cell(args[0]), v.instance)
			return v.done(args[0], "deleted", v.keeper.DeleteKMSKey(v.c.Context(), v.instance, k.ID, protected))
		}),
	}
	f.add(c)
	c.Flags().BoolVarP(&force, "force", "f", false, "do not ask")
	c.Flags().BoolVar(&protected, "protected", false, "delete it though resources are registered with it")
	return c
}

func newKMSRestore() *cobra.Command {
	var (
		f       kmsFlags
		payload inFile
	)
	c := &cobra.Command{
		Use:   "restore KEY",
		Short: "Bring a deleted key back, within 30 days",
		Example: `  daypass kms keys --deleted
  daypass kms key restore 00000000-1111-4222-8333-444455556666`,
		Args: oneArg(nameKMSKey),
		RunE: f.serve(func(v *kmsVerb, args []string) error {
			material, err := payload.read(v.c)
			if err != nil {
				return err
			}
			k, err := v.key(args[0], true)
			if err != nil {
				return err
			}
			err = v.keeper.RestoreKMSKey(v.c.Context(), v.instance, k.ID, material)
			if identity.KindOf(err) == identity.KindNotFound {
				return identity.NewError(identity.KindNotFound, "kms.restore", describe(err)+"; daypass kms keys --deleted lists what can be restored")
			}
			return v.done(args[0], "restored", err)
		}),
	}
	f.add(c)
	payload.add(c, "payload-file", newMaterial)
	return c
}
