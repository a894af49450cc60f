package site

import (
	"bytes"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"

	"daypass/internal/directory"
	"daypass/internal/identity"
)

// The YAML form of token services.
type (
	tokenService struct {
		Account        string             `yaml:"account"`
		Name           string             `yaml:"name"`
		Hosts          []string           `yaml:"hosts"`
		Realms         []string           `yaml:"realms"`
		Providers      []string           `yaml:"providers"`
		Audience       []string           `yaml:"audience"`
		Keys           string             `yaml:"keys"`
		EndpointURL    string             `yaml:"endpoint_url"`
		Upstream       string             `yaml:"upstream"`
		UpstreamMethod string             `yaml:"upstream_method"`
		Rules          []tokenServiceRule `yaml:"rules"`
	}
	tokenServiceRule struct {
		Claim           string    `yaml:"claim"`
		Value           string    `yaml:"value"`
		Role            string    `yaml:"role"`
		DurationSeconds int       `yaml:"duration_seconds"`
		UpstreamRole    string    `yaml:"upstream_role"`
		SessionPolicy   yaml.Node `yaml:"session_policy"`
	}
)

func (b *builder) tokenService(path string, s *tokenService) directory.TokenServiceSpec {
	b.require(path, "account", s.Account)
	b.once(path+".name", "token service", s.Account, s.Name)
	for i, h := range s.Hosts {
		b.once(fmt.Sprintf("%s.hosts[%d]", path, i), "host of a token service", h)
	}
	out := directory.TokenServiceSpec{TokenService: identity.TokenService{
		AccountID: s.Account, Name: s.Name, Hosts: s.Hosts, Realms: s.Realms, Providers: s.Providers, Audience: s.Audience,
		Keys: identity.TokenServiceKey(orDefault(s.Keys, string(identity.OwnKeys))), EndpointURL: s.EndpointURL,
		Upstream: s.Upstream, UpstreamMethod: identity.UpstreamMethod(s.UpstreamMethod),
	}}
	for i := range s.Rules {
		r := &s.Rules[i]
		rule := identity.TokenServiceRule{
			Claim: r.Claim, Value: r.Value, Role: r.Role, DurationSeconds: positive(r.DurationSeconds, defaultSessionSeconds), UpstreamRole: r.UpstreamRole,
		}
		if r.DurationSeconds < 0 {
			b.complain(fmt.Sprintf("%s.rules[%d].duration_seconds", path, i), "a lifetime cannot be negative")
		}
		if r.SessionPolicy.Kind != 0 {
			rule.SessionPolicy = compact(b.policy(fmt.Sprintf("%s.rules[%d].session_policy", path, i), &r.SessionPolicy))
		}
		out.Rules = append(out.Rules, rule)
	}
	out.Check(func(key, format string, args ...any) { b.complain(path+"."+key, format, args...) })
	return out
}

// compact takes the white space out of JSON: some stores read it wrongly.
func compact(document string) string {
	var out bytes.Buffer
	if json.Compact(&out, []byte(document)) != nil {
		return document // another complaint
	}
	return out.String()
}
