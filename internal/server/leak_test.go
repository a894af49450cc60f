package server

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"daypass/internal/identity"
)

// TestServeLeavesNothing runs a whole server in this process, twice on one data
// directory, and looks for goroutines that outlive it.
func TestServeLeavesNothing(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "daypass-objectstore")
	build := exec.Command("go", "build", "-o", binary, "./cmd/daypass-objectstore")
	build.Dir = "../../objectstore"
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Skipf("needs daypass-objectstore, which could not be built: %v\n%s", err, out)
	}
	before := goleak.IgnoreCurrent()
	data := filepath.Join(t.TempDir(), "data")
	for range 2 {
		serveOnce(t, binary, data)
	}
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
}

func serveOnce(t *testing.T, binary, data string) {
	t.Helper()
	config := DefaultConfig()
	config.Listen, config.Data, config.ObjectStore.Binary = "127.0.0.1:0", data, binary
	ready := filepath.Join(t.TempDir(), "ready.json")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() {
		ended <- Serve(ctx, Options{
			Config: config, Dev: true, TLS: true, ReadyFile: ready, Clock: identity.SystemClock{},
			Log: slog.New(slog.DiscardHandler), Out: io.Discard,
		})
	}()
	url := awaitURL(t, ready, ended)
	client := &http.Client{Transport: &http.Transport{}}
	for _, path := range []string{"/", "/auth/realms/shasta/protocol/openid-connect/certs", "/x/y", "/?Action=GetCallerIdentity&Version=2011-06-15"} {
		resp, err := client.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	client.CloseIdleConnections()
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("Serve: %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the server did not end")
	}
}

// awaitURL waits for the ready file and returns the main listener's URL.
func awaitURL(t *testing.T, file string, ended <-chan error) string {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(30 * time.Second)
	for {
		var url string
		if raw, err := os.ReadFile(file); err == nil {
			if _, err := fmt.Sscanf(string(raw), "{\n \"url\": %q", &url); err != nil {
				t.Fatalf("ready file: %v\n%s", err, raw)
			}
			return url
		}
		select {
		case err := <-ended:
			t.Fatalf("the server ended before it was ready: %v", err)
		case <-late:
			t.Fatal("the server was not ready in time")
		case <-tick.C:
		}
	}
}
