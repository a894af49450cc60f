// Package s3 is the gate in front of an object store. It recognises which S3
// operation a request is, asks package access whether the caller may do it,
// takes the client's credentials off, and hands the request, signed anew, to
// an upstream; bodies stream through.
//
// It refuses to know how a signature is checked, what a policy says, where the
// registry of buckets is kept, and how an upstream stores objects. What it does
// not recognise it does not forward: an unknown query parameter, an unknown
// x-amz-* header and a second sub-resource are answered NotImplemented, because
// a marker that the gate ignores and the upstream obeys is a privilege hole.
package s3
