// Package sigv4 is AWS Signature Version 4 on both sides: it parses and checks
// signed requests the way a strict server must, signs requests for an
// upstream, and reads and writes the body framing that goes with them
// (aws-chunked with an unsigned checksum trailer).
//
// A check has two halves with a look-up between them: Parse judges everything
// that needs no key (shape, scope, signed headers, time window), the caller
// finds the secret of Signed.AccessKeyID, and Signed.Check compares the
// signature in constant time.
//
// The package refuses to know where keys are stored, who owns them, whether a
// session token is genuine and which service a request was routed to. It
// imports only the standard library. Served are the header and the presigned
// mechanism with AWS4-HMAC-SHA256; SigV2, SigV4A, chunk signatures and POST
// policies are recognised and refused by name.
package sigv4
