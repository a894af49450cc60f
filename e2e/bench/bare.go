package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"daypass/internal/sigv4"
)

const (
	// prototypeCheck is what a whole check of such a request cost where
	// SHA-256 of 1 KiB cost prototypeSum.
	prototypeCheck = 2500 * time.Nanosecond
	prototypeSum   = 740 * time.Nanosecond
)

// bare measures the parts by themselves.
func (b *bench) bare() error {
	b.report.heading("Parts by themselves")
	if err := b.bareCheck(); err != nil {
		return err
	}
	return b.packages()
}

// bareCheck is the sigv4 check of a GET with 12 headers and a token of 800
// characters under a cached key.
func (b *bench) bareCheck() error {
	k := keys{AccessKeyID: "ASIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", SessionToken: strings.Repeat("a", 800)}
	header := http.Header{}
	for _, name := range []string{"Accept", "Amz-Sdk-Invocation-Id", "Amz-Sdk-Request", "Connection", "Range", "X-Amz-Checksum-Mode"} {
		header.Set(name, "some ordinary value of a header")
	}
	at := target{"tcp", "127.0.0.1:8080"}
	raw, err := signed(at, k, "s3", "GET", "/bucket/some/key%20with%20blanks", nil, "", header)
	if err != nil {
		return err
	}
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
	if err != nil {
		return err
	}
	now := time.Now()
	rules := sigv4.Rules{Service: "s3", S3: true, Presigned: true}
	key := sigv4.Derive(k.SecretAccessKey, now.UTC().Format("20060102"), region, "s3")
	var failed error
	check := testing.Benchmark(func(t *testing.B) {
		t.ReportAllocs()
		for t.Loop() {
			s, err := sigv4.Parse(r, rules, now)
			if err == nil {
				err = s.Check(key, "")
			}
			failed = errors.Join(failed, err)
		}
	})
	if failed != nil {
		return failed
	}
	sum := testing.Benchmark(sumOf(1024))
	hashes := testing.Benchmark(bareHashes(1150))
	base := prototypeCheck * time.Duration(sum.NsPerOp()) / prototypeSum
	b.report.most(fmt.Sprintf("sigv4 check, cached key (%d allocations)", check.AllocsPerOp()),
		time.Duration(check.NsPerOp()), base, "prototype, scaled by SHA-256,", float64(check.NsPerOp())/float64(base), 1.5)
	b.report.most("  the same, against only its hashes", time.Duration(check.NsPerOp()), time.Duration(hashes.NsPerOp()), "SHA-256 + HMAC", float64(check.NsPerOp())/float64(hashes.NsPerOp()), 0)
	return nil
}

func sumOf(n int) func(*testing.B) {
	data := make([]byte, n)
	return func(t *testing.B) {
		for t.Loop() {
			sha256.Sum256(data)
		}
	}
}

// bareHashes hashes a canonical request of n bytes and its string to sign.
func bareHashes(n int) func(*testing.B) {
	data, text := make([]byte, n), make([]byte, 140)
	h := sha256.New()
	h.Write(make([]byte, 64))
	state, err := h.(encoding.BinaryMarshaler).MarshalBinary()
	return func(t *testing.B) {
		if err != nil {
			t.Fatal(err)
		}
		sum := make([]byte, 0, 32)
		restore := func() {
			if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(state); err != nil {
				t.Fatal(err)
			}
		}
		for t.Loop() {
			sha256.Sum256(data)
			restore()
			h.Write(text)
			sum = h.Sum(sum[:0])
			restore()
			h.Write(sum)
			sum = h.Sum(sum[:0])
		}
	}
}

// decisionBudget is for one decision.
const decisionBudget = time.Microsecond

// packages runs micro-benchmarks of packages that only their tests can reach.
func (b *bench) packages() error {
	decisions, err := b.goBench("./internal/access", "^Benchmark(Authenticate|Authorize)")
	if err != nil {
		return err
	}
	for _, m := range decisions {
		budget, verdict := "", ""
		if strings.HasPrefix(m.name, "Authorize") {
			budget, verdict = "≤ 1 µs", within(m.took <= decisionBudget)
		}
		b.report.add("access: "+m.name, short(m.took), "", "", budget, verdict)
	}
	bodies, err := b.goBench("./internal/sigv4", "^BenchmarkBody$")
	if err != nil {
		return err
	}
	b.report.heading("Checking a body of 16 MiB, per mode (beside nothing but the digests that it cannot do without)")
	bare := map[string]time.Duration{}
	for _, m := range bodies {
		kind, mode, _ := strings.Cut(strings.TrimPrefix(m.name, "Body/"), "/")
		switch base := bare[kind]; {
		case strings.HasPrefix(mode, "bare"):
			bare[kind] = m.took
		case base > 0:
			b.report.most(mode+", "+kind, m.took, base, "bare", float64(m.took)/float64(base), 0)
		}
	}
	return nil
}

// measured is one line of go test -bench.
type measured struct {
	name string
	took time.Duration
}

func (b *bench) goBench(pkg, pattern string) ([]measured, error) {
	cmd := exec.Command("go", "test", "-run", "^$", "-bench", pattern, "-benchtime", "300ms", pkg)
	cmd.Dir = b.root
	text, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("go test: %w: %.400s", err, text)
	}
	var all []measured
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") {
			continue
		}
		ns, err := strconv.ParseFloat(f[2], 64)
		if err != nil {
			return nil, fmt.Errorf("unexpected line %q", line)
		}
		name := strings.TrimPrefix(f[0], "Benchmark")
		if i := strings.LastIndexByte(name, '-'); i > 0 { // the number of processors
			name = name[:i]
		}
		all = append(all, measured{name, time.Duration(ns)})
	}
	return all, nil
}
