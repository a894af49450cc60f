package identity

import "regexp"

// EmbeddedUpstream is the name of the object store that comes along.
const EmbeddedUpstream = "embedded"

var upstreamName = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)

// ValidUpstreamName reports whether a name is one that an upstream may have.
func ValidUpstreamName(name string) bool { return upstreamName.MatchString(name) }
