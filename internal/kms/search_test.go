package kms

import (
	"strings"
	"testing"

	"daypass/internal/identity"
)

func TestSearch(t *testing.T) {
	t.Parallel()
	key := identity.KMSKey{Name: "Disk of not:A, east", Aliases: []identity.KMSAlias{{Name: "east-disk"}, {Name: "Prod"}}}
	for text, want := range map[string]bool{
		"disk": true, "DISK,": true, "tape": false, "not:disk": false, "not:tape": true,
		"name:disk": true, "name:prod": false, "alias:prod": true, "alias:of": false, "alias:not:of": true,
		"exact:prod": true, "exact:pro": false, "exact:alias:PROD,": true, "not:exact:pro": true, "name:exact:not:prod": true,
		"exact:disk of not:a, east": true, "escape:not:a": true, "not:escape:not:a": false, "escape:exact:prod": false, "escape:name:": false,
		"escape:escape:": false, ",,": true, "other:x": false,
	} {
		s, err := parseSearch(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := s.finds(&key); got != want {
			t.Errorf("%q: found %v, want %v (%+v)", text, got, want, s)
		}
	}
	for _, text := range []string{"", ",", "not:", "exact:alias:,", "escape:", strings.Repeat("x", maxSearch+1)} {
		if s, err := parseSearch(text); ReasonOf(err) != ReasonBadField {
			t.Errorf("%q: %+v, %v", text, s, err)
		}
	}
	if !(*search)(nil).finds(&key) {
		t.Error("no search finds nothing")
	}
}

func FuzzSearch(f *testing.F) {
	for _, s := range []string{"disk", "not:exact:alias:a,", "escape:not:x", "name:alias:", "::::", ",", "exact:exact:x", "\xff:é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out, err := parseSearch(s)
		if err != nil {
			if ReasonOf(err) != ReasonBadField {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		if out.text == "" || !out.names && !out.aliases {
			t.Fatalf("%q searches for nothing: %+v", s, out)
		}
		all := identity.KMSKey{Name: s, Aliases: []identity.KMSAlias{{Name: s}}}
		if found := out.finds(&all); !out.exact && found == out.not && strings.Contains(strings.ToLower(s), out.text) {
			t.Fatalf("%q does not find itself: %+v", s, out)
		}
	})
}
