// Package issue is the only place that mints a credential. Whatever the
// dialect, the steps are the same and in this order: 1 prove, 2 permit, 3
// bound the lifetime, 4 mint, 5 record.
//
// It refuses to know any wire format, and checks no proof itself: authn does.
package issue
