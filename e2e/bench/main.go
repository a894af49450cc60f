// Command bench measures a running Daypass and prints what its work costs: CPU
// time of the server's process per operation, requests per second, latencies,
// start and memory, each beside the empty handler, the bare crypto or the store
// reached directly of the same run, with ratio and budget.
//
//	make bench                       about seven minutes, ten where Ceph is installed
//	make bench BENCHFLAGS=-short     about three, or five
//
// Ratios of one run compare between machines; absolute figures do not. Budgets
// are printed, never asserted: the exit status is 1 only when something does
// not work. It needs Linux (/proc) and the two binaries, in DAYPASS_BIN or
// ../bin.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// plan is how long everything is measured.
type plan struct {
	rounds   int           // of every comparison, interleaved; medians count
	duration time.Duration // of one load; of bodies of 16 MiB twice that
	fresh    int           // tokens never seen before, per round
	starts   int
	only     string
	root     string // of the repository, for its micro-benchmarks
}

func main() {
	if role := os.Getenv(roleVariable); role != "" {
		if err := play(role); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", role, err)
			os.Exit(1)
		}
		return
	}
	p := plan{rounds: 5, duration: 500 * time.Millisecond, fresh: 400, starts: 5}
	short := flag.Bool("short", false, "about three minutes: fewer and shorter rounds")
	flag.StringVar(&p.only, "only", "", "one `group`: checked, issue, rates, password, cognito, ibm, kms, gateway, bodies, rgw, start, bare")
	flag.StringVar(&p.root, "root", "..", "root `directory` of the repository")
	flag.Parse()
	if *short {
		p.rounds, p.duration, p.fresh, p.starts = 3, 300*time.Millisecond, 400, 2
	}
	if err := run(&p); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one run.
type bench struct {
	*plan
	dir    string
	bin    string
	report report
	hello  *process
	server *server // as configured by default
	quiet  *server // without the access log
	buffer *server // audit.durability: buffered
}

func run(p *plan) (err error) {
	b := &bench{plan: p, bin: binaries(p.root)}
	if b.dir, err = os.MkdirTemp("", "daypass-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	defer b.stop()
	began := time.Now()
	b.report.facts(b.dir)
	if err := b.start(); err != nil {
		return err
	}
	var failed []error // the other groups count all the same
	for _, g := range []struct {
		name string
		run  func() error
	}{
		{"checked", b.checked},
		{"issue", b.issue},
		{"rates", b.rates},
		{"password", b.password},
		{"cognito", b.cognito},
		{"ibm", b.ibm},
		{"kms", b.keyManagement},
		{"gateway", b.small},
		{"bodies", b.large},
		{"rgw", b.rgw},
		{"bare", b.bare},
		{"start", b.starting},
	} {
		if b.only != "" && b.only != g.name {
			continue
		}
		fmt.Fprintf(os.Stderr, "bench: %s (%s)\n", g.name, time.Since(began).Round(time.Second))
		if err := g.run(); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", g.name, err))
		}
	}
	return errors.Join(append(failed, b.report.print(os.Stdout, time.Since(began)))...)
}

func binaries(root string) string {
	if dir := os.Getenv("DAYPASS_BIN"); dir != "" {
		return dir
	}
	return filepath.Join(root, "bin")
}

// start brings up what most groups need: the empty handler and three servers.
func (b *bench) start() (err error) {
	if b.hello, err = startRole(roleHello, ""); err != nil {
		return err
	}
	if b.server, err = startServer(b, defaultServer); err != nil {
		return err
	}
	if b.quiet, err = startServer(b, "quiet", "DAYPASS_LOG_ACCESS=false"); err != nil {
		return err
	}
	b.buffer, err = startServer(b, "buffered", "DAYPASS_AUDIT_DURABILITY=buffered")
	return err
}

func (b *bench) stop() {
	for _, s := range []*server{b.server, b.quiet, b.buffer} {
		if s != nil {
			s.end()
		}
	}
	if b.hello != nil {
		b.hello.end()
	}
}
