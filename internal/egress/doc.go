// Package egress fetches from URLs that the operator did not write: foreign
// issuers' discovery documents and key sets. Client is the only HTTP client
// for such URLs; Issuers caches the keys that it fetched.
//
// A stranger can choose such a URL and what its name resolves to. So it is
// https only, every address is judged when it is dialled, after DNS and again
// on each redirect, and nothing in this machine or its private networks is
// reached unless the operator exempted that host and port. Answers are bounded
// in size and time, and what a server said never gets into an error.
//
// The package refuses to know what a token says: it yields public keys.
package egress
