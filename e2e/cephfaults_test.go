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

// getMany reads the large object n times at once.
func (r *badRoad) getMany(ctx context.Context, n int) []error {
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { _, errs[i] = r.get(ctx, "large") })
	}
	all.Wait()
	return errs
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

// recovers waits until the store is asked again.
func (r *badRoad) recovers(t *testing.T, when string) {
	t.Helper()
	deadline := time.Now().Add(startTimeout)
	for r.put(t.Context(), "back", []byte(when)) != nil {
		if time.Now().After(deadline) {
			t.Fatalf("%s: nothing is stored after %s", when, startTimeout)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// sockets counts what the server has open.
func (r *badRoad) sockets(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", r.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// TestCephFaults makes the road to Ceph slow, cuts it in the middle of bodies,
// closes it and lets nothing through: no answer that is taken for whole is not,
// nothing half is stored, and all is well again without a restart.
func TestCephFaults(t *testing.T) {
	t.Parallel()
	r := startBadRoad(t)
	ctx := t.Context()
	large := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	if err := r.put(ctx, "large", large); err != nil {
		t.Fatal(err)
	}

	r.with(t, `{"type":"latency","stream":"downstream","attributes":{"latency":2000}}`, func() {
		if got, err := r.get(ctx, "large"); err != nil || !bytes.Equal(got, large) {
			t.Errorf("slow: %d bytes, %v", len(got), err)
		}
		if err := r.put(ctx, "slow", []byte("slow")); err != nil {
			t.Errorf("slow: %v", err)
		}
	})

	// As many connections as there are at any time below, kept for later.
	for _, err := range r.getMany(ctx, 20) {
		if err != nil {
			t.Error(err)
		}
	}
	before := r.sockets(t)
	for range 20 {
		r.with(t, `{"type":"limit_data","stream":"downstream","attributes":{"bytes":300000}}`, func() {
			if got, err := r.get(ctx, "large"); err == nil {
				t.Errorf("%d of %d bytes were taken for the whole", len(got), len(large))
			}
		})
		r.with(t, `{"type":"limit_data","stream":"upstream","attributes":{"bytes":300000}}`, func() {
			wantSlowDown(t, "a put that was cut", r.put(ctx, "cut", large))
		})
	}
	r.recovers(t, "after cuts")
	if _, err := r.get(ctx, "cut"); apiCode(err) != "NoSuchKey" {
		t.Errorf("what was cut is there: %v", err)
	}

	r.proxy.Stop()
	for i := range 20 {
		_, err := r.get(ctx, "large")
		wantSlowDown(t, fmt.Sprintf("get %d while it is away", i), err)
	}
	wantSlowDown(t, "a put while it is away", r.put(ctx, "away", []byte("x")))
	r.wantIdentity(t, "while the store is away")
	if err := r.proxy.Start(); err != nil {
		t.Fatal(err)
	}
	r.recovers(t, "after it was away")

	r.with(t, `{"type":"timeout","stream":"downstream","attributes":{"timeout":0}}`, func() {
		short, cancel := context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
		gone := make(chan []error)
		go func() { gone <- r.getMany(short, 20) }()
		r.wantIdentity(t, "while nothing comes back")
		r.wantSTS(t)
		for _, err := range <-gone {
			if err == nil {
				t.Error("an answer, though nothing comes back")
			}
		}
	})
	r.recovers(t, "after nothing came back")
	if got, err := r.get(ctx, "large"); err != nil || !bytes.Equal(got, large) {
		t.Errorf("at the end: %d bytes, %v", len(got), err)
	}
	deadline := time.Now().Add(startTimeout)
	for r.sockets(t) > before+8 {
		if time.Now().After(deadline) {
			t.Fatalf("%d files are open, %d were before the faults", r.sockets(t), before)
		}
		time.Sleep(100 * time.Millisecond)
	}
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
