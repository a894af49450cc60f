// Package wiretest plays golden transcripts against the handler of a dialect.
// Only tests import it.
//
// A transcript is a txtar archive under testdata/wire: a comment that says what
// it shows, then pairs of files "request" and "response", each a raw HTTP
// message with line feeds as line ends. The archives are the documentation of
// the wire: requests are written by hand or recorded from a client, responses
// are rewritten by
//
//	go test ./internal/api/… -update
//
// It refuses to know any dialect.
package wiretest
