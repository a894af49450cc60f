package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// badRoad is a Ceph that is reached through a proxy which can be made bad, and
// a server before it.
type badRoad struct {
	*Server
	proxy  *toxiproxy.Proxy
	client *s3.Client // without retries
	bucket *string
	keys   Keys
}

func startBadRoad(t *testing.T) *badRoad {
	t.Helper()
	c := StartCeph(t)
	store, err := url.Parse(c.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	api := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	r := &badRoad{proxy: toxiproxy.NewProxy(api, "ceph", "127.0.0.1:0", store.Host), bucket: aws.String("bad-road")}
	if err := r.proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.proxy.Stop)
	dir := t.TempDir()
	secret, config := filepath.Join(dir, "secret"), filepath.Join(dir, "config.yaml")
	for name, text := range map[string]string{
		secret: c.SecretAccessKey,
		config: fmt.Sprintf("upstreams:\n  - {name: ceph, endpoint: \"http://%s\", access_key_id: %s, secret_key_file: %s, mode: plain}\ns3: {default_upstream: ceph}\n",
			r.proxy.Listen, c.AccessKeyID, secret),
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r.Server = Start(t, "--config", config)
	r.keys = r.RootSession(t)
	cfg := r.goWith(r.keys)
	cfg.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
	r.client = s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	if _, err := r.client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: r.bucket}); err != nil {
		t.Fatal(err)
	}
	return r
}

// with has the proxy do what a toxic says, while fn runs.
func (r *badRoad) with(t *testing.T, toxic string, fn func()) {
	t.Helper()
	w, err := r.proxy.Toxics.AddToxicJson(strings.NewReader(toxic))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.proxy.Toxics.RemoveToxic(context.Background(), w.Name); err != nil {
			t.Error(err)
		}
	}()
	fn()
}

func (r *badRoad) put(ctx context.Context, key string, body []byte) error {
	_, err := r.client.PutObject(ctx, &s3.PutObjectInput{Bucket: r.bucket, Key: &key, Body: bytes.NewReader(body)})
	return err
}

func (r *badRoad) get(ctx context.Context, key string) ([]byte, error) {
	out, err := r.client.GetObject(ctx, &s3.GetObjectInput{Bucket: r.bucket, Key: &key})
	if err != nil {
		return nil, err
	}
	defer out.Body.Close()
	return io.ReadAll(out.Body)
}

// crowd is how many requests are made at once.
const crowd = 20

// many makes a crowd of requests at once.
func (r *badRoad) many(ask func() error) []error {
	errs := make([]error, crowd)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { errs[i] = ask() })
	}
	all.Wait()
	return errs
}

// getMany reads the large object, a crowd of times at once.
func (r *badRoad) getMany(ctx context.Context) []error {
	return r.many(func() error { _, err := r.get(ctx, "large"); return err })
}

// putMany writes a body, a crowd of times at once.
func (r *badRoad) putMany(ctx context.Context, key string, body []byte) []error {
	return r.many(func() error { return r.put(ctx, key, body) })
}

// wantSlowDown looks for a refusal that SDKs try again.
func wantSlowDown(t *testing.T, what string, err error) {
	t.Helper()
	var answer *awshttp.ResponseError
	if apiCode(err) != "SlowDown" || !errors.As(err, &answer) || answer.HTTPStatusCode() != http.StatusServiceUnavailable ||
		answer.Response.Header.Get("Retry-After") == "" {
		t.Errorf("%s: got %v, want 503 SlowDown with Retry-After", what, err)
	}
}

