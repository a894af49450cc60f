package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"daypass/internal/api/admin"
	"daypass/internal/directory"
)

func newUser() *cobra.Command {
	c := group(&cobra.Command{
		Use: "user", Short: "Users: inviting them, and letting them back in",
		Long: `Users who log in: one-time links by which they get a password, a passkey or a
log-in by another provider, without a mail server; and switching them off.

What users may do is settled by the site file (daypass apply) and by IAM.`,
	}, "a verb is missing: invite, reset, list, disable or enable")
	c.AddCommand(newUserInvite(), newUserReset(), newUserList(), newUserSwitch(true), newUserSwitch(false))
	return c
}

// userFlags say which user is meant.
type userFlags struct{ account, realm string }

func (f *userFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.account, "account", "", "account of the user, by `ID` or alias (needed when there are several)")
	c.Flags().StringVar(&f.realm, "realm", "", "`name` of the realm that the user logs in at")
}

func (f *userFlags) named(name string) directory.UserName {
	return directory.UserName{AccountID: f.account, Realm: f.realm, Name: name}
}

const nameOneUser = "name one user"

func newUserInvite() *cobra.Command {
	var (
		operator operatorFlags
		user     userFlags
		email    string
		asJSON   bool
	)
	c := &cobra.Command{
		Use:   "invite NAME",
		Short: "Print a one-time link for a user's first log-in",
		Long: `Print a link by which a user sets a password, registers a passkey, or links an
identity of another provider. It is good once, for 24 hours, and shown only now:
hand it to nobody but the user. A user of that name is made where there is none.
Opening the link uses nothing up; what the user then chooses does. A new link
ends the one before.`,
		Example: `  daypass user invite alice
  daypass user invite alice --account demo --realm shasta --email alice@example.com
  daypass user invite alice --json`,
		Args: oneArg(nameOneUser),
		RunE: func(c *cobra.Command, args []string) error {
			link, err := operator.client().InviteUser(c.Context(), directory.Invitation{UserName: user.named(args[0]), Email: email})
			if err != nil {
				return err
			}
			return printLink(c, link, asJSON)
		},
	}
	c.Flags().StringVar(&email, "email", "", "e-mail `address` of the user, by which it can log in too")
	c.Flags().BoolVar(&asJSON, "json", false, "print the link as JSON")
	user.add(c)
	operator.add(c)
	return c
}

func newUserReset() *cobra.Command {
	var (
		operator operatorFlags
		user     userFlags
		mfa      bool
		asJSON   bool
	)
	c := &cobra.Command{
		Use:   "reset NAME",
		Short: "Print a one-time link for a user who cannot log in any more",
		Long: `Print a link by which a user who lost a password gets a new way to log in. It is
good once, for 24 hours. Nothing changes before it is used; then the old password
and all sessions of the user end.

A second factor stays: who has one sets a password by the link and logs in with
both. With --mfa the user's authenticators and passkeys are removed when the link
is used. The root user of an account is named root.`,
		Example: `  daypass user reset alice
  daypass user reset alice --mfa
  daypass user reset root --account 123456789012`,
		Args: oneArg(nameOneUser),
		RunE: func(c *cobra.Command, args []string) error {
			link, err := operator.client().ResetUser(c.Context(), directory.UserReset{UserName: user.named(args[0]), RemoveMFA: mfa})
			if err != nil {
				return err
			}
			return printLink(c, link, asJSON)
		},
	}
	c.Flags().BoolVar(&mfa, "mfa", false, "also remove authenticators and passkeys")
	c.Flags().BoolVar(&asJSON, "json", false, "print the link as JSON")
	user.add(c)
	operator.add(c)
	return c
}

// printLink prints the link alone, for pipes, and what there is to know of it to
// people.
func printLink(c *cobra.Command, l admin.Link, asJSON bool) error {
	if asJSON {
		return printJSON(c.OutOrStdout(), l)
	}
	made := ""
	if l.Created {
		made = ", who was made for it"
	}
	fmt.Fprintf(c.ErrOrStderr(), "A link for %s of the realm %s%s; good once, until %s:\n", l.User, l.Realm, made, when(l.ExpiresAt))
	_, err := fmt.Fprintln(c.OutOrStdout(), l.URL)
	return err
}

func newUserList() *cobra.Command {
	var (
		operator operatorFlags
		user     userFlags
		asJSON   bool
	)
	c := &cobra.Command{
		Use:   "list",
		Short: "List users, and how each can log in",
		Example: `  daypass user list
  daypass user list --account demo --json`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			list, err := operator.client().Users(c.Context(), user.account, user.realm)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), list)
			}
			return printUsers(c.OutOrStdout(), list)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print the list as JSON")
	user.add(c)
	operator.add(c)
	return c
}

func printUsers(out io.Writer, list []directory.LoginState) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tSTATE\tACCOUNT\tREALM\tE-MAIL\tPASSWORD\tPASSKEYS\tMFA\tPROVIDERS\tLINK UNTIL")
	for _, u := range list {
		password, mfa := "no", fmt.Sprint(u.MFADevices)
		if u.Password {
			password = "yes"
		}
		if u.MFARequired {
			mfa += " (required)"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t%d\t%s\n",
			u.Name, u.State, u.AccountID, dash(u.Realm), dash(u.Email), password, u.Passkeys, mfa, u.Identities, when(u.LinkExpiresAt))
	}
	return w.Flush()
}

func newUserSwitch(off bool) *cobra.Command {
	var (
		operator operatorFlags
		user     userFlags
	)
	c := &cobra.Command{
		Use: "enable NAME", Short: "Switch a user on again",
		Example: `  daypass user enable alice`,
		Args:    oneArg(nameOneUser),
	}
	if off {
		c.Use, c.Short = "disable NAME", "Switch a user off, and end what it obtained within a second"
		c.Long = `Switch a user off: it cannot log in, its access keys stop, and all that it has
obtained ends within a second. Nothing is deleted. A user that the site file names
is switched on again by the next daypass apply unless it says disabled: true.`
		c.Example = `  daypass user disable alice
  daypass user disable alice --account demo`
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := operator.client().SwitchUser(c.Context(), user.named(args[0]), off); err != nil {
			return err
		}
		state := "enabled"
		if off {
			state = "disabled"
		}
		fmt.Fprintf(c.ErrOrStderr(), "%s is %s.\n", args[0], state)
		return nil
	}
	user.add(c)
	operator.add(c)
	return c
}
