package main

import (
	"bytes"
	"fmt"
	"time"
)

const (
	smallBody = 4 << 10
	largeBody = 16 << 20
	bucket    = "bench-bucket"
)

// pair is the same request by way of the server and to a store directly.
type pair struct {
	through, direct *load
}

// stores makes both ways ready: a bucket and an object of each size.
type stores struct {
	*bench
	direct *directStore
	child  int
	keys   keys
}

func (b *bench) openStores() (*stores, error) {
	s := &stores{bench: b}
	var err error
	if s.keys, err = b.server.sessionKeys(); err != nil {
		return nil, err
	}
	if s.child, err = b.server.child(); err != nil {
		return nil, err
	}
	if s.direct, err = startStore(b); err != nil {
		return nil, err
	}
	for _, step := range []struct {
		path string
		size int
	}{{"/" + bucket, 0}, {"/" + bucket + "/small", smallBody}, {"/" + bucket + "/large", largeBody}} {
		p, err := s.pair(1, "PUT", step.path, step.size)
		if err != nil {
			return nil, err
		}
		for _, l := range []*load{p.through, p.direct} {
			l.once = true
			if _, err := l.run(); err != nil && step.size > 0 {
				return nil, fmt.Errorf("PUT %s %s: %w", step.path, l.at.network, err) // the bucket may be there
			}
		}
	}
	return s, nil
}

func (s *stores) pair(conns int, method, path string, size int) (pair, error) {
	return s.pairAt(s.server.at, conns, method, path, size)
}

// pairAt is pair by one of the server's listeners.
func (s *stores) pairAt(at target, conns int, method, path string, size int) (pair, error) {
	var body []byte
	if method == "PUT" {
		body = bytes.Repeat([]byte("0123456789abcdef"), size/16)
	}
	through, err := signed(at, s.keys, "s3", method, path, body, "", nil)
	if err != nil {
		return pair{}, err
	}
	k := keys{AccessKeyID: s.direct.accessKey, SecretAccessKey: s.direct.secretKey}
	direct, err := signed(s.direct.at, k, "s3", method, path, body, "", nil)
	if err != nil {
		return pair{}, err
	}
	p := pair{
		through: s.loadOn(s.server, conns, through),
		direct:  &load{at: s.direct.at, conns: conns, requests: [][]byte{direct}, duration: s.duration, pids: []int{s.direct.pid()}},
	}
	p.through.at = at
	p.through.pids = append(p.through.pids, s.child)
	return p, nil
}

// small measures what the gateway adds at 4 KiB.
func (b *bench) small() error {
	s, err := b.openStores()
	if err != nil {
		return err
	}
	defer s.direct.end()
	b.report.heading("Gateway at 4 KiB (the store directly = the same object store on its own socket)")
	for _, method := range []string{"GET", "PUT"} {
		busy, err := s.pair(16, method, "/"+bucket+"/small", smallBody)
		if err != nil {
			return err
		}
		alone, err := s.pair(1, method, "/"+bucket+"/small", smallBody)
		if err != nil {
			return err
		}
		if err := b.smallRounds(method, busy, alone); err != nil {
			return err
		}
		if err := s.smallTLS(method); err != nil {
			return err
		}
	}
	return nil
}

// smallTLS is the same by the TLS listener, over connections that stay open.
func (s *stores) smallTLS(method string) error {
	for _, conns := range []int{1, 16} {
		p, err := s.pairAt(s.server.tls, conns, method, "/"+bucket+"/small", smallBody)
		if err != nil {
			return err
		}
		var through, direct []float64
		for range s.rounds {
			t, err := p.through.run()
			if err != nil {
				return err
			}
			d, err := p.direct.run()
			if err != nil {
				return err
			}
			through, direct = append(through, t.rate()), append(direct, d.rate())
		}
		s.report.add(fmt.Sprintf("  TLS, requests per second, %d connections", conns), fmt.Sprintf("%.0f/s", median(through)),
			fmt.Sprintf("directly %.0f/s", median(direct)), fmt.Sprintf("%.2f ×", median(through)/median(direct)), "", "")
	}
	return nil
}

