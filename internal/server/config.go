package server

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"daypass/internal/identity"
	"daypass/internal/yamldoc"
)

// Config is the configuration of a server: one YAML file, every key of which
// a DAYPASS_* variable overrides (DAYPASS_AUDIT_MAX_BYTES is audit.max_bytes,
// lists are separated by commas).
type Config struct {
	// Listen is HOST:PORT of the one port that serves all dialects.
	Listen string `yaml:"listen"`
	// ExternalURL is how clients reach that port; every URL that is emitted
	// begins with it. By default made of the listener's address.
	ExternalURL string `yaml:"external_url"`
	// Data is the directory of all state.
	Data string `yaml:"data"`
	// Region is the region that refusals name; S3, STS and IAM accept any.
	Region string `yaml:"region"`
	// AllowPlainHTTP permits plain HTTP on addresses other than loopback.
	AllowPlainHTTP bool     `yaml:"allow_plain_http"`
	BaseDomains    []string `yaml:"base_domains"`
	// PageHosts are host names that are kept for pages for people: no API
	// answers there. --dev adds localhost.
	PageHosts []string `yaml:"page_hosts"`
	// TrustedProxies are addresses or networks whose forwarded headers count.
	TrustedProxies []string `yaml:"trusted_proxies"`
	// RootKeyFile, PassphraseFile and Keyring.KMS: at most one is given. The root
	// key opens every other key.
	RootKeyFile    string `yaml:"root_key_file"`
	PassphraseFile string `yaml:"passphrase_file"`

	Keyring KeyringConfig `yaml:"keyring"`
	Admin   AdminConfig   `yaml:"admin"`
	Console ConsoleConfig `yaml:"console"`
	TLS     TLSConfig     `yaml:"tls"`
	STS     STSConfig     `yaml:"sts"`
	S3      S3Config      `yaml:"s3"`
	// Upstreams are the S3 stores behind the gateway, beside the embedded one.
	Upstreams   []UpstreamConfig  `yaml:"upstreams"`
	AccessKeys  AccessKeysConfig  `yaml:"access_keys"`
	Cache       CacheConfig       `yaml:"cache"`
	KMS         KMSConfig         `yaml:"kms"`
	Store       StoreConfig       `yaml:"store"`
	Audit       AuditConfig       `yaml:"audit"`
	Egress      EgressConfig      `yaml:"egress"`
	ObjectStore ObjectStoreConfig `yaml:"object_store"`
	Drain       time.Duration     `yaml:"drain"`
	Log         LogConfig         `yaml:"log"`
}

// AdminConfig is the listener of /healthz, /readyz and /metrics. The operator's
// calls have a socket of their own, DATA/admin.sock.
type AdminConfig struct {
	Listen string `yaml:"listen"`
}

// ConsoleConfig is the listener of the pages for people.
type ConsoleConfig struct {
	// Listen is HOST:PORT; "" for no console. With tls.cert_file it speaks TLS.
	Listen string `yaml:"listen"`
	// URL is how people reach it; by default made of Listen. Its host name is
	// kept for pages: no API answers there.
	URL string `yaml:"url"`
}

// TLSConfig names a certificate and where it is served: on Listen, or, when
// that is empty, on the main port in place of plain HTTP.
type TLSConfig struct {
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
	Listen   string `yaml:"listen"`
}

// STSConfig adjusts the STS dialect.
type STSConfig struct {
	MinDurationSeconds int `yaml:"min_duration_seconds"`
	// LongExpiredCode answers ExpiredTokenException in place of ExpiredToken.
	LongExpiredCode bool `yaml:"long_expired_code"`
	// PoolDurationSeconds is how long the keys of identity pools live; their
	// role's maximum may be less.
	PoolDurationSeconds int `yaml:"pool_duration_seconds"`
}

// S3Config adjusts the S3 gateway.
type S3Config struct {
	// MaxRequestsPerPrincipal is how many requests of one principal may be under
	// way; more wait for a while, and are then told to slow down.
	MaxRequestsPerPrincipal int `yaml:"max_requests_per_principal"`
	// Routes say where new buckets go: the first that fits, else DefaultUpstream.
	// Buckets that exist stay where they are.
	Routes          []RouteConfig `yaml:"routes"`
	DefaultUpstream string        `yaml:"default_upstream"`
}

