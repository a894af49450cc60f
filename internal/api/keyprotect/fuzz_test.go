package keyprotect

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzFind: whatever the path, a variable segment is never empty, and the path of
// an endpoint is found only below the prefix.
func FuzzFind(f *testing.F) {
	for _, s := range []string{"/api/v2/keys/a/aliases/b", "/api/v2/keys/%2e%2e/metadata", "/api/v2/keys//metadata", "/api/v2/keys/registrations", "/api/v2/*", "/v2/keys"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		methods, names := find(path)
		if methods == nil {
			return
		}
		if !strings.HasPrefix(path, Prefix) || len(names) > 2 {
			t.Fatalf("%q: %q", path, names)
		}
		for _, n := range names {
			if n == "" || len(n) > maxSegment {
				t.Fatalf("%q: %q", path, names)
			}
		}
	})
}

// FuzzObject: what is read as an object can be read again, and reads its members
// without a panic.
func FuzzObject(f *testing.F) {
	for _, s := range []string{`{"a":1}`, `{"a":{"b":[]},"a":2}`, `{"metadata":null,"resources":[null]}`, `{"\u0061":1,"a":2}`, `[]`, `{`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var o object
		if o.UnmarshalJSON([]byte(text)) != nil {
			return
		}
		_, _ = o.resources()
		_, _ = o.material()
		_, _ = o.instancePolicy()
	})
}

// FuzzHalfPair: what escapes half of a surrogate pair is told from all other texts,
// as the decoder tells them: by the character that it puts in its place.
func FuzzHalfPair(f *testing.F) {
	for _, s := range []string{`"\ud83d\ude00"`, `"\ud800"`, `"\udc00\ud800"`, `"\\ud800"`, `"\\\ud800"`, `"\uD800\n"`, `"\ud8"`, `""`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var s string
		if !utf8.ValidString(text) || strings.ContainsRune(text, utf8.RuneError) || strings.Contains(strings.ToLower(text), "fffd") || json.Unmarshal([]byte(text), &s) != nil {
			return
		}
		if want := strings.ContainsRune(s, utf8.RuneError); halfPair([]byte(text)) != want {
			t.Errorf("%s: want %v", text, want)
		}
	})
}
