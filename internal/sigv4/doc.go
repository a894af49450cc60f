// Package sigv4 is AWS Signature Version 4 on both sides: it parses and checks
// signed requests the way a strict server must, signs requests for an
// upstream, and reads and writes the body framing that goes with them
// (aws-chunked, its chunks signed or not, with a checksum trailer or without).
//
// A check has two halves with a look-up between them: Parse judges everything
// that needs no key (shape, scope, signed headers, time window), the caller
// finds the secret of Signed.AccessKeyID, and Signed.Check compares the
// signature in constant time. A request that is Signed.Asymmetric (SigV4A) goes
// to Signed.CheckAsymmetric instead. ParsePostForm is Parse for browser uploads,
// whose signature covers a policy. What the check cannot cover is covered as it
// streams: Payload.Reader and PostForm.File withhold the end of a body until all
// of it was found right.
//
// The package refuses to know where keys are stored, who owns them, whether a
// session token is genuine and which service a request was routed to. It
// imports only the standard library. SigV2, chunks signed with SigV4A, event
// streams and POST policies signed with anything but AWS4-HMAC-SHA256 are
// recognised and refused by name.
package sigv4
