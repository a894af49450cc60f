package directory

import (
	"daypass/internal/identity"
	"daypass/internal/store"
)

// checkBoundary refuses a permissions boundary that is no managed policy of the
// account's partition or the account itself; "" is none.
func checkBoundary(r store.Reader, acc *identity.Account, arn string) error {
	if arn == "" {
		return nil
	}
	_, err := usablePolicy(r, acc, arn)
	if identity.KindOf(err) == identity.KindNotFound {
		return &identity.Error{Kind: identity.KindNotFound, Op: "directory.boundary", Public: "Scope ARN: " + arn + " does not exist or is not attachable."}
	}
	return err
}
