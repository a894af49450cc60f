// Package upstream is the client of what stands behind the gate: an S3
// endpoint, reached with the operator's own credentials. It signs each request
// by header, sends it once, and hands the answer back as it came; bodies
// stream both ways.
//
// A KeyProtect is the client of a key management service that keeps our root key.
//
// It refuses to know who asked and whether they may: whoever calls it has
// decided. It never follows a redirect, never sends a body twice and never
// carries a caller's credential.
package upstream
