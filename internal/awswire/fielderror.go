package awswire

import (
	"strings"

	"daypass/internal/identity"
)

// MissingParameter is KindMissingParameter for a parameter, with the sentence
// of the query services.
func MissingParameter(name string) *identity.Error {
	return &identity.Error{
		Kind: identity.KindMissingParameter, Op: "awswire.Form",
		Public: "The request must contain the parameter " + name + ".",
		Detail: []identity.Detail{{Name: "Parameter", Value: name}},
	}
}

// UnknownAction is KindInvalidAction for an action, or a version of it, that
// is not served.
func UnknownAction(action, version string) *identity.Error {
	return identity.NewError(identity.KindInvalidAction, "awswire.Form",
		"Could not find operation "+clip(action)+" for version "+clip(version))
}

// Constraint is KindValidation in the words of the query services. The
// parameter is named as there, with a small first letter. Pass the value only
// where it is no secret; with "" the sentence does without it.
//
//	1 validation error detected: Value '60' at 'durationSeconds' failed to satisfy constraint: Member must …
func Constraint(parameter, value, constraint string) *identity.Error {
	var b strings.Builder
	b.WriteString("1 validation error detected: Value ")
	if value != "" {
		b.WriteString("'" + clip(value) + "' ")
	}
	b.WriteString("at '")
	if parameter != "" {
		b.WriteString(strings.ToLower(parameter[:1]) + parameter[1:])
	}
	b.WriteString("' failed to satisfy constraint: " + constraint)
	return identity.NewError(identity.KindValidation, "awswire.Form", b.String())
}

// clip bounds what an error repeats of the caller's own words.
func clip(s string) string {
	const most = 256
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
