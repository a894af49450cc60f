// Package directory manages identities and what belongs to them: accounts,
// realms, clients, users, long-term keys, roles, providers and the registry of
// buckets, with all rules about them. Every exported method takes the Caller
// and asks package access itself, so no dialect can forget to.
//
// It refuses to know any wire format and never mints a credential: that is
// package issue's.
package directory
