package strictwire

import (
	"encoding/json"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

// FuzzParseForm holds the parser against net/url: what it accepts, net/url
// reads the same, each parameter once.
func FuzzParseForm(f *testing.F) {
	for _, seed := range []string{
		"", "&", "=", "a", "a=b&a=c", "a=%41+b", "a=%", "a=%zz", "a=b;c=d", "grant_type=password&username=a%40b&password=%26",
		"a=\xff", "%61=1&a=2", strings.Repeat("a&", 70),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		got, err := ParseForm(body)
		if err != nil {
			return
		}
		if strings.Contains(body, ";") {
			return // net/url refuses it, for us it is data
		}
		want, err := url.ParseQuery(body)
		if err != nil {
			t.Fatalf("%q: accepted, but net/url says %v", body, err)
		}
		if len(got) != len(want) || len(got) > MaxParameters {
			t.Fatalf("%q: got %d parameters, want %d", body, len(got), len(want))
		}
		for name, values := range want {
			if len(values) != 1 || got[name] != values[0] {
				t.Errorf("%q: got %q for %q, want %q", body, got[name], name, values)
			}
		}
	})
}

// FuzzObject holds the reader against encoding/json: what it accepts, that reads
// the same.
func FuzzObject(f *testing.F) {
	for _, seed := range []string{
		"", "{}", "[]", "null", `{"a":1}`, `{"a":1,"a":2}`, `{"A":1}`, `{"a":"x"}`, `{"b":"x","c":{"d":[1,2]}}`, `{"a":1}{}`, `{"a":1`, "{\"\xff\":1}", `{"c":nul}`,
	} {
		f.Add([]byte(seed))
	}
	type members struct {
		A int
		B string
		C any
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var got, want members
		if Object(text, map[string]any{"A": &got.A, "B": &got.B, "C": &got.C}) != nil {
			return
		}
		d := json.NewDecoder(strings.NewReader(string(text)))
		d.DisallowUnknownFields()
		if err := d.Decode(&want); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %+v, want %+v, %v", text, got, want, err)
		}
	})
}
