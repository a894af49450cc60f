package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"daypass/internal/directory"
)

// revokeFlags are the things that `daypass sessions revoke` can end, one of
// which is named.
type revokeFlags struct {
	scopes   map[directory.RevokeScope]*string
	before   string
	withKeys bool
	reason   string
	cut      bool
	yes      bool
	asJSON   bool
}

// revokeScopes are the flags in the order of the help.
var revokeScopes = []struct {
	name  string
	scope directory.RevokeScope
	usage string
}{
	{"principal", directory.ScopePrincipal, "all that a user, root user or role has obtained, by `ARN` or unique ID"},
	{"role", directory.ScopeRole, "all sessions of the role with this `ARN` or unique ID"},
	{"login", directory.ScopeLogin, "the log-in session with this `ID` (sid), with its refresh tokens"},
	{"proof", directory.ScopeProof, "all that was obtained with the long-term key with this `ID`"},
	{"provider", directory.ScopeProvider, "all that came through the OIDC or SAML provider, or the identity pool, with this `ARN`"},
	{"web-identity", directory.ScopeWebIdentity, "all of one web identity: this `ISSUER`, and its subject as the argument"},
	{"pool-identity", directory.ScopePoolIdentity, "all of the identity-pool identity with this `ID`"},
	{"account", directory.ScopeAccount, "everything in the account with this `ID`; with an ID or --web-identity: only in it"},
}

func newSessionsRevoke() *cobra.Command {
	var (
		operator operatorFlags
		f        = revokeFlags{scopes: map[directory.RevokeScope]*string{}}
	)
	c := &cobra.Command{
		Use:   "revoke (ID | --role ARN | --principal ARN | …)",
		Short: "End sessions, and what descends from them, within a second",
		Long: `End one session by its access key ID, or all that descends from one thing:
session keys, tokens, refresh tokens, and the sessions obtained with them. It
says first what it will end, and asks; without a terminal --yes is needed.

What is obtained later, by a new log-in, is not touched: to keep somebody out,
disable the user, narrow the role's trust policy, or delete the provider.
Downloads and uploads that have begun may finish; --cut breaks them off.

With --with-keys the long-term keys that the sessions made are deactivated too;
with --principal and --account also the keys that the users have.`,
		Example: `  daypass sessions revoke ASIAIOSFODNN7EXAMPLE --reason "laptop lost"
  daypass sessions revoke --role arn:aws:iam::123456789012:role/admin --issued-before 2026-01-02T15:04:05Z
  daypass sessions revoke --principal arn:aws:iam::123456789012:user/alice --with-keys --yes
  daypass sessions revoke --web-identity https://idp.example.com alice`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("%q is one argument too many: name one thing at a time", args[1])
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			spec, err := f.spec(c, args)
			if err != nil {
				return &usageError{c.CommandPath(), err}
			}
			return f.run(c, &operator, spec)
		},
	}
	for _, s := range revokeScopes {
		f.scopes[s.scope] = c.Flags().String(s.name, "", s.usage)
	}
	c.Flags().StringVar(&f.before, "issued-before", "", "only what was issued before this `time` (2026-01-02T15:04:05Z)")
	c.Flags().BoolVar(&f.withKeys, "with-keys", false, "also deactivate long-term keys")
	c.Flags().BoolVar(&f.cut, "cut", false, "also break off downloads and uploads that have begun")
	c.Flags().StringVar(&f.reason, "reason", "", "`text` for the audit log")
	c.Flags().BoolVar(&f.yes, "yes", false, "do not ask")
	c.Flags().BoolVar(&f.asJSON, "json", false, "print what ended as JSON")
	operator.add(c)
	return c
}

