package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"daypass/internal/client"
	"daypass/internal/identity"
)

// ibmLoginFlags are those of a log-in at the token service of IBM's dialect.
type ibmLoginFlags struct {
	endpoint, apiKey, account, group string
	sso, noAccount, noRegion         bool
	noBrowser, skipTLS               bool
	short                            string // -p
}

// ibmMarks are the flags that make a log-in one of IBM's dialect.
var ibmMarks = []string{"api-endpoint", "sso", "apikey", "account", "no-account", "resource-group", "no-region"}

func (f *ibmLoginFlags) add(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVarP(&f.endpoint, "api-endpoint", "a", "", "IBM: `URL` of the installation, as --endpoint")
	flags.BoolVar(&f.sso, "sso", false, "IBM: log in with a one-time code of the web page")
	flags.StringVar(&f.apiKey, "apikey", "", "IBM: log in with an API `key`, or @FILE that holds one (@- for standard input)")
	flags.StringVarP(&f.account, "account", "c", "", "IBM: `ID` of the account to target")
	flags.BoolVar(&f.noAccount, "no-account", false, "IBM: target no account")
	flags.StringVarP(&f.group, "resource-group", "g", "", "IBM: `name` of the resource group to target")
	flags.BoolVar(&f.noRegion, "no-region", false, "IBM: target no region")
	flags.BoolVar(&f.noBrowser, "no-browser", false, "IBM: never offer to open the web page of one-time codes (or $"+envNoBrowser+")")
	flags.BoolVar(&f.skipTLS, "skip-ssl-validation", false, "IBM: refused; give the authority with --ca-file")
	flags.StringVarP(&f.short, "p", "p", "", "the `name` of the profile; with IBM's flags, the password")
	_ = flags.MarkHidden("skip-ssl-validation") // fails only for a flag that does not exist
	_ = flags.MarkHidden("p")
	complete(c, "p", profileNames)
	for _, pair := range [][]string{{"account", "no-account"}, {"region", "no-region"}, {"sso", "apikey"}, {"apikey", "username"}, {"endpoint", "api-endpoint"}} {
		c.MarkFlagsMutuallyExclusive(pair...)
	}
}

// settle decides what -p and -a mean, and whether the log-in is one of IBM's
// dialect: by its flags, or by the kind of the profile.
func (f *loginFlags) settle(c *cobra.Command) (ibm bool, err error) {
	usage := func(format string, args ...any) error {
		return &usageError{c.CommandPath(), fmt.Errorf(format, args...)}
	}
	if f.ibm.skipTLS {
		return false, usage("certificates are always checked: give the authority of the endpoint with --ca-file FILE")
	}
	for _, name := range ibmMarks {
		ibm = ibm || c.Flags().Changed(name)
	}
	if f.ibm.endpoint != "" {
		f.over.Endpoint = f.ibm.endpoint
		if !strings.Contains(f.over.Endpoint, "://") {
			f.over.Endpoint = "https://" + f.over.Endpoint
		}
	}
	config, err := loadProfiles()
	if err != nil {
		return false, err
	}
	if p := f.ibm.short; p != "" {
		switch {
		case f.ibm.endpoint != "" || ibm || f.shortIsPassword(config, p):
			f.argvPassword = identity.Secret(p)
			notices(c)("the password stands on the command line, where other users of this machine and the history of the shell see it: leave -p out to be asked, or give --password-stdin, --password-file or --password-command")
		case f.name != "":
			return false, usage("give either -p or --profile")
		default:
			f.name = p
		}
	}
	name, err := f.profileName()
	if err != nil {
		return false, &usageError{c.CommandPath(), err}
	}
	p, ok := config.Profile(name)
	switch {
	case !ibm:
		ibm = p.Kind == client.KindIBM
	case ok && p.Kind != client.KindIBM && p.Endpoint != "":
		return false, usage("profile %s logs in by another way than IBM's: name another profile with --profile", name)
	}
	if ibm && (c.Flags().Changed("realm") || c.Flags().Changed("client-id") || f.over.WebIdentityTokenFile != "") {
		return false, usage("profile %s logs in by IBM's way, without --realm, --client-id and --web-identity-token-file: name another profile with --profile", name)
	}
	return ibm, nil
}

