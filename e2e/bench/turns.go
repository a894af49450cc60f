package main

import (
	"time"
)

// rounds are the outcomes of several loads taken in turns, A B A B, so that
// what disturbs one disturbs all: by round, then by load.
type rounds [][]*outcome

// turns runs the loads in turns.
func (b *bench) turns(loads ...*load) (rounds, error) {
	var all rounds
	for range b.rounds {
		round := make([]*outcome, len(loads))
		for i, l := range loads {
			var err error
			if round[i], err = l.run(); err != nil {
				return nil, err
			}
		}
		all = append(all, round)
	}
	return all, nil
}

// median of one figure of load i.
func (r rounds) median(i int, figure func(*outcome) float64) float64 {
	all := make([]float64, len(r))
	for n, round := range r {
		all[n] = figure(round[i])
	}
	return median(all)
}

// ratio of one figure of load i to that of load base: the median of the
// rounds' own ratios.
func (r rounds) ratio(i, base int, figure func(*outcome) float64) float64 {
	all := make([]float64, len(r))
	for n, round := range r {
		all[n] = figure(round[i]) / figure(round[base])
	}
	return median(all)
}

// Figures of an outcome: CPU time per operation of its first and second
// process, median latency, operations per second.
func cpuFirst(o *outcome) float64  { return float64(o.cpu[0]) }
func cpuSecond(o *outcome) float64 { return float64(o.cpu[1]) }
func half(o *outcome) float64      { return float64(o.half) }
func tail(o *outcome) float64      { return float64(o.tail) }
func rate(o *outcome) float64      { return float64(o.n) / o.took.Seconds() }

func duration(nanoseconds float64) time.Duration { return time.Duration(nanoseconds) }