// AccessKeysConfig is about long-term access keys.
type AccessKeysConfig struct {
	// MaxAgeDays is how many days new keys live; 0: until they are deleted. An
	// account may have a shorter time (daypass access-keys max-age).
	MaxAgeDays int `yaml:"max_age_days"`
}

// KMSConfig is about key management.
type KMSConfig struct {
	// PurgeAfter is how long a deleted key cannot be purged.
	PurgeAfter time.Duration `yaml:"purge_after"`
	// RotateEvery is how long a key that was rotated cannot be rotated by hand;
	// EnableAfter how long one that was disabled or deleted cannot be enabled or
	// restored. 0: at once.
	RotateEvery time.Duration `yaml:"rotate_every"`
	EnableAfter time.Duration `yaml:"enable_after"`
}

// CacheConfig bounds what is held in memory.
type CacheConfig struct {
	Principals int `yaml:"principals"`
}

// StoreConfig is about the store of identities.
type StoreConfig struct {
	// Staleness is how old the last sign of life of the store may be before
	// checking requests stops too.
	Staleness time.Duration `yaml:"staleness"`
}

// AuditConfig is about the audit log, DATA/audit.
type AuditConfig struct {
	// Durability is "fsync" (events are on disk before the answer leaves) or
	// "buffered".
	Durability string `yaml:"durability"`
	// MaxBytes is when a file is rotated; Keep is how many old ones remain.
	MaxBytes int64 `yaml:"max_bytes"`
	Keep     int   `yaml:"keep"`
}

// EgressConfig is about the URLs that others name.
type EgressConfig struct {
	// Exempt are HOST:PORT pairs that may be private or loopback addresses.
	Exempt []string `yaml:"exempt"`
}

// ObjectStoreConfig is about the embedded object store.
type ObjectStoreConfig struct {
	// Enabled says whether there is one.
	Enabled bool `yaml:"enabled"`
	// Binary is the path of daypass-objectstore; by default it is found beside
	// daypass, then on PATH.
	Binary string `yaml:"binary"`
	// Dir holds the buckets; DATA/objects by default.
	Dir string `yaml:"dir"`
}

// LogConfig is about the log on standard error.
type LogConfig struct {
	// Level is debug, info, warn or error.
	Level string `yaml:"level"`
	// Format is json or text.
	Format string `yaml:"format"`
	// Access switches the line per request.
	Access bool `yaml:"access"`
}

// Durabilities of the audit log.
const (
	DurabilityFsync    = "fsync"
	DurabilityBuffered = "buffered"
)

// DefaultConfig is what an empty file means.
func DefaultConfig() Config {
	return Config{
		Listen: "127.0.0.1:8080",
		Data:   "./daypass-data",
		Region: "us-east-1",
		// A service that starts with the same machine is there in two minutes.
		Keyring: KeyringConfig{RootKMSConfig{Wait: 2 * time.Minute}},
		Admin:   AdminConfig{Listen: "127.0.0.1:0"},
		STS:     STSConfig{MinDurationSeconds: 900, PoolDurationSeconds: 3600},
		// One principal leaves the object store a fifth.
		S3:          S3Config{MaxRequestsPerPrincipal: 384, DefaultUpstream: embeddedName},
		ObjectStore: ObjectStoreConfig{Enabled: true},
		Cache:       CacheConfig{Principals: 200_000},
		KMS:         KMSConfig{PurgeAfter: 4 * time.Hour},
		Store:       StoreConfig{Staleness: 30 * time.Second},
		Audit:       AuditConfig{Durability: DurabilityFsync, MaxBytes: 64 << 20, Keep: 16},
		Drain:       20 * time.Second,
		Log:         LogConfig{Level: "info", Format: "text", Access: true},
	}
}

// Flag is a flag of the command line that overrides a key. It counts when its
// value is not empty.
type Flag struct{ Name, Key, Value string }

// LoadConfig reads the file at path ("" for none), the overrides of the
// environment and, last, those of flags, and checks the whole. Errors are of
// KindValidation; their Public has one complaint per line, with file, line and
// key, or with the variable or flag that gave the value.
func LoadConfig(path string, environ []string, flags ...Flag) (Config, error) {
	c := DefaultConfig()
	doc, err := yamldoc.Parse("defaults", nil)
	if path != "" {
		data, readErr := readConfigFile(path)
		if readErr != nil {
			return c, readErr
		}
		if doc, err = yamldoc.Parse(path, data); err != nil {
			return c, err
		}
		if err := doc.Decode(&c); err != nil {
			return c, err
		}
	}
	if err != nil {
		return c, err
	}
	origins, err := c.applyOverrides(environ, flags)
	if err != nil {
		return c, err
	}
	return c, c.check(doc, origins)
}

