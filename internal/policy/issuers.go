package policy

import "strings"

// sharedIssuer signs tokens for anyone who asks, so a trust policy without a
// condition on whom the token speaks of would trust the whole world.
type sharedIssuer struct {
	host string // of the provider, without scheme; "*" is a wildcard
	// subjects are the claims that tell the issuer's customers apart.
	subjects []subjectClaim
	// signIn issuers give tokens to people for the applications registered with
	// them; at the others whoever asks names the audience.
	signIn bool
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
	}, false},
	{"gitlab.com", []subjectClaim{
		{"sub", "project_path:", "/"}, {"project_path", "", "/"}, {"project_id", "", ""}, {"namespace_path", "", ""}, {"namespace_id", "", ""},
	}, false},
	{"app.terraform.io", []subjectClaim{{"sub", "organization:", ":"}, {"terraform_organization_id", "", ""}}, false},
	{"oidc.circleci.com/org/*", []subjectClaim{{"sub", "org/", "/"}}, false},
	{"agent.buildkite.com", []subjectClaim{{"sub", "organization:", ":"}, {"organization_id", "", ""}}, false},
	{"api.bitbucket.org/2.0/workspaces/*", []subjectClaim{{"sub", "{", "}"}}, false},
	{"kubernetes.default.svc", []subjectClaim{{"sub", "system:serviceaccount:", ":"}}, false},
	{"kubernetes.default.svc.cluster.local", []subjectClaim{{"sub", "system:serviceaccount:", ":"}}, false},
	{"accounts.google.com", []subjectClaim{{"sub", "", ""}}, true},
	{"login.microsoftonline.com/common/*", []subjectClaim{{"sub", "", ""}, {"oid", "", ""}}, true},
	{"appleid.apple.com", []subjectClaim{{"sub", "", ""}}, true},
	{"www.facebook.com", []subjectClaim{{"sub", "", ""}, {"id", "", ""}}, true},
	{"cognito-identity.amazonaws.com", []subjectClaim{{"aud", "", ""}, {"sub", "", ""}}, false}, // the pool, in this installation too
	{"vstoken.actions.githubusercontent.com", []subjectClaim{{"sub", "", ""}}, false},
	{"oidc-configuration.audit-log.githubusercontent.com", []subjectClaim{{"sub", "", ""}}, false},
	{"oidc.codefresh.io", []subjectClaim{{"sub", "account:", ":"}}, false},
	{"studio.datachain.ai/api", []subjectClaim{{"sub", "credentials:", "/"}}, false},
	{"scalr.io", []subjectClaim{{"sub", "account:", ":"}}, false},
	{"tokens.cloud.shisho.dev", []subjectClaim{{"sub", "job:", ":"}}, false},
	{"proidc.upbound.io", []subjectClaim{{"sub", "mcp:", "/"}}, false},
	{"api.pulumi.com/oidc", []subjectClaim{{"aud", "", ""}}, false},
	{"sandboxes.cloud", []subjectClaim{{"aud", "", ""}}, false},
	{"oidc.vercel.com", []subjectClaim{{"aud", "", ""}}, false},
	{"graph.facebook.com", []subjectClaim{{"sub", "", ""}, {"id", "", ""}}, true},
	{"www.amazon.com", []subjectClaim{{"sub", "", ""}, {"user_id", "", ""}}, true},
	// Microsoft Sentinel: AWS has the session named after the workspace.
	{"sts.windows.net/33e01921-4d64-4f8c-a055-5bdaffd5e33d", []subjectClaim{{"sub", "", ""}, {"sts:rolesessionname", "", ""}}, false},
}

// AnyAudience reports whether an issuer (without scheme) signs tokens with the
// audience that whoever asks names: being meant for somebody, such a token says
// nothing of whom it comes from.
func AnyAudience(host string) bool {
	shared := findShared(host)
	return shared != nil && !shared.signIn
}

// CustomerClaims are the claims that say whom a token speaks of, for an issuer
// (without scheme) that signs tokens for everyone; nil for other issuers.
func CustomerClaims(host string) []string {
	shared := findShared(host)
	if shared == nil {
		return nil
	}
	var out []string
	for _, c := range shared.subjects {
		out = append(out, c.name)
	}
	return out
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
