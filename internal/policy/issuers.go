package policy

import "strings"

// sharedIssuer signs tokens for anyone who asks, so a trust policy without a
// condition on whom the token speaks of would trust the whole world.
type sharedIssuer struct {
	host string // of the provider, without scheme; "*" is a wildcard
	// subjects are the claims that tell the issuer's customers apart.
	subjects []subjectClaim
}

// subjectClaim names a customer by the text from begin to the first end: in
// "repo:octo/app:ref:…" by "octo". A pattern must spell that part out. Without
// end only a value without wildcards will do. A name with a vendor is a key of
// its own, in lower case.
type subjectClaim struct{ name, begin, end string }

var sharedIssuers = []sharedIssuer{
	{"token.actions.githubusercontent.com", []subjectClaim{
		{"sub", "repo:", "/"},
		{"sub", "repository_owner_id:", ":"},
		{"repository", "", "/"},
		{"repository_id", "", ""},
		{"repository_owner", "", ""},
		{"repository_owner_id", "", ""},
		{"job_workflow_ref", "", "/"},
	}},
	{"gitlab.com", []subjectClaim{
		{"sub", "project_path:", "/"}, {"project_path", "", "/"}, {"project_id", "", ""}, {"namespace_path", "", ""}, {"namespace_id", "", ""},
	}},
	{"app.terraform.io", []subjectClaim{{"sub", "organization:", ":"}, {"terraform_organization_id", "", ""}}},
	{"oidc.circleci.com/org/*", []subjectClaim{{"sub", "org/", "/"}}},
	{"agent.buildkite.com", []subjectClaim{{"sub", "organization:", ":"}, {"organization_id", "", ""}}},
	{"api.bitbucket.org/2.0/workspaces/*", []subjectClaim{{"sub", "{", "}"}}},
	{"kubernetes.default.svc", []subjectClaim{{"sub", "system:serviceaccount:", ":"}}},
	{"kubernetes.default.svc.cluster.local", []subjectClaim{{"sub", "system:serviceaccount:", ":"}}},
	{"accounts.google.com", []subjectClaim{{"sub", "", ""}}},
	{"login.microsoftonline.com/common/*", []subjectClaim{{"sub", "", ""}, {"oid", "", ""}}},
	{"appleid.apple.com", []subjectClaim{{"sub", "", ""}}},
	{"www.facebook.com", []subjectClaim{{"sub", "", ""}, {"id", "", ""}}},
	{"cognito-identity.amazonaws.com", []subjectClaim{{"aud", "", ""}, {"sub", "", ""}}}, // the pool, in this installation too
	{"vstoken.actions.githubusercontent.com", []subjectClaim{{"sub", "", ""}}},
	{"oidc-configuration.audit-log.githubusercontent.com", []subjectClaim{{"sub", "", ""}}},
	{"oidc.codefresh.io", []subjectClaim{{"sub", "account:", ":"}}},
	{"studio.datachain.ai/api", []subjectClaim{{"sub", "credentials:", "/"}}},
	{"scalr.io", []subjectClaim{{"sub", "account:", ":"}}},
	{"tokens.cloud.shisho.dev", []subjectClaim{{"sub", "job:", ":"}}},
	{"proidc.upbound.io", []subjectClaim{{"sub", "mcp:", "/"}}},
	{"api.pulumi.com/oidc", []subjectClaim{{"aud", "", ""}}},
	{"sandboxes.cloud", []subjectClaim{{"aud", "", ""}}},
	{"oidc.vercel.com", []subjectClaim{{"aud", "", ""}}},
	{"graph.facebook.com", []subjectClaim{{"sub", "", ""}, {"id", "", ""}}},
	{"www.amazon.com", []subjectClaim{{"sub", "", ""}, {"user_id", "", ""}}},
	// Microsoft Sentinel: AWS has the session named after the workspace.
	{"sts.windows.net/33e01921-4d64-4f8c-a055-5bdaffd5e33d", []subjectClaim{{"sub", "", ""}, {"sts:rolesessionname", "", ""}}},
}

func findShared(host string) *sharedIssuer {
	host = lowered(host)
	for i := range sharedIssuers {
		if Wildcard(sharedIssuers[i].host, host) {
			return &sharedIssuers[i]
		}
	}
	return nil
}

// checkSharedIssuers refuses, when writing, a statement that would trust all
// customers of an issuer; when loading it makes the statement match nothing.
func (s *Statement) checkSharedIssuers(writing bool) error {
	for i := range s.principals.entries {
		e := &s.principals.entries[i]
		if e.kind != provider {
			continue
		}
		host := e.value
		if _, rest, ok := strings.Cut(host, ":oidc-provider/"); ok {
			host = rest
		}
		if issuer := findShared(host); issuer != nil && !s.anchored(issuer, host) {
			if writing {
				return refused("%s signs tokens for everyone: a condition that names the subject by %s:%s is needed.",
					host, host, issuer.subjects[0].name)
			}
			s.never = true
		}
	}
	return nil
}

func (s *Statement) anchored(issuer *sharedIssuer, host string) bool {
	for i := range s.conditions {
		if s.conditions[i].anchors(issuer, host) {
			return true
		}
	}
	return false
}

// anchors reports whether the condition can only be met by tokens of customers
// that it names.
func (c *condition) anchors(issuer *sharedIssuer, host string) bool {
	text := c.op.compare == stringEquals || c.op.compare == stringEqualsIgnoreCase || c.op.compare == stringLike
	if !text || c.op.negated || c.op.ifExists || c.op.quantifier == forAll {
		return false
	}
	for i := range c.operands {
		if !issuer.names(lowered(host), c.key, &c.operands[i].text) {
			return false
		}
	}
	return true
}

func (issuer *sharedIssuer) names(host, key string, p *pattern) bool {
	if len(p.tokens) == 0 || p.tokens[0].kind != literalText {
		return false
	}
	head := p.tokens[0].text
	if strings.Trim(head, "*?") == "" { // meant as wildcards, where they are none
		return false
	}
	for _, claim := range issuer.subjects {
		if key != host+":"+claim.name && key != claim.name {
			continue
		}
		if len(p.tokens) == 1 {
			return true
		}
		rest, ok := strings.CutPrefix(head, claim.begin)
		if ok && claim.end != "" && strings.Index(rest, claim.end) > 0 {
			return true
		}
	}
	return false
}
