// Package keyprotect is the dialect of IBM's Key Protect, the key management API
// below /api/v2/:
//
//	keys, keys_with_policy_overrides     make, list, show, delete keys
//	keys/{id}/metadata, versions, …      what there is of one; {id} is an alias too
//	keys/{id}/actions/{action}           wrap, unwrap, rewrap, rotate, …
//	keys/{id}/aliases, policies, …       bookkeeping of one
//	key_rings, instance, import_token    of the instance that Bluemix-Instance names
//
// It decodes, calls kms, and encodes. It refuses to know what a key is made of,
// who may use it, and which states follow which.
package keyprotect
