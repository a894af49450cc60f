package main

import "testing"

func TestHeapRule(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	for live, want := range map[uint64]struct {
		percent int
		limit   int64
	}{
		0: {400, 1024 * mib}, 20 * mib: {400, 1024 * mib}, 64 * mib: {400, 1024 * mib}, 128 * mib: {200, 1024 * mib},
		256 * mib: {100, 1024 * mib}, 512 * mib: {50, 1024 * mib}, 4096 * mib: {50, 8192 * mib},
	} {
		if percent, limit := heapRule(live); percent != want.percent || limit != want.limit {
			t.Errorf("%d MiB: %d %%, %d MiB, want %d %%, %d MiB", live/mib, percent, limit/mib, want.percent, want.limit/mib)
		}
	}
}
