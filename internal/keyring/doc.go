// Package keyring holds our own keys: the root key that opens everything else,
// the key sets at rest (sealing, keyed hashes, enumeration, boxes), the epochs
// of session tokens, and one signing set per issuer. It makes them, keeps them
// sealed in the store, follows changes made by other nodes, rotates them on a
// schedule and destroys what has served its time.
//
// Every secret row is sealed under the root key with XAES-256-GCM; table,
// column and row are bound as associated data, so that a row moved elsewhere
// does not open. All nodes work from the same rows: a key is published a while
// before it is used, and new epochs are created by insertion of their number,
// so two nodes never make the same one.
//
// It refuses to know what a token says, who an issuer is, and what the values
// mean that it seals and hashes.
package keyring
