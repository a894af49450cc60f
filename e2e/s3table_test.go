package e2e

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// The documents with a table of clients and operations, between two markers;
// the tests write it with -update.
const (
	s3Table   = "../docs/compat/s3.md"
	cephTable = "../docs/compat/ceph.md"
)

var betweenMarkers = regexp.MustCompile(`(?s)<!-- clients -->\n(.*?)<!-- /clients -->`)

// The operations, in the order in which every client does them.
const (
	opMake      = "make a bucket"
	opPut       = "put and get, small"
	opLarge     = "put and get, large"
	opChecksums = "checksums of its own"
	opListV1    = "list, V1"
	opListV2    = "list, V2"
	opSync      = "sync a tree"
	opRange     = "get a range"
	opCopy      = "copy"
	opGetURL    = "presigned get"
	opPutURL    = "presigned put"
	opAbsent    = "put if absent"
	opUnchanged = "put if unchanged"
	opForm      = "POST form"
	opTag       = "tags"
	opVersion   = "versions"
	opLock      = "lock and legal hold"
	opDelete    = "delete"
	opMany      = "delete many at once"
	opRemove    = "remove the bucket"
)

var s3Operations = []string{
	opMake, opPut, opLarge, opChecksums, opListV1, opListV2, opSync, opRange, opCopy, opGetURL, opPutURL, opAbsent, opUnchanged, opForm, opTag, opVersion,
	opLock, opDelete, opMany, opRemove,
}

// Cells of the table.
const (
	cellDone = "✓"
	cellNone = "–"
	cellFail = "✗"
)

// s3Client is one column: a client and what it can do.
type s3Client struct {
	name, version string
	ops           map[string]func(*trial)
}

// trial is one operation of one client. Unlike a test it may fail without the
// run failing: the table then says so.
type trial struct{ err error }

// attempt runs an operation to its end or to its first failure.
func attempt(op func(*trial)) error {
	tr, done := &trial{}, make(chan struct{})
	go func() {
		defer close(done)
		op(tr)
	}()
	<-done
	return tr.err
}

// fail ends the operation.
func (tr *trial) fail(format string, args ...any) {
	tr.err = fmt.Errorf(format, args...)
	runtime.Goexit()
}

func (tr *trial) check(err error) {
	if err != nil {
		tr.fail("%w", err)
	}
}

// same compares; long texts are not printed.
func (tr *trial) same(what, got, want string) {
	if got == want {
		return
	}
	if len(got) > 300 || len(want) > 300 {
		tr.fail("%s: %d bytes came back different from the %d sent", what, len(got), len(want))
	}
	tr.fail("%s: got %q, want %q", what, got, want)
}

// s3Results collects columns that are filled concurrently.
type s3Results struct {
	mu       sync.Mutex
	doc      string   // the path of the document
	columns  []string // in the order of the table
	versions map[string]string
	cells    map[string]map[string]error // client, operation; an absent operation was not tried
}

func newS3Results(doc string, columns ...string) *s3Results {
	return &s3Results{doc: doc, columns: columns, versions: map[string]string{}, cells: map[string]map[string]error{}}
}

// drive does the operations of a client and notes what came of them. What the
// document has as done must be done.
func (r *s3Results) drive(t *testing.T, known *tableText, c s3Client) {
	t.Helper()
	cells := map[string]error{}
	for _, name := range s3Operations {
		op := c.ops[name]
		if op == nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			cells[name] = attempt(op)
			switch err := cells[name]; {
			case err == nil:
			case *update, known.cell(c.name, name) == cellFail:
				t.Logf("%s: %v", cellFail, err)
			default:
				t.Errorf("%v", err)
			}
		})
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.versions[c.name], r.cells[c.name] = c.version, cells
}

// tableText is a table as the document has it.
type tableText struct {
	columns   []string
	rows      map[string][]string // operation -> cells, with the marks of footnotes
	versions  []string
	footnotes map[string]string
}

var footnote = regexp.MustCompile(`^\[\^(s3-\d+)\]: (.*)$`)

func readTable(text string) *tableText {
	out := &tableText{rows: map[string][]string{}, footnotes: map[string]string{}}
	m := betweenMarkers.FindStringSubmatch(text)
	if m == nil {
		return out
	}
	for line := range strings.Lines(m[1]) {
		line = strings.TrimSpace(line)
		if note := footnote.FindStringSubmatch(line); note != nil {
			out.footnotes[note[1]] = note[2]
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case len(cells) < 2 || strings.HasPrefix(cells[0], "--"):
		case out.columns == nil:
			out.columns = cells[1:]
		case cells[0] == versionRow:
			out.versions = cells[1:]
		default:
			out.rows[cells[0]] = cells[1:]
		}
	}
	return out
}

