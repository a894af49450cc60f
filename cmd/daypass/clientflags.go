package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"daypass/internal/client"
	"daypass/internal/identity"
)

// Variables of the people's verbs.
const (
	envProfile        = "DAYPASS_PROFILE"
	envEndpoint       = "DAYPASS_ENDPOINT"
	envBackend        = "DAYPASS_KEYRING"
	envPassphrase     = "DAYPASS_KEYRING_PASSPHRASE"
	envPassphraseFile = "DAYPASS_KEYRING_PASSPHRASE_FILE"
	envNoCache        = "DAYPASS_NO_CACHE"
)

// clientFlags choose a profile and override what it says.
type clientFlags struct {
	name           string
	over           client.Profile
	backend        string
	noCache, debug bool
}

// add adds the flags that every verb for people has.
func (f *clientFlags) add(c *cobra.Command) { f.addNamed(c, "p") }

// addNamed is add with another shorthand of --profile, "" for none.
func (f *clientFlags) addNamed(c *cobra.Command, shorthand string) {
	flags := c.Flags()
	flags.StringVarP(&f.name, "profile", shorthand, "", "`name` of the profile (default $DAYPASS_PROFILE, then "+client.DefaultProfile+")")
	flags.StringVar(&f.over.Endpoint, "endpoint", "", "`URL` of the installation (default $DAYPASS_ENDPOINT, then the profile's)")
	flags.StringVar(&f.over.CAFile, "ca-file", "", "PEM `file` with the authorities of the endpoint")
	flags.BoolVar(&f.over.AllowPlainHTTP, "allow-plain-http", false, "speak plain HTTP beyond this machine: others can read along")
	flags.StringVar(&f.backend, "backend", "", "where sessions are kept: "+strings.Join(client.Backends(), ", ")+" (default $DAYPASS_KEYRING, then what works here)")
	flags.BoolVar(&f.debug, "debug", false, "print requests and answers, without secrets, on standard error")
	complete(c, "profile", profileNames)
	complete(c, "backend", client.Backends)
}

// addKeys adds the flags of the verbs that hand out keys.
func (f *clientFlags) addKeys(c *cobra.Command) {
	f.add(c)
	f.addRole(c)
	c.Flags().BoolVar(&f.noCache, "no-cache", false, "keep nothing and use nothing that is kept (or $DAYPASS_NO_CACHE)")
}

func (f *clientFlags) addRole(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.over.Role, "role", "", "`ARN` of the role (default the profile's, then the one that the token names)")
	flags.StringVar(&f.over.SessionName, "session-name", "", "`name` of the session (default who logs in)")
	flags.DurationVar(&f.over.Duration, "duration", 0, "`lifetime` to ask for, such as 1h (default the server's)")
	flags.StringVarP(&f.over.Region, "region", "r", "", "`region` that clients are told (default "+client.DefaultRegion+")")
	complete(c, "role", roleARNs)
}

// complete completes the values of a flag, without network.
func complete(c *cobra.Command, flag string, values func() []string) {
	_ = c.RegisterFlagCompletionFunc(flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return values(), cobra.ShellCompDirectiveNoFileComp
	}) // fails only for a flag that does not exist
}

func profileNames() []string {
	config, err := loadProfiles()
	if err != nil {
		return nil
	}
	return config.Names()
}

func roleARNs() []string {
	config, err := loadProfiles()
	if err != nil {
		return nil
	}
	var out []string
	for _, name := range config.Names() {
		if p, _ := config.Profile(name); p.Role != "" {
			out = append(out, p.Role)
		}
	}
	return out
}

func loadProfiles() (*client.Config, error) {
	path, err := client.ConfigPath()
	if err != nil {
		return nil, err
	}
	return client.LoadConfig(path)
}

// profileName is the profile that is asked for.
func (f *clientFlags) profileName() (string, error) {
	name := cmp.Or(f.name, os.Getenv(envProfile), client.DefaultProfile)
	if !client.ValidProfileName(name) {
		return "", fmt.Errorf("%q is no name of a profile: use letters, digits and ._@-", name)
	}
	return name, nil
}

