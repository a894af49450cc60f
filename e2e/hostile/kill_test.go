package hostile

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// verifyAudit: every credential that was handed out is in the audit log, and
// every line of it is whole.
func (l *load) verifyAudit() {
	t := l.r.t
	t.Helper()
	files, err := filepath.Glob(filepath.Join(l.r.data(), "audit", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no audit log: %v", err)
	}
	var log []byte
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		log = append(log, raw...)
	}
	for _, want := range l.issued {
		if !bytes.Contains(log, []byte(want)) {
			t.Errorf("the audit log does not name %s", want)
		}
	}
	l.issued = nil
}

// TestKill kills server, object store or both under load, again and again; in
// between it ends the server in good order, under load too.
func TestKill(t *testing.T) {
	rounds := 5
	if soak() {
		rounds = 50
	}
	seed := uint64(time.Now().UnixNano())
	if v, err := strconv.ParseUint(os.Getenv("DAYPASS_SEED"), 10, 64); err == nil {
		seed = v
	}
	t.Logf("DAYPASS_SEED=%d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	r := startRig(t, "")
	l := newLoad(r)
	for round := range rounds {
		killed := []string{"server", "object store", "both", "server at its start", "nobody"}[(round+int(seed%5))%5]
		stop := make(chan struct{})
		finished := make(chan struct{})
		go func() { l.run(random.Uint64(), round, stop); close(finished) }()
		time.Sleep(time.Duration(100+random.IntN(700)) * time.Millisecond)
		child := r.childPID()
		if child == 0 {
			t.Fatal("no object store found")
		}
		switch killed {
		case "object store":
			syscall.Kill(child, syscall.SIGKILL)
			// The writers go on against a server without a store.
			time.Sleep(50 * time.Millisecond)
		case "both":
			syscall.Kill(child, syscall.SIGKILL)
			time.Sleep(time.Duration(random.IntN(20)) * time.Millisecond)
			r.killServer()
		case "nobody":
			r.process.Load().Signal(syscall.SIGTERM)
			<-r.exited
		default:
			r.killServer()
		}
		close(stop)
		<-finished
		began := time.Now()
		if killed == "object store" {
			eventually(t, 30*time.Second, "the object store is back", func() bool {
				a, err := r.try(call{target: "/" + loadBucket + "?list-type=2&max-keys=1", keys: l.session})
				return err == nil && a.status == 200
			})
		} else {
			for range 3 {
				if killed == "server at its start" {
					r.launch()
					time.Sleep(time.Duration(random.IntN(400)) * time.Millisecond)
					r.killServer()
				}
			}
			r.start()
			eventually(t, 5*time.Second, "the old object store is gone", func() bool { return !alive(child) })
		}
		back := time.Since(began)
		l.verify(round == rounds-1)
		t.Logf("round %d, %s killed, back after %s", round, killed, back.Round(time.Millisecond))
		if t.Failed() {
			t.Fatalf("round %d: %s killed\n%s", round, killed, r.logTail())
		}
	}
	t.Logf("acknowledged: %v", l.count)
	r.noLeftovers()
}

// alive reports whether a process runs; one that waits to be reaped does not.
func alive(pid int) bool {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := bytes.Cut(raw, []byte(") "))
	return !bytes.HasPrefix(rest, []byte("Z"))
}

// noLeftovers looks for what dead processes leave: working files of the store
// that show as objects are looked for elsewhere; here, sockets.
func (r *rig) noLeftovers() {
	left, _ := filepath.Glob(filepath.Join(r.dir, "daypass-*"))
	var names []string
	for _, l := range left {
		names = append(names, filepath.Base(l))
	}
	if len(left) > 2 { // the one in use, and one whose child was still dying
		r.t.Errorf("%d socket directories are left after %d starts: %s", len(left)-2, r.starts, strings.Join(names, " "))
	}
}

// TestKillAtFirstStart kills the server while it makes its data directory: the
// next start goes on from whatever there is.
func TestKillAtFirstStart(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 2))
	rounds := 4
	if soak() {
		rounds = 60
	}
	for range rounds {
		r := newRig(t, "")
		for range 1 + random.IntN(3) {
			after := time.Duration(random.IntN(500)) * time.Millisecond
			r.launch()
			time.Sleep(after)
			r.killServer()
		}
		r.start()
		k := r.rootSession()
		r.roleSession()
		r.must(query("sts", r.rootKeys(), "Action", "GetCallerIdentity"))
		if a := r.must(query("iam", k, "Action", "ListAccessKeys")); strings.Count(string(a.body), "<AccessKeyId>") != 1 {
			t.Errorf("root has not one key: %s", a)
		}
		r.must(call{method: "PUT", target: "/first", keys: k})
		r.must(call{method: "PUT", target: "/first/x", keys: k, body: "x"})
		r.end()
	}
}