const versionRow = "version"

// raw is a cell with the mark of its footnote, "" when there is none.
func (d *tableText) raw(client, op string) string {
	i, row := slices.Index(d.columns, client), d.rows[op]
	if i < 0 || i >= len(row) {
		return ""
	}
	return row[i]
}

// cell is a cell without the mark of its footnote.
func (d *tableText) cell(client, op string) string {
	cell, _, _ := strings.Cut(d.raw(client, op), "[")
	return cell
}

// render writes the table. Columns of clients that this machine lacks stay as
// they were.
func (r *s3Results) render(known *tableText) string {
	var b strings.Builder
	var notes []string
	note := func(text string) string {
		i := slices.Index(notes, text)
		if i < 0 {
			i = len(notes)
			notes = append(notes, text)
		}
		return fmt.Sprintf("%s[^s3-%d]", cellFail, i+1)
	}
	line := func(first string, cell func(client string) string) {
		fmt.Fprintf(&b, "| %s |", first)
		for _, c := range r.columns {
			fmt.Fprintf(&b, " %s |", cell(c))
		}
		b.WriteByte('\n')
	}
	line("", func(c string) string { return c })
	line("---", func(string) string { return "---" })
	line(versionRow, func(c string) string {
		if v, ok := r.versions[c]; ok {
			return v
		}
		if i := slices.Index(known.columns, c); i >= 0 && i < len(known.versions) {
			return known.versions[i]
		}
		return "not run"
	})
	for _, op := range s3Operations {
		line(op, func(c string) string {
			cells, run := r.cells[c]
			if !run {
				old := known.raw(c, op)
				if mark := strings.TrimSuffix(strings.TrimPrefix(old, cellFail+"[^"), "]"); known.footnotes[mark] != "" {
					return note(known.footnotes[mark])
				}
				return old
			}
			switch err, tried := cells[op]; {
			case !tried:
				return cellNone
			case err == nil:
				return cellDone
			default:
				return note(oneLine(err))
			}
		})
	}
	for i, text := range notes {
		fmt.Fprintf(&b, "\n[^s3-%d]: %s\n", i+1, text)
	}
	return b.String()
}

var (
	awsError = regexp.MustCompile(`(?:\(|api error )([A-Z][A-Za-z0-9]+)(?:\)|:)`)
	xmlCode  = regexp.MustCompile(`<Code>([A-Za-z0-9]+)</Code>`)
)

// oneLine is what a footnote says of a failure: the code, when there is one.
func oneLine(err error) string {
	text := err.Error()
	if m := awsError.FindStringSubmatch(text); m != nil {
		return "answered with `" + m[1] + "`"
	}
	if m := xmlCode.FindStringSubmatch(text); m != nil {
		return "answered with `" + m[1] + "`"
	}
	text = strings.Join(strings.Fields(text), " ")
	return text[:min(len(text), 160)]
}

// finish writes the table with -update, and otherwise looks for what the
// document does not know.
func (r *s3Results) finish(t *testing.T, known *tableText) {
	t.Helper()
	table := r.render(known)
	t.Logf("\n%s", table)
	if !*update {
		for _, c := range slices.Sorted(maps.Keys(r.cells)) {
			for op, err := range r.cells[c] {
				if old := known.cell(c, op); err == nil && old != cellDone {
					t.Logf("%s, %s: %q in %s, and works: run with -update", c, op, old, r.doc)
				}
			}
			for _, op := range s3Operations {
				if _, tried := r.cells[c][op]; !tried && known.cell(c, op) == cellDone {
					t.Errorf("%s, %s: done in %s, and not tried", c, op, r.doc)
				}
			}
		}
		return
	}
	doc, err := os.ReadFile(r.doc)
	if err != nil || !betweenMarkers.Match(doc) {
		t.Fatalf("no markers <!-- clients --> and <!-- /clients --> in %s (%v)", r.doc, err)
	}
	now := betweenMarkers.ReplaceAllLiteralString(string(doc), "<!-- clients -->\n"+table+"<!-- /clients -->")
	if err := os.WriteFile(r.doc, []byte(now), 0o644); err != nil {
		t.Fatal(err)
	}
}

// moduleVersion is the version of a module that these tests are built with.
func moduleVersion(t testing.TB, path string) string {
	t.Helper()
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(mod), "\t"+path+" v")
	return strings.Fields(rest + " ?")[0]
}
