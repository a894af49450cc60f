package yamldoc

import (
	"testing"

	"daypass/internal/identity"
)

func TestDecodeOfMaps(t *testing.T) {
	t.Parallel()
	type entry struct {
		Endpoint string `yaml:"endpoint"`
		Seconds  int    `yaml:"seconds"`
	}
	type file struct {
		Profiles map[string]entry `yaml:"profiles"`
	}
	for _, tc := range []struct{ name, text, want string }{
		{"good", "profiles:\n  a: {endpoint: x}\n", ""},
		{"unknown key", "profiles:\n  a:\n    endpont: x\n", `f.yaml:3: profiles.a.endpont: unknown key (did you mean "endpoint"?)`},
		{"wrong type", "profiles:\n  a:\n    seconds: soon\n", "f.yaml:3: profiles.a.seconds: cannot take `soon` as a whole number"},
		{"twice", "profiles:\n  a: {}\n  a: {}\n", `f.yaml:3: profiles.a: mapping key "a" already defined at line 2`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			doc, err := Parse("f.yaml", []byte(tc.text))
			if err == nil {
				err = doc.Decode(new(file))
			}
			got := ""
			if err != nil {
				got = identity.AsError(err).Public
			}
			if got != tc.want {
				t.Errorf("got  %q\nwant %q", got, tc.want)
			}
		})
	}
}
