// Package strictwire reads what strangers send where the standard library is
// lenient: forms in which a parameter stands twice, JSON objects with members that
// nobody asked for.
//
// It refuses to know any dialect: what is wrong is a Fault, which each dialect
// puts into its own words.
package strictwire

// Reason is what is wrong with a form or an object.
type Reason int

// Reasons. Twice, Unknown and Type concern a member.
const (
	MediaType Reason = iota + 1 // not a form
	Syntax
	Twice
	TooMany
	Unknown
	Type // or another refusal of what reads the member
)

// Fault is the error of a form or an object that is refused. Err, which may be
// nil, and Member are for who knows that they are no secrets.
type Fault struct {
	Reason Reason
	Member string
	Err    error
}

func (f *Fault) Error() string { return "a form or an object that is refused" }
func (f *Fault) Unwrap() error { return f.Err }
