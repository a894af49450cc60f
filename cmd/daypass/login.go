package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"daypass/internal/client"
	"daypass/internal/identity"
)

type loginFlags struct {
	clientFlags
	passwordStdin, force, check, quiet, asJSON bool
	passwordFile, passwordCommand, output      string
	argvPassword                               identity.Secret
	ibm                                        ibmLoginFlags
}

func newLogin() *cobra.Command {
	var f loginFlags
	c := &cobra.Command{
		Use:   "login",
		Short: "Log in and keep session keys",
		Long: `Log in at a realm by password, or show the token in a file to STS, and keep
the session keys that come of it. What the flags say is written into the profile,
so that later commands need none of them.

With valid keys at hand nothing is asked and nothing sent; --force logs in anew.
The password is asked for without echo, or read from standard input or a file. It
is kept nowhere.

With -a, --sso, --apikey or another of the flags marked IBM, and at a profile that
was made so, the log-in is one at the token service of IBM Cloud's dialect, in the
words of IBM Cloud's command line. -p is the password then, not the profile.`,
		Example: `  daypass login --endpoint https://daypass.example.com --username me@example.com
  daypass login --profile lab --realm lab --username alice --role arn:aws:iam::123456789012:role/dev
  daypass login --profile ci --endpoint https://daypass.example.com \
    --web-identity-token-file /run/secrets/token --role arn:aws:iam::123456789012:role/deploy
  pass show daypass | daypass login --password-stdin
  daypass login --check --quiet || daypass login

  daypass login -a https://daypass.example.com --sso       as IBM Cloud's users do
  daypass login -a https://daypass.example.com --apikey @key.json -r us-south`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c) },
	}
	f.addNamed(c, "")
	f.addRole(c)
	flags := c.Flags()
	flags.StringVar(&f.over.Realm, "realm", "", "`name` of the realm (default "+identity.RootRealm+")")
	flags.StringVar(&f.over.ClientID, "client-id", "", "`ID` of the realm's client (default root-client, elsewhere the realm's name)")
	flags.StringVarP(&f.over.Username, "username", "u", "", "user `name` or e-mail address")
	flags.BoolVar(&f.passwordStdin, "password-stdin", false, "read the password from standard input")
	flags.StringVar(&f.passwordFile, "password-file", "", "read the password from a `file`")
	flags.StringVar(&f.passwordCommand, "password-command", "", "read the password from the output of a `command` that the shell runs")
	flags.StringVar(&f.over.WebIdentityTokenFile, "web-identity-token-file", "", "show the JWT in this `file` in place of a password")
	flags.BoolVar(&f.force, "force", false, "log in although valid keys are there")
	flags.BoolVar(&f.check, "check", false, "only say whether valid keys are there: exit status 0 or 1")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "print nothing")
	flags.BoolVar(&f.asJSON, "json", false, "print who logged in as JSON")
	flags.StringVar(&f.output, "output", "", "IBM: `form` of the answer: JSON")
	c.MarkFlagsMutuallyExclusive("password-stdin", "password-file", "password-command", "web-identity-token-file")
	c.MarkFlagsMutuallyExclusive("check", "force")
	f.ibm.add(c)
	return c
}

func (f *loginFlags) run(c *cobra.Command) error {
	if f.cacheless() {
		return &usageError{c.CommandPath(), errors.New("DAYPASS_NO_CACHE is set, and a log-in that is not kept is of no use: unset it")}
	}
	ibm, err := f.settle(c)
	if err != nil {
		return err
	}
	if ibm {
		return f.runIBM(c)
	}
	config, p, err := f.resolve(c)
	if err != nil {
		return err
	}
	if f.over.Username != "" || f.secretGiven() {
		p.WebIdentityTokenFile = f.over.WebIdentityTokenFile
	}
	k, err := f.keeperOf(c, p)
	if err != nil {
		return err
	}
	keys, held, err := f.held(c, k)
	if f.check {
		return f.report(c, k, held, err)
	}
	if err != nil {
		return err
	}
	if !held {
		var username string
		if keys, username, err = f.logIn(c, k); err != nil {
			return err
		}
		p.Username = cmp.Or(p.Username, username)
	}
	p.Endpoint = k.Profile().Endpoint
	if err := config.Save(p); err != nil {
		return err
	}
	return f.print(c, k.Profile(), keys, held)
}

