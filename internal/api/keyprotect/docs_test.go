package keyprotect

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestTableIsTheServedOne: the table of docs/compat/ibm.md names every path with its
// methods, and no other.
func TestTableIsTheServedOne(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/compat/ibm.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Key management\n")
	section, _, _ = strings.Cut(section, "\n## ")
	variable := regexp.MustCompile(`\{[a-z]+\}`)
	documented := map[string][]string{}
	for line := range strings.Lines(section) {
		cell, isRow := strings.CutPrefix(line, "| `")
		cell, _, _ = strings.Cut(cell, " |")
		if !isRow || strings.HasPrefix(cell, "method") {
			continue
		}
		var methods []string
		for part := range strings.SplitSeq(strings.ReplaceAll(cell, "`", ""), ", ") {
			method, path, named := strings.Cut(part, " ")
			if strings.Contains(part, "?") { // another form of the same
				documented["keys/*"] = append(documented["keys/*"], methods...)
				continue
			}
			if methods = append(methods, method); named {
				path = variable.ReplaceAllString(path, "*")
				documented[path] = append(documented[path], methods...)
			}
		}
	}
	if len(documented) == 0 {
		t.Fatal("no table was found")
	}
	for path, served := range endpoints {
		want := slices.Sorted(maps.Keys(served))
		got := documented[path]
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: the document says %v, served are %v", path, got, want)
		}
	}
	for path := range documented {
		if endpoints[path] == nil {
			t.Errorf("%s is documented and not served", path)
		}
	}
}