// resolve reads the profile, with the overrides of environment and flags, and
// says whether the file has it.
func (f *clientFlags) resolve(c *cobra.Command) (*client.Config, client.Profile, error) {
	name, err := f.profileName()
	if err != nil {
		return nil, client.Profile{}, &usageError{c.CommandPath(), err}
	}
	config, err := loadProfiles()
	if err != nil {
		return nil, client.Profile{}, err
	}
	p, _ := config.Profile(name)
	p.Endpoint = cmp.Or(f.over.Endpoint, os.Getenv(envEndpoint), p.Endpoint)
	for _, pair := range []struct{ into, from *string }{
		{&p.Realm, &f.over.Realm},
		{&p.ClientID, &f.over.ClientID},
		{&p.Username, &f.over.Username},
		{&p.Role, &f.over.Role},
		{&p.SessionName, &f.over.SessionName},
		{&p.Region, &f.over.Region},
	} {
		*pair.into = cmp.Or(*pair.from, *pair.into)
	}
	for _, pair := range []struct{ into, from *string }{
		{&p.CAFile, &f.over.CAFile}, {&p.WebIdentityTokenFile, &f.over.WebIdentityTokenFile},
	} {
		if *pair.from == "" {
			continue
		}
		if *pair.into, err = filepath.Abs(*pair.from); err != nil {
			return nil, p, err
		}
	}
	p.Duration = cmp.Or(f.over.Duration, p.Duration)
	p.AllowPlainHTTP = p.AllowPlainHTTP || f.over.AllowPlainHTTP
	return config, p, nil
}

// cacheless reports whether nothing is to be kept.
func (f *clientFlags) cacheless() bool { return f.noCache || os.Getenv(envNoCache) != "" }

// openStore opens the store of sessions; nil when nothing is to be kept.
func (f *clientFlags) openStore(c *cobra.Command) (*client.Store, error) {
	if f.cacheless() {
		return nil, nil
	}
	if f.backend != "" && !slices.Contains(client.Backends(), f.backend) {
		return nil, &usageError{c.CommandPath(), fmt.Errorf("--backend: %q is none of %s", f.backend, strings.Join(client.Backends(), ", "))}
	}
	dir, err := client.CacheDir()
	if err != nil {
		return nil, err
	}
	return client.OpenStore(client.StoreOptions{
		Dir: dir, Backend: cmp.Or(f.backend, os.Getenv(envBackend)), Remember: f.backend != "",
		Passphrase: passphrase, Notice: notices(c),
	})
}

// notices writes what people should know beside the data.
func notices(c *cobra.Command) func(string) {
	return func(text string) { fmt.Fprintln(c.ErrOrStderr(), "daypass:", text) }
}

// passphrase is what the environment gives to seal sessions with.
func passphrase() (identity.Secret, error) {
	if p := os.Getenv(envPassphrase); p != "" {
		return identity.Secret(p), nil
	}
	path := os.Getenv(envPassphraseFile)
	if path == "" {
		return "", nil
	}
	return secretFile(path)
}

// maxSecret bounds a file that holds one secret.
const maxSecret = 4096

// secretFile reads a secret; the end of its line is not part of it.
func secretFile(path string) (identity.Secret, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return readSecret(f, path)
}

// keeper opens the keeper of the profile that is asked for.
func (f *clientFlags) keeper(c *cobra.Command) (*client.Keeper, error) {
	_, p, err := f.resolve(c)
	if err != nil {
		return nil, err
	}
	return f.keeperOf(c, p)
}

func (f *clientFlags) keeperOf(c *cobra.Command, p client.Profile) (*client.Keeper, error) {
	store, err := f.openStore(c)
	if err != nil {
		return nil, err
	}
	o := client.Options{
		Store: store, Clock: identity.SystemClock{}, Notice: notices(c),
		UserAgent: "daypass/" + version + " (" + runtime.GOOS + "; " + runtime.GOARCH + ")",
	}
	if f.debug {
		o.Trace = c.ErrOrStderr()
	}
	return client.NewKeeper(p, o)
}

// keys gets keys of which more than window is left.
func (f *clientFlags) keys(c *cobra.Command, window time.Duration) (client.Profile, client.Keys, error) {
	k, err := f.keeper(c)
	if err != nil {
		return client.Profile{}, client.Keys{}, err
	}
	keys, err := k.Keys(c.Context(), window)
	return k.Profile(), keys, err
}

var errNoTerminal = errors.New("there is no terminal to ask on")
