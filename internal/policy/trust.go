package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"daypass/internal/identity"
)

// MaxTrustSize is the most bytes of a trust policy.
const MaxTrustSize = 131072

// WebIdentityAction is the one action of a trust policy for web identity.
const WebIdentityAction = "sts:AssumeRoleWithWebIdentity"

// Trust is a compiled trust policy.
type Trust struct{ statements []trustStatement }

type trustStatement struct {
	federated []string            // provider ARNs
	equals    map[string][]string // claim name ("aud", "sub") -> one of
	providers map[string]bool     // condition key prefixes, without scheme
}

// ParseTrust compiles a trust policy. Served are Allow statements whose
// Principal is Federated (OIDC provider ARNs), whose Action is
// sts:AssumeRoleWithWebIdentity, and whose Condition compares "<provider>:aud"
// and "<provider>:sub" by StringEquals. Anything else, an unknown member
// included, fails with KindMalformedPolicy, so that nothing written is ignored.
func ParseTrust(document string) (*Trust, error) {
	if len(document) > MaxTrustSize {
		return nil, malformed("The policy is longer than %d characters.", MaxTrustSize)
	}
	var doc struct {
		Version   string
		ID        string `json:"Id"`
		Statement oneOrMany[statement]
	}
	if err := decodeStrict([]byte(document), &doc); err != nil {
		return nil, malformed("Syntax errors in policy: %s.", err)
	}
	if doc.Version != "" && doc.Version != "2012-10-17" && doc.Version != "2008-10-17" {
		return nil, malformed("The policy must contain a valid version string.")
	}
	if len(doc.Statement) == 0 {
		return nil, malformed("A trust policy needs at least one statement.")
	}
	t := new(Trust)
	for i, s := range doc.Statement {
		c, err := s.compile()
		if err != nil {
			return nil, malformed("Statement %d: %s.", i+1, err)
		}
		t.statements = append(t.statements, c)
	}
	return t, nil
}

// AllowsWebIdentity reports whether a token of the provider with this ARN and
// issuer, with this audience and subject, may assume the role.
func (t *Trust) AllowsWebIdentity(providerARN, issuer, audience, subject string) bool {
	provider := identity.TrimScheme(issuer)
	claims := map[string]string{"aud": audience, "sub": subject}
	for _, s := range t.statements {
		if s.allows(providerARN, provider, claims) {
			return true
		}
	}
	return false
}

func (s trustStatement) allows(providerARN, provider string, claims map[string]string) bool {
	if !contains(s.federated, providerARN) {
		return false
	}
	if isShared(provider) && len(s.equals["sub"]) == 0 {
		return false
	}
	for p := range s.providers {
		if p != provider { // a condition on another provider's claims: the value is missing
			return false
		}
	}
	for claim, values := range s.equals {
		if !contains(values, claims[claim]) {
			return false
		}
	}
	return true
}

type statement struct {
	Sid       string
	Effect    string
	Principal struct{ Federated oneOrMany[string] }
	Action    oneOrMany[string]
	Condition struct {
		StringEquals map[string]oneOrMany[string]
	}
}

func (s statement) compile() (trustStatement, error) {
	c := trustStatement{federated: s.Principal.Federated, equals: map[string][]string{}, providers: map[string]bool{}}
	if s.Effect != "Allow" {
		return c, fmt.Errorf("only the Effect Allow is served")
	}
	if len(s.Action) != 1 || s.Action[0] != WebIdentityAction {
		return c, fmt.Errorf("the Action must be %s", WebIdentityAction)
	}
	if len(c.federated) == 0 {
		return c, fmt.Errorf("the Principal must be Federated")
	}
	for key, values := range s.Condition.StringEquals {
		provider, claim, ok := cutLast(key, ':')
		if !ok || (claim != "aud" && claim != "sub") {
			return c, fmt.Errorf("the condition key %q is not served: <provider>:aud and <provider>:sub are", key)
		}
		if len(values) == 0 {
			return c, fmt.Errorf("the condition key %q has no value", key)
		}
		c.providers[provider] = true
		c.equals[claim] = values
	}
	if len(c.providers) > 1 {
		return c, fmt.Errorf("conditions name more than one provider")
	}
	for _, arn := range c.federated {
		a, ok := identity.ParseARN(arn)
		provider, isOIDC := strings.CutPrefix(a.Resource, "oidc-provider/")
		if !ok || a.Service != "iam" || !isOIDC || provider == "" {
			return c, fmt.Errorf("the principal %q is not the ARN of an OIDC provider", arn)
		}
		if isShared(provider) && len(c.equals["sub"]) == 0 {
			return c, fmt.Errorf("%s signs tokens for everyone: a condition on %s:sub is needed", provider, provider)
		}
	}
	return c, nil
}

// oneOrMany reads a JSON value that may stand alone or in a list.
type oneOrMany[T any] []T

func (o *oneOrMany[T]) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '[' {
		var many []T
		if err := decodeStrict(b, &many); err != nil {
			return err
		}
		*o = many
		return nil
	}
	var one T
	if err := decodeStrict(b, &one); err != nil {
		return err
	}
	*o = []T{one}
	return nil
}

func decodeStrict(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("text after the end")
	}
	return nil
}

func malformed(format string, args ...any) error {
	return &identity.Error{Kind: identity.KindMalformedPolicy, Op: "policy.trust", Public: fmt.Sprintf(format, args...)}
}

func cutLast(s string, sep byte) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, sep)
	if i < 0 {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}
