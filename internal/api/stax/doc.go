// Package stax serves a Stax-style REST API: the config document that clients
// read first, who the caller is, and the API tokens of the account. All but the
// documents is SigV4 for execute-api, with keys of an identity pool or any
// others that access accepts.
//
// It refuses to know who may do what: packages directory and access judge.
package stax
