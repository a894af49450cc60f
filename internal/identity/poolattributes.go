package identity

import (
	"regexp"
	"slices"
	"strings"
)

// StandardAttributes are the attributes of OpenID Connect that users of a pool
// have besides sub, e-mail and email_verified.
var StandardAttributes = []string{
	"address", "birthdate", "family_name", "gender", "given_name", "locale", "middle_name", "name", "nickname", "phone_number",
	"phone_number_verified", "picture", "preferred_username", "profile", "updated_at", "website", "zoneinfo",
}

var customAttributeRE = regexp.MustCompile(`^custom:[a-zA-Z0-9+=,.@_-]+$`)

// IsCustomAttribute says whether a name is that of an attribute which a pool's
// owner made up ("custom:department").
func IsCustomAttribute(name string) bool { return customAttributeRE.MatchString(name) }

// IsReservedClaim tells the claims of a pool's tokens that say who logged in,
// when and as what: no attribute is one of them. Letters' case does not count,
// as it does not where claims are asked for.
func IsReservedClaim(name string) bool {
	name = strings.ToLower(name)
	return strings.HasPrefix(name, "cognito:") || strings.HasPrefix(name, "dp_") || slices.Contains(reservedClaims, name)
}

var reservedClaims = []string{
	"sub", "iss", "aud", "azp", "exp", "nbf", "iat", "jti", "typ", "acr", "amr", "sid", "nonce", "events", "scope", "client_id", "username",
	"token_use", "auth_time", "event_id", "origin_jti", "email", "email_verified", "phone_number_verified",
}
