// Package token gives our stateless credentials their form: session keys whose
// token is sealed claims, and JWTs signed by an issuer's keys. It also holds
// the one strict parser of JWTs, for our own and for foreign ones.
//
// It refuses to know who may have a token, whether one has been revoked or has
// expired, and where keys come from: those are issue, access and keyring.
package token