// held looks for keys that spare a log-in: what is kept, or what it renews.
func (f *loginFlags) held(c *cobra.Command, k *client.Keeper) (client.Keys, bool, error) {
	if f.force {
		return client.Keys{}, false, nil
	}
	keys, live, err := k.Held()
	if live || err != nil || f.check || k.Profile().WebIdentityTokenFile != "" {
		return keys, live, err
	}
	if keys, err = k.Keys(c.Context(), 0); err == nil {
		return keys, true, nil
	}
	switch identity.KindOf(err) {
	case identity.KindExpiredToken, identity.KindMissingAuthentication:
		return client.Keys{}, false, nil
	}
	return client.Keys{}, false, err
}

// report is the answer of --check.
func (f *loginFlags) report(c *cobra.Command, k *client.Keeper, held bool, err error) error {
	switch {
	case err != nil:
		return err
	case held:
		return nil
	case !f.quiet:
		notices(c)("no valid keys (profile " + k.Profile().Name + "); run: " + client.LoginCommand(k.Profile().Name))
	}
	return silent(exitFailure)
}

// logIn shows a proof, and returns who did.
func (f *loginFlags) logIn(c *cobra.Command, k *client.Keeper) (client.Keys, string, error) {
	p := k.Profile()
	if p.WebIdentityTokenFile != "" {
		keys, err := k.LogInByFile(c.Context())
		return keys, "", err
	}
	username, err := f.username(c, p)
	if err != nil {
		return client.Keys{}, "", err
	}
	password, err := f.password(c, username)
	if err != nil {
		return client.Keys{}, "", err
	}
	keys, err := k.LogIn(c.Context(), username, password)
	return keys, username, err
}

func (f *loginFlags) username(c *cobra.Command, p client.Profile) (string, error) {
	if p.Username != "" {
		return p.Username, nil
	}
	if !interactive() || f.passwordStdin {
		return "", &usageError{c.CommandPath(), fmt.Errorf("%w for the user name: give --username NAME, or --web-identity-token-file FILE", errNoTerminal)}
	}
	return ask(c, "User name at "+p.Endpoint+" (realm "+p.Realm+"): ")
}

// secretGiven reports whether the password need not be asked for.
func (f *loginFlags) secretGiven() bool {
	return f.passwordStdin || f.passwordFile != "" || f.passwordCommand != ""
}

// secretOf reads the password from where the flags say.
func (f *loginFlags) secretOf(c *cobra.Command) (secret identity.Secret, err error) {
	switch {
	case f.passwordStdin:
		return readSecret(c.InOrStdin(), "standard input")
	case f.passwordFile != "":
		if secret, err = secretFile(f.passwordFile); err != nil {
			err = fmt.Errorf("--password-file: %w", err)
		}
		return secret, err
	}
	if secret, err = commandSecret(c, f.passwordCommand); err != nil {
		err = fmt.Errorf("--password-command: %w", err)
	}
	return secret, err
}

func (f *loginFlags) password(c *cobra.Command, username string) (identity.Secret, error) {
	switch {
	case f.secretGiven():
		return f.secretOf(c)
	case !interactive():
		return "", &usageError{c.CommandPath(), fmt.Errorf("%w for the password: give --password-stdin, --password-file FILE or --web-identity-token-file FILE", errNoTerminal)}
	}
	return askHidden(c, "Password of "+username+": ")
}

func (f *loginFlags) print(c *cobra.Command, p client.Profile, keys client.Keys, held bool) error {
	if f.asJSON {
		return printJSON(c.OutOrStdout(), lineOf(p.Name, keys))
	}
	if f.quiet {
		return nil
	}
	first := "logged in at " + p.Endpoint
	if held {
		first = "already logged in at " + p.Endpoint + "; --force logs in anew"
	}
	_, err := fmt.Fprintf(c.OutOrStdout(), "%s\nprofile    %s\nprincipal  %s\naccount    %s\nexpires    %s\n",
		first, p.Name, keys.ARN, keys.AccountID, until(keys.ExpiresAt))
	return err
}

// readSecret reads a secret; the end of its line is not part of it.
func readSecret(r io.Reader, name string) (identity.Secret, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxSecret+1))
	if err != nil {
		return "", err
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	switch {
	case text == "":
		return "", errors.New(name + " holds no secret")
	case len(data) > maxSecret:
		return "", fmt.Errorf("%s holds more than %d bytes", name, maxSecret)
	case strings.ContainsAny(text, "\r\n"):
		return "", errors.New(name + " holds more than one line")
	}
	return identity.Secret(text), nil
}

// onCI reports whether a machine runs this, whatever its terminal.
func onCI() bool { return os.Getenv("CI") != "" }
