package egress

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"daypass/internal/identity"
)

// tlsServer serves on loopback and returns its host:port and its CA bundle.
func tlsServer(t *testing.T, h http.HandlerFunc) (srv *httptest.Server, hostport, ca string) {
	t.Helper()
	srv = httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = discardLog
	srv.StartTLS()
	t.Cleanup(srv.Close)
	ca = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}))
	return srv, strings.TrimPrefix(srv.URL, "https://"), ca
}

type resolver struct {
	answers map[string][]string
	asked   atomic.Int64
}

func (r *resolver) LookupNetIP(_ context.Context, _, host string) (out []netip.Addr, err error) {
	r.asked.Add(1)
	for _, a := range r.answers[host] {
		out = append(out, netip.MustParseAddr(a))
	}
	if out == nil {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return out, nil
}

func client(t *testing.T, cfg Config) *Client {
	t.Helper()
	c, err := NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPublicAddress(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]bool{
		"8.8.8.8": true, "1.1.1.1": true, "172.15.0.1": true, "172.32.0.1": true, "100.128.0.1": true, "223.255.255.254": true,
		"2606:4700::1111": true, "2a00:1450:4001::1": true,
		"127.0.0.1": false, "127.255.0.1": false, "0.0.0.0": false, "0.1.2.3": false, "10.0.0.1": false, "172.16.0.1": false,
		"192.168.1.1": false, "169.254.169.254": false, "100.64.0.1": false, "100.127.255.255": false, "224.0.0.1": false,
		"239.1.1.1": false, "240.0.0.1": false, "255.255.255.255": false, "192.0.2.1": false, "198.18.0.1": false,
		"::1": false, "::": false, "fe80::1": false, "fc00::1": false, "fd12::1": false, "ff02::1": false,
		"::ffff:8.8.8.8": false, "::ffff:127.0.0.1": false, "::127.0.0.1": false, "64:ff9b::7f00:1": false,
		"64:ff9b:1::1": false, "2002:7f00:1::": false, "2001::1": false, "2001:db8::1": false, "100::1": false, "fe80::1%eth0": false,
		"2606:4700::1%eth0": false,
	} {
		if got := publicAddress(netip.MustParseAddr(addr)); got != want {
			t.Errorf("publicAddress(%s) = %t", addr, got)
		}
	}
	if publicAddress(netip.Addr{}) {
		t.Error("the zero address is public")
	}
}

func TestOwnAddress(t *testing.T) {
	t.Parallel()
	listeners := []netip.AddrPort{netip.MustParseAddrPort("8.8.4.4:443"), netip.MustParseAddrPort("[::ffff:9.9.9.9]:444"), netip.MustParseAddrPort("[::]:8080")}
	for target, want := range map[string]bool{
		"8.8.4.4:443": true, "8.8.4.4:444": false, "8.8.8.8:443": false, "9.9.9.9:444": true,
		"127.0.0.1:8080": true, "127.0.0.1:8081": false, "8.8.8.8:8080": false,
	} {
		if got := OwnAddress(netip.MustParseAddrPort(target), listeners); got != want {
			t.Errorf("OwnAddress(%s) = %t", target, got)
		}
	}
	c := client(t, Config{Own: func() []netip.AddrPort { return listeners }})
	if err := c.control("tcp", "8.8.4.4:443", nil); !errors.Is(err, errAddress) {
		t.Errorf("own listener: %v", err)
	}
	if err := c.control("tcp", "8.8.8.8:443", nil); err != nil {
		t.Errorf("other: %v", err)
	}
}

func TestCheckURL(t *testing.T) {
	t.Parallel()
	c := client(t, Config{Exempt: []string{"KeyCloak.internal.:8080", "plain.internal:80"}})
	for raw, want := range map[string]bool{
		"https://idp.example.com": true, "https://idp.example.com:8443/realms/a?x=y": true, "HTTPS://idp.example.com/": true,
		"http://keycloak.internal:8080/realms/a": true, "http://KEYCLOAK.internal.:8080": true, "http://plain.internal/": true,
		"http://keycloak.internal/": false, "http://idp.example.com": false, "ftp://idp.example.com": false, "//idp.example.com": false,
		"idp.example.com": false, "https:idp.example.com": false, "https://": false, "https://u:p@idp.example.com": false,
		"https://idp.example.com/#f": false, "https://ídp.example.com": false, "https://%": false, "": false,
		"file:///etc/passwd": false, "https://[::1": false,
	} {
		if err := c.CheckURL(raw); (err == nil) != want || err != nil && identity.KindOf(err) != identity.KindValidation {
			t.Errorf("CheckURL(%s): %v", raw, err)
		}
	}
	for _, e := range []string{"host", ":80", "host:", ""} {
		if _, err := NewClient(Config{Exempt: []string{e}}); identity.KindOf(err) != identity.KindValidation {
			t.Errorf("exemption %q: %v", e, err)
		}
	}
}

func TestGet(t *testing.T) {
	t.Parallel()
	var hits atomic.Int64
	srv, hp, ca := tlsServer(t, func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		switch r.URL.Path {
		case "/ok":
			_, _ = io.WriteString(w, "body")
		case "/most":
			_, _ = w.Write(make([]byte, MaxBody))
		case "/toolarge":
			_, _ = w.Write(make([]byte, MaxBody+1))
		case "/short":
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "secret-body")
		case "/garbage":
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_, _ = io.WriteString(conn, "SECRET-GREETING\r\n\r\n")
				_ = conn.Close()
			}
		default:
			http.Error(w, "secret-body", http.StatusTeapot)
		}
	})
	_, port, _ := net.SplitHostPort(hp)
	names := &resolver{answers: map[string][]string{
		"example.com": {"::ffff:127.0.0.1"}, "other.example": {"127.0.0.1"}, "bad.example": {"64:ff9b::7f00:1", "::ffff:127.0.0.1", "127.0.0.1", "169.254.169.254"},
	}}
	c := client(t, Config{Exempt: []string{hp, "example.com:" + port}, Resolver: names})
	tests := []struct {
		name, url, ca string
		n             int // length of the body
		want          error
	}{
		{"by address", srv.URL + "/ok", ca, 4, nil},
		{"by name", "https://example.com:" + port + "/ok", ca, 4, nil},
		{"largest", srv.URL + "/most", ca, MaxBody, nil},
		{"too large", srv.URL + "/toolarge", ca, 0, errTooLarge},
		{"short", srv.URL + "/short", ca, 0, io.ErrUnexpectedEOF},
		{"garbage", srv.URL + "/garbage", ca, 0, errNotHTTP},
		{"status", srv.URL + "/other", ca, 0, errStatus},
		{"not trusted", srv.URL + "/ok", "", 0, nil},
		{"bad bundle", srv.URL + "/ok", "junk", 0, errBundle},
		{"http", "http://127.0.0.1:1/ok", ca, 0, errScheme},
		{"not exempt by name", "https://other.example:" + port + "/ok", ca, 0, errAddress},
		{"not exempt, many answers", "https://bad.example:" + port + "/ok", ca, 0, errAddress},
		{"not exempt, literal", "https://[::ffff:127.0.0.1]:" + port + "/ok", ca, 0, errAddress},
		{"not exempt, long form", "https://0177.0.0.1:" + port + "/ok", ca, 0, nil},
		{"unknown name", "https://nowhere.example/", ca, 0, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			body, err := c.Get(context.Background(), tt.url, tt.ca, "")
			if tt.n > 0 {
				if err != nil || len(body) != tt.n {
					t.Fatalf("%d bytes, %v", len(body), err)
				}
				return
			}
			if identity.KindOf(err) != identity.KindProviderUnreachable || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("error = %v, want %v", err, tt.want)
			}
			if err != nil && strings.Contains(strings.ToLower(err.Error()), "secret") {
				t.Errorf("the error repeats the answer: %v", err)
			}
		})
	}
	strict := client(t, Config{Resolver: names})
	before := hits.Load()
	if _, err := strict.Get(context.Background(), srv.URL+"/ok", ca, ""); !errors.Is(err, errAddress) || hits.Load() != before {
		t.Errorf("loopback without exemption: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.Get(ctx, srv.URL+"/ok", ca, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if tr := c.httpClient(nil, MaxRedirects).Transport.(*http.Transport); tr.Proxy != nil {
		t.Error("proxy settings are followed")
	}
}

