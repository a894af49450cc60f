// Package oidc is the dialect of realms: the Keycloak-style token endpoint and
// its companions (RFC 6749, 7009, 7662, OpenID Connect Core and Discovery).
//
//	/auth/realms/{realm}      the same realm under
//	/realms/{realm}           each of three
//	/keycloak/realms/{realm}  prefixes, and below it:
//
//	POST     /protocol/openid-connect/token             password, refresh_token, client_credentials
//	GET      /protocol/openid-connect/certs             JWKS
//	GET POST /protocol/openid-connect/userinfo          Bearer
//	POST     /protocol/openid-connect/token/introspect  client-authenticated
//	POST     /protocol/openid-connect/revoke            client-authenticated
//	POST     /protocol/openid-connect/logout            client-authenticated
//	GET      /.well-known/openid-configuration          discovery
//
// It decodes, calls package issue and encodes. It refuses to know how a
// password, a client or a token is judged.
package oidc
