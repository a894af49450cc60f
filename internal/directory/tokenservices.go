package directory

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"daypass/internal/identity"
	"daypass/internal/policy"
	"daypass/internal/store"
)

// TokenServiceSpec is a token service. Its name is one of the account's.
type TokenServiceSpec struct{ identity.TokenService }

const (
	maxTokenServiceHosts  = 20
	maxTokenServiceTokens = 50 // realms, providers, audiences
	maxTokenServiceRules  = 100
	maxURL                = 1024
)

// complaints of a check go to a function: the key within what is checked
// ("rules[0].role"), and a sentence.
type complain func(key, format string, args ...any)

// Check judges what can be judged without the store, the same for the reader
// of a site file, who knows the line, and for Apply.
func (s *TokenServiceSpec) Check(wrong complain) {
	if !realmRE.MatchString(s.Name) {
		wrong("name", "%q is not of 1 to 64 letters, digits, hyphens and underscores", s.Name)
	}
	if len(s.Hosts) > maxTokenServiceHosts {
		wrong("hosts", "up to %d", maxTokenServiceHosts)
	}
	for i, h := range s.Hosts {
		if !isHostName(h) || slices.Contains(s.Hosts[:i], h) {
			wrong(fmt.Sprintf("hosts[%d]", i), "%q is not a host name in lower case, without port, named once", h)
		}
	}
	if len(s.Realms)+len(s.Providers) == 0 {
		wrong("realms", "name the realms or the providers whose tokens count")
	}
	for _, list := range []struct {
		key    string
		values []string
		fits   func(string) bool
		what   string
	}{
		{"realms", s.Realms, realmRE.MatchString, "the name of a realm"},
		{"providers", s.Providers, isIssuer, "the URL of a provider"},
		{"audience", s.Audience, func(v string) bool { return v != "" && len(v) <= maxProviderID }, "an audience"},
	} {
		if len(list.values) > maxTokenServiceTokens {
			wrong(list.key, "up to %d", maxTokenServiceTokens)
		}
		for i, v := range list.values {
			if !list.fits(v) || slices.Contains(list.values[:i], v) {
				wrong(fmt.Sprintf("%s[%d]", list.key, i), "%q is not %s, named once", v, list.what)
			}
		}
	}
	if len(s.Audience) == 0 {
		wrong("audience", "name what tokens must have in their aud")
	}
	s.checkKeys(wrong)
	if len(s.Rules) > maxTokenServiceRules {
		wrong("rules", "up to %d", maxTokenServiceRules)
	}
	for i := range s.Rules {
		at := fmt.Sprintf("rules[%d].", i)
		s.checkRule(&s.Rules[i], func(key, format string, args ...any) { wrong(at+key, format, args...) })
	}
}

// checkKeys judges whose keys are given, and what callers are told.
func (s *TokenServiceSpec) checkKeys(wrong complain) {
	if s.EndpointURL != "" && (!isIssuer(s.EndpointURL) || len(s.EndpointURL) > maxURL) {
		wrong("endpoint_url", "%q is not a URL of http or https without a query", s.EndpointURL)
	}
	switch s.Keys {
	case identity.OwnKeys:
		for key, v := range map[string]string{"upstream": s.Upstream, "upstream_method": string(s.UpstreamMethod)} {
			if v != "" {
				wrong(key, "is for keys: upstream")
			}
		}
	case identity.UpstreamKeys:
		if !identity.ValidUpstreamName(s.Upstream) || s.Upstream == identity.EmbeddedUpstream {
			wrong("upstream", "%q is not the name of an upstream whose STS makes keys", s.Upstream)
		}
		if s.EndpointURL == "" {
			wrong("endpoint_url", "must be given: the upstream's S3 endpoint as callers reach it")
		}
		switch s.UpstreamMethod {
		case "", identity.UpstreamAssumeRole, identity.UpstreamWebIdentity:
		default:
			wrong("upstream_method", "either %s or %s", identity.UpstreamAssumeRole, identity.UpstreamWebIdentity)
		}
	default:
		wrong("keys", "either %s or %s", identity.OwnKeys, identity.UpstreamKeys)
	}
}

