package main

import (
	"errors"
	"fmt"
	"time"
)

// figures are the CPU times per operation of several loads, of one process
// each, taken in turns so that what disturbs one disturbs all.
func (b *bench) figures(loads ...*load) ([]time.Duration, error) {
	all := make([][]time.Duration, len(loads))
	for range b.rounds {
		for i, l := range loads {
			out, err := l.run()
			if err != nil {
				return nil, err
			}
			all[i] = append(all[i], out.cpu[0])
		}
	}
	medians := make([]time.Duration, len(loads))
	for i := range all {
		medians[i] = median(all[i])
	}
	return medians, nil
}

// helloLoad is the empty handler under 32 connections.
func (b *bench) helloLoad(request []byte) *load {
	return &load{at: b.hello.at, conns: 32, requests: [][]byte{request}, duration: b.duration, pids: []int{b.hello.pid()}}
}

func (b *bench) loadOn(s *server, conns int, requests ...[]byte) *load {
	return &load{at: s.at, conns: conns, requests: requests, duration: b.duration, pids: []int{s.pid()}}
}

// checked measures a signed request through the whole server, no upstream.
func (b *bench) checked() error {
	k, err := b.server.sessionKeys()
	if err != nil {
		return err
	}
	quietKeys, err := b.quiet.sessionKeys()
	if err != nil {
		return err
	}
	root := keys{AccessKeyID: b.server.ready.Root.AccessKey, SecretAccessKey: b.server.ready.Root.SecretKey}
	caller, err1 := callerIdentity(b.server.at, k)
	quiet, err2 := callerIdentity(b.quiet.at, quietKeys)
	list, err3 := signed(b.server.at, k, "s3", "GET", "/", nil, "", nil)
	longTerm, err4 := signed(b.server.at, root, "s3", "GET", "/", nil, "", nil)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return err
	}
	f, err := b.figures(b.helloLoad(plain()), b.helloLoad(caller), b.loadOn(b.server, 32, caller), b.loadOn(b.quiet, 32, quiet),
		b.loadOn(b.server, 32, list), b.loadOn(b.server, 32, longTerm))
	if err != nil {
		return err
	}
	r := &b.report
	r.heading("A checked request, whole server (32 connections; hello = an empty net/http handler)")
	r.most("GetCallerIdentity, session keys", f[2], f[0], "hello", 2.5)
	r.most("  the same, access log off", f[3], f[0], "hello", 0)
	r.most("  the same, and hello given the same request", f[2], f[1], "hello", 0)
	r.most("ListBuckets, session keys", f[4], f[0], "hello", 2.5)
	r.most("ListBuckets, long-term key", f[5], f[0], "hello", 2.5)
	return nil
}

// issue measures web identity to session keys, with the durable audit log.
func (b *bench) issue() error {
	kinds := []*tokenKind{
		{name: "RS256", role: b.server.adminARN(), make: b.server.clientTokens},
		{name: "ES256", role: b.server.rootARN(), make: b.server.rootTokens},
	}
	var hello []time.Duration
	for range b.rounds {
		out, err := b.helloLoad(plain()).run()
		if err != nil {
			return err
		}
		hello = append(hello, out.cpu[0])
		for _, k := range kinds {
			if err := b.issueRound(k); err != nil {
				return err
			}
		}
	}
	base := median(hello)
	b.report.heading("Web identity to session keys (32 connections, audit event on disk before the answer)")
	for _, k := range kinds {
		b.report.most(k.name+" token, fresh", median(k.fresh), base, "hello", 6)
		b.report.most(k.name+" token, seen before", median(k.seen), base, "hello", 3)
	}
	return nil
}

// tokenKind is one sort of web-identity tokens and what they cost.
type tokenKind struct {
	name, role  string
	make        func(n int) ([]string, error)
	fresh, seen []time.Duration
}

// issueRound sends new tokens once each, then one of them again and again.
func (b *bench) issueRound(k *tokenKind) error {
	made, err := k.make(b.fresh)
	if err != nil {
		return err
	}
	var requests [][]byte
	for _, token := range made {
		requests = append(requests, webIdentity(b.server.at, k.role, token))
	}
	fresh := b.loadOn(b.server, 32, requests...)
	fresh.once = true
	out, err := fresh.run()
	if err != nil {
		return err
	}
	k.fresh = append(k.fresh, out.cpu[0])
	if out, err = b.loadOn(b.server, 32, requests[0]).run(); err != nil {
		return err
	}
	k.seen = append(k.seen, out.cpu[0])
	return nil
}

// rates shows what durability costs.
func (b *bench) rates() error {
	b.report.heading("Web identity to session keys, requests per second (RS256, token seen before; hello's rate beside it)")
	requests := map[*server][]byte{}
	for _, s := range []*server{b.server, b.buffer} {
		made, err := s.clientTokens(1)
		if err != nil {
			return err
		}
		requests[s] = webIdentity(s.at, s.adminARN(), made[0])
	}
	for _, conns := range []int{1, 32, 256} {
		hello := b.helloLoad(plain())
		hello.conns = conns
		loads := []*load{hello, b.loadOn(b.server, conns, requests[b.server]), b.loadOn(b.buffer, conns, requests[b.buffer])}
		rates, cpus, halves, tails := make([][]float64, 3), make([][]time.Duration, 3), make([][]time.Duration, 3), make([][]time.Duration, 3)
		for range (b.rounds + 1) / 2 {
			for i, l := range loads {
				out, err := l.run()
				if err != nil {
					return err
				}
				rates[i], cpus[i] = append(rates[i], out.rate()), append(cpus[i], out.cpu[0])
				halves[i], tails[i] = append(halves[i], out.half), append(tails[i], out.tail)
			}
		}
		for i, name := range []string{"", "durable (fsync)", "buffered"} {
			if i > 0 {
				b.report.add(fmt.Sprintf("%d connections, %s", conns, name),
					fmt.Sprintf("%.0f/s", median(rates[i])), fmt.Sprintf("hello %.0f/s", median(rates[0])),
					fmt.Sprintf("%.2f ×", median(rates[i])/median(rates[0])), "",
					fmt.Sprintf("CPU %s, latency %s, 99th %s", short(median(cpus[i])), short(median(halves[i])), short(median(tails[i]))))
			}
		}
	}
	return nil
}
