// Package policy is the IAM JSON language as far as it is served: trust
// policies for web identity, and the canned managed policies. It is pure:
// documents and request facts in, an answer out.
//
// It refuses to know who calls, where documents are kept, and what an account
// is. Whatever it does not understand is refused when written and matches
// nothing when used.
package policy
