package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"daypass/internal/sigv4"
)

// Two programs that do as little as net/http lets them. What they cost is not
// Daypass's to save: each figure of the server stands beside the one of them
// that does its work without its checks.
const (
	roleProxy = "proxy"
	roleCheck = "check"
)

// proxy is the library's reverse proxy before the object store's socket:
// nothing is checked, nothing signed, nothing written down.
func proxy() error {
	path, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil {
		return err
	}
	var dialer net.Dialer
	p := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: "objectstore"})
			r.Out.Host = "objectstore"
		},
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return dialer.DialContext(ctx, "unix", strings.TrimSpace(path))
			},
			DisableCompression: true, MaxIdleConnsPerHost: 256, ReadBufferSize: relayBuffer, WriteBufferSize: relayBuffer,
		},
		BufferPool: &bufferPool{sync.Pool{New: func() any { b := make([]byte, relayBuffer); return &b }}},
	}
	return serveRole(p)
}

type bufferPool struct{ sync.Pool }

func (p *bufferPool) Get() []byte  { return *p.Pool.Get().(*[]byte) }
func (p *bufferPool) Put(b []byte) { p.Pool.Put(&b) }

// check verifies the signature of each request under one key that it holds
// ready, and answers nothing. Its line is the key's secret and its date.
func check() error {
	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil {
		return err
	}
	secret, service, _ := strings.Cut(strings.TrimSpace(line), " ")
	key := sigv4.Derive(secret, time.Now().UTC().Format("20060102"), region, service)
	rules := sigv4.Rules{Service: service, S3: service == "s3"}
	return serveRole(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := sigv4.Parse(r, rules, time.Now())
		if err == nil {
			err = s.Check(key, "")
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
		}
	}))
}

func serveRole(h http.Handler) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	endWithInput()
	return http.Serve(l, h)
}
