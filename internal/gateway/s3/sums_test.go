package s3

import (
	"crypto/md5"
	"encoding/base64"
	"slices"

	"daypass/internal/sigv4"
)

func sorted(s []string) []string { slices.Sort(s); return s }

func md5Base64(s string) string {
	sum := md5.Sum([]byte(s))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func base64Sum(c sigv4.Checksum, s string) string {
	h := c.New()
	h.Write([]byte(s))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}
