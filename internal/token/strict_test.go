package token

import (
	"fmt"
	"strings"
	"testing"
)

// TestManyObjects: duplicates are looked for object by object, however large,
// and a token full of small objects costs no more memory than another.
func TestManyObjects(t *testing.T) { // not parallel: it counts allocations
	object := func(names int, last string) string {
		var b strings.Builder
		for i := range names {
			fmt.Fprintf(&b, `"n%d":0,`, i)
		}
		return "{" + b.String() + `"` + last + `":0}`
	}
	for _, n := range []int{1, 31, 32, 33, 200} {
		doc := `{"a":[` + object(n, "x") + `,` + object(n, "x") + `,[],{},` + object(n, "x") + `]}`
		if err := strictObject([]byte(doc)); err != nil {
			t.Errorf("equal objects of %d names: %v", n, err)
		}
		doc = `{"a":[` + object(n, "x") + `,` + object(n, "n0") + `]}`
		if err := strictObject([]byte(doc)); err == nil {
			t.Errorf("an object of %d names with one of them twice is accepted", n)
		}
	}
	doc := []byte(`{"a":[` + strings.Repeat("{},", 4800) + `{}]}`)
	if n := testing.AllocsPerRun(10, func() { _ = strictObject(doc) }); n > 100 {
		t.Errorf("%.0f allocations", n)
	}
}
