// Package awswire holds the codecs of the AWS wire: the query form as it
// arrives, XML and JSON 1.1 as they leave, and the error envelopes of the
// query services (STS, IAM), of S3 and of the JSON services. Each envelope has
// one table from identity.Kind to code, status and standard sentence; no other
// package maps an error to a code of these services.
//
// It refuses to know what an action does, who calls, and which service a
// request belongs to: the router decides that and passes it in. It never logs
// and never checks a signature; Form only keeps the hash of the body for whoever
// does.
package awswire
