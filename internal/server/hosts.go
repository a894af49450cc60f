package server

import (
	"net"
	"net/netip"
	"slices"
	"strings"
)

// Names of the services, as in credential scopes. Realms, the discovery
// documents of pools, the token service and IBM's APIs have no scope.
const (
	serviceS3              = "s3"
	serviceSTS             = "sts"
	serviceIAM             = "iam"
	serviceOIDC            = "oidc"
	serviceCognitoIDP      = "cognito-idp"
	serviceCognitoIdentity = "cognito-identity"
	servicePool            = "cognito-pool"
	serviceAPI             = "execute-api"
	serviceCray            = "token-service"
	serviceIBM             = "ibm-iam"
	serviceKMS             = "kms"
)

// hostServices may stand before a base domain: s3.x, iam.x, sts.x.
var hostServices = []string{serviceS3, serviceIAM, serviceSTS}

// Hosts reads host names: which service one names, and which bucket or account.
type Hosts struct {
	bases []hostBase
	s3    []string // the bases of S3
	// domains are the configured ones, for the check against DNS rebinding.
	domains []string
	alias   func(string) (accountID string, ok bool)
}

type hostBase struct{ name, service string }

// HostName is what a host name says.
type HostName struct {
	Service string // "" when it names none
	// Base is the base domain that matched, "" when none did.
	Base string
	// Bucket is set when a bucket's label stands before an S3 base.
	Bucket string
	// AccountID is set when the base is that of an account's alias.
	AccountID string
}

// NewHosts takes base domains. One that begins with a service's label ("s3.x")
// is a base of that service; any other ("x") gives s3.x, iam.x and sts.x. alias
// finds the account with an alias.
func NewHosts(domains []string, alias func(string) (string, bool)) *Hosts {
	h := &Hosts{domains: domains, alias: alias}
	for _, d := range domains {
		label, _, _ := strings.Cut(d, ".")
		if slices.Contains(hostServices, label) && strings.Contains(d, ".") {
			h.bases = append(h.bases, hostBase{d, label})
			continue
		}
		for _, service := range hostServices {
			h.bases = append(h.bases, hostBase{service + "." + d, service})
		}
	}
	slices.SortStableFunc(h.bases, func(a, b hostBase) int { return len(b.name) - len(a.name) })
	for _, b := range h.bases {
		if b.service == serviceS3 {
			h.s3 = append(h.s3, b.name)
		}
	}
	return h
}

// Lookup reads the host name of a request. The longest base wins, and the base
// of an account's alias is longer than the one it stands on: with an alias
// "demo", demo.s3.x is path-style and b.demo.s3.x is the bucket b.
func (h *Hosts) Lookup(host string) HostName {
	name := hostOnly(host)
	for _, base := range h.bases {
		rest, ok := strings.CutSuffix(name, base.name)
		if !ok || rest != "" && rest[len(rest)-1] != '.' {
			continue
		}
		return h.below(base, strings.TrimSuffix(rest, "."))
	}
	return HostName{}
}

func (h *Hosts) below(base hostBase, labels string) HostName {
	out := HostName{Service: base.service, Base: base.name}
	if labels == "" {
		return out
	}
	before, last := "", labels
	if i := strings.LastIndexByte(labels, '.'); i >= 0 {
		before, last = labels[:i], labels[i+1:]
	}
	if account, ok := h.alias(last); ok {
		out.AccountID, out.Base, labels = account, last+"."+base.name, before
	}
	if base.service == serviceS3 {
		out.Bucket = labels
	}
	return out
}

// S3Bases returns the S3 bases that count for a host name: the configured ones
// and, where the host has one, its account's.
func (h *Hosts) S3Bases(host string) []string {
	n := h.Lookup(host)
	if n.Service != serviceS3 || n.AccountID == "" {
		return h.s3
	}
	return append([]string{n.Base}, h.s3...)
}

// Local reports whether a host name is one of this machine or below a
// configured domain. Anything else in front of a loopback listener is a
// browser led astray (DNS rebinding).
func (h *Hosts) Local(host string) bool {
	name := hostOnly(host)
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	if ip, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return ip.Unmap().IsLoopback()
	}
	return slices.ContainsFunc(h.domains, func(d string) bool {
		return name == d || strings.HasSuffix(name, "."+d)
	})
}

// hostOnly takes port and final dot away, in lower case.
func hostOnly(host string) string {
	if strings.IndexByte(host, ':') >= 0 {
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
