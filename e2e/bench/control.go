package main

import (
	"errors"
	"fmt"
)

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
	only, err := startRole(roleCheck, k.SecretAccessKey+" s3")
	if err != nil {
		return err
	}
	defer only.end()
	checkOnly := &load{at: only.at, conns: 32, requests: [][]byte{list}, duration: b.duration, pids: []int{only.pid()}}
	all, err := b.turns(b.helloLoad(plain()), b.helloLoad(caller), b.loadOn(b.server, 32, caller), b.loadOn(b.quiet, 32, quiet),
		b.loadOn(b.server, 32, list), b.loadOn(b.server, 32, longTerm), checkOnly)
	if err != nil {
		return err
	}
	r := &b.report
	r.heading("A checked request, whole server (32 connections; hello = an empty net/http handler)")
	cpu := func(name string, i, base int, limit float64) { r.cpu(name, all, i, base, "hello", limit) }
	cpu("GetCallerIdentity, session keys", 2, 0, checkedBudget)
	cpu("  the same, access log off", 3, 0, 0)
	cpu("  the same, and hello given the same request", 2, 1, 0)
	cpu("ListBuckets, session keys", 4, 0, checkedBudget)
	cpu("ListBuckets, long-term key", 5, 0, checkedBudget)
	cpu("net/http and the check alone, for ListBuckets", 6, 0, 0)
	r.cpu("ListBuckets, session keys, beside that", all, 4, 6, "check alone", 0)
	objects, err := b.server.allocations(b.loadOn(b.server, 32, caller))
	r.add("  allocations of GetCallerIdentity, net/http's own in it", fmt.Sprintf("%.0f", objects), "", "", "", "")
	return err
}

// checkedBudget is for a checked request, as a multiple of hello.
const checkedBudget = 2.5

// issue measures web identity to session keys, with the durable audit log.
func (b *bench) issue() error {
	bare, err := newSignatures()
	if err != nil {
		return err
	}
	kinds := []*tokenKind{
		{name: "RS256", role: b.server.adminARN(), make: b.server.clientTokens, verify: bare.verifyRSA},
		{name: "ES256", role: b.server.rootARN(), make: b.server.rootTokens, verify: bare.verifyECDSA},
	}
	hello := b.helloLoad(plain())
	loads := []*load{hello}
	for _, k := range kinds {
		once, again, err := b.identityLoads(k)
		if err != nil {
			return err
		}
		loads = append(loads, once, again)
	}
	all, err := b.turns(loads...)
	if err != nil {
		return err
	}
	b.report.heading("Web identity to session keys (32 connections, audit event on disk before the answer)")
	for i, k := range kinds {
		b.report.cpu(k.name+" token, fresh", all, 1+2*i, 0, "hello", 6)
		b.report.cpu(k.name+" token, seen before", all, 2+2*i, 0, "hello", 3)
		verify, err := b.cost(k.verify)
		if err != nil {
			return err
		}
		b.report.most("  one verification alone", verify, duration(all.median(0, cpuFirst)), "hello", float64(verify)/all.median(0, cpuFirst), 0)
	}
	return b.tokens(hello, bare.signRSA)
}

// tokenKind is one sort of web-identity tokens.
type tokenKind struct {
	name, role string
	make       func(n int) ([]string, error)
	verify     func() error
}

// identityLoads are a load of new tokens, sent once each and in every round
// others, and one of a single token again and again.
func (b *bench) identityLoads(k *tokenKind) (once, again *load, err error) {
	made, err := k.make(b.fresh * b.rounds)
	if err != nil {
		return nil, nil, err
	}
	var requests [][]byte
	for _, token := range made {
		requests = append(requests, webIdentity(b.server.at, k.role, token))
	}
	once = b.loadOn(b.server, 32, requests...)
	once.once, once.part = true, b.fresh
	return once, b.loadOn(b.server, 32, requests[0]), nil
}

// tokens measures a client's secret to an RS256 token beside what it signs.
func (b *bench) tokens(hello *load, sign func() error) error {
	secret, err := b.server.clientSecret()
	if err != nil {
		return err
	}
	grant := b.loadOn(b.server, 32, post(b.server.at, tokenPath("shasta"), clientForm(secret).Encode()))
	all, err := b.turns(hello, grant)
	if err != nil {
		return err
	}
	signing, err := b.cost(sign)
	if err != nil {
		return err
	}
	cost := all.median(1, cpuFirst)
	b.report.most("client's secret to an RS256 token", duration(cost), signing, "one RSA-2048 signing", cost/float64(signing), 1.1)
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
		all, err := b.turns(loads...)
		if err != nil {
			return err
		}
		for i, name := range []string{"", "durable (fsync)", "buffered"} {
			if i > 0 {
				b.report.add(fmt.Sprintf("%d connections, %s", conns, name),
					fmt.Sprintf("%.0f/s", all.median(i, rate)), fmt.Sprintf("hello %.0f/s", all.median(0, rate)),
					fmt.Sprintf("%.2f ×", all.ratio(i, 0, rate)), "",
					fmt.Sprintf("CPU %s, latency %s, 99th %s", short(duration(all.median(i, cpuFirst))),
						short(duration(all.median(i, half))), short(duration(all.median(i, tail)))))
			}
		}
	}
	return nil
}
