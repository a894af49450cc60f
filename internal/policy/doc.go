// Package policy is the IAM JSON policy language: documents are parsed and
// compiled once, requests are evaluated against them, and a decision can be
// explained. It is pure: documents and facts in, an answer out.
//
// It refuses to know who calls, where documents are kept, which of them bear
// on a caller, and what the condition keys of a service are. Whatever it does
// not understand is refused when written, allows nothing when used, and denies
// when it may have been a Deny. Where AWS's rules leave two readings, the one
// is taken that permits less: see Evaluate, condition.met and arnPattern.
package policy