func (s *TokenServiceSpec) checkRule(r *identity.TokenServiceRule, wrong complain) {
	if r.Claim == "" || len(r.Claim) > maxProviderID {
		wrong("claim", "must be given: the name of a claim of up to %d characters", maxProviderID)
	}
	if r.Value == "" || len(r.Value) > policy.MaxPattern {
		wrong("value", "must be given: a value of up to %d characters", policy.MaxPattern)
	}
	if checkName("roleName", r.Role, maxRoleName) != nil {
		wrong("role", "must be given: the name of a role of the account")
	}
	if r.DurationSeconds < 0 || r.DurationSeconds > maxRoleTTL {
		wrong("duration_seconds", "is 1 to %d", maxRoleTTL)
	}
	switch {
	case s.Keys == identity.OwnKeys && r.UpstreamRole != "":
		wrong("upstream_role", "is for keys: upstream")
	case s.Keys == identity.OwnKeys && r.SessionPolicy != "":
		wrong("session_policy", "is for keys: upstream; the role's own policies bound own keys")
	case s.Keys == identity.UpstreamKeys && !strings.HasPrefix(r.UpstreamRole, "arn:"):
		wrong("upstream_role", "must be given: the ARN of the upstream's role")
	}
	if r.SessionPolicy != "" && s.Keys == identity.UpstreamKeys {
		if _, err := policy.Parse(policy.SessionPolicy, r.SessionPolicy, policy.Options{}); err != nil {
			wrong("session_policy", "%s", identity.AsError(err).Public)
		}
	}
}

func checkTokenServiceSpec(s TokenServiceSpec) (err error) {
	s.Check(func(key, format string, args ...any) {
		if err == nil {
			err = invalid("token service %s: %s: %s", s.Name, key, fmt.Sprintf(format, args...))
		}
	})
	return err
}

func isHostName(h string) bool {
	u, err := url.Parse("//" + h)
	return err == nil && h != "" && len(h) <= 253 && u.Host == h && u.Port() == "" && h == strings.ToLower(h) && !strings.HasSuffix(h, ".") && !strings.ContainsAny(h, ":[]")
}

func (a *applying) tokenService(s TokenServiceSpec) error {
	what := "token service " + s.Name
	if _, err := a.inAccount(what, s.AccountID); err != nil {
		return err
	}
	for _, name := range s.Realms {
		if err := a.tokenServiceRealm(what, &s, name); err != nil {
			return err
		}
	}
	for _, issuer := range s.Providers {
		p, err := there(store.Providers.Get(a.tx, (&identity.Provider{AccountID: s.AccountID, URL: issuer}).Key()))
		if err != nil {
			return err
		}
		if p == nil || p.URL != issuer {
			return invalid("%s: the account %s has no OIDC provider %q", what, s.AccountID, issuer)
		}
	}
	for _, r := range s.Rules {
		role, err := there(store.Roles.By(a.tx, "name", store.Join(s.AccountID, store.Fold(r.Role))))
		if err != nil {
			return err
		}
		if role == nil {
			return invalid("%s: the account %s has no role %q", what, s.AccountID, r.Role)
		}
		if r.DurationSeconds > role.MaxSessionDuration {
			return invalid("%s: the rule for role %s gives keys for %d seconds, and the role's max_session_duration is %d", what, r.Role, r.DurationSeconds, role.MaxSessionDuration)
		}
	}
	if err := a.tokenServiceHosts(what, &s); err != nil {
		return err
	}
	have, err := there(store.TokenServices.Get(a.tx, s.Key()))
	if err != nil {
		return err
	}
	return upsert(a, store.TokenServices, "token service", s.AccountID+"/"+s.Name, have, &s.TokenService)
}

// tokenServiceRealm wants a realm of the account that is registered there as a
// provider: roles can be assumed with tokens of no other.
func (a *applying) tokenServiceRealm(what string, s *TokenServiceSpec, name string) error {
	realm, err := there(store.Realms.Get(a.tx, name))
	if err != nil {
		return err
	}
	if realm == nil || realm.AccountID != s.AccountID {
		return invalid("%s: the account %s has no realm %q", what, s.AccountID, name)
	}
	p, err := there(store.Providers.Get(a.tx, (&identity.Provider{AccountID: s.AccountID, OwnRealm: name}).Key()))
	if err != nil {
		return err
	}
	if p == nil {
		return invalid("%s: under providers the account %s needs one with realm: %s", what, s.AccountID, name)
	}
	return nil
}

// tokenServiceHosts wants every host name, and the lack of any, to lead to one
// service.
func (a *applying) tokenServiceHosts(what string, s *TokenServiceSpec) error {
	all, err := store.TokenServices.List(a.tx, "", "", store.After{}, 0)
	if err != nil {
		return err
	}
	for _, other := range all {
		if other.Key() == s.Key() {
			continue
		}
		if len(other.Hosts) == 0 && len(s.Hosts) == 0 {
			return invalid("%s: %s answers already on every host that no other names; give one of them hosts", what, other.Key())
		}
		for _, h := range s.Hosts {
			if slices.Contains(other.Hosts, h) {
				return invalid("%s: the host %s is that of %s", what, h, other.Key())
			}
		}
	}
	return nil
}
