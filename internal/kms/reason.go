package kms

import "daypass/internal/identity"

// Reason is why a call was refused, finer than the error's kind. The closed list
// is what the dialect's table turns into its codes.
type Reason string

// Reasons.
const (
	ReasonNotFound           Reason = "not-found"              // no such key, ring, alias, …
	ReasonDeleted            Reason = "deleted"                // the key was deleted
	ReasonState              Reason = "state"                  // not in this state
	ReasonExpired            Reason = "expired"                // the key's time is over
	ReasonNotRoot            Reason = "not-root"               // a root key is needed
	ReasonNotImported        Reason = "not-imported"           // an imported key is needed
	ReasonPayloadNeeded      Reason = "payload-needed"         // material must be given
	ReasonCiphertext         Reason = "ciphertext"             // does not open
	ReasonNonce              Reason = "nonce"                  // of an import: wrong
	ReasonNonceIV            Reason = "nonce-iv"               // likewise
	ReasonImportTokenExpired Reason = "import-token-expired"   // or used up
	ReasonRestoreExpired     Reason = "restore-expired"        // past the time for it
	ReasonProtected          Reason = "protected"              // it has registrations, and force was not given
	ReasonDeletionPrevented  Reason = "deletion-prevented"     // a registration prevents deletion, force or not
	ReasonDualAuth           Reason = "dual-auth"              // two principals must agree
	ReasonNotDualAuth        Reason = "not-dual-auth"          // nothing for two to agree on
	ReasonTooEarly           Reason = "too-early"              // before a set time has passed
	ReasonRotationTooEarly   Reason = "rotation-not-permitted" // likewise
	ReasonCreationNotAllowed Reason = "creation-not-allowed"   // by keyCreateImportAccess
	ReasonNotAllowedFrom     Reason = "not-allowed-from"       // allowedIP, allowedNetwork
	ReasonServiceOnly        Reason = "service-only"           // for service IDs
	ReasonExists             Reason = "exists"                 // alias or ring is taken
	ReasonInUse              Reason = "in-use"                 // a ring with keys
	ReasonLimit              Reason = "limit"                  // too many
	ReasonBadField           Reason = "bad-field"              // a value out of its bounds
	ReasonPolicyConflict     Reason = "policy-conflict"        // policies that contradict each other
	ReasonRegistersRoot      Reason = "registers-root"         // a root key is needed for a registration
	ReasonNotOwner           Reason = "not-owner"              // another service registered it
)

// Reasons lists every reason, for the exhaustiveness test of the dialect.
func Reasons() []Reason {
	return []Reason{
		ReasonNotFound, ReasonDeleted, ReasonState, ReasonExpired, ReasonNotRoot, ReasonNotImported, ReasonPayloadNeeded, ReasonCiphertext,
		ReasonNonce, ReasonNonceIV, ReasonImportTokenExpired, ReasonRestoreExpired, ReasonProtected, ReasonDeletionPrevented, ReasonDualAuth,
		ReasonNotDualAuth, ReasonTooEarly, ReasonRotationTooEarly, ReasonCreationNotAllowed, ReasonNotAllowedFrom, ReasonServiceOnly,
		ReasonExists, ReasonInUse, ReasonLimit, ReasonBadField, ReasonPolicyConflict, ReasonRegistersRoot, ReasonNotOwner,
	}
}

const detailReason = "Reason"

// refuse makes a refusal; public is for the caller.
func refuse(kind identity.Kind, reason Reason, public string) error {
	return &identity.Error{Kind: kind, Op: "kms", Public: public, Detail: []identity.Detail{{Name: detailReason, Value: string(reason)}}}
}

// ReasonOf is the reason of a refusal of this package, "" for other errors.
func ReasonOf(err error) Reason {
	if err == nil {
		return ""
	}
	return Reason(identity.AsError(err).DetailValue(detailReason))
}