func (b *bench) smallRounds(method string, busy, alone pair) error {
	var hello, server, child, direct, added, half, halfDirect []time.Duration
	var rate, rateDirect []float64
	for range b.rounds {
		h, err := b.helloLoad(plain()).run()
		if err != nil {
			return err
		}
		outs := make([]*outcome, 4)
		for i, l := range []*load{busy.through, busy.direct, alone.through, alone.direct} {
			if outs[i], err = l.run(); err != nil {
				return err
			}
		}
		hello, server, child = append(hello, h.cpu[0]), append(server, outs[0].cpu[0]), append(child, outs[0].cpu[1])
		direct = append(direct, outs[1].cpu[0])
		rate, rateDirect = append(rate, outs[0].rate()), append(rateDirect, outs[1].rate())
		half, halfDirect = append(half, outs[2].half), append(halfDirect, outs[3].half)
		added = append(added, outs[2].half-outs[3].half)
	}
	limit, name := 0.0, method+" 4 KiB"
	if method == "GET" {
		limit = 4
	}
	r := &b.report
	r.most(name+", added CPU (the server's own)", median(server), median(hello), "hello", limit)
	r.most("  CPU of the store behind it", median(child), median(direct), "directly", 0)
	budget, verdict := "", ""
	if method == "GET" {
		budget, verdict = "≤ 0.3 ms", within(median(added) <= 300*time.Microsecond)
	}
	r.add("  added latency, 1 connection", short(median(added)), fmt.Sprintf("%s, directly %s", short(median(half)), short(median(halfDirect))), "", budget, verdict)
	r.add("  requests per second, 16 connections", fmt.Sprintf("%.0f/s", median(rate)), fmt.Sprintf("directly %.0f/s", median(rateDirect)),
		fmt.Sprintf("%.2f ×", median(rate)/median(rateDirect)), "", "")
	return nil
}

// large measures throughput at 16 MiB.
func (b *bench) large() error {
	s, err := b.openStores()
	if err != nil {
		return err
	}
	defer s.direct.end()
	b.report.heading("Gateway at 16 MiB")
	for _, way := range []struct {
		at    target
		conns int
		name  string
	}{{s.server.at, 1, ""}, {s.server.at, 16, ""}, {s.server.tls, 1, " TLS"}, {s.server.tls, 16, " TLS"}} {
		for _, method := range []string{"GET", "PUT"} {
			p, err := s.pairAt(way.at, way.conns, method, "/"+bucket+"/large", largeBody)
			if err != nil {
				return err
			}
			var through, direct []float64
			var server, child, alone []time.Duration
			for range b.rounds {
				t, err := p.through.run()
				if err != nil {
					return err
				}
				d, err := p.direct.run()
				if err != nil {
					return err
				}
				through, direct = append(through, t.rate()*16), append(direct, d.rate()*16)
				server, child, alone = append(server, t.cpu[0]), append(child, t.cpu[1]), append(alone, d.cpu[0])
			}
			ratio := median(through) / median(direct)
			budget, verdict := "≥ 0.9 ×", within(ratio >= 0.9)
			if way.name != "" { // the store itself speaks no TLS
				budget, verdict = "", ""
			}
			b.report.add(fmt.Sprintf("%s 16 MiB%s, %d connections", method, way.name, way.conns), fmt.Sprintf("%.0f MiB/s", median(through)),
				fmt.Sprintf("directly %.0f MiB/s", median(direct)), fmt.Sprintf("%.2f ×", ratio), budget, verdict)
			b.report.add("  CPU: server, store (store directly)", fmt.Sprintf("%s, %s (%s)", short(median(server)), short(median(child)), short(median(alone))), "", "", "", "")
		}
	}
	all, _, err := memoryOf(b.server.pid())
	b.report.add("  resident memory of the server afterwards", fmt.Sprintf("%.0f MiB", all), "", "", "", "")
	return err
}
