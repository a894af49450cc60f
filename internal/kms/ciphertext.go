package kms

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"unicode/utf8"
)

// A ciphertext is a format byte, the key's UUID, the number of the version that
// made it (big endian) and the box of XAES-256-GCM: nonce, ciphertext, tag.
const (
	ciphertextFormat = 1
	headerBytes      = 1 + 16 + 4
	boxOverhead      = 24 + 16
)

const (
	// MaxPlaintext bounds what is wrapped, and the payload of a standard key
	// (IBM bounds the latter by 7,500 bytes and says nothing of the former).
	MaxPlaintext = 7500
	// MaxAAD bounds the items of additional data, MaxAADItem the characters of
	// each (IBM: 255).
	MaxAAD     = 255
	MaxAADItem = 255
)

// header is what a ciphertext says of itself. All of it is authenticated.
type header struct {
	key    string
	number uint32
}

// appendHeader begins a ciphertext. The key's ID is a UUID.
func appendHeader(b []byte, h header) []byte {
	b = append(b, ciphertextFormat)
	for _, part := range [...][2]int{{0, 8}, {9, 13}, {14, 18}, {19, 23}, {24, 36}} {
		b, _ = hex.AppendDecode(b, []byte(h.key[part[0]:part[1]]))
	}
	return binary.BigEndian.AppendUint32(b, h.number)
}

// parseCiphertext splits a ciphertext; false for what is none of ours.
func parseCiphertext(b []byte) (h header, box []byte, ok bool) {
	if len(b) < headerBytes+boxOverhead || len(b) > headerBytes+boxOverhead+MaxPlaintext || b[0] != ciphertextFormat {
		return header{}, nil, false
	}
	h.number = binary.BigEndian.Uint32(b[17:])
	var id [36]byte
	at := hex.AppendEncode(id[:0], b[1:5])
	for _, part := range [...][]byte{b[5:7], b[7:9], b[9:11], b[11:17]} {
		at = hex.AppendEncode(append(at, '-'), part)
	}
	h.key = string(id[:])
	return h, b[headerBytes:], h.number > 0
}

// appendBound writes what a box is bound to: instance, key and version, then the
// caller's items, each with its length before it and all with their number, so
// that no two lists of items give the same bytes.
func appendBound(b []byte, instance, key string, number uint32, items []string) []byte {
	text := func(s string) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	text(instance)
	text(key)
	b = binary.BigEndian.AppendUint32(b, number)
	b = binary.BigEndian.AppendUint32(b, uint32(len(items)))
	for _, s := range items {
		text(s)
	}
	return b
}

func checkAAD(items []string) error {
	if len(items) > MaxAAD {
		return badField("aad", "has at most "+strconv.Itoa(MaxAAD)+" items")
	}
	for _, s := range items {
		if len(s) > MaxAADItem && utf8.RuneCountInString(s) > MaxAADItem {
			return badField("aad", "has items of at most "+strconv.Itoa(MaxAADItem)+" characters")
		}
	}
	return nil
}
