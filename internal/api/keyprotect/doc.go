// Package keyprotect is the dialect of IBM's Key Protect, the key management API
// below /api/v2/. It decodes, calls kms, and encodes. It refuses to know what a
// key is made of, who may use it, and which states follow which.
package keyprotect
