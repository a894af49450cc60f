// Package authn checks one proof and yields the principal behind it: a
// password, a client secret, a refresh token's text, a web-identity token. One
// file per proof.
//
// It refuses to know what the proof is for: whether the principal may have a
// credential, how long it lives and what it may do are decided above.
package authn
