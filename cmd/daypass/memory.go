package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// gcPercent: where the live heap is small (idle some 20 MiB) and garbage is
	// made per request, collecting at four times the heap saves 12 to 20 % of the
	// processor for some MiB.
	gcPercent = 400
	// mostGarbage bounds that where the live heap is large, as with a hundred
	// thousand users or keys; leastPercent bounds what it costs in turn.
	mostGarbage  = 256 << 20
	leastPercent = 50
	// memoryLimit makes the collector work harder before the heap grows out of
	// hand: password hashing (19 MiB per processor) comes and goes in bursts. What
	// lives must have room in it twice, or the collector would never rest.
	memoryLimit = 1 << 30
	// tuneEvery is how often the live heap is looked at.
	tuneEvery = 10 * time.Second
)

// heapRule is what the collector is told for a live heap of so many bytes.
func heapRule(live uint64) (percent int, limit int64) {
	percent = int(min(gcPercent, max(leastPercent, 100*mostGarbage/max(live, 1))))
	return percent, int64(max(memoryLimit, 2*live))
}

// tune tells the collector how to work, and tells it anew as the live heap grows
// and shrinks, until ctx ends. GOGC and GOMEMLIMIT in the environment win.
func tune(ctx context.Context) {
	set := func(live uint64) {
		percent, limit := heapRule(live)
		if os.Getenv("GOGC") == "" {
			debug.SetGCPercent(percent)
		}
		if os.Getenv("GOMEMLIMIT") == "" {
			debug.SetMemoryLimit(limit)
		}
	}
	set(0)
	go func() {
		known := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		tick := time.NewTicker(tuneEvery)
		defer tick.Stop()
		var told uint64 // live heap, when it was told last
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			metrics.Read(known)
			if live := known[0].Value.Uint64(); live > told+told/8 || live < told-told/8 {
				told = live
				set(live)
			}
		}
	}()
}
