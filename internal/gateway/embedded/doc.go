// Package embedded runs the embedded object store: the binary
// daypass-objectstore as a child process on a private unix socket, started
// with a fresh random key pair each time, restarted when it dies.
//
// To the gateway it is one more upstream: a round tripper and a key pair to
// sign with. The package reads no request beyond the access key it was signed
// with, and knows no S3, no callers and no policy.
//
// A request belongs to one life of the child: it must be signed with that
// life's key pair and travels over that life's socket only. What misses it
// fails with identity.KindUnavailable, which asks the client to try again.
package embedded
