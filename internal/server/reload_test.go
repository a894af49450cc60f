package server

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"daypass/internal/identity"
	"daypass/internal/upstream"
)

// reloadRig is a configuration file with one upstream, and the set it made.
type reloadRig struct {
	*configFile
	t   *testing.T
	dir string
	log lockedBuffer
	set *upstream.Set
}

func newReloadRig(t *testing.T, endpoint string) *reloadRig {
	t.Helper()
	q := &reloadRig{t: t, dir: keyFiles(t)}
	path := filepath.Join(q.dir, "c.yaml")
	q.write("c.yaml", q.upstream("a", endpoint, "s3: {default_upstream: a}\n"))
	load := func() (Config, error) { return LoadConfig(path, nil) }
	c, err := load()
	if err != nil {
		t.Fatal(err)
	}
	log := NewLogger(LogConfig{Level: "info"}, &q.log)
	made, err := openUpstreams(&c, nil, identity.SystemClock{}, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(made.close)
	q.configFile, q.set = newConfigFile(path, load, c, made, log), made.set
	return q
}

// upstream is a file without embedded store and with one upstream; rest follows.
func (q *reloadRig) upstream(name, endpoint, rest string) string {
	return "object_store: {enabled: false}\n" + rest + "upstreams:\n- {name: " + name + ", endpoint: '" + endpoint +
		"', access_key_file: " + q.dir + "/id, secret_key_file: " + q.dir + "/secret}\n"
}

func (q *reloadRig) write(name, text string) {
	q.t.Helper()
	if err := os.WriteFile(filepath.Join(q.dir, name), []byte(text), 0o600); err != nil {
		q.t.Fatal(err)
	}
}

func (q *reloadRig) logged(text string) int { return strings.Count(q.log.String(), text) }

func TestReload(t *testing.T) {
	t.Parallel()
	q := newReloadRig(t, "http://127.0.0.1:1")
	a, _ := q.set.ByName("a")
	q.reload(false)
	if q.logged("reloaded") != 0 {
		t.Error("reloaded what did not change")
	}
	two := q.upstream("a", "http://127.0.0.1:1", "s3: {default_upstream: a, routes: [{prefix: logs-, upstream: b}]}\n") +
		"- {name: b, endpoint: 'https://b', access_key_id: B, secret_key_file: " + q.dir + "/secret}\n"
	q.write("c.yaml", two)
	q.reload(false)
	if got, _ := q.set.ByName("a"); got != a {
		t.Error("what did not change is another one")
	}
	if got, ok := q.set.ForNew("1", "logs-x"); !ok || got.Name != "b" {
		t.Errorf("the route is not in use: %v", got)
	}
	for _, bad := range []struct{ text, want string }{
		{strings.Replace(two, "'https://b'", "nonsense", 1), `c.yaml:5: upstreams[1].endpoint: \"nonsense\" is not of the form`},
		{"upstreams: [", "did not find expected node content"},
		{strings.Replace(two, "upstream: b}", "upstream: none}", 1), `c.yaml:2: s3.routes[0].upstream: \"none\" is not the name of an upstream`},
	} {
		q.write("c.yaml", bad.text)
		q.reload(false)
		q.reload(false)
		if n := q.logged(bad.want); n != 1 {
			t.Errorf("%s: said %d times:\n%s", bad.want, n, q.log.String())
		}
		if len(q.set.All()) != 2 {
			t.Errorf("a bad file changed something")
		}
	}
	// The third way round: what was a is another, and a restart is due.
	q.write("c.yaml", q.upstream("a", "http://127.0.0.1:2", "s3: {default_upstream: a, max_requests_per_principal: 7}\nregion: eu-1\n"))
	q.reload(false)
	q.reload(true)
	if got, _ := q.set.ByName("a"); got == a || len(q.set.All()) != 1 {
		t.Error("the change is not in use")
	}
	if q.logged("restart needed: region, s3.max_requests_per_principal") != 2 { // the second by force
		t.Error(q.log.String())
	}
}

func TestReloadOfKeys(t *testing.T) {
	t.Parallel()
	q := newReloadRig(t, "http://127.0.0.1:1")
	a, _ := q.set.ByName("a")
	want := func(id, secret string) {
		t.Helper()
		if gotID, got, err := a.Credentials(); err != nil || gotID != id || got.Reveal() != secret {
			t.Errorf("%s, %v; want those of %s", gotID, err, id)
		}
	}
	want("AKUP", "s3cr3t/+")
	q.write("secret", "another-secret")
	q.reload(false)
	want("AKUP", "another-secret")
	q.write("secret", "")
	q.reload(false)
	q.reload(false)
	want("AKUP", "another-secret")
	if q.logged("does not hold one key") != 1 {
		t.Error(q.log.String())
	}
	q.write("secret", "third")
	q.write("id", "AKOTHER")
	q.reload(false)
	want("AKOTHER", "third")
	if text := q.log.String(); strings.Contains(text, "another-secret") || strings.Contains(text, "third") {
		t.Error("a secret is in the log")
	}
}

// TestReloadUnderWay: a request at an upstream that goes ends as it should.
func TestReloadUnderWay(t *testing.T) {
	t.Parallel()
	begun, over := make(chan bool), make(chan bool)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "first ")
		w.(http.Flusher).Flush()
		begun <- true
		<-over
		_, _ = io.WriteString(w, "second")
	}))
	t.Cleanup(srv.Close)
	q := newReloadRig(t, srv.URL)
	a, _ := q.set.ByName("a")
	type result struct {
		text string
		err  error
	}
	got := make(chan result)
	go func() {
		resp, err := a.Do(t.Context(), &upstream.Request{Method: http.MethodGet, Bucket: "b", Key: "k"})
		if err != nil {
			got <- result{"", err}
			return
		}
		defer resp.Body.Close()
		raw, err := io.ReadAll(resp.Body)
		got <- result{string(raw), err}
	}()
	<-begun
	q.write("c.yaml", q.upstream("other", "http://127.0.0.1:1", "s3: {default_upstream: other}\n"))
	q.reload(false)
	if _, ok := q.set.ByName("a"); ok {
		t.Error("it is still there")
	}
	close(over)
	if r := <-got; r.err != nil || r.text != "first second" {
		t.Errorf("%q %v", r.text, r.err)
	}
}
