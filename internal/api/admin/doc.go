// Package admin is the operator's dialect: JSON over the socket DATA/admin.sock,
// which only the user that runs the server can open (mode 0600 in a directory
// of mode 0700).
//
//	POST /v1/apply           {"spec": …, "dry_run": bool} -> {"changes": […], "dry_run": bool}
//	GET  /v1/keyring         -> state of the keys
//	POST /v1/keyring/rotate  {"what": "…", "now": bool, "compromised": bool} -> what was rotated
//
// Errors are {"error": {"kind", "message", "request_id"}}. Client is the other
// end, for the command line.
//
// It refuses to know what an operator may do: packages directory and operate
// ask access themselves.
package admin
