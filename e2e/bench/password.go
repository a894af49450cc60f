package main

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"golang.org/x/crypto/argon2"
)

// Parameters of the server's password hashes.
const (
	argonTime   = 2
	argonMemory = 19 << 10 // KiB
)

// password measures the password grant against the hash in it, on a server
// that has done nothing else, for the sake of its memory.
func (b *bench) password() error {
	const conns = 8
	s, err := startServer(b, "password")
	if err != nil {
		return err
	}
	defer s.end()
	grant := b.loadOn(s, conns, post(s.at, tokenPath("root-accounts"), s.rootForm().Encode()))
	var cpu, bare, wall []time.Duration
	var ratios []float64
	var peak float64
	for range b.rounds {
		once, err := argonCost(b.duration)
		if err != nil {
			return err
		}
		bare = append(bare, once)
		stop := watchMemory(s, &peak)
		out, err := grant.run()
		stop()
		if err != nil {
			return err
		}
		cpu, wall = append(cpu, out.cpu[0]), append(wall, out.half)
		ratios = append(ratios, float64(out.cpu[0])/float64(once))
	}
	r := &b.report
	r.heading(fmt.Sprintf("Password grant (%d connections)", conns))
	r.most("password to tokens, ES256", median(cpu), median(bare), "one argon2id", median(ratios), 1.1)
	limit := float64(runtime.NumCPU()*19 + idleBudget)
	r.add("  resident memory meanwhile, most", fmt.Sprintf("%.0f MiB", peak), fmt.Sprintf("%d × 19 MiB + %d", runtime.NumCPU(), idleBudget),
		fmt.Sprintf("%.2f ×", peak/limit), "≤ 1 ×", within(peak <= limit))
	r.add("  latency, median", short(median(wall)), "", "", "", "")
	return nil
}

// argonCost is the CPU time of one hash.
func argonCost(length time.Duration) (time.Duration, error) {
	return busyCost(length, func() error {
		argon2.IDKey([]byte("a password of some length"), []byte("salt of 16 bytes"), argonTime, argonMemory, 1, 32)
		return nil
	})
}

// busyCost is the CPU time of one call of work, with every processor at it, as
// in a server under load: two on one core take longer than each alone.
func busyCost(length time.Duration, work func() error) (time.Duration, error) {
	before, err := cpuOf(self)
	if err != nil {
		return 0, err
	}
	var wg sync.WaitGroup
	counts, errs := make([]int, runtime.NumCPU()), make([]error, runtime.NumCPU())
	end := time.Now().Add(length)
	for i := range counts {
		wg.Go(func() {
			for errs[i] == nil && time.Now().Before(end) {
				errs[i] = work()
				counts[i]++
			}
		})
	}
	wg.Wait()
	after, err := cpuOf(self)
	n := 0
	for _, c := range counts {
		n += c
	}
	return (after - before) / time.Duration(max(n, 1)), errors.Join(append(errs, err)...)
}

// watchMemory keeps the largest resident memory of a server until stopped.
func watchMemory(s *server, peak *float64) (stop func()) {
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		for {
			if all, _, err := memoryOf(s.pid()); err == nil {
				*peak = max(*peak, all)
			}
			select {
			case <-done:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	return func() { close(done); <-gone }
}
