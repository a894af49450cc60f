//go:build !race

package upstream

import "testing"

// TestBreakerCostsNothing: a request through a breaker takes no more memory.
// (Under the race detector pools forget at random.)
func TestBreakerCostsNothing(t *testing.T) {
	q := newBrokenRig(answers(200))
	measure := func() float64 {
		return testing.AllocsPerRun(200, func() {
			if err := q.get(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
	}
	with := measure()
	q.Breaker = nil
	if without := measure(); with > without {
		t.Errorf("%.0f allocations, %.0f without", with, without)
	}
}