// shortIsPassword reports whether -p can only mean the password: the profile
// otherwise meant is of IBM's kind, and none has the text for a name.
func (f *loginFlags) shortIsPassword(config *client.Config, text string) bool {
	name, err := f.profileName()
	if err != nil || f.over.Endpoint != "" {
		return false
	}
	p, _ := config.Profile(name)
	_, named := config.Profile(text)
	return p.Kind == client.KindIBM && !named
}

// runIBM is a log-in at the token service of IBM's dialect.
func (f *loginFlags) runIBM(c *cobra.Command) error {
	config, p, err := f.resolve(c)
	if err != nil {
		return err
	}
	p.Kind = client.KindIBM
	p.NoBrowser = p.NoBrowser || f.ibm.noBrowser
	if c.Flags().Changed("username") || f.ibm.sso || f.ibm.apiKey != "" {
		p.Username = f.over.Username
	}
	out := ibmFlags{clientFlags: f.clientFlags, output: f.output, quiet: f.quiet}
	if f.asJSON {
		out.output = "JSON"
	}
	v, err := out.verb(c, config, p)
	if err != nil {
		return err
	}
	if f.check {
		_, held, err := v.keeper.IBMHeld()
		return f.report(c, v.keeper, held, err)
	}
	return inIBMWords(f.logInIBM(v))
}

func (f *loginFlags) logInIBM(v *ibmVerb) error {
	if f.quiet { // as elsewhere: --quiet prints nothing
		v.c.SetOut(nowhere{})
	}
	v.profile.Endpoint = v.keeper.Profile().Endpoint
	v.say("API endpoint: %s", v.profile.Endpoint)
	if v.profile.Region != "" {
		v.say("Region: %s", v.profile.Region)
	}
	v.say("")
	if held, ok, err := v.keeper.IBMHeld(); err != nil {
		return err
	} else if ok && !f.force && !f.provesAnew() {
		v.say("Already logged in until %s; --force logs in anew\n", until(held.ExpiresAt))
		return f.targetAfterLogIn(v, held)
	}
	facts, err := v.keeper.IBMFacts(v.c.Context())
	if err != nil {
		return err
	}
	token, err := f.proveIBM(v, facts)
	if err != nil {
		return err
	}
	v.ok()
	v.say("")
	return f.targetAfterLogIn(v, token)
}

// nowhere takes what nobody wants to read.
type nowhere struct{}

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }

// targetAfterLogIn targets what flags and people choose, keeps it in the profile,
// and shows it.
func (f *loginFlags) targetAfterLogIn(v *ibmVerb, token client.IBMToken) error {
	p := &v.profile
	if p.Account = token.Account; f.ibm.noAccount {
		p.Account = ""
	}
	// A log-in that worked stays, whatever becomes of its targets.
	if err := v.config.Save(*p); err != nil {
		return err
	}
	t := targeting{v: v, ask: interactive() && !v.asJSON && !f.quiet}
	if err := t.account(f.ibm.account, f.ibm.noAccount); err != nil {
		return err
	}
	if err := t.group(f.ibm.group, true); err != nil {
		return err
	}
	if err := t.region(f.over.Region, f.ibm.noRegion); err != nil {
		return err
	}
	if err := v.config.Save(*p); err != nil {
		return err
	}
	v.say("")
	return v.showTarget()
}

// provesAnew reports whether a proof was given, which is then shown whatever is
// kept.
func (f *loginFlags) provesAnew() bool {
	return f.ibm.sso || f.ibm.apiKey != "" || f.argvPassword != "" || f.over.Username != "" || f.secretGiven() || ibmEnvProof() != ""
}

// ssoHint says how to log in where passwords are refused.
func ssoHint(v *ibmVerb, facts client.IBMFacts, err error) error {
	if facts.Passcode == "" || identity.KindOf(err) != identity.KindInvalidCredentials {
		return err
	}
	e := *identity.AsError(err)
	e.Public += "\n\nWho has no password here logs in with a one-time code: get one from " + cell(facts.Passcode) +
		",\nthen run: daypass login -a " + v.profile.Endpoint + " --sso"
	return &e
}

// errNoProof is for scripts that show nothing.
var errNoProof = errors.New("there is no terminal to ask on for a proof: give --apikey @FILE or $" + envIBMAPIKey +
	", or --username with --password-stdin, --password-file or --password-command")

// ended is the time that a token is good until, for JSON.
func ended(t client.IBMToken) string {
	return t.ExpiresAt.UTC().Format(time.RFC3339)
}
