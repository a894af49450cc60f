package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"daypass/internal/api/admin"
	"daypass/internal/identity"
)

// Options are what the command line adds to the configuration.
type Options struct {
	Config Config
	// ConfigFile is where Config came from, "" for no file; LoadConfig reads it
	// again, with what overrides it. Without it nothing of it is reloaded.
	ConfigFile string
	LoadConfig func() (Config, error)
	// Dev serves the demo site on loopback. Partition and AccountID are the
	// demo account's, "aws" and 123456789012 by default.
	Dev                  bool
	Partition, AccountID string
	// TLS adds, under Dev, an authority of our own and a TLS listener.
	TLS bool
	// Adopt takes over a data directory that Dev made.
	Adopt bool
	// ReadyFile is written once every listener answers.
	ReadyFile string
	Version   string
	Clock     identity.Clock
	Log       *slog.Logger
	// Out gets what people are to read: addresses and, under Dev, commands.
	Out io.Writer
	// Reload reads certificates, upstreams and routes again; Force ends a drain at once.
	Reload <-chan os.Signal
	Force  <-chan os.Signal
}

// Defaults of Dev.
const (
	defaultPartition = "aws"
	defaultAccountID = "123456789012"
	devTLSListen     = "127.0.0.1:8443"
	devConsoleListen = "127.0.0.1:8081"
	devDomain        = "localhost"
	devPageHost      = "localhost"
	devAlias         = "demo"
)

var (
	errStarting = errors.New("starting")
	errDraining = errors.New("draining")
)

// server is one running server.
type server struct {
	Options
	data    *dataDir
	doors   *listeners
	core    *core
	metrics *Metrics
	creds   *devCredentials // nil without Dev

	main, tls, health, socket, console net.Listener
	mainURL, externalURL, consoleURL   string
	ca                                 devTLS
	certificate                        *Certificate // nil without TLS
	started                            Config       // as it was given
	config                             *configFile
	hosts                              *Hosts
	background                         context.Context

	// phase is why the server is not ready; nil once it is.
	phase atomic.Pointer[error]
}

// Serve runs a server until ctx ends, then lets requests in flight end for up
// to Config.Drain.
func Serve(ctx context.Context, o Options) (err error) {
	defer flushLog(o.Log)
	s := &server{Options: o, doors: newListeners(o.Log), started: o.Config}
	s.phase.Store(&errStarting)
	if s.Dev {
		if err := s.devDefaults(); err != nil {
			return err
		}
	}
	if s.data, err = openDataDir(s.Config.Data); err != nil {
		return err
	}
	defer s.data.close()
	if s.ReadyFile != "" { // one of an earlier start would be believed
		if err := removeIfThere(s.ReadyFile); err != nil {
			return err
		}
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	s.background = background
	if err := s.start(ctx); err != nil {
		s.doors.close()
		stop()
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) { // as it was told
			s.Log.Info("stopped before it was ready")
			err = nil
		}
		return errors.Join(err, s.core.close())
	}
	s.phase.Store(new(error))
	if s.ReadyFile != "" {
		defer os.Remove(s.ReadyFile)
	}
	if err = s.announce(); err == nil {
		// Hashing passwords at start leaves tens of MiB that an idle server
		// would keep for minutes.
		go debug.FreeOSMemory()
		err = s.wait(ctx)
	}
	drainErr := s.drain()
	stop()
	return errors.Join(err, drainErr, s.core.close())
}