// spec reads flags and arguments.
func (f *revokeFlags) spec(c *cobra.Command, args []string) (directory.RevokeSpec, error) {
	out := directory.RevokeSpec{WithKeys: f.withKeys, Reason: f.reason}
	var named []string
	for _, s := range revokeScopes {
		if !c.Flags().Changed(s.name) {
			continue
		}
		if s.scope == directory.ScopeAccount && (len(args) > 0 || len(named) > 0) {
			out.AccountID = *f.scopes[s.scope]
			continue
		}
		named = append(named, "--"+s.name)
		out.Scope, out.ID = s.scope, *f.scopes[s.scope]
	}
	switch {
	case len(named) > 1:
		return out, errors.New("name one thing at a time, not " + strings.Join(named, " and "))
	case out.Scope == directory.ScopeWebIdentity && len(args) == 0:
		return out, errors.New("name the subject behind the issuer: --web-identity ISSUER SUBJECT")
	case out.Scope == directory.ScopeWebIdentity:
		out.Subject = args[0]
	case len(named) == 1 && len(args) > 0:
		return out, fmt.Errorf("%q is one thing too many: there is %s already", args[0], named[0])
	case len(named) == 0 && len(args) == 0:
		return out, errors.New("name what is to end: the access key ID of a session, or one of --principal, --role, --login, --proof, --provider, --web-identity, --account")
	case len(named) == 0:
		out.Scope, out.ID = directory.ScopeAccessKey, args[0]
	}
	if out.AccountID != "" && out.Scope != directory.ScopeAccessKey && out.Scope != directory.ScopeWebIdentity {
		return out, errors.New("--account bounds only the access key ID of a session, or --web-identity")
	}
	if f.before != "" {
		at, err := time.Parse(time.RFC3339, f.before)
		if err != nil {
			return out, fmt.Errorf("--issued-before: %q is no time such as 2026-01-02T15:04:05Z", f.before)
		}
		out.IssuedBefore = at
	}
	return out, nil
}

func (f *revokeFlags) run(c *cobra.Command, operator *operatorFlags, spec directory.RevokeSpec) error {
	client := operator.client()
	if !f.yes {
		dry := spec
		dry.DryRun = true
		would, err := client.Revoke(c.Context(), dry, false)
		if err != nil {
			return err
		}
		describeRevoked(c.ErrOrStderr(), "This ends", spec, would.Revoked)
		if err := confirm(c, "End it?"); err != nil {
			return err
		}
	}
	ended, err := client.Revoke(c.Context(), spec, f.cut)
	if err != nil {
		return err
	}
	if f.asJSON {
		return printJSON(c.OutOrStdout(), ended)
	}
	fmt.Fprintln(c.OutOrStdout(), "Ended: "+ended.What+".")
	for _, k := range ended.Keys {
		fmt.Fprintln(c.OutOrStdout(), "Deactivated: "+k)
	}
	if f.cut {
		fmt.Fprintf(c.OutOrStdout(), "Requests broken off: %d\n", ended.Cut)
	}
	return nil
}

func describeRevoked(w io.Writer, begin string, spec directory.RevokeSpec, r directory.Revoked) {
	fmt.Fprintf(w, "%s: %s", begin, r.What)
	if !spec.IssuedBefore.IsZero() {
		fmt.Fprintf(w, ", as far as issued before %s", spec.IssuedBefore.Format(time.RFC3339))
	}
	fmt.Fprintln(w, ".")
	more := ""
	if r.More {
		more = "at least "
	}
	fmt.Fprintf(w, "Living sessions that the index knows of: %s%d.\n", more, r.Sessions)
	if spec.WithKeys {
		fmt.Fprintf(w, "Long-term keys that will be deactivated: %d", len(r.Keys))
		if len(r.Keys) > 0 {
			fmt.Fprintf(w, " (%s)", strings.Join(r.Keys, " "))
		}
		fmt.Fprintln(w, ".")
	}
}

// confirm asks before something that cannot be undone. Without somebody to ask
// it is a usage error that names --yes.
func confirm(c *cobra.Command, question string) error {
	if !interactive() {
		return &usageError{c.CommandPath(), errors.New("nothing was done: there is no terminal to ask at, so say --yes")}
	}
	answer, err := ask(c, question+" [y/N] ")
	if err != nil || !strings.EqualFold(answer, "y") && !strings.EqualFold(answer, "yes") {
		return errors.New("nothing was done")
	}
	return nil
}
