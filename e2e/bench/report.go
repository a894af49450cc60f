package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// report is the table that is printed at the end.
type report struct {
	machine []string
	rows    []row
}

type row struct{ operation, figure, base, ratio, budget, verdict string }

// within says whether a figure keeps its budget.
func within(ok bool) string {
	if ok {
		return "ok"
	}
	return "over"
}

func (r *report) add(operation, figure, base, ratio, budget, verdict string) {
	r.rows = append(r.rows, row{operation, figure, base, ratio, budget, verdict})
}

func (r *report) heading(text string) { r.rows = append(r.rows, row{operation: "# " + text}) }

// most adds a figure that may be at most limit times its base; limit 0 means
// that there is no budget.
func (r *report) most(operation string, figure, base time.Duration, baseName string, ratio, limit float64) {
	budget, verdict := "", ""
	if limit > 0 {
		budget, verdict = fmt.Sprintf("≤ %g ×", limit), within(ratio <= limit)
	}
	r.add(operation, short(figure), baseName+" "+short(base), fmt.Sprintf("%.2f ×", ratio), budget, verdict)
}

// cpu is most for the CPU time of load i beside that of another.
func (r *report) cpu(operation string, all rounds, i, base int, baseName string, limit float64) {
	r.most(operation, duration(all.median(i, cpuFirst)), duration(all.median(base, cpuFirst)), baseName, all.ratio(i, base, cpuFirst), limit)
}

func (r *report) print(w io.Writer, took time.Duration) error {
	var out bytes.Buffer
	for _, m := range r.machine {
		fmt.Fprintln(&out, m)
	}
	t := tabwriter.NewWriter(&out, 0, 4, 2, ' ', 0)
	section := func() {
		fmt.Fprintln(t, "operation\tfigure\tbase\tratio\tbudget\t")
	}
	for _, l := range r.rows {
		if text, ok := strings.CutPrefix(l.operation, "# "); ok {
			t.Flush()
			fmt.Fprintf(&out, "\n%s\n", text)
			section()
			continue
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", l.operation, l.figure, l.base, l.ratio, l.budget, l.verdict)
	}
	t.Flush()
	fmt.Fprintf(&out, "\n%s; load average at the end %s\n", took.Round(time.Second), loadAverage())
	_, err := w.Write(out.Bytes())
	return err
}

// facts describes the machine: figures mean nothing without it.
func (r *report) facts(dir string) {
	model := "unknown processor"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	sync := "unknown"
	if d, err := syncTime(dir); err == nil {
		sync = short(d)
	}
	r.machine = append(r.machine,
		fmt.Sprintf("%s, %d processors, Linux %s, %s", model, runtime.NumCPU(), strings.TrimSpace(string(kernel)), runtime.Version()),
		fmt.Sprintf("fsync of 512 bytes: %s; load average at the start %s; the load runs on the same processors", sync, loadAverage()),
		"CPU per operation is that of the server's process; medians of interleaved rounds")
}

func loadAverage() string {
	text, _ := os.ReadFile("/proc/loadavg")
	f := strings.Fields(string(text))
	return strings.Join(f[:min(3, len(f))], " ")
}

// syncTime is the median time of a small append and its fsync: what any
// durable write of one request costs alone.
func syncTime(dir string) (time.Duration, error) {
	f, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	var all []time.Duration
	for range 30 {
		began := time.Now()
		if _, err := f.Write(make([]byte, 512)); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		all = append(all, time.Since(began))
	}
	return median(all), nil
}

func median[T cmp.Ordered](all []T) T {
	var zero T
	if len(all) == 0 {
		return zero
	}
	s := slices.Clone(all)
	slices.Sort(s)
	return s[len(s)/2]
}

// short prints a duration with three digits.
func short(d time.Duration) string {
	switch v := float64(d); {
	case math.Abs(v) < 1e3:
		return fmt.Sprintf("%.0f ns", v)
	case math.Abs(v) < 1e6:
		return fmt.Sprintf("%.3g µs", v/1e3)
	case math.Abs(v) < 1e9:
		return fmt.Sprintf("%.3g ms", v/1e6)
	default:
		return fmt.Sprintf("%.3g s", v/1e9)
	}
}
