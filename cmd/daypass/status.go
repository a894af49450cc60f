package main

import (
	"cmp"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"daypass/internal/client"
)

// statusLine is one profile, as --json prints it.
type statusLine struct {
	Profile     string     `json:"profile"`
	Principal   string     `json:"principal"`
	Account     string     `json:"account"`
	Kind        string     `json:"kind"`
	IssuedAt    *time.Time `json:"issued_at"`
	ExpiresAt   *time.Time `json:"expires_at"`
	SecondsLeft int64      `json:"seconds_left"`
	Source      string     `json:"source"`
}

// lineOf describes keys; what has ended has no time left.
func lineOf(profile string, k client.Keys) statusLine {
	if k.AccessKeyID == "" {
		return statusLine{Profile: profile}
	}
	left := max(0, int64(time.Until(k.ExpiresAt)/time.Second))
	return statusLine{profile, k.ARN, k.AccountID, "temporary", &k.IssuedAt, &k.ExpiresAt, left, k.Source}
}

// lineOfIBM describes a log-in of IBM's dialect that no keys were asked for yet.
func lineOfIBM(profile string, t client.IBMToken) statusLine {
	if t.Text == "" {
		return statusLine{Profile: profile}
	}
	left := max(0, int64(time.Until(t.ExpiresAt)/time.Second))
	return statusLine{profile, t.IAMID, t.Account, "token", &t.IssuedAt, &t.ExpiresAt, left, t.Source}
}

type statusFlags struct {
	clientFlags
	check, quiet, asJSON bool
}

func newStatus() *cobra.Command {
	var f statusFlags
	c := &cobra.Command{
		Use:   "status",
		Short: "Show what is held and when it expires",
		Long: `Show the session keys of every profile, or of one, and when they expire. The
server is not asked, and secrets are not shown.

With --check the exit status is the answer for one profile: 0 when its keys are
valid, 1 when they have expired or there are none.`,
		Example: `  daypass status
  daypass status --json
  daypass status --profile lab --check --quiet || daypass login --profile lab`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c) },
	}
	f.add(c)
	c.Flags().BoolVar(&f.check, "check", false, "exit status 0 when the profile's keys are valid, else 1")
	c.Flags().BoolVarP(&f.quiet, "quiet", "q", false, "print nothing")
	c.Flags().BoolVar(&f.asJSON, "json", false, "print the list as JSON")
	return c
}

func (f *statusFlags) run(c *cobra.Command) error {
	names, config, err := f.names(c)
	if err != nil {
		return err
	}
	store, err := f.openStore(c)
	if err != nil {
		return err
	}
	lines, valid := []statusLine{}, true
	for _, name := range names {
		p, _ := config.Profile(name)
		if f.name == name || f.check {
			_, p, err = f.resolve(c)
			if err != nil {
				return err
			}
		}
		keys, live, err := client.Kept(store, p, time.Now())
		if err != nil {
			return err
		}
		line := lineOf(name, keys)
		if p.Kind == client.KindIBM && !live {
			var token client.IBMToken
			if token, live, err = client.KeptIBM(store, p, time.Now()); err != nil {
				return err
			}
			line = lineOfIBM(name, token)
		}
		valid = valid && live
		lines = append(lines, line)
	}
	if err := f.print(c, lines); err != nil {
		return err
	}
	if f.check && !valid {
		return silent(exitFailure)
	}
	return nil
}

// names are the profiles to show: one when it was named or is checked.
func (f *statusFlags) names(c *cobra.Command) ([]string, *client.Config, error) {
	config, err := loadProfiles()
	if err != nil {
		return nil, nil, err
	}
	if f.name == "" && !f.check {
		return config.Names(), config, nil
	}
	name, err := f.profileName()
	if err != nil {
		return nil, nil, &usageError{c.CommandPath(), err}
	}
	return []string{name}, config, nil
}

func (f *statusFlags) print(c *cobra.Command, lines []statusLine) error {
	switch {
	case f.quiet:
		return nil
	case f.asJSON:
		return printJSON(c.OutOrStdout(), lines)
	case len(lines) == 0:
		notices(c)("there is no profile yet; run: daypass login --endpoint URL")
		return nil
	}
	w := tabwriter.NewWriter(c.OutOrStdout(), 0, 4, 3, ' ', 0)
	fmt.Fprintln(w, "PROFILE\tPRINCIPAL\tKIND\tEXPIRES")
	for _, l := range lines {
		principal, kind, expires := l.Principal, l.Kind, ""
		switch {
		case l.ExpiresAt == nil:
			expires = "not logged in: " + client.LoginCommand(l.Profile)
		case l.SecondsLeft == 0:
			principal, kind = "", ""
			expires = "expired " + client.Remaining(time.Since(*l.ExpiresAt)) + " ago: " + client.LoginCommand(l.Profile)
		default:
			expires = "in " + client.Remaining(time.Until(*l.ExpiresAt)) + " (" + clock(*l.ExpiresAt) + ")"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", l.Profile, cmp.Or(principal, "-"), cmp.Or(kind, "-"), expires)
	}
	return w.Flush()
}

// clock is a time of today with its zone; of another day, with its date.
func clock(t time.Time) string {
	now, t := time.Now().Local(), t.Local()
	if now.YearDay() == t.YearDay() && now.Year() == t.Year() {
		return t.Format("15:04 MST")
	}
	return t.Format("2006-01-02 15:04 MST")
}

// until is a time for people, absolute and relative.
func until(t time.Time) string {
	return t.Local().Format("2006-01-02 15:04 MST") + " (in " + client.Remaining(time.Until(t)) + ")"
}
