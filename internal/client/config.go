package client

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"daypass/internal/identity"
	"daypass/internal/yamldoc"
)

// ConfigPath is the file of profiles: $XDG_CONFIG_HOME/daypass/config.yaml.
func ConfigPath() (string, error) {
	return path("XDG_CONFIG_HOME", ".config", os.UserConfigDir, "config.yaml")
}

// CacheDir is the folder of sessions: $XDG_CACHE_HOME/daypass.
func CacheDir() (string, error) { return path("XDG_CACHE_HOME", ".cache", os.UserCacheDir, "") }

func path(variable, below string, onWindows func() (string, error), name string) (string, error) {
	base := os.Getenv(variable)
	if !filepath.IsAbs(base) { // as the XDG specification has it
		var err error
		if runtime.GOOS == "windows" {
			base, err = onWindows()
		} else if base, err = os.UserHomeDir(); err == nil {
			base = filepath.Join(base, below)
		}
		if err != nil {
			return "", identity.NewError(identity.KindValidation, "client.path", "there is no home directory; set "+variable+" to an absolute path")
		}
	}
	return filepath.Join(base, "daypass", name), nil
}

// Config is the file of profiles.
type Config struct {
	path     string
	profiles map[string]Profile
}

// document is the YAML form of the file.
type document struct {
	Profiles map[string]Profile `yaml:"profiles"`
}

// LoadConfig reads the file of profiles; one that does not exist holds none. It
// fails with KindValidation; the error names file, line and key.
func LoadConfig(path string) (*Config, error) {
	c := &Config{path: path}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, unreadable(err)
	}
	doc, err := yamldoc.Parse(path, data)
	if err != nil {
		return nil, err
	}
	var file document
	if err := doc.Decode(&file); err != nil {
		return nil, err
	}
	c.profiles = file.Profiles
	for _, name := range c.Names() {
		p := c.profiles[name]
		if !ValidProfileName(name) {
			return nil, doc.Errorf("profiles", "%q is not a name of letters, digits and ._@-", name)
		}
		if key, complaint := p.check(); key != "" {
			return nil, doc.Errorf("profiles."+name+"."+key, "%s", complaint)
		}
	}
	return c, nil
}

func unreadable(err error) error {
	return &identity.Error{Kind: identity.KindValidation, Op: "client.file", Public: err.Error(), Err: err}
}

// Names lists the profiles, sorted.
func (c *Config) Names() []string { return slices.Sorted(maps.Keys(c.profiles)) }

// Profile returns the profile of a name as the file has it, and whether there
// is one.
func (c *Config) Profile(name string) (Profile, bool) {
	p, ok := c.profiles[name]
	p.Name = name
	return p, ok
}

// keys are what Save writes of a profile, in this order; zero values are left
// out.
func (p *Profile) keys() [][2]string {
	duration := ""
	if p.Duration != 0 {
		duration = shortDuration(p.Duration)
	}
	isSet := map[bool]string{true: "true"}
	return [][2]string{
		{"kind", p.Kind},
		{"endpoint", p.Endpoint},
		{"realm", p.Realm},
		{"client_id", p.ClientID},
		{"username", p.Username},
		{"role", p.Role},
		{"session_name", p.SessionName},
		{"duration", duration},
		{"region", p.Region},
		{"account", p.Account},
		{"resource_group", p.ResourceGroup},
		{"ca_file", p.CAFile},
		{"web_identity_token_file", p.WebIdentityTokenFile},
		{"no_browser", isSet[p.NoBrowser]},
		{"allow_plain_http", isSet[p.AllowPlainHTTP]},
	}
}

// shortDuration is 1h for what time.Duration writes as 1h0m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

// Save writes a profile into the file. Everything else in it, comments
// included, stays as it is.
func (c *Config) Save(p Profile) error {
	if old, ok := c.Profile(p.Name); ok && old == p {
		return nil
	}
	target := c.path
	if real, err := filepath.EvalSymlinks(target); err == nil {
		target = real
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
		return unreadable(err)
	}
	unlock, err := lock(target + ".lock")
	if err != nil {
		return unreadable(err)
	}
	defer unlock()
	data, err := os.ReadFile(target)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return unreadable(err)
	}
	if data, err = withProfile(data, &p); err != nil {
		return err
	}
	if err := writeFile(target, data, 0o600); err != nil {
		return unreadable(err)
	}
	if c.profiles == nil {
		c.profiles = map[string]Profile{}
	}
	c.profiles[p.Name] = p
	return nil
}

// withProfile sets a profile in the text of a file.
func withProfile(data []byte, p *Profile) ([]byte, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		return nil, fmt.Errorf("the file of profiles: %w", err)
	}
	var out bytes.Buffer
	if root.Kind == 0 { // at most comments, which no node holds
		out.Write(data)
		root = yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{{Kind: yaml.MappingNode}}}
	}
	if root.Content[0].Kind != yaml.MappingNode { // null
		root.Content[0] = &yaml.Node{Kind: yaml.MappingNode}
	}
	profile := mapping(mapping(root.Content[0], "profiles"), p.Name)
	for _, pair := range p.keys() {
		set(profile, pair[0], pair[1])
	}
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&root); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// mapping returns the mapping at a key, and makes one where there is none.
func mapping(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value != key {
			continue
		}
		value := n.Content[i+1]
		if value.Kind != yaml.MappingNode {
			*value = yaml.Node{Kind: yaml.MappingNode}
		}
		value.Style = 0
		return value
	}
	value := &yaml.Node{Kind: yaml.MappingNode}
	n.Content = append(n.Content, scalar(key), value)
	return value
}

// set sets a key of a mapping, or removes it for "".
func set(n *yaml.Node, key, value string) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value != key {
			continue
		}
		switch {
		case value == "":
			n.Content = slices.Delete(n.Content, i, i+2)
		case n.Content[i+1].Value != value:
			n.Content[i+1] = scalar(value)
		}
		return
	}
	if value != "" {
		n.Content = append(n.Content, scalar(key), scalar(value))
	}
}

func scalar(value string) *yaml.Node {
	n := &yaml.Node{}
	if value == "true" {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: value}
	}
	n.SetString(value)
	return n
}
