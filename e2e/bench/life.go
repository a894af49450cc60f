package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const (
	idleBudget = 60 // MiB
	idleFor    = 2 * time.Second
)

var self = os.Getpid()

// starting measures start to ready and the memory of a server that does
// nothing.
func (b *bench) starting() error {
	var first, again []time.Duration
	var memory, anonymous, child []float64
	for i := range b.starts {
		name := fmt.Sprintf("start-%d", i)
		s, err := startServer(b, name)
		if err != nil {
			return err
		}
		first = append(first, s.toReady)
		s.end()
		if s, err = startServer(b, name); err != nil {
			return err
		}
		again = append(again, s.toReady)
		if i == 0 {
			time.Sleep(idleFor)
			err = b.idle(s, &memory, &anonymous, &child)
		}
		s.end()
		if err != nil {
			return err
		}
		_ = os.RemoveAll(filepath.Join(b.dir, name))
	}
	r := &b.report
	r.heading("Start and memory")
	r.add("start to ready, empty directory", short(median(first)), "", "", "≤ 1 s", within(median(first) <= time.Second))
	r.add("start to ready, existing directory", short(median(again)), "", "", "≤ 0.5 s", within(median(again) <= time.Second/2))
	r.add("idle memory, server", fmt.Sprintf("%.0f MiB", memory[0]), fmt.Sprintf("without files %.0f MiB", anonymous[0]), "",
		fmt.Sprintf("≤ %d MiB", idleBudget), within(memory[0] <= idleBudget))
	r.add("  the object store beside it", fmt.Sprintf("%.0f MiB", child[0]), "", "", "", "")
	return nil
}

func (b *bench) idle(s *server, memory, anonymous, child *[]float64) error {
	all, own, err := memoryOf(s.pid())
	if err != nil {
		return err
	}
	pid, err := s.child()
	if err != nil {
		return err
	}
	store, _, err := memoryOf(pid)
	*memory, *anonymous, *child = append(*memory, all), append(*anonymous, own), append(*child, store)
	return err
}
