package s3

import (
	"strings"
	"unicode/utf8"

	"daypass/internal/identity"
)

// CopySource is a parsed x-amz-copy-source.
type CopySource struct {
	Bucket, Key string
	VersionID   string // "" = the current version
}

// ParseCopySource reads "[/]bucket/key[?versionId=id]", percent-encoded, with
// + as a blank as S3 reads it. Only the first raw ? ends the key. Access point
// ARNs are KindNotImplemented, anything else KindInvalidKey (InvalidArgument).
// Key semantics and bucket rules are the caller's to check.
func ParseCopySource(v string) (CopySource, error) {
	bad := argumentError("Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
	if strings.HasPrefix(v, "arn:") {
		return CopySource{}, identity.NewError(identity.KindNotImplemented, "s3.ParseCopySource", "")
	}
	path, query, versioned := strings.Cut(v, "?")
	// The whole value may be encoded, the slash after the bucket included, so
	// it is split after decoding.
	decoded, ok := decode(path, true)
	if !ok || !utf8.ValidString(decoded) || strings.IndexByte(decoded, 0) >= 0 {
		return CopySource{}, bad
	}
	bucket, key, ok := strings.Cut(strings.TrimPrefix(decoded, "/"), "/")
	if !ok || bucket == "" || key == "" {
		return CopySource{}, bad
	}
	s := CopySource{Bucket: bucket, Key: key}
	if versioned {
		id, ok := strings.CutPrefix(query, "versionId=")
		if ok {
			s.VersionID, ok = decode(id, true)
		}
		if !ok || s.VersionID == "" || strings.ContainsAny(id, "&=") {
			return CopySource{}, bad
		}
	}
	return s, nil
}

// String is the one encoding that is forwarded, so that the upstream reads
// what was authorised.
func (s CopySource) String() string {
	out := encode(s.Bucket, false) + "/" + encode(s.Key, true)
	if s.VersionID != "" {
		out += "?versionId=" + encode(s.VersionID, false)
	}
	return out
}
