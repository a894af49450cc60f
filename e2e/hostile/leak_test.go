package hostile

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"daypass/internal/sigv4"
)

// footprint is what a process holds.
type footprint struct {
	goroutines, files, childFiles int
	memory                        int64 // resident, bytes
}

func (r *rig) footprint() footprint {
	r.t.Helper()
	pid := r.process.Load().Pid
	files := func(pid int) int {
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		if err != nil {
			r.t.Skipf("no /proc on this system: %v", err)
		}
		return len(entries)
	}
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		r.t.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(raw))[1], 10, 64)
	if err != nil {
		r.t.Fatal(err)
	}
	return footprint{int(r.metric("go_goroutines")), files(pid), files(r.childPID()), pages * int64(os.Getpagesize())}
}

// mixed is a request of any kind, good or bad.
func mixed(random *rand.Rand, root, role, other keys, tokens tokenSet) call {
	key := fmt.Sprintf("/mixed/k%d", random.IntN(50))
	kinds := []call{
		{method: "PUT", target: key, keys: root, body: strings.Repeat("x", random.IntN(50000))},
		{method: "PUT", target: key, keys: role, body: strings.Repeat("x", random.IntN(50000)), payload: sigv4.UnsignedPayload},
		{method: "PUT", target: key, keys: root, body: "x", payload: sha256Hex("y")},
		{method: "PUT", target: key, keys: other, body: strings.Repeat("x", 100000)},
		{method: "PUT", target: "/mixed/copy-of" + strings.ReplaceAll(key, "/", "-"), keys: root, header: header("X-Amz-Copy-Source", "/mixed/kept")},
		framed(call{method: "PUT", target: key, keys: root, body: strings.Repeat("z", random.IntN(50000))}),
		{method: "DELETE", target: key, keys: root},
		{method: "HEAD", target: key, keys: root},
		{target: key, keys: root},
		{target: key, keys: role, presign: time.Minute},
		{target: key, keys: other},
		{target: key},
		{target: "/", keys: root},
		{target: "/mixed?list-type=2", keys: root},
		{target: "/mixed?foo", keys: root},
		{target: "/mixed/../x", keys: root},
		{target: "/", header: header("Authorization", "Bearer "+tokens.Access)},
		{target: "/photos/x", header: header("Authorization", "AWS4-HMAC-SHA256 x")},
		{method: "POST", target: "/mixed?delete", keys: root, body: "<Delete><Object><Key>k1</Key></Object><Object><Key>k2</Key></Object></Delete>"},
		query("sts", root, "Action", "GetCallerIdentity"), query("sts", keys{}, "Action", "GetCallerIdentity"), query("sts", root, "Action", "Nonsense"),
		query("iam", root, "Action", "ListUsers"), query("iam", role, "Action", "ListUsers"), query("iam", other, "Action", "GetUser", "UserName", "nobody"),
		webIdentity(rootARN("123456789012"), tokens.Access), webIdentity(roleARN("123456789012", "shasta-admin"), tokens.Access), webIdentity(rootARN("1"), "garbage"),
		realmCall("shasta", "token/introspect", "client_id", "shasta", "token", tokens.Access),
		realmCall("shasta", "token", "grant_type", "refresh_token", "client_id", "shasta", "refresh_token", "garbage"),
		realmCall("nowhere", "token"),
		{target: "/auth/realms/shasta/protocol/openid-connect/certs"},
		{target: "/auth/realms/shasta/protocol/openid-connect/userinfo", header: header("Authorization", "Bearer "+tokens.Access)},
	}
	return kinds[random.IntN(len(kinds))]
}

// mix sends n requests from eight clients; now and then one hangs up.
func (r *rig) mix(n int, root, role, other keys) {
	tokens := r.shastaTokens()
	var all sync.WaitGroup
	for w := range 8 {
		random := rand.New(rand.NewPCG(7, uint64(w)))
		all.Go(func() {
			for i := range n / 8 {
				if i%50 == 49 {
					r.raw("PUT /mixed/cut HTTP/1.1\r\nHost: $HOST\r\nContent-Length: 100000\r\n\r\nxxx", 0, false)
					continue
				}
				c := mixed(random, root, role, other, tokens)
				a, err := r.try(c)
				if err != nil || a.status >= 500 && a.code() != "NotImplemented" {
					r.t.Errorf("%s %s: %v %s", c.method, c.target, err, a)
				}
			}
		})
	}
	all.Wait()
}

// TestLeak: after 10,000 requests of all kinds the server holds about what it
// held before.
func TestLeak(t *testing.T) {
	n := 10_000
	if soak() {
		n = 200_000
	}
	r := startRig(t, "")
	other := r.otherRoot()
	root, role := r.rootSession(), r.roleSession()
	r.must(call{method: "PUT", target: "/mixed", keys: root})
	r.must(call{method: "PUT", target: "/mixed/kept", keys: root, body: "kept"})
	r.mix(800, root, role, other)
	r.client.CloseIdleConnections()
	time.Sleep(200 * time.Millisecond)
	before := r.footprint()
	began := time.Now()
	r.mix(n, root, role, other)
	t.Logf("%d requests in %s", n, time.Since(began).Round(time.Millisecond))
	r.client.CloseIdleConnections()
	var after footprint
	eventually(t, 15*time.Second, "goroutines and files are back", func() bool {
		after = r.footprint()
		r.client.CloseIdleConnections()
		return after.goroutines <= before.goroutines+10 && after.files <= before.files+10 && after.childFiles <= before.childFiles+20 || t.Failed()
	})
	t.Logf("before %+v, after %+v", before, after)
	if most := before.memory + 64<<20; after.memory > most {
		t.Errorf("%d MiB resident, %d MiB before", after.memory>>20, before.memory>>20)
	}
	if got := r.metric("daypass_panics_total"); got != 0 {
		t.Errorf("%v panics", got)
	}
}

// TestRace runs the mixed load, and one crash of the object store, against a
// server built with the race detector.
func TestRace(t *testing.T) {
	if testing.Short() {
		t.Skip("the race build takes a while")
	}
	if out, err := exec.Command("go", "env", "CGO_ENABLED").Output(); err != nil || strings.TrimSpace(string(out)) != "1" {
		t.Skip("the race detector needs cgo, which this machine does not have")
	}
	dir := t.TempDir()
	binary := filepath.Join(dir, "daypass")
	c := exec.Command("go", "build", "-race", "-o", binary, "./cmd/daypass")
	c.Dir = "../.."
	if out, err := c.CombinedOutput(); err != nil {
		t.Skipf("no race build: %v\n%s", err, out)
	}
	r := startRig(t, binary)
	other := r.otherRoot()
	root, role := r.rootSession(), r.roleSession()
	r.must(call{method: "PUT", target: "/mixed", keys: root})
	r.must(call{method: "PUT", target: "/mixed/kept", keys: root, body: "kept"})
	r.mix(2000, root, role, other)
	l := newLoad(r)
	stop, finished := make(chan struct{}), make(chan struct{})
	go func() { l.run(1, 0, stop); close(finished) }()
	time.Sleep(time.Second)
	if child, err := os.FindProcess(r.childPID()); err == nil {
		child.Kill()
	}
	time.Sleep(time.Second)
	close(stop)
	<-finished
	l.verify(true)
}