// devDefaults adjusts the configuration to --dev.
func (s *server) devDefaults() error {
	c := &s.Config
	if s.TLS && c.TLS.Listen == "" {
		c.TLS.Listen = devTLSListen
		c.TLS.Listen = freeWith(c.Listen, c.TLS.Listen)
	}
	if c.Console.Listen == "" {
		c.Console.Listen = freeWith(c.Listen, devConsoleListen)
	}
	for _, address := range []string{c.Listen, c.TLS.Listen, c.Console.Listen} {
		if address != "" && !IsLoopback(address) {
			return invalid("--dev serves this machine only, and " + address + " is not a loopback address: listen on 127.0.0.1, or configure a real site and leave --dev out")
		}
	}
	if s.Adopt {
		return invalid("--adopt takes a directory over from --dev: leave one of the two out")
	}
	if s.Partition == "" {
		s.Partition = defaultPartition
	}
	if s.AccountID == "" {
		s.AccountID = defaultAccountID
	}
	// localhost is for pages for people, so the APIs are at its address.
	for _, address := range []*string{&c.Listen, &c.TLS.Listen} {
		if host, port, _ := net.SplitHostPort(*address); host == devPageHost {
			*address = net.JoinHostPort("127.0.0.1", port)
		}
	}
	// Copies: the slices may be shared with the caller's configuration.
	c.PageHosts = append([]string{devPageHost}, c.PageHosts...)
	if onPageHost(c.ExternalURL, c.PageHosts) {
		return invalid("--dev keeps localhost for pages for people: give external_url another host, such as 127.0.0.1")
	}
	c.BaseDomains = append([]string{devDomain}, c.BaseDomains...)
	return nil
}

// freeWith is a loopback address, with a free port where the main one is free
// too.
func freeWith(mainAddress, address string) string {
	if _, port, _ := net.SplitHostPort(mainAddress); port == "0" {
		return "127.0.0.1:0"
	}
	return address
}

// start does everything up to listeners that answer.
func (s *server) start(ctx context.Context) error {
	if s.data.open() {
		s.Log.Warn("others may enter the data directory; its mode should be 0700", "path", s.data.path)
	}
	// The child needs longest, so it starts first and is waited for last.
	objects, err := startObjectStore(&s.Config, s.data, s.Log)
	if err != nil {
		return err
	}
	s.core = &core{objects: objects, log: s.Log}
	if err := s.bind(); err != nil {
		return err
	}
	if s.Dev {
		if s.creds, err = loadDevCredentials(s.data.file(credsName)); err != nil {
			return err
		}
	}
	s.metrics = NewMetrics(s.Version, queryActions())
	s.doors.serve(s.health, localAdmin(health(s.ready, s.metrics)), nil)
	if err := s.core.open(ctx, s); err != nil {
		return err
	}
	s.config = newConfigFile(s.ConfigFile, s.LoadConfig, s.started, s.core.upstreams, s.Log)
	if err := s.provision(ctx); err != nil {
		return err
	}
	if err := s.core.dialects(s); err != nil {
		return err
	}
	if err := s.core.pages(s); err != nil {
		return err
	}
	if objects != nil {
		if err := objects.Wait(ctx); err != nil {
			return fmt.Errorf("the object store did not start: %w", err)
		}
	}
	if err := s.core.settle(ctx); err != nil {
		return err
	}
	if err := s.serve(); err != nil {
		return err
	}
	s.core.tend(s.background)
	s.watch()
	return nil
}

// watch begins to look after the files that may change while the server runs.
func (s *server) watch() {
	reloads := []func(bool){s.config.reload}
	if s.certificate != nil {
		reloads = append(reloads, s.certificate.Reload)
	}
	tick := time.NewTicker(filesPoll)
	go func() {
		defer tick.Stop()
		watchFiles(s.background, tick.C, s.Reload, reloads...)
	}()
}

// bind opens every listener, so that addresses are known before anything that
// names them is made.
func (s *server) bind() (err error) {
	c := &s.Config
	if s.main, err = s.doors.bind("listen", c.Listen); err != nil {
		return err
	}
	if s.health, err = s.doors.bind("admin.listen", c.Admin.Listen); err != nil {
		return err
	}
	if c.TLS.Listen != "" {
		if s.tls, err = s.doors.bind("tls.listen", c.TLS.Listen); err != nil {
			return err
		}
	}
	if s.socket, err = admin.Listen(admin.SocketIn(s.data.path)); err != nil {
		return err
	}
	s.doors.bound = append(s.doors.bound, s.socket)
	scheme := "http://"
	if c.mainIsTLS() {
		scheme = "https://"
	}
	s.mainURL = scheme + publicAddress(s.main, c.Listen)
	if s.externalURL = c.ExternalURL; s.externalURL == "" {
		s.externalURL = s.mainURL
	}
	return s.bindConsole()
}