// Every connection is judged by the very answer that it dials, on a redirect
// too, and no name is looked up again between judging and dialling.
func TestRebinding(t *testing.T) {
	t.Parallel()
	var inner atomic.Int64
	_, innerHP, _ := tlsServer(t, func(http.ResponseWriter, *http.Request) { inner.Add(1) })
	_, innerPort, _ := net.SplitHostPort(innerHP)
	names := &resolver{answers: map[string][]string{"example.com": {"127.0.0.1"}, "rebind.example": {"127.0.0.1"}}}
	_, hp, ca := tlsServer(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://rebind.example:"+innerPort+"/", http.StatusFound)
	})
	_, port, _ := net.SplitHostPort(hp)
	c := client(t, Config{Exempt: []string{"example.com:" + port}, Resolver: names}) // a name in httptest's certificate
	_, err := c.Get(context.Background(), "https://example.com:"+port+"/", ca, "")
	if !errors.Is(err, errAddress) || inner.Load() != 0 {
		t.Errorf("err = %v, inner server reached %d times", err, inner.Load())
	}
	if n := names.asked.Load(); n != 2 {
		t.Errorf("%d look-ups for two connections", n)
	}
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	var plain *httptest.Server
	srv, hp, ca := tlsServer(t, func(w http.ResponseWriter, r *http.Request) {
		var n int
		switch {
		case r.URL.Path == "/0":
			if r.Header.Get("Referer") != "" {
				w.WriteHeader(http.StatusBadRequest)
			}
			_, _ = io.WriteString(w, "end")
		case r.URL.Path == "/plain":
			http.Redirect(w, r, plain.URL, http.StatusFound)
		case r.URL.Path == "/user":
			http.Redirect(w, r, "https://u:p@"+r.Host+"/0", http.StatusFound)
		default:
			_, _ = fmt.Sscanf(r.URL.Path, "/%d", &n)
			http.Redirect(w, r, fmt.Sprintf("/%d", n-1), http.StatusTemporaryRedirect)
		}
	})
	plain = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "plain") }))
	t.Cleanup(plain.Close)
	c := client(t, Config{Exempt: []string{hp}})
	if b, err := c.Get(context.Background(), srv.URL+"/5", ca, ""); string(b) != "end" {
		t.Errorf("5 redirects: %q, %v", b, err)
	}
	for path, want := range map[string]error{"/6": errRedirects, "/plain": errScheme, "/user": errURL} {
		if _, err := c.Get(context.Background(), srv.URL+path, ca, ""); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
	}
	c = client(t, Config{Exempt: []string{hp, strings.TrimPrefix(plain.URL, "http://")}})
	if b, err := c.Get(context.Background(), srv.URL+"/plain", ca, ""); string(b) != "plain" {
		t.Errorf("to an exempt http server: %q, %v", b, err)
	}
}