func readConfigFile(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, invalid(path + ": no such file; name an existing one, or none for the defaults")
	}
	if err != nil {
		return nil, invalid(path + ": cannot be read: " + bare(err) + "; name a YAML file that this user may read")
	}
	return data, nil
}

func invalid(message string) *identity.Error {
	return identity.NewError(identity.KindValidation, "server.config", message)
}

// bare is an error's cause, without the operation and path that Go puts before
// it.
func bare(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return err.Error()
}

// check judges values; doc is where their lines are, and origins is what gave
// those that no file gave.
func (c *Config) check(doc *yamldoc.Document, origins map[string]string) error {
	var wrong []string
	complain := func(key, format string, args ...any) {
		if origin := origins[key]; origin != "" {
			wrong = append(wrong, origin+": "+fmt.Sprintf(format, args...))
			return
		}
		wrong = append(wrong, identity.AsError(doc.Errorf(key, format, args...)).Public)
	}
	c.checkAddresses(complain)
	c.checkValues(complain)
	c.checkFiles(complain)
	c.checkRootKMS(complain)
	c.checkUpstreams(complain)
	if len(wrong) > 0 {
		return invalid(strings.Join(wrong, "\n"))
	}
	return nil
}

type complainer func(key, format string, args ...any)

func (c *Config) checkAddresses(complain complainer) {
	for _, a := range []struct{ key, value string }{
		{"listen", c.Listen}, {"admin.listen", c.Admin.Listen}, {"tls.listen", c.TLS.Listen}, {"console.listen", c.Console.Listen},
	} {
		if a.value != "" && !IsHostPort(a.value) {
			complain(a.key, "%q is not HOST:PORT", a.value)
		}
	}
	if c.Listen == "" {
		complain("listen", "must be given")
	}
	if !c.AllowPlainHTTP && !c.mainIsTLS() && IsHostPort(c.Listen) && !IsLoopback(c.Listen) {
		complain("listen", "%s would serve plain HTTP beyond this machine: set tls.cert_file and tls.key_file, listen on 127.0.0.1 behind a proxy, or set allow_plain_http: true", c.Listen)
	}
	if IsHostPort(c.Admin.Listen) && !IsLoopback(c.Admin.Listen) {
		complain("admin.listen", "%s is not a loopback address: listen on 127.0.0.1", c.Admin.Listen)
	}
	if c.Admin.Listen == "" {
		complain("admin.listen", "must be given")
	}
	if u, err := url.Parse(c.ExternalURL); c.ExternalURL != "" &&
		(err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "") {
		complain("external_url", "%q is not of the form https://HOST[:PORT] (path prefixes break signatures)", c.ExternalURL)
	}
	c.checkConsole(complain)
	for i, d := range c.BaseDomains {
		if !domainName(d) {
			complain(fmt.Sprintf("base_domains[%d]", i), "%q is not a domain name in lower case without port", d)
		}
	}
	hosts := NewHosts(c.BaseDomains, func(string) (string, bool) { return "", false })
	for i, h := range c.PageHosts {
		switch key := fmt.Sprintf("page_hosts[%d]", i); {
		case !domainName(h):
			complain(key, "%q is not a host name in lower case without port", h)
		case hosts.Lookup(h).Service != "":
			complain(key, "%s is a host of %s by base_domains: pages for people need one of their own", h, hosts.Lookup(h).Service)
		case onPageHost(c.ExternalURL, c.PageHosts[i:i+1]):
			complain(key, "%s is the host of external_url: pages for people need one of their own", h)
		}
	}
	for i, p := range c.TrustedProxies {
		if _, err := parsePrefix(p); err != nil {
			complain(fmt.Sprintf("trusted_proxies[%d]", i), "%q is neither an address nor a network", p)
		}
	}
	for i, e := range c.Egress.Exempt {
		if _, _, err := net.SplitHostPort(e); err != nil {
			complain(fmt.Sprintf("egress.exempt[%d]", i), "%q is not HOST:PORT", e)
		}
	}
}

