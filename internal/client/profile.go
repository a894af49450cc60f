package client

import (
	"net/netip"
	"net/url"
	"strings"
	"time"

	"daypass/internal/identity"
)

// DefaultProfile is the name of the profile when none is named.
const DefaultProfile = "default"

// DefaultRegion is the region of a profile that names none.
const DefaultRegion = "us-east-1"

// Profile is how to get keys of one role at one installation.
type Profile struct {
	Name string `yaml:"-"`
	// Kind is KindIBM for a log-in at the token service of IBM's dialect, "" for
	// others.
	Kind string `yaml:"kind"`
	// Endpoint is the installation's URL: scheme, host and port.
	Endpoint string `yaml:"endpoint"`
	// Realm and ClientID are where a password is shown; the root realm and, as
	// the client, "root-client" or the realm's own name by default.
	Realm    string `yaml:"realm"`
	ClientID string `yaml:"client_id"`
	Username string `yaml:"username"`
	// Role is the ARN to assume; "" for the one role that the token names.
	Role        string `yaml:"role"`
	SessionName string `yaml:"session_name"`
	// Duration is the lifetime to ask for, 0 for the server's default.
	Duration time.Duration `yaml:"duration"`
	Region   string        `yaml:"region"`
	// CAFile holds the authorities of the endpoint, PEM; "" for the system's.
	CAFile string `yaml:"ca_file"`
	// WebIdentityTokenFile holds a JWT of an issuer that the role trusts. It is
	// read at every renewal.
	WebIdentityTokenFile string `yaml:"web_identity_token_file"`
	// Account and ResourceGroup (its name) are what verbs of IBM's dialect target,
	// Region with them; "" for none.
	Account       string `yaml:"account"`
	ResourceGroup string `yaml:"resource_group"`
	// NoBrowser is "no" to every offer to open a web page.
	NoBrowser bool `yaml:"no_browser"`
	// AllowPlainHTTP permits http:// to other hosts than loopback ones.
	AllowPlainHTTP bool `yaml:"allow_plain_http"`
}

// rootClient is the client of the root realm.
const rootClient = "root-client"

// WithDefaults fills in what the profile leaves open.
func (p Profile) WithDefaults() Profile {
	p.Endpoint = strings.TrimSuffix(p.Endpoint, "/")
	if p.Realm == "" {
		p.Realm = identity.RootRealm
	}
	if p.ClientID == "" {
		p.ClientID = p.Realm
		if p.Realm == identity.RootRealm {
			p.ClientID = rootClient
		}
	}
	if p.Region == "" {
		p.Region = DefaultRegion
	}
	return p
}

// check names the key that is wrong, as the file calls it, and why; "" for
// none.
func (p *Profile) check() (key, complaint string) {
	u, err := url.Parse(p.Endpoint)
	switch {
	case p.Endpoint == "":
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return "endpoint", "not of the form https://HOST[:PORT]"
	case u.Scheme == "http" && !p.AllowPlainHTTP && !loopback(u.Hostname()):
		return "endpoint", "plain HTTP would show passwords and keys to the network: use https://, or allow it (allow_plain_http: true, --allow-plain-http)"
	}
	switch {
	case p.Kind != "" && p.Kind != KindIBM:
		return "kind", "the one kind that is named is " + KindIBM
	case p.Kind == KindIBM && p.WebIdentityTokenFile != "":
		return "web_identity_token_file", "a profile of kind " + KindIBM + " shows no web identity"
	case p.Kind == KindIBM && p.Role != "":
		return "role", "a profile of kind " + KindIBM + " has the rights of who logged in"
	}
	if p.Role != "" {
		if arn, ok := identity.ParseARN(p.Role); !ok || arn.Service != "iam" {
			return "role", "not the ARN of a role, such as arn:aws:iam::123456789012:role/dev"
		}
	}
	if p.Duration < 0 || p.Duration%time.Second != 0 {
		return "duration", "not a whole number of seconds, such as 1h or 900s"
	}
	if p.SessionName != "" && (len(p.SessionName) < 2 || p.SessionName != sessionName(p.SessionName)) {
		return "session_name", "not 2 to 64 letters, digits and _+=,.@-"
	}
	return "", ""
}

func loopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// Check judges a profile that is about to be used. It fails with
// KindValidation.
func (p *Profile) Check() error {
	if p.Endpoint == "" {
		return identity.NewError(identity.KindValidation, "client.profile",
			"the profile "+p.Name+" has no endpoint; give --endpoint URL or DAYPASS_ENDPOINT, or run: "+p.loginCommand()+" --endpoint URL")
	}
	if key, complaint := p.check(); key != "" {
		return identity.NewError(identity.KindValidation, "client.profile", "profile "+p.Name+": "+key+": "+complaint)
	}
	return nil
}

// loginCommand is the next step when there are no keys.
func (p *Profile) loginCommand() string { return LoginCommand(p.Name) }

// LoginCommand is what to run to log in with a profile.
func LoginCommand(profile string) string {
	if profile == DefaultProfile {
		return "daypass login"
	}
	return "daypass login --profile " + profile
}

// ValidProfileName reports whether a name is 1 to 64 letters, digits and ._@-,
// and does not begin with a dot or a hyphen: it becomes a file's name.
func ValidProfileName(name string) bool {
	if name == "" || len(name) > 64 || name[0] == '.' || name[0] == '-' {
		return false
	}
	for _, c := range []byte(name) {
		if !wordByte(c) && c != '.' && c != '@' && c != '-' {
			return false
		}
	}
	return true
}

func wordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_'
}

// sessionName makes a RoleSessionName of any text: 2 to 64 of [\w+=,.@-].
func sessionName(text string) string {
	b := []byte(text)
	for i, c := range b {
		if !wordByte(c) && !strings.ContainsRune("+=,.@-", rune(c)) {
			b[i] = '-'
		}
	}
	b = b[:min(len(b), 64)]
	if len(b) < 2 {
		return "daypass"
	}
	return string(b)
}
