//go:build !race

package s3

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"sync"
	"testing"

	"daypass/internal/access"
	"daypass/internal/identity"
	"daypass/internal/sigv4"
	"daypass/internal/upstream"
)

// pattern is a body that takes no memory.
type pattern struct{ left int64 }

func (p *pattern) Read(b []byte) (int, error) {
	if p.left == 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(b)), p.left))
	p.left -= int64(n)
	return n, nil
}

// holdingStore reads a part of what comes, and then stands still until goOn.
func holdingStore(t *testing.T, part int64, reached *sync.WaitGroup, goOn chan struct{}) string {
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.CopyN(io.Discard, r.Body, part); err != nil {
			t.Error(err)
		}
		reached.Done()
		<-goOn
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// held starts uploads, and returns the memory in use when all are under way.
// Then it breaks them off.
func held(t *testing.T, uploads int, size int64, base string, payload string, reached *sync.WaitGroup, goOn chan struct{}) uint64 {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	var before, during runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	reached.Add(uploads)
	failed := make(chan error, uploads)
	ctx, cancel := context.WithCancel(t.Context())
	var over sync.WaitGroup
	for range uploads {
		over.Go(func() {
			req, err := http.NewRequestWithContext(ctx, http.MethodPut, base+"/photos/key", &pattern{size})
			if err != nil {
				t.Error(err)
				return
			}
			req.ContentLength = size
			if err := sigv4.Sign(req, sigv4.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}, "us-east-1", "s3", payload, testTime); err != nil {
				t.Error(err)
				return
			}
			resp, err := client.Do(req)
			if err == nil {
				resp.Body.Close()
				err = fmt.Errorf("status %d", resp.StatusCode)
			}
			failed <- err
		})
	}
	all := make(chan struct{})
	go func() {
		reached.Wait()
		close(all)
	}()
	select {
	case <-all:
	case err := <-failed:
		cancel()
		close(goOn)
		t.Fatalf("an upload under way ended: %v", err)
	}
	runtime.GC()
	runtime.ReadMemStats(&during)
	cancel()
	over.Wait()
	close(goOn)
	return during.HeapInuse + during.StackInuse - before.HeapInuse - before.StackInuse
}

// TestMemoryPerUpload: what 200 uploads of 8 MiB under way hold in the gate,
// beyond what they hold in client and store.
func TestMemoryPerUpload(t *testing.T) {
	const uploads, size, most = 200, 8 << 20, 256 << 10
	measure := func(front func(store string) string) uint64 {
		var reached sync.WaitGroup
		goOn := make(chan struct{})
		store := holdingStore(t, 1<<20, &reached, goOn)
		return held(t, uploads, size, front(store), sigv4.UnsignedPayload, &reached, goOn)
	}
	direct := measure(func(store string) string { return store })
	through := measure(func(store string) string {
		endpoint, err := url.Parse(store)
		if err != nil {
			t.Fatal(err)
		}
		tr := upstream.NewTransport(upstream.TransportConfig{})
		t.Cleanup(tr.CloseIdleConnections)
		reg := &fakeRegistry{m: map[string]identity.Bucket{"photos": {Name: "photos", AccountID: account, Upstream: "main", State: identity.BucketOwned}}}
		gw, err := New(Config{
			Access: &fakeAccess{deny: map[string]bool{}}, Registry: reg, Bucket: reg.get, ExternalURL: "http://x", MaxPerPrincipal: uploads,
			Clock: fixedClock{},
			Upstreams: only(&upstream.S3{
				Name: "main", Endpoint: endpoint, Region: "us-east-1", Transport: tr, Clock: fixedClock{}, Mode: upstream.Reframe,
				Credentials: func() (string, identity.Secret, error) { return rootKey, rootSecret, nil }, Gate: upstream.NewGate(uploads, 0, 0),
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		srv := httptest.NewServer(gw)
		t.Cleanup(srv.Close)
		return srv.URL
	})
	each := (through - min(direct, through)) / uploads
	t.Logf("%d KiB each through the gate, %d KiB each in client and store", each>>10, direct/uploads>>10)
	if each > most {
		t.Errorf("%d KiB each, want at most %d", each>>10, most>>10)
	}
}

var (
	_ Access = (*fakeAccess)(nil)
	_ Access = (*access.Access)(nil)
)
