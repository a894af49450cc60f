package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"daypass/internal/client"
	"daypass/internal/identity"
)

// targeting chooses what a profile targets, and says so.
type targeting struct {
	v   *ibmVerb
	ask bool // whether there is somebody to ask
}

// account targets the account of who is logged in, the only one it has.
func (t *targeting) account(named string, none bool) error {
	p := &t.v.profile
	if none {
		p.Account, p.ResourceGroup = "", ""
		return nil
	}
	_, own, err := t.v.who()
	if err != nil {
		return err
	}
	if named != "" && named != own {
		return unknown("account", named, []string{own})
	}
	p.Account = own
	t.v.say("Targeted account %s", own)
	return nil
}

// group targets a resource group by its name. At a log-in, where none is named,
// it keeps the one that was targeted, or takes the default one.
func (t *targeting) group(named string, login bool) error {
	p := &t.v.profile
	if named == "" && (!login || p.Account == "") {
		return nil
	}
	list, err := t.v.keeper.IBMResourceGroups(t.v.c.Context())
	if named == "" && identity.KindOf(err) == identity.KindAccessDenied {
		return nil // who may not list them targets none
	}
	if err != nil {
		return err
	}
	var names []string
	standard := ""
	for _, g := range list {
		if names = append(names, g.Name); g.Default {
			standard = g.Name
		}
	}
	if named == "" {
		if named = p.ResourceGroup; !slices.Contains(names, named) {
			named = standard
		}
	}
	if named == "" {
		return nil
	}
	if !slices.Contains(names, named) {
		return unknown("resource group", named, names)
	}
	p.ResourceGroup = named
	t.v.say("\nTargeted resource group %s", cell(named))
	return nil
}

// region targets a region by its name, or one that is chosen from a list.
func (t *targeting) region(named string, none bool) error {
	p := &t.v.profile
	if none {
		p.Region = ""
		return nil
	}
	if named == "" && p.Region != "" {
		return nil
	}
	facts, err := t.v.keeper.IBMFacts(t.v.c.Context())
	if err != nil {
		return err
	}
	if named == "" {
		if !t.ask || len(facts.Regions) == 0 {
			return nil
		}
		if named, err = t.v.choose("Select a region (or press enter to skip):", facts.Regions); err != nil || named == "" {
			return err
		}
	}
	if !slices.Contains(facts.Regions, named) {
		p.Region = ""
		return unknown("region", named, facts.Regions)
	}
	p.Region = named
	t.v.say("Targeted region %s", cell(named))
	return nil
}

// unknown is a name that nothing has, with those that there are.
func unknown(noun, name string, known []string) error {
	text := "There is no " + noun + " " + name
	if len(known) > 0 {
		text += "; there are: " + cell(strings.Join(known, ", "))
	}
	return identity.NewError(identity.KindNotFound, "ibm.target", text)
}

// choose has a person choose from a list; "" for what was skipped.
func (v *ibmVerb) choose(title string, names []string) (string, error) {
	v.say("\n%s", title)
	for i, name := range names {
		v.say("%d. %s", i+1, cell(name))
	}
	for {
		text, err := v.line("Enter a number> ")
		if err != nil || text == "" {
			return "", err
		}
		if n, err := strconv.Atoi(text); err == nil && n >= 1 && n <= len(names) {
			return names[n-1], nil
		}
	}
}

// targetAnswer is what is targeted, as JSON.
type targetAnswer struct {
	APIEndpoint   string       `json:"api_endpoint"`
	Region        targetRegion `json:"region"`
	User          targetUser   `json:"user"`
	Account       *targetThing `json:"account"`
	ResourceGroup *targetThing `json:"resource_group"`
	Profile       string       `json:"profile"`
	ExpiresAt     string       `json:"expires_at"`
}

type targetRegion struct {
	Name string `json:"name"`
}

type targetUser struct {
	DisplayName string `json:"display_name"`
	IAMID       string `json:"iam_id"`
}

type targetThing struct {
	GUID string `json:"guid,omitempty"`
	Name string `json:"name"`
}

