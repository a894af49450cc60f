package identity

import (
	"net"
	"strings"
)

// ValidBucketName applies S3's naming rules for general purpose buckets: 3 to
// 63 of a-z 0-9 - . with a letter or digit at both ends, no two dots together,
// not an IPv4 address, none of AWS's reserved affixes.
func ValidBucketName(name string) bool {
	if len(name) < 3 || len(name) > 63 {
		return false
	}
	for i := range len(name) {
		c := name[i]
		alnum := 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
		if !alnum && (c != '-' && c != '.' || i == 0 || i == len(name)-1) {
			return false
		}
		if c == '.' && name[i-1] == '.' {
			return false
		}
	}
	for _, p := range []string{"xn--", "sthree-"} {
		if strings.HasPrefix(name, p) {
			return false
		}
	}
	for _, s := range []string{"-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"} {
		if strings.HasSuffix(name, s) {
			return false
		}
	}
	return net.ParseIP(name) == nil
}
