package server

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"daypass/internal/console"
	"daypass/internal/identity"
)

const (
	serviceConsole = "console"
	// consoleTimeout bounds a whole request of a page, both ways.
	consoleTimeout = time.Minute
)

func (c *Config) checkConsole(complain complainer) {
	o := &c.Console
	if IsHostPort(o.Listen) && !IsLoopback(o.Listen) && c.TLS.CertFile == "" && !c.AllowPlainHTTP {
		complain("console.listen", "%s would serve plain HTTP beyond this machine: set tls.cert_file and tls.key_file, listen on 127.0.0.1 behind a proxy, or set allow_plain_http: true", o.Listen)
	}
	if o.URL == "" {
		if o.Listen != "" && IsHostPort(o.Listen) && !IsLoopback(o.Listen) {
			complain("console.url", "must be given: pages for people have a host name of their own")
		}
		return
	}
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		complain("console.url", "%q is not of the form https://HOST[:PORT]", o.URL)
		return
	}
	host := hostOnly(u.Hostname())
	switch hosts := NewHosts(c.BaseDomains, func(string) (string, bool) { return "", false }); {
	case onPageHost(c.ExternalURL, []string{host}):
		complain("console.url", "%s is the host of external_url: pages for people need one of their own", host)
	case hosts.Lookup(host).Service != "":
		complain("console.url", "%s is a host of %s by base_domains: pages for people need one of their own", host, hosts.Lookup(host).Service)
	}
}

// bindConsole opens the listener of the pages for people and finds their URL.
func (s *server) bindConsole() (err error) {
	c := &s.Config
	if c.Console.Listen == "" {
		return nil
	}
	if s.console, err = s.doors.bind("console.listen", c.Console.Listen); err != nil {
		return err
	}
	if s.consoleURL = strings.TrimSuffix(c.Console.URL, "/"); s.consoleURL == "" {
		_, port, _ := net.SplitHostPort(s.console.Addr().String())
		s.consoleURL = "http://" + net.JoinHostPort(devPageHost, port)
		if c.TLS.CertFile != "" {
			s.consoleURL = "https://" + net.JoinHostPort(devPageHost, port)
		}
	}
	s.consoleURL += "/"
	if onPageHost(s.externalURL, []string{s.consoleHost()}) {
		return invalid("the console and the APIs would share the host name " + s.consoleHost() + ": pages for people need one of their own; set console.url, or external_url")
	}
	return nil
}

func (s *server) consoleHost() string {
	u, err := url.Parse(s.consoleURL)
	if err != nil {
		return ""
	}
	return hostOnly(u.Hostname())
}

// pageHosts are the host names on which no API answers: those configured, and
// the console's.
func (s *server) pageHosts() []string {
	if s.console == nil {
		return s.Config.PageHosts
	}
	return append(slices.Clone(s.Config.PageHosts), s.consoleHost())
}

// pages makes the console; nothing when there is none.
func (c *core) pages(s *server) (err error) {
	if s.console == nil {
		return nil
	}
	c.console, err = console.New(console.Config{
		Access: c.access, Issuer: c.issuer, Directory: c.directory, Clock: s.Clock, Log: s.Log.With("part", "console"),
		URL: s.consoleURL, Endpoint: s.externalURL, Region: s.Config.Region, Version: s.Version,
	})
	return err
}

// serveConsole answers on the console's listener, with TLS where a certificate
// is configured. The authority of --dev is for the APIs: browsers do not know
// it, and take loopback for safe.
func (s *server) serveConsole(front *Front) error {
	if s.console == nil {
		return nil
	}
	handler := &consoleFront{next: s.core.console, front: front}
	if s.Config.TLS.CertFile != "" {
		s.doors.serve(s.console, handler, s.certificate.TLS())
		return nil
	}
	s.doors.serve(s.console, handler, nil)
	return nil
}

// consoleFront gives every request of a page its facts, its limits, a log line
// and a place in the metrics.
type consoleFront struct {
	next  http.Handler
	front *Front
}

func (f *consoleFront) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := f.front.Clock.Now()
	facts := f.front.Proxies.facts(r, newRequestID())
	facts.Dialect = serviceConsole
	rec := recorder{ResponseWriter: w, control: http.NewResponseController(w)}
	rec.conn, _ = r.Context().Value(answerConnKey{}).(*answerConn)
	defer rec.finish()
	_ = rec.control.SetReadDeadline(time.Now().Add(consoleTimeout))
	f.serve(&rec, r, &facts)
	took := f.front.Clock.Now().Sub(began)
	route := Route{Service: serviceConsole}
	f.front.Metrics.observe(&route, r, rec.code(), took)
	// Further segments and queries may hold what is secret, such as a one-time
	// link.
	logged := *r
	area, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	logged.RequestURI = "/" + area
	f.front.Access.write(&accessLine{at: began.Add(took), took: took, facts: &facts, route: &route, r: &logged, status: rec.code(), bytes: rec.written})
}

func (f *consoleFront) serve(rec *recorder, r *http.Request, facts *identity.RequestFacts) {
	defer func() {
		if v := recover(); v != nil {
			f.front.Metrics.panics.Inc()
			f.front.Log.Error("panic", "id", facts.ID, "service", serviceConsole, "value", v)
			panic(http.ErrAbortHandler)
		}
	}()
	if tooManyHeaders(r) {
		plain(rec, http.StatusRequestHeaderFieldsTooLarge, "the request's headers are too large\n")
		return
	}
	f.next.ServeHTTP(rec, r.WithContext(identity.WithRequest(r.Context(), *facts)))
}
