package directory

import (
	"daypass/internal/access"
	"daypass/internal/identity"
	"daypass/internal/policy"
	"daypass/internal/store"
)

// checkBoundary refuses a permissions boundary that is no managed policy of the
// account's partition or the account itself; "" is none.
func checkBoundary(r store.Reader, acc *identity.Account, arn string) error {
	if arn == "" {
		return nil
	}
	if name, ok := policy.CannedName(arn); ok && arn == policy.CannedARN(acc.Partition, name) {
		return nil
	}
	_, err := access.ManagedPolicy(r, acc, arn)
	if identity.KindOf(err) == identity.KindNotFound {
		return &identity.Error{Kind: identity.KindNotFound, Op: "directory.boundary", Public: "Scope ARN: " + arn + " does not exist or is not attachable."}
	}
	return err
}