// recovers waits until the store is asked again without restraint.
func (r *badRoad) recovers(t *testing.T, when string) {
	t.Helper()
	deadline := time.Now().Add(startTimeout)
	for inRow := 0; inRow < 5; inRow++ {
		for r.put(t.Context(), "back", []byte(when)) != nil {
			if inRow = 0; time.Now().After(deadline) {
				t.Fatalf("%s: nothing is stored after %s", when, startTimeout)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
}

// held is what the server holds: open files, and bytes of memory of its own.
type held struct {
	files  int
	memory int64
}

// More than it held when all was calm, of each. The crowd's bodies, kept, would
// be more after each kind of fault.
const (
	moreFiles  = 8
	moreMemory = 32 << 20
)

func (r *badRoad) holds(t *testing.T) held {
	t.Helper()
	all, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", r.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return held{len(all), memoryOf(t, r.cmd.Process.Pid).own}
}

// letsGo waits until the server holds no more than when all was calm. Somebody
// reads meanwhile, so that it has reason to look what it can do without.
func (r *badRoad) letsGo(t *testing.T, when string, calm held) {
	t.Helper()
	first, now := r.holds(t), held{}
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(100 * time.Millisecond) {
		if now = r.holds(t); now.files <= calm.files+moreFiles && now.memory <= calm.memory+moreMemory {
			break
		}
		if time.Now().After(deadline) {
			t.Errorf("%s it holds %d files and %d KiB; when all was calm, %d and %d", when, now.files, now.memory>>10, calm.files, calm.memory>>10)
			return
		}
		if _, err := r.get(t.Context(), "large"); err != nil {
			t.Errorf("%s: %v", when, err)
		}
	}
	t.Logf("%s: %d files, %d KiB, then %d and %d; calm: %d and %d", when, first.files, first.memory>>10, now.files, now.memory>>10, calm.files, calm.memory>>10)
}

// TestCephFaults makes the road to Ceph slow, cuts it in the middle of bodies,
// closes it and lets nothing through: no answer that is taken for whole is not,
// nothing half is stored, all is well again without a restart, and no memory or
// file is kept.
func TestCephFaults(t *testing.T) {
	t.Parallel()
	r := startBadRoad(t)
	ctx := t.Context()
	large := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	if err := r.put(ctx, "large", large); err != nil {
		t.Fatal(err)
	}
	whole := func(when string) {
		t.Helper()
		if got, err := r.get(ctx, "large"); err != nil || !bytes.Equal(got, large) {
			t.Errorf("%s: %d bytes, %v", when, len(got), err)
		}
	}
	// As many connections as there are at any time below, kept for later.
	for _, err := range append(r.getMany(ctx), r.putMany(ctx, "warm", large)...) {
		if err != nil {
			t.Error(err)
		}
	}
	calm := r.holds(t)
	r.with(t, `{"type":"latency","stream":"downstream","attributes":{"latency":2000}}`, func() {
		whole("slow")
		if err := r.put(ctx, "slow", []byte("slow")); err != nil {
			t.Errorf("slow: %v", err)
		}
	})
	for _, kind := range []struct {
		name string
		made func(*testing.T, *badRoad, []byte)
	}{{"cuts", cut}, {"it was away", away}, {"nothing came back", silence}} {
		for range 3 {
			kind.made(t, r, large)
			r.recovers(t, "after "+kind.name)
		}
		whole("after " + kind.name)
		r.letsGo(t, "after "+kind.name, calm)
	}
	if _, err := r.get(ctx, "cut"); apiCode(err) != "NoSuchKey" {
		t.Errorf("what was cut is there: %v", err)
	}
}

// cut ends downloads, and uploads, in the middle of their bodies.
func cut(t *testing.T, r *badRoad, large []byte) {
	r.with(t, `{"type":"limit_data","stream":"downstream","attributes":{"bytes":900000}}`, func() {
		begun := 0 // until the circuit opens
		for _, err := range r.getMany(t.Context()) {
			if err == nil {
				t.Error("an answer that was cut was taken for the whole")
			} else if apiCode(err) == "" {
				begun++
			}
		}
		if begun == 0 {
			t.Error("no answer was cut in the middle")
		}
	})
	r.recovers(t, "after cuts of downloads")
	r.with(t, `{"type":"limit_data","stream":"upstream","attributes":{"bytes":900000}}`, func() {
		for _, err := range r.putMany(t.Context(), "cut", large) {
			wantSlowDown(t, "a put that was cut", err)
		}
	})
}

// away closes the road.
func away(t *testing.T, r *badRoad, large []byte) {
	r.proxy.Stop()
	for _, err := range append(r.getMany(t.Context()), r.putMany(t.Context(), "away", large)...) {
		wantSlowDown(t, "while it is away", err)
	}
	r.wantIdentity(t, "while the store is away")
	if err := r.proxy.Start(); err != nil {
		t.Fatal(err)
	}
}

// silence lets no answer through.
func silence(t *testing.T, r *badRoad, large []byte) {
	r.with(t, `{"type":"timeout","stream":"downstream","attributes":{"timeout":0}}`, func() {
		short, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		gone := make(chan []error)
		go func() { gone <- r.getMany(short) }()
		go func() { gone <- r.putMany(short, "silence", large) }()
		r.wantIdentity(t, "while nothing comes back")
		r.wantSTS(t)
		for _, err := range append(<-gone, <-gone...) {
			if err == nil {
				t.Error("an answer, though nothing comes back")
			}
		}
	})
}

// wantIdentity asks STS, which has nothing to do with the store, and does not
// wait long for the answer.
func (r *badRoad) wantIdentity(t *testing.T, when string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := sts.NewFromConfig(r.goWith(r.keys)).GetCallerIdentity(ctx, nil); err != nil {
		t.Errorf("%s: STS: %v", when, err)
	}
}

// wantSTS asks STS for who one is and for keys, again and again, and looks
// whether what the store does makes it slow.
func (r *badRoad) wantSTS(t *testing.T) {
	t.Helper()
	const most = 2 * time.Second // the store's clients wait for three
	client := sts.NewFromConfig(r.goWith(r.keys))
	token := r.RootToken(t)
	var slowest [2]time.Duration
	for range 25 {
		began := time.Now()
		_, err := client.GetCallerIdentity(t.Context(), nil)
		slowest[0] = max(slowest[0], time.Since(began))
		if err != nil {
			t.Error(err)
		}
		began = time.Now()
		r.AssumeRoot(t, r.AccountID, token, 0)
		slowest[1] = max(slowest[1], time.Since(began))
	}
	t.Logf("while nothing comes back of the store: GetCallerIdentity within %s, AssumeRoleWithWebIdentity within %s", slowest[0], slowest[1])
	if max(slowest[0], slowest[1]) > most {
		t.Errorf("STS took %s", slowest)
	}
}
