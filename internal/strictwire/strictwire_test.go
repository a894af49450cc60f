package strictwire

import (
	"net/url"
	"strconv"
	"testing"
)

func TestFaults(t *testing.T) {
	t.Parallel()
	type outcome struct {
		reason Reason
		member string
	}
	for text, want := range map[string]outcome{
		`{"a":1,"b":"x"}`: {}, `{}`: {}, `{"a":null}`: {},
		`{"a":1,"a":2}`: {Twice, "a"}, `{"A":1}`: {Unknown, "A"}, `{"a":"x"}`: {Type, "a"}, `{"a":1.5}`: {Type, "a"},
		``: {Syntax, ""}, `[]`: {Syntax, ""}, `null`: {Syntax, ""}, `{"a":1`: {Syntax, ""}, `{"a":`: {Syntax, ""}, `{"a":1}{}`: {Syntax, ""}, `{"a":1,}`: {Syntax, ""},
		`{"b":nul}`: {Syntax, ""}, "{\"b\":\"\xff\"}": {Syntax, ""}, `{1:1}`: {Syntax, ""},
	} {
		var a int
		var b string
		var got outcome
		if err := Object([]byte(text), map[string]any{"a": &a, "b": &b}); err != nil {
			fault := err.(*Fault)
			got = outcome{fault.Reason, fault.Member}
		}
		if got != want {
			t.Errorf("%s: got %+v, want %+v", text, got, want)
		}
	}
	for text, want := range map[string]outcome{
		"": {}, "a=b&c": {}, "&&a=%41+b": {}, "a=1&a=2": {Twice, "a"}, "a=1&%61=2": {Twice, "a"}, "a=%": {Syntax, ""}, "a=\xff": {Syntax, ""},
		many(MaxParameters): {}, many(MaxParameters + 1): {TooMany, ""},
	} {
		var got outcome
		if _, err := ParseForm(text); err != nil {
			fault := err.(*Fault)
			got = outcome{fault.Reason, fault.Member}
		}
		if got != want {
			t.Errorf("%q: got %+v, want %+v", text, got, want)
		}
	}
}

// many are n parameters.
func many(n int) string {
	v := url.Values{}
	for i := range n {
		v.Set("p"+strconv.Itoa(i), "")
	}
	return v.Encode()
}
