package issue

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"daypass/internal/access"
	"daypass/internal/identity"
	"daypass/internal/policy"
	"daypass/internal/store"
)

// SessionPolicy bounds what a session may do: a document, and the ARNs of
// managed policies.
type SessionPolicy struct {
	Document string
	ARNs     []string
}

const (
	maxSessionPolicies = 10
	maxSessionPolicy   = 2048 // characters, document and ARNs together
)

// checked is the document as a token carries it, compact, once it and the ARNs
// are fit for a session of the account. KindMalformedPolicy, KindValidation.
func (p SessionPolicy) checked(r store.Reader, acc *identity.Account) (string, error) {
	size := utf8.RuneCountInString(p.Document)
	for _, arn := range p.ARNs {
		size += utf8.RuneCountInString(arn)
	}
	if size > maxSessionPolicy || len(p.ARNs) > maxSessionPolicies {
		return "", &identity.Error{Kind: identity.KindPolicyTooLarge, Op: "issue.policy", Public: fmt.Sprintf(
			"The session policies have %d characters in %d managed policies; %d and %d are allowed.", size, len(p.ARNs), maxSessionPolicy, maxSessionPolicies)}
	}
	for _, arn := range p.ARNs {
		if name, ok := policy.CannedName(arn); ok && arn == policy.CannedARN(acc.Partition, name) {
			continue
		}
		_, err := access.ManagedPolicy(r, acc, arn)
		if identity.KindOf(err) == identity.KindNotFound {
			return "", identity.NewError(identity.KindValidation, "issue.policy", "There is no managed policy "+bounded(arn)+" for this session.")
		}
		if err != nil {
			return "", err
		}
	}
	if p.Document == "" {
		return "", nil
	}
	if _, err := policy.Parse(policy.SessionPolicy, p.Document, policy.Options{}); err != nil {
		return "", err
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(p.Document)); err != nil {
		return "", &identity.Error{Kind: identity.KindMalformedPolicy, Op: "issue.policy", Err: err}
	}
	return compact.String(), nil
}