func (c *Config) checkValues(complain complainer) {
	if c.Data == "" {
		complain("data", "must be given")
	}
	if c.Region == "" {
		complain("region", "must be given")
	}
	if n := c.STS.MinDurationSeconds; n < 1 || n > 3600 {
		complain("sts.min_duration_seconds", "%d is not within 1 to 3600", n)
	}
	if n := c.STS.PoolDurationSeconds; n < 1 || n > 43200 {
		complain("sts.pool_duration_seconds", "%d is not within 1 to 43200", n)
	}
	if n := c.S3.MaxRequestsPerPrincipal; n < 1 {
		complain("s3.max_requests_per_principal", "%d is less than 1", n)
	}
	if n := c.AccessKeys.MaxAgeDays; n < 0 || n > 3660 {
		complain("access_keys.max_age_days", "%d is not within 0 (no end) to 3660", n)
	}
	if d := c.KMS.PurgeAfter; d < time.Second || d > 30*24*time.Hour {
		complain("kms.purge_after", "%s is not within 1s to 720h", d)
	}
	if d := c.KMS.RotateEvery; d < 0 || d > 24*time.Hour {
		complain("kms.rotate_every", "%s is not within 0 to 24h", d)
	}
	if d := c.KMS.EnableAfter; d < 0 || d > time.Hour {
		complain("kms.enable_after", "%s is not within 0 to 1h", d)
	}
	if c.Cache.Principals < 1000 {
		complain("cache.principals", "%d is less than 1000", c.Cache.Principals)
	}
	if s := c.Store.Staleness; s < time.Second || s > 10*time.Minute {
		complain("store.staleness", "%s is not within 1s to 10m", s)
	}
	if d := c.Audit.Durability; d != DurabilityFsync && d != DurabilityBuffered {
		complain("audit.durability", "%q is neither %q nor %q", d, DurabilityFsync, DurabilityBuffered)
	}
	if c.Audit.MaxBytes < 1<<16 {
		complain("audit.max_bytes", "%d is less than 65536", c.Audit.MaxBytes)
	}
	if c.Audit.Keep < 1 {
		complain("audit.keep", "%d is less than 1", c.Audit.Keep)
	}
	if c.Drain < 0 || c.Drain > time.Hour {
		complain("drain", "%s is not within 0s to 1h", c.Drain)
	}
	if _, err := logLevel(c.Log.Level); err != nil {
		complain("log.level", "%q is not debug, info, warn or error", c.Log.Level)
	}
	if f := c.Log.Format; f != "json" && f != "text" {
		complain("log.format", "%q is neither json nor text", f)
	}
}

func (c *Config) checkFiles(complain complainer) {
	if (c.TLS.CertFile == "") != (c.TLS.KeyFile == "") {
		complain("tls", "give both cert_file and key_file")
	}
	if c.TLS.CertFile != "" && c.TLS.KeyFile != "" {
		if _, err := loadCertificate(c.TLS.CertFile, c.TLS.KeyFile); err != nil {
			complain("tls.cert_file", "%v", err)
		}
	}
	if c.RootKeyFile != "" && c.PassphraseFile != "" {
		complain("passphrase_file", "give either root_key_file or passphrase_file")
	}
	for _, f := range []struct{ key, path string }{
		{"root_key_file", filepath.Dir(c.RootKeyFile)}, {"passphrase_file", c.PassphraseFile}, {"object_store.binary", c.ObjectStore.Binary},
	} {
		// The root key itself is made at the first start.
		if _, err := os.Stat(f.path); f.path != "" && err != nil {
			complain(f.key, "%s: %s", f.path, bare(err))
		}
	}
}

// onPageHost reports whether the host of a URL is kept for pages.
func onPageHost(address string, hosts []string) bool {
	u, err := url.Parse(address)
	return err == nil && slices.Contains(hosts, hostOnly(u.Hostname()))
}

// mainIsTLS reports whether the main port speaks TLS.
func (c *Config) mainIsTLS() bool { return c.TLS.CertFile != "" && c.TLS.Listen == "" }

func (c *Config) objectsDir(data string) string {
	if c.ObjectStore.Dir != "" {
		return c.ObjectStore.Dir
	}
	return filepath.Join(data, "objects")
}

// IsHostPort reports whether address is HOST:PORT with a port that exists.
func IsHostPort(address string) bool {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	_, err = net.LookupPort("tcp", port)
	return err == nil && port != ""
}

// IsLoopback reports whether HOST:PORT is of this machine only.
func IsLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func parsePrefix(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		return p.Masked(), err
	}
	ip, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	ip = ip.Unmap()
	return netip.PrefixFrom(ip, ip.BitLen()), nil
}

func domainName(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
	}
	return true
}
