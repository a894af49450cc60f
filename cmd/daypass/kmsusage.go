package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"daypass/internal/client"
)

// usageFlags are those of `daypass kms usage`, which asks as a Manager or as the
// operator.
type usageFlags struct {
	kmsFlags
	operator operatorFlags
}

func newKMSUsage() *cobra.Command {
	var f usageFlags
	c := &cobra.Command{
		Use:   "usage [KEY]",
		Short: "Show who used which key, how often, and when last",
		Long: `Show who used which key, how often and for what, when last and from where: one key,
or all of the instance. Its Managers may see that.

With --data or --socket it is the operator who asks, over the socket of the running
server: one key by its ID, those of an instance (--instance ID), or all there are.

The audit log has every single use; these counts are for the overview.`,
		Example: `  daypass kms usage backups
  daypass kms usage --output JSON
  daypass kms usage --data /var/lib/daypass`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return errors.New("name one key, or none for all")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if key := strings.Join(args, ""); f.operator != (operatorFlags{}) {
				return f.asOperator(c, key)
			}
			return f.serve(func(v *kmsVerb, args []string) error { return v.usage(strings.Join(args, "")) })(c, args)
		},
	}
	f.kmsFlags.add(c)
	f.operator.add(c)
	c.Flags().Lookup("data").Usage = "data `directory` of the running server, for the operator"
	return c
}

// usage asks over the public wire.
func (v *kmsVerb) usage(key string) error {
	if key != "" {
		k, err := v.key(key, true)
		if err != nil {
			return err
		}
		key = k.ID
	}
	v.doing("Retrieving who used keys...")
	list, err := v.keeper.KMSUsage(v.c.Context(), v.instance, key)
	if err != nil {
		return err
	}
	v.ok()
	return v.showUsage(list)
}

// asOperator asks over the server's socket.
func (f *usageFlags) asOperator(c *cobra.Command, key string) error {
	uses, err := f.operator.client().KeyUsage(c.Context(), f.instance, key)
	if err != nil {
		return err
	}
	var list []client.KMSUse
	for _, u := range uses {
		list = append(list, client.KMSUse{
			KeyID: u.KeyID, KeyName: u.KeyName, Principal: u.Principal, Counts: u.Counts, FirstAt: u.FirstAt, LastAt: u.LastAt, LastIP: u.LastIP,
		})
	}
	return (&ibmVerb{c: c, asJSON: strings.EqualFold(f.output, "json")}).showUsage(list)
}

// showUsage shows uses, the latest first.
func (v *ibmVerb) showUsage(list []client.KMSUse) error {
	slices.SortStableFunc(list, func(a, b client.KMSUse) int { return b.LastAt.Compare(a.LastAt) })
	if v.asJSON {
		return v.json(append([]client.KMSUse{}, list...))
	}
	lines := [][]string{{"Key ID", "Key Name", "Who", "Uses", "Last", "From"}}
	for _, u := range list {
		lines = append(lines, []string{u.KeyID, dash(u.KeyName), u.Principal, countsOf(u.Counts), when(u.LastAt), dash(u.LastIP)})
	}
	return v.table(lines)
}

// countsOf says how often what was done.
func countsOf(counts map[string]uint64) string {
	var out []string
	for _, action := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, fmt.Sprintf("%s %d", action, counts[action]))
	}
	return strings.Join(out, ", ")
}
