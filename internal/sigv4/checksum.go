package sigv4

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"strings"
)

// Checksum is one of S3's trailing checksums, named as in
// x-amz-checksum-<name>. The zero value is none.
type Checksum string

// The checksums.
const (
	CRC32     Checksum = "crc32"
	CRC32C    Checksum = "crc32c"
	CRC64NVME Checksum = "crc64nvme"
	SHA1      Checksum = "sha1"
	SHA256    Checksum = "sha256"
)

const checksumPrefix = "x-amz-checksum-"

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	nvme       = crc64.MakeTable(0x9a6c9329ac4bc9b5) // reflected
)

var checksums = map[Checksum]struct {
	size  int
	start func() hash.Hash
}{
	CRC32:     {4, func() hash.Hash { return crc32.NewIEEE() }},
	CRC32C:    {4, func() hash.Hash { return crc32.New(castagnoli) }},
	CRC64NVME: {8, func() hash.Hash { return crc64.New(nvme) }},
	SHA1:      {20, sha1.New},
	SHA256:    {32, sha256.New},
}

// ChecksumOfHeader returns the checksum that a header or trailer name stands
// for, in any case of letters.
func ChecksumOfHeader(name string) (Checksum, bool) {
	name = strings.ToLower(name)
	c := Checksum(strings.TrimPrefix(name, checksumPrefix))
	_, ok := checksums[c]
	return c, ok && len(name) > len(c)
}

// Header is the lower-case name of the checksum's header or trailer.
func (c Checksum) Header() string { return checksumPrefix + string(c) }

// New starts the computation. It panics for a Checksum not in the list.
func (c Checksum) New() hash.Hash { return checksums[c].start() }

// EncodedLen is the length of the base64 value.
func (c Checksum) EncodedLen() int { return base64.StdEncoding.EncodedLen(checksums[c].size) }

// name is the algorithm as S3 writes it in sentences.
func (c Checksum) name() string { return strings.ToUpper(string(c)) }
