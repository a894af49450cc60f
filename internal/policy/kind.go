package policy

import (
	"fmt"
	"unicode/utf8"

	"daypass/internal/identity"
)

// Kind says where a policy stands, which decides its grammar and its size.
type Kind uint8

// Kinds of policies. Inline, managed, boundary and session policies speak of
// the caller and have no Principal; resource and trust policies must have one;
// a trust policy has no Resource.
const (
	InlinePolicy Kind = iota + 1
	ManagedPolicy
	BoundaryPolicy
	SessionPolicy
	ResourcePolicy
	TrustPolicy
)

// MaxWireSize is the most bytes of a document of any kind.
const MaxWireSize = 131072

// maxSize is the most characters of one document. IAM does not count white
// space; resource and session policies are counted as they are.
var maxSize = map[Kind]int{
	InlinePolicy:   10240,
	ManagedPolicy:  6144,
	BoundaryPolicy: 6144,
	SessionPolicy:  2048,
	ResourcePolicy: 20480,
	TrustPolicy:    4096,
}

// String is the SourcePolicyType of a simulation.
func (k Kind) String() string {
	switch k {
	case InlinePolicy, ManagedPolicy, BoundaryPolicy, SessionPolicy:
		return "IAM Policy"
	case ResourcePolicy, TrustPolicy:
		return "Resource Policy"
	}
	return "none"
}

func (k Kind) hasPrincipal() bool { return k == ResourcePolicy || k == TrustPolicy }

// sizeOf counts as the limits of the kind do.
func sizeOf(k Kind, document string) int {
	if k == ResourcePolicy || k == SessionPolicy {
		return utf8.RuneCountInString(document)
	}
	n := 0
	for _, c := range document {
		if c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			n++
		}
	}
	return n
}

// checkText refuses what no document of the kind may hold: too many
// characters, text that is not UTF-8 and, except in resource policies,
// characters beyond Latin-1, which look-alikes of other letters are.
func checkText(k Kind, document string) error {
	if maxSize[k] == 0 {
		return identity.NewError(identity.KindInternal, "policy.parse", "")
	}
	if err := checkReadable(k, document); err != nil {
		return err
	}
	limit := maxSize[k]
	if sizeOf(k, document) <= limit {
		return nil
	}
	switch k {
	case ResourcePolicy:
		return refused("Policy exceeds the maximum allowed document size.")
	case SessionPolicy:
		return identity.NewError(identity.KindValidation, "policy.parse", fmt.Sprintf(
			"1 validation error detected: Value at 'policy' failed to satisfy constraint: Member must have length less than or equal to %d", limit))
	case TrustPolicy:
		return identity.NewError(identity.KindLimitExceeded, "policy.parse", fmt.Sprintf("Cannot exceed quota for ACLSizePerRole: %d", limit))
	}
	return identity.NewError(identity.KindLimitExceeded, "policy.parse", fmt.Sprintf("Cannot exceed quota for PolicySize: %d", limit))
}

func checkReadable(k Kind, document string) error {
	if len(document) > MaxWireSize {
		return refused("The policy is longer than %d bytes.", MaxWireSize)
	}
	if !utf8.ValidString(document) {
		return refused("Syntax errors in policy: the text is not UTF-8.")
	}
	if k == ResourcePolicy {
		return nil
	}
	for i, c := range document {
		if c > 0xff || (c < 0x20 && c != '\t' && c != '\n' && c != '\r') {
			at := positionIn(document, i)
			return refused("Syntax errors in policy: line %d, column %d: the character %q is not allowed.", at.Line, at.Column, c)
		}
	}
	return nil
}

// refused is the error of a document that cannot stand.
func refused(format string, args ...any) *identity.Error {
	return &identity.Error{Kind: identity.KindMalformedPolicy, Op: "policy.parse", Public: fmt.Sprintf(format, args...)}
}

// publicOf is the sentence of an error made by refused.
func publicOf(err error) string { return identity.AsError(err).Public }
