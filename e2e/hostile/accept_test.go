package hostile

import (
	"maps"
	"slices"
	"testing"
)

// doors are endpoints, and what each must answer to a credential of a kind: one
// of some outcomes ("200 " or "400 Code"). Whatever a table does not name is
// refused.
type doors struct {
	names []string        // in the order in which a credential is shown
	kinds map[string]bool // that are named
	show  func(door string, c credential) (got, body string)
	want  func(kind, door string) []string
}

// closedDoors makes doors of what each answers to whatever it does not accept, and of
// what it accepts, by kind and door.
func closedDoors(refused map[string][]string, accepted map[string]map[string]string, show func(door string, c credential) (got, body string)) doors {
	d := doors{names: slices.Sorted(maps.Keys(refused)), kinds: map[string]bool{}, show: show}
	for kind := range accepted {
		d.kinds[kind] = true
	}
	d.want = func(kind, door string) []string {
		if got, ok := accepted[kind][door]; ok {
			return []string{got}
		}
		return refused[door]
	}
	return d
}

// TestAcceptance shows all kinds of credentials at all endpoints. The tables are
// in the files accept*_test.go.
func TestAcceptance(t *testing.T) {
	t.Parallel()
	foreign := startIssuer(t)
	r := startRig(t, "", "DAYPASS_EGRESS_EXEMPT="+foreign.address, "DAYPASS_STS_MIN_DURATION_SECONDS=1")
	kinds := r.credentials(foreign)
	p := &poolRig{rig: r, foreign: foreign}
	p.poolCredentials(kinds)
	r.ibmCredentials(kinds)
	p.otherCredentials(kinds)
	p.proofCredentials(kinds)
	all := []doors{r.awsDoors(), p.poolDoors(), r.ibmDoors(), r.kmsDoors(), p.otherDoors(), p.proofDoors()}
	// What is right goes first where wrong ones are counted.
	first := []string{"api-secret", "api-key", "passcode", "authorization-code", "foreign-id"}
	rest := slices.DeleteFunc(slices.Sorted(maps.Keys(kinds)), func(kind string) bool { return slices.Contains(first, kind) })
	count := 0
	for _, kind := range append(first, rest...) {
		c := kinds[kind]
		r.secret("the credential "+kind, c.text)
		for _, d := range all {
			for _, door := range d.names {
				count++
				want := d.want(kind, door)
				if got, body := d.show(door, c); !slices.Contains(want, got) {
					t.Errorf("%s at %s: got %q, want one of %q: %.300s", kind, door, got, want, body)
				}
			}
		}
	}
	for _, d := range all {
		for kind := range d.kinds {
			if _, ok := kinds[kind]; !ok {
				t.Errorf("there is no kind %s", kind)
			}
		}
	}
	if got, body := p.show("rf", kinds["pool-refresh"]); got != "200 " {
		t.Errorf("a client ended what is another's: %s %s", got, body)
	}
	t.Logf("%d kinds, %d cells", len(kinds), count)
}
