package sqlite

import (
	"encoding/binary"
	"errors"
	"unique"

	"daypass/internal/store"
)

// The entries column: a format byte, then for each entry a byte that is 1 when
// it is unique, and name and value, each with its length before it as uvarint.
const packFormat = 1

func pack(entries []store.IndexEntry) []byte {
	out := []byte{packFormat}
	for _, e := range entries {
		flag := byte(0)
		if e.Unique {
			flag = 1
		}
		out = append(out, flag)
		out = append(binary.AppendUvarint(out, uint64(len(e.Name))), e.Name...)
		out = append(binary.AppendUvarint(out, uint64(len(e.Value))), e.Value...)
	}
	return out
}

var errPacked = errors.New("entries column: unknown format")

func unpack(b []byte) ([]store.IndexEntry, error) {
	if len(b) == 0 || b[0] != packFormat {
		return nil, errPacked
	}
	var out []store.IndexEntry
	for b = b[1:]; len(b) > 0; {
		e := store.IndexEntry{Unique: b[0] == 1}
		name, rest, ok := packedString(b[1:])
		if !ok {
			return nil, errPacked
		}
		value, rest, ok := packedString(rest)
		if !ok {
			return nil, errPacked
		}
		// Names are few and repeat in every row: one copy serves all.
		e.Name, e.Value, b = unique.Make(string(name)).Value(), string(value), rest
		out = append(out, e)
	}
	return out, nil
}

func packedString(b []byte) (s, rest []byte, ok bool) {
	n, w := binary.Uvarint(b)
	if w <= 0 || n > uint64(len(b)-w) {
		return nil, nil, false
	}
	return b[w : w+int(n)], b[w+int(n):], true
}
