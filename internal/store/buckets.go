package store

import "daypass/internal/identity"

// ForgetBucket removes a bucket from the registry, and its policy: whoever
// takes the name next begins without.
func ForgetBucket(tx Tx, name string) error {
	if err := BucketPolicies.Delete(tx, name); err != nil && identity.KindOf(err) != identity.KindNotFound {
		return err
	}
	return Buckets.Delete(tx, name)
}
