// Package server turns configuration into objects and objects into listeners.
// It is the one place that names every dialect, store and upstream.
//
// A request comes in through front (request ID, source address, limits, log,
// metrics, recovery), is given to one dialect by Router.Route (credential
// scope, host name, X-Amz-Target, Action, path; selectors that disagree are
// refused), and is answered by that dialect.
//
// It refuses to know any rule about who may do what, and no wire format but
// what it needs to tell the dialects apart.
package server
