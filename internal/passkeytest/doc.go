// Package passkeytest is a passkey authenticator in software, for tests: it
// answers what a browser's navigator.credentials would.
//
// It refuses to know anything of the product.
package passkeytest
