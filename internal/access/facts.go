package access

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"daypass/internal/identity"
	"daypass/internal/policy"
)

// facts answer for the condition keys of a request that the policy engine does
// not know by itself.
type facts struct {
	caller *identity.Caller
	keys   map[string][]string
	later  func(key string) []string
	owner  string // the account that the resource belongs to
	now    time.Time
}

// Lookup implements policy.Context. Keys of the request come before ours, so
// that nothing but aws: keys is ours alone.
func (f *facts) Lookup(key string) policy.Values {
	if v := f.global(key); v.Len() > 0 {
		return v
	}
	var found []string
	for k, values := range f.keys {
		switch {
		case len(k) != len(key) || !strings.EqualFold(k, key):
		case found == nil:
			found = values
		default: // keys that differ in case are one: it has all their values
			found = slices.Concat(found, values)
		}
	}
	if len(found) > 0 {
		return policy.Many(found)
	}
	if key == "s3:resourceaccount" {
		return text(f.owner)
	}
	switch {
	case f.later != nil:
		return policy.Many(f.later(key))
	case f.caller != nil && f.caller.Keys != nil:
		return policy.Many(f.caller.Keys(key))
	}
	return policy.Values{}
}

// global are AWS's global condition keys, in lower case, and those that an
// identity pool's session has of itself.
func (f *facts) global(key string) policy.Values {
	c := f.caller
	if c == nil {
		return policy.Values{}
	}
	if !strings.HasPrefix(key, "aws:") {
		if v := ofInstance(c.Instance, key); v.Len() > 0 {
			return v
		}
		return ofPool(c.Pool, key)
	}
	switch key {
	case "aws:sourceip":
		return text(c.Request.SourceIP)
	case "aws:securetransport":
		return policy.One(strconv.FormatBool(c.Request.Secure))
	case "aws:useragent":
		return text(c.Request.UserAgent)
	case "aws:referer":
		return text(c.Request.Referer)
	case "aws:requestedregion":
		return text(c.Request.Region)
	case "aws:sourceidentity":
		return text(c.SourceIdentity)
	case "aws:federatedprovider":
		if c.Pool != nil { // as AWS has it
			return policy.One(identity.CognitoIdentity)
		}
		return text(c.ProviderARN)
	case "aws:viaawsservice", "aws:principalisawsservice":
		return policy.One("false")
	}
	if !c.Session() { // as in AWS, long-term keys have none of these
		return policy.Values{}
	}
	switch key {
	case "aws:multifactorauthpresent":
		return policy.One(strconv.FormatBool(c.MFA))
	case "aws:multifactorauthage":
		if c.MFA && !c.MFATime.IsZero() {
			return policy.One(strconv.FormatInt(int64(max(0, f.now.Sub(c.MFATime))/time.Second), 10))
		}
	case "aws:tokenissuetime":
		// With milliseconds, so that a policy that ends older sessions takes none
		// of those begun in the same second.
		return policy.One(c.IssuedAt.UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	return policy.Values{}
}

// ofInstance are the condition keys of requests that name a service instance.
func ofInstance(i *identity.ServiceInstance, key string) policy.Values {
	switch {
	case i == nil:
	case key == "ibm:serviceinstance":
		return policy.One(i.ID)
	case key == "ibm:resourcegroupid":
		return policy.One(i.ResourceGroupID)
	}
	return policy.Values{}
}

// ofPool are the condition keys of sessions that an identity pool gave.
func ofPool(p *identity.PoolSession, key string) policy.Values {
	if p == nil {
		return policy.Values{}
	}
	name, ok := strings.CutPrefix(key, identity.CognitoIdentity+":")
	switch {
	case !ok:
	case name == "sub":
		return policy.One(p.IdentityID)
	case name == "aud":
		return policy.One(p.PoolID)
	case name == "amr":
		return policy.Many(p.AMR)
	}
	return policy.Values{}
}

func text(s string) policy.Values {
	if s == "" {
		return policy.Values{}
	}
	return policy.One(s)
}
