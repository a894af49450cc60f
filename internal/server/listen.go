package server

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"daypass/internal/identity"
)

const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
	// operatorTimeout bounds an operator's whole call, both ways.
	operatorTimeout = 2 * time.Minute
)

// listeners are the open doors of a server: bound early, so that addresses are
// known, served when everything behind them is ready.
type listeners struct {
	log     *slog.Logger
	servers []*http.Server
	bound   []net.Listener
	serving sync.WaitGroup
	failed  chan error
}

func newListeners(log *slog.Logger) *listeners {
	return &listeners{log: log, failed: make(chan error, 8)}
}

// bind opens a TCP listener. key is the configuration key of the address.
func (l *listeners) bind(key, address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, cannotListen(key, address, err)
	}
	l.bound = append(l.bound, listener)
	return listener, nil
}

func cannotListen(key, address string, err error) error {
	where := key + " in the configuration (" + variableOf(key) + ")"
	if key == "listen" {
		where = "--listen or " + where
	}
	what := "cannot listen on " + address + ": "
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		what += "something else listens there already; give another port, or port 0 for a free one, with " + where
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		what += "this machine has no such address; give another with " + where
	case errors.Is(err, syscall.EACCES):
		what += "this user may not take that port; give one above 1023 with " + where + ", or grant CAP_NET_BIND_SERVICE"
	default:
		what += err.Error() + "; give another address with " + where
	}
	return &identity.Error{Kind: identity.KindValidation, Op: "server.listen", Public: what, Err: err}
}

// serve answers on a listener with a handler. Nothing bounds how long a body
// may take, since objects stream; headers and idle connections are bounded.
func (l *listeners) serve(listener net.Listener, handler http.Handler, config *tls.Config) *http.Server {
	s := &http.Server{
		Handler:                      handler,
		ReadHeaderTimeout:            readHeaderTimeout,
		IdleTimeout:                  idleTimeout,
		MaxHeaderBytes:               maxHeaderBytes,
		DisableGeneralOptionsHandler: true,
		TLSConfig:                    config,
		ConnContext:                  withAnswerConn,
		ErrorLog:                     slog.NewLogLogger(l.log.Handler(), slog.LevelDebug),
	}
	l.servers = append(l.servers, s)
	l.serving.Go(func() {
		var err error
		if config != nil {
			err = s.ServeTLS(listener, "", "")
		} else {
			err = s.Serve(answerListener{listener})
		}
		if !errors.Is(err, http.ErrServerClosed) {
			l.failed <- err
		}
	})
	return s
}

// drain stops accepting and lets requests in flight end until ctx does; then
// it breaks them off.
func (l *listeners) drain(ctx context.Context) error {
	var all sync.WaitGroup
	errs := make([]error, len(l.servers))
	for i, s := range l.servers {
		all.Go(func() {
			if errs[i] = s.Shutdown(ctx); errs[i] != nil {
				s.Close()
			}
		})
	}
	all.Wait()
	l.serving.Wait()
	return errors.Join(errs...)
}

// close is for a start that failed.
func (l *listeners) close() {
	for _, b := range l.bound {
		b.Close()
	}
	for _, s := range l.servers {
		s.Close()
	}
	l.serving.Wait()
}

// publicAddress is HOST:PORT of a bound listener as clients should write it.
func publicAddress(l net.Listener, wanted string) string {
	host, _, _ := net.SplitHostPort(wanted)
	_, port, _ := net.SplitHostPort(l.Addr().String())
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// health serves /healthz, /readyz and /metrics, on the admin listener only.
func health(ready func() error, metrics *Metrics) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := ready(); err != nil {
			plain(w, http.StatusServiceUnavailable, "not ready: "+err.Error()+"\n")
			return
		}
		plain(w, http.StatusOK, "ready\n")
	})
	mux.Handle("GET /metrics", metrics.Handler())
	return mux
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write([]byte(text))
}

// localAdmin lets only requests through that name this machine: the metrics
// are not for pages in a browser that DNS led here.
func localAdmin(next http.Handler) http.Handler {
	hosts := NewHosts(nil, func(string) (string, bool) { return "", false })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !hosts.Local(r.Host) {
			plain(w, http.StatusForbidden, "this host name is not served here\n")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// operatorFront gives a call over the socket its facts and its limits.
func operatorFront(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).SetReadDeadline(time.Now().Add(operatorTimeout))
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add(operatorTimeout))
		facts := identity.RequestFacts{ID: newRequestID(), SourceIP: "local", UserAgent: cut(r.UserAgent(), maxUserAgent), Secure: true, Dialect: "admin"}
		next.ServeHTTP(w, r.WithContext(identity.WithRequest(r.Context(), facts)))
	})
}
