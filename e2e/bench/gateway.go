package main

import (
	"bytes"
	"errors"
	"fmt"
	"time"
)

const (
	smallBody = 4 << 10
	largeBody = 16 << 20
	bucket    = "bench-bucket"
	small     = "/" + bucket + "/small"
	large     = "/" + bucket + "/large"
)

// ways are the same request by way of the server, to a store directly, and to
// that store through a relay.
type ways struct{ through, direct, relayed *load }

// The places of ways among loads taken in turns.
const (
	through = iota
	direct
	relayed
)

func (w *ways) loads() []*load { return []*load{w.through, w.direct, w.relayed} }

// stores makes all ways ready: a bucket and an object of each size.
type stores struct {
	*bench
	direct *directStore
	relay  *process
	proxy  *process
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
	if s.relay, err = startRole(roleRelay, s.direct.at.address); err != nil {
		s.direct.end()
		return nil, err
	}
	if s.proxy, err = startRole(roleProxy, s.direct.at.address); err != nil {
		s.relay.end()
		s.direct.end()
		return nil, err
	}
	if err := s.fill(); err != nil {
		s.end()
		return nil, err
	}
	return s, nil
}

func (s *stores) end() {
	s.proxy.end()
	s.relay.end()
	s.direct.end()
}

func (s *stores) fill() error {
	for _, step := range []struct {
		path string
		size int
	}{{"/" + bucket, 0}, {small, smallBody}, {large, largeBody}} {
		w, err := s.ways(s.server.at, 1, "PUT", step.path, step.size)
		if err != nil {
			return err
		}
		for _, l := range []*load{w.through, w.direct} {
			l.once = true
			if _, err := l.run(); err != nil && step.size > 0 {
				return fmt.Errorf("PUT %s %s: %w", step.path, l.at.network, err) // the bucket may be there
			}
		}
	}
	return nil
}

// ways signs one request for each way; at is one of the server's listeners.
func (s *stores) ways(at target, conns int, method, path string, size int) (ways, error) {
	var body []byte
	if method == "PUT" {
		body = bytes.Repeat([]byte("0123456789abcdef"), size/16)
	}
	k := keys{AccessKeyID: s.direct.accessKey, SecretAccessKey: s.direct.secretKey}
	through, err1 := signed(at, s.keys, "s3", method, path, body, "", nil)
	direct, err2 := signed(s.direct.at, k, "s3", method, path, body, "", nil)
	w := ways{
		through: s.loadOn(s.server, conns, through),
		direct:  &load{at: s.direct.at, conns: conns, requests: [][]byte{direct}, duration: s.duration, pids: []int{s.direct.pid()}},
		relayed: &load{at: s.relay.at, conns: conns, requests: [][]byte{direct}, duration: s.duration, pids: []int{s.relay.pid(), s.direct.pid()}},
	}
	w.through.at = at
	w.through.pids = append(w.through.pids, s.child)
	return w, errors.Join(err1, err2)
}

