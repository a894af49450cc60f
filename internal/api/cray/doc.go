// Package cray serves the token service of Cray system management (cray-sts):
// a PUT with a bearer token is answered with keys for S3 and where to use them.
//
// The request has no parameters, so nothing of it but the token counts. It
// refuses to know who gets which keys: package issue judges.
package cray
