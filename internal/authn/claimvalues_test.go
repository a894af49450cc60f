package authn

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestClaimValues(t *testing.T) {
	t.Parallel()
	got, _, err := claimValues([]byte(`{"s":"x","Num":1.50,"b":true,"l":["a",2,false],"o":{"x":1},"m":["a",{}],"null":null,"e":[],"É":"y"}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{
		"s": {"x"}, "num": {"1.50"}, "null": nil, "b": {"true"}, "l": {"a", "2", "false"}, "o": nil, "m": nil, "e": nil, "É": {"y"}, "é": nil,
	} {
		if !slices.Equal(got[name], want) {
			t.Errorf("%s: got %q, want %q", name, got[name], want)
		}
	}
	c := &Claims{Values: map[string][]string{"groups": {"a"}}}
	if !slices.Equal(c.Value("GROUPS"), []string{"a"}) || c.Value("gr\u00f6ups") != nil {
		t.Error("names do not ignore case, or more than that")
	}
	if _, _, err := claimValues([]byte(`{"a":1,"A":2}`)); err == nil {
		t.Error("two claims that differ in case alone passed")
	}
	if _, _, err := claimValues([]byte(`{"k":1,"\u212a":2}`)); err != nil {
		t.Errorf("letters that look alike are one name: %v", err)
	}
}

func TestClaimsAt(t *testing.T) {
	t.Parallel()
	values, objects, err := claimValues([]byte(`{"groups":["a"],"a.b":"flat","a":{"b":"deep"},"resource_access":{"shasta":{"roles":["admin","user"]},"my.client":{"roles":["x"]},"my":{"client":5}},"n":{"x":1,"o":{}}}`))
	if err != nil {
		t.Fatal(err)
	}
	c := &Claims{Values: values, objects: objects}
	for path, want := range map[string][]string{
		"groups": {"a"}, "a.b": {"flat"}, "resource_access.shasta.roles": {"admin", "user"}, "resource_access.my.client.roles": {"x"}, "resource_access.my.client": {"5"},
		"n.x": {"1"}, "n.o": nil, "n": nil, "n.": nil, ".": nil, "": nil, "resource_access.Shasta.roles": nil, "resource_access.shasta.roles.admin": nil, "Resource_access.shasta.roles": nil,
	} {
		if got := c.At(path); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

// FuzzClaimValues: no payload makes it fail otherwise than by its error, and
// what it yields is text of the payload.
func FuzzClaimValues(f *testing.F) {
	f.Add([]byte(`{"a":"b","c":[1,true,"x"],"d":{"e":null}}`))
	f.Add([]byte(`{"a":1,"A":2}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		got, _, err := claimValues(payload)
		if err != nil {
			return
		}
		var whole map[string]json.RawMessage
		if json.Unmarshal(payload, &whole) == nil && len(got) > len(whole) {
			t.Errorf("%d names of %d", len(got), len(whole))
		}
		for name := range got {
			if name != lowered(name) || strings.ToUpper(name) == name && strings.ContainsAny(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
				t.Errorf("the name %q is not folded", name)
			}
		}
	})
}