// small measures what the gateway adds at 4 KiB.
func (b *bench) small() error {
	s, err := b.openStores()
	if err != nil {
		return err
	}
	defer s.end()
	b.report.heading("Gateway at 4 KiB (directly = the same object store on its own socket; relay = a process that only passes bytes to it)")
	for _, method := range []string{"GET", "PUT"} {
		if err := s.smallCost(method); err != nil {
			return err
		}
		for _, conns := range []int{1, 16} {
			for _, tls := range []bool{false, true} {
				if err := s.smallRate(method, conns, tls); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// roadBudget is for the gateway as a multiple of a reverse proxy of the same
// library, which does nothing but pass on.
const roadBudget = 1.5

// smallCost is the CPU that the gateway adds, at 16 connections.
func (s *stores) smallCost(method string) error {
	w, err := s.ways(s.server.at, 16, method, small, smallBody)
	if err != nil {
		return err
	}
	proxied := *w.relayed
	proxied.at, proxied.pids = s.proxy.at, []int{s.proxy.pid(), s.direct.pid()}
	all, err := s.turns(append(w.loads(), s.helloLoad(plain()), &proxied)...)
	if err != nil {
		return err
	}
	const hello, library = relayed + 1, relayed + 2
	limit := 0.0
	if method == "GET" {
		limit = 4
	}
	r := &s.report
	r.cpu(method+" 4 KiB, added CPU (the server's own)", all, through, hello, "hello", limit)
	r.cpu("  the same, beside the relay", all, through, relayed, "relay", 0)
	r.cpu("  the same, beside net/http's reverse proxy", all, through, library, "proxy", roadBudget)
	r.cpu("  that proxy, which checks and signs nothing", all, library, hello, "hello", 0)
	behind, alone := all.median(through, cpuSecond), all.median(direct, cpuFirst)
	r.most("  CPU of the store behind it", duration(behind), duration(alone), "directly", behind/alone, 0)
	objects, err := s.server.allocations(w.through)
	r.add("  allocations of the server, net/http's own in it", fmt.Sprintf("%.0f", objects), "", "", "", "")
	return err
}

// smallRate is requests per second and, on one connection, the latency added.
func (s *stores) smallRate(method string, conns int, tls bool) error {
	at, name := s.server.at, ""
	if tls {
		at, name = s.server.tls, " TLS,"
	}
	w, err := s.ways(at, conns, method, small, smallBody)
	if err != nil {
		return err
	}
	all, err := s.turns(w.loads()...)
	if err != nil {
		return err
	}
	r := &s.report
	if conns == 1 && !tls {
		budget, verdict := "", ""
		added := duration(all.median(through, half) - all.median(direct, half))
		if method == "GET" {
			budget, verdict = "≤ 0.3 ms", within(added <= 300*time.Microsecond)
		}
		r.add("  added latency, 1 connection", short(added), fmt.Sprintf("%s, directly %s, relay %s", short(duration(all.median(through, half))),
			short(duration(all.median(direct, half))), short(duration(all.median(relayed, half)))), "", budget, verdict)
	}
	r.add(fmt.Sprintf(" %s requests per second, %d connections", name, conns), fmt.Sprintf("%.0f/s", all.median(through, rate)),
		fmt.Sprintf("directly %.0f/s", all.median(direct, rate)), fmt.Sprintf("%.2f ×", all.ratio(through, direct, rate)), "",
		fmt.Sprintf("%.2f × the relay", all.ratio(through, relayed, rate)))
	return nil
}

// large measures throughput at 16 MiB.
func (b *bench) large() error {
	s, err := b.openStores()
	if err != nil {
		return err
	}
	defer s.end()
	b.report.heading("Gateway at 16 MiB")
	for _, tls := range []bool{false, true} {
		for _, conns := range []int{1, 16} {
			for _, method := range []string{"GET", "PUT"} {
				if err := s.throughput(method, conns, tls); err != nil {
					return err
				}
			}
		}
	}
	all, _, err := memoryOf(b.server.pid())
	b.report.add("resident memory of the server afterwards", fmt.Sprintf("%.0f MiB", all), "", "", "", "")
	return err
}

func (s *stores) throughput(method string, conns int, tls bool) error {
	at, name := s.server.at, ""
	if tls {
		at, name = s.server.tls, " TLS"
	}
	w, err := s.ways(at, conns, method, large, largeBody)
	if err != nil {
		return err
	}
	loads := w.loads()
	for _, l := range loads {
		l.duration *= 2
	}
	all, err := s.turns(loads...)
	if err != nil {
		return err
	}
	ratio := all.ratio(through, direct, rate)
	beside := all.ratio(through, relayed, rate)
	budget, verdict, road := "≥ 0.9 ×", within(ratio >= 0.9), within(beside >= 0.9)
	if tls { // the store itself speaks no TLS
		budget, verdict, road = "", "", ""
	}
	mib := func(i int) string { return fmt.Sprintf("%.0f MiB/s", all.median(i, rate)*largeBody/(1<<20)) }
	cpu := func(i int, figure func(*outcome) float64) string { return short(duration(all.median(i, figure))) }
	r := &s.report
	r.add(fmt.Sprintf("%s 16 MiB%s, %d connections", method, name, conns), mib(through), "directly "+mib(direct), fmt.Sprintf("%.2f ×", ratio), budget, verdict)
	r.add("  beside the relay", mib(through), "relay "+mib(relayed), fmt.Sprintf("%.2f ×", beside), budget, road)
	r.add("  CPU: server, store behind it", cpu(through, cpuFirst)+", "+cpu(through, cpuSecond),
		fmt.Sprintf("store directly %s; relay %s, store %s", cpu(direct, cpuFirst), cpu(relayed, cpuFirst), cpu(relayed, cpuSecond)), "", "", "")
	return nil
}
