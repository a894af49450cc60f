package s3

import (
	"strings"

	"daypass/internal/identity"
	"daypass/internal/upstream"
)

const opKeys = "s3.keys"

// argumentError is KindInvalidKey, which S3 shows as InvalidArgument 400.
func argumentError(sentence string) error {
	return identity.NewError(identity.KindInvalidKey, opKeys, sentence)
}

// checkBucketName applies S3's naming rules and refuses the names that are
// first path segments of our own dialects. Errors: KindInvalidBucketName.
func (g *Gateway) checkBucketName(name string) error {
	if !identity.ValidBucketName(name) || g.control[name] {
		return identity.NewError(identity.KindInvalidBucketName, opKeys, "")
	}
	return nil
}

// arePaths reports whether u makes paths of keys. No upstream (nil) gets none.
func arePaths(u *upstream.S3) bool {
	return u != nil && u.KeySemantics == upstream.KeysArePaths
}

// checkKey refuses keys over S3's length, and, where the upstream maps keys to
// paths, keys that would reach the file of another key: a "." or ".." segment,
// an empty segment other than one trailing, a reserved prefix. Errors:
// KindInvalidKey.
func checkKey(key string, u *upstream.S3) error {
	if len(key) > maxKey {
		return argumentError("Your key is too long")
	}
	if !arePaths(u) {
		return nil
	}
	for _, p := range u.ReservedPrefixes {
		if strings.HasPrefix(key, p) || key == strings.TrimSuffix(p, "/") {
			return argumentError("The key is reserved by this object store.")
		}
	}
	rest, more := key, true
	for first := true; more; first = false {
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		if segment == "." || segment == ".." || segment == "" && (more || first) {
			return argumentError("This object store does not accept keys with empty, '.' or '..' segments.")
		}
	}
	return nil
}

// checkPrefix is checkKey for the prefix of a listing, whose last segment may
// be the beginning of any name.
func checkPrefix(prefix string, u *upstream.S3) error {
	i := strings.LastIndexByte(prefix, '/')
	if i < 0 {
		return nil
	}
	return checkKey(prefix[:i+1], u)
}

// checkID refuses version and upload IDs that a store which makes paths of
// keys could take for a path.
func checkID(id string, u *upstream.S3) error {
	if !arePaths(u) {
		return nil
	}
	if id == "." || id == ".." || len(id) > 256 || strings.ContainsAny(id, "/\\\x00") {
		return argumentError("Invalid version id or upload id specified")
	}
	return nil
}
