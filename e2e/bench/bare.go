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
		time.Duration(check.NsPerOp()), base, "prototype, scaled by SHA-256,", 1.5)
	b.report.most("  the same, against only its hashes", time.Duration(check.NsPerOp()), time.Duration(hashes.NsPerOp()), "SHA-256 + HMAC", 0)
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

// packages runs the micro-benchmarks of package access.
func (b *bench) packages() error {
	cmd := exec.Command("go", "test", "-run", "^$", "-bench", "^Benchmark(Authenticate|Authorize)", "-benchtime", "300ms", "./internal/access")
	cmd.Dir = b.root
	text, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("go test: %w: %.400s", err, text)
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") {
			continue
		}
		ns, err := strconv.ParseFloat(f[2], 64)
		if err != nil {
			return fmt.Errorf("unexpected line %q", line)
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(f[0], "Benchmark"), "-")
		budget, verdict := "", ""
		if strings.HasPrefix(name, "Authorize") {
			budget, verdict = "≤ 1 µs", within(ns <= float64(decisionBudget))
		}
		b.report.add("access: "+name, short(time.Duration(ns)), "", "", budget, verdict)
	}
	return nil
}
