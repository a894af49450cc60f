// Package access is the only place that accepts a credential and the only
// place that decides. Authenticate turns a request into a Caller; Authorize
// turns a caller, an action and a resource into a Decision. Both read the
// snapshot of package store and touch no database for what it holds.
//
// It refuses to know how an error looks on a wire, how a credential is
// minted, and what an action does once it is allowed.
package access