// serve begins to answer on every listener.
func (s *server) serve() error {
	trusted, err := parseProxies(s.Config.TrustedProxies)
	if err != nil {
		return err
	}
	front := &Front{
		Router: NewRouter(s.hosts, s.Dev, Pages{s.pageHosts(), s.externalURL}, s.core.tokenHost), Dialects: s.core.handlers, Proxies: trusted, Log: s.Log,
		Metrics: s.metrics, Clock: s.Clock,
	}
	if s.Config.Log.Access {
		front.Access = newAccessLog(s.Log)
	}
	if err := s.serveFront(front); err != nil {
		return err
	}
	if err := s.serveConsole(front); err != nil {
		return err
	}
	s.doors.serve(s.socket, operatorFront(s.core.admin), nil)
	return nil
}

// serveFront serves the main port and, where there is a certificate, TLS.
func (s *server) serveFront(front http.Handler) error {
	c := &s.Config
	certFile, keyFile := c.TLS.CertFile, c.TLS.KeyFile
	if s.Dev && s.TLS && certFile == "" {
		var err error
		if s.ca, err = ensureDevTLS(s.data.file(tlsName), devCertificateNames(c.BaseDomains, []string{devAlias}), s.Clock); err != nil {
			return err
		}
		certFile, keyFile = s.ca.certFile, s.ca.keyFile
	}
	if certFile == "" {
		if s.tls != nil {
			return invalid("tls.listen is set, but tls.cert_file and tls.key_file are not")
		}
		s.doors.serve(s.main, front, nil)
		return nil
	}
	certificate, err := NewCertificate(certFile, keyFile, s.Log)
	if err != nil {
		return err
	}
	s.certificate = certificate
	if s.tls == nil {
		s.doors.serve(s.main, front, certificate.TLS())
		return nil
	}
	s.doors.serve(s.main, front, nil)
	s.doors.serve(s.tls, front, certificate.TLS())
	return nil
}

// ready says why the server should get no requests now, or nil.
func (s *server) ready() error {
	if err := *s.phase.Load(); err != nil {
		return err
	}
	return s.core.ready()
}

// announce writes the ready file, then tells people.
func (s *server) announce() error {
	r := &Ready{URL: s.mainURL, Region: s.Config.Region, AdminURL: "http://" + publicAddress(s.health, s.Config.Admin.Listen), ConsoleURL: s.consoleURL}
	if s.tls != nil {
		r.TLSURL = "https://" + publicAddress(s.tls, s.Config.TLS.Listen)
		r.CAFile = s.ca.caFile
	}
	if s.Dev {
		s.describeDemo(r)
	}
	if s.ReadyFile != "" {
		if err := r.write(s.ReadyFile); err != nil {
			return fmt.Errorf("cannot write the ready file: %w", err)
		}
	}
	s.Log.Info("ready", "url", r.URL, "external_url", s.externalURL, "admin_url", r.AdminURL, "tls_url", r.TLSURL, "data", s.data.path)
	if s.Dev {
		return printDemo(s.Out, r)
	}
	_, err := fmt.Fprintf(s.Out, "Daypass serves %s\n", s.externalURL)
	return err
}

// wait returns when ctx ends or a listener fails.
func (s *server) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.doors.failed:
		return err
	}
}

// drain stops accepting and waits for what is in flight.
func (s *server) drain() error {
	s.phase.Store(&errDraining)
	s.Log.Info("draining", "at_most", s.Config.Drain)
	ctx, cancel := context.WithTimeout(context.Background(), s.Config.Drain)
	defer cancel()
	go func() {
		select {
		case <-s.Force:
			cancel()
		case <-ctx.Done():
		}
	}()
	if err := s.doors.drain(ctx); err != nil {
		s.Log.Warn("requests in flight were broken off", "cause", err)
	}
	return nil
}