// showTarget prints what is targeted and who is logged in.
func (v *ibmVerb) showTarget() error {
	p := &v.profile
	t, err := v.keeper.IBMToken(v.c.Context(), 0)
	if kind := identity.KindOf(err); kind == identity.KindExpiredToken || kind == identity.KindMissingAuthentication {
		if v.asJSON {
			return err
		}
		v.say("API endpoint: %s", p.Endpoint)
		v.say("Region: %s\n", cmp.Or(cell(p.Region), "none"))
		v.say("Not logged in. Use '%s' to log in.", client.LoginCommand(p.Name))
		return silent(exitOf(err))
	}
	if err != nil {
		return err
	}
	if v.asJSON {
		a := targetAnswer{
			APIEndpoint: p.Endpoint, Region: targetRegion{p.Region}, User: targetUser{cmp.Or(t.User, t.IAMID), t.IAMID}, Profile: p.Name, ExpiresAt: ended(t),
		}
		if p.Account != "" {
			a.Account = &targetThing{p.Account, p.Account}
		}
		if p.ResourceGroup != "" {
			a.ResourceGroup = &targetThing{"", p.ResourceGroup}
		}
		return v.json(a)
	}
	account, group := cell(p.Account), cell(p.ResourceGroup)
	if account == "" {
		account = "No account targeted, use 'daypass target -c ACCOUNT_ID'"
	}
	if group == "" {
		group = "No resource group targeted, use 'daypass target -g RESOURCE_GROUP'"
	}
	for _, r := range []row{{"API endpoint:", p.Endpoint}, {"Region:", cell(p.Region)}, {"User:", cell(cmp.Or(t.User, t.IAMID))}, {"Account:", account}, {"Resource group:", group}} {
		v.say("%s", strings.TrimRight(fmt.Sprintf("%-19s%s", r[0], r[1]), " "))
	}
	return nil
}

func newTarget() *cobra.Command {
	var (
		f                      ibmFlags
		region, account, group string
		none                   bool
	)
	c := &cobra.Command{
		Use:   "target",
		Short: "Show or choose the region, account and resource group of IBM's verbs",
		Long: `Show what IBM's verbs target: endpoint, region, account and resource group, and who
is logged in. With flags, target something else; names that are not known are
refused. The region is also what exec and its like tell programs.`,
		Example: `  daypass target
  daypass target -r us-south -g Default
  daypass target --output JSON`,
		Args: noArgs,
		RunE: f.serve(func(v *ibmVerb, _ []string) error {
			t := targeting{v: v}
			if region != "" || none {
				if err := t.region(region, none); err != nil {
					return err
				}
			}
			if account != "" {
				if err := t.account(account, false); err != nil {
					return err
				}
			}
			if err := t.group(group, false); err != nil {
				return err
			}
			if region != "" || none || account != "" || group != "" {
				if err := v.config.Save(v.profile); err != nil {
					return err
				}
				v.say("")
			}
			return v.showTarget()
		}),
	}
	f.add(c)
	c.Flags().StringVarP(&region, "region", "r", "", "`name` of the region")
	c.Flags().StringVarP(&account, "account", "c", "", "`ID` of the account")
	c.Flags().StringVarP(&group, "resource-group", "g", "", "`name` of the resource group")
	c.Flags().BoolVar(&none, "unset-region", false, "target no region")
	c.MarkFlagsMutuallyExclusive("region", "unset-region")
	return c
}

func newRegions() *cobra.Command {
	var f ibmFlags
	c := &cobra.Command{
		Use:   "regions",
		Short: "List the regions that IBM's verbs may target",
		Example: `  daypass regions
  daypass regions --output JSON`,
		Args: noArgs,
		RunE: f.serve(func(v *ibmVerb, _ []string) error {
			v.doing("Listing regions...")
			facts, err := v.keeper.IBMFacts(v.c.Context())
			if err != nil {
				return err
			}
			if v.asJSON {
				list := []targetRegion{}
				for _, name := range facts.Regions {
					list = append(list, targetRegion{name})
				}
				return v.json(list)
			}
			v.say("")
			lines := [][]string{{"Name"}}
			for _, name := range facts.Regions {
				lines = append(lines, []string{name})
			}
			return v.table(lines)
		}),
	}
	f.add(c)
	return c
}
