// Package client is Daypass as people's machines see it: profiles, the store of
// what a log-in yielded, and the calls over the public wire that yield it (a
// realm's token endpoint, STS).
//
//	Keeper.LogIn    proof → tokens → session keys → Store
//	Keeper.Keys     Store; when little time is left: lock, renew, Store
//	Keeper.LogOut   the server ends the log-in session; the entry goes
//
// One entry per profile is kept: the refresh token and, per role, the session
// keys. A password never is. Keeper.Keys may run in many processes at once: a
// lock per profile makes one of them renew while the others wait and read.
//
// It refuses to know anything of the server but its wire, and prints nothing:
// notices go to a function of the caller's. Errors are *identity.Error; their
// Public says what failed, at which endpoint and profile, and what to do next.
package client
