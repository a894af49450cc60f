// Package admin is the operator's dialect: JSON over the socket DATA/admin.sock,
// which only the user that runs the server can open (mode 0600 in a directory
// of mode 0700).
//
//	POST /v1/apply           {"spec": …, "dry_run": bool} -> {"changes": […], "dry_run": bool}
//	GET  /v1/keyring         -> state of the keys
//	POST /v1/keyring/rotate  {"what": "…", "now": bool, "compromised": bool} -> what was rotated
//	GET  /v1/sessions, /v1/access-keys, /v1/users, /v1/buckets, /v1/upstreams -> lists; see Sessions, Users, Stores
//	POST /v1/buckets/claim   {"upstream", "bucket" | "prefix", "account_id", "dry_run"} -> what is an account's now
//	POST /v1/buckets/release {"bucket", "dry_run"} -> what was the account's
//	GET  /v1/kms/usage       ?instance&key -> who used the keys of key management
//	POST /v1/kms/open        {"instance"} -> {}: calls to an instance may come from anywhere again
//	POST /v1/backup          {"recipients": […]} -> the files of a backup, as multipart/mixed; see Backups
//
// Errors are {"error": {"kind", "message", "request_id"}}. Client is the other
// end, for the command line.
//
// It refuses to know what an operator may do: packages directory and operate
// ask access themselves.
package admin
