// Package ibm is the dialect of IBM Cloud IAM: its token service and, behind
// the bearer tokens of that, its identity API.
//
//	POST /identity/token                             grants by form; /oidc/token is the same
//	GET  /identity/keys                              JWKS
//	GET  /identity/.well-known/openid-configuration  discovery
//	GET  /identity/passcode                          to the page for people
//	GET  /identity/authorize                         to the page that asks for an authorization code
//	POST /identity/introspect, /identity/userinfo    what a token says, while it lives
//
//	/v1/apikeys, /v1/serviceids                      and what is below them
//	/v1/accounts/{id}/settings/identity              how long tokens live
//	/v2/resource_groups, /v2/resource_instances      what the site names, to read
//	/v1/session_keys, /v1/sessions/{id}              our own: keys for SigV4, and logging out
//	/v1/*_templates, /v1/*_assignments               lists, always empty
//
// Each of the two has an error envelope of its own. The package decodes, calls
// issue and directory, and encodes. It refuses to know how an API key, a
// passcode or a token is judged.
package ibm
