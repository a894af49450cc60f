package keyprotect

import (
	"strings"
	"testing"
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
