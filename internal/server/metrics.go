package server

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are the Prometheus metrics of a server, in a registry of its own.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inFlight prometheus.Gauge
	panics   prometheus.Counter
	// series are those that were seen, by service, operation and status: to
	// find one by its labels takes longer than to count.
	seriesMu sync.RWMutex
	series   map[seriesKey]series
	// actions bounds the values of the label "op" to names that are served.
	actions map[string]bool
}

type seriesKey struct {
	service, op string
	status      int
}

type series struct {
	requests prometheus.Counter
	duration prometheus.Observer
}

// NewMetrics makes the metrics. actions are the names of query actions that
// may become label values; a stranger's own words never do.
func NewMetrics(version string, actions []string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "daypass_requests_total", Help: "Requests by service, operation and status.",
		}, []string{"service", "op", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "daypass_request_duration_seconds", Help: "Time from the first byte of a request to the end of its answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60},
		}, []string{"service"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{Name: "daypass_requests_in_flight", Help: "Requests being answered."}),
		panics:   prometheus.NewCounter(prometheus.CounterOpts{Name: "daypass_panics_total", Help: "Requests that ended in a panic."}),
		actions:  map[string]bool{},
		series:   map[seriesKey]series{},
	}
	for _, a := range actions {
		m.actions[a] = true
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "daypass_build_info", Help: "Always 1; the version is a label.", ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	m.registry.MustRegister(m.requests, m.duration, m.inFlight, m.panics, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Gauge adds a value that is asked for at each scrape.
func (m *Metrics) Gauge(name, help string, value func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
}

// Counter adds a growing value that is asked for at each scrape.
func (m *Metrics) Counter(name, help string, value func() float64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, value))
}

func (m *Metrics) observe(route *Route, r *http.Request, status int, took time.Duration) {
	op := route.Action
	switch {
	case op != "" && !m.actions[op]:
		op = "other"
	case op == "" && route.Service == serviceOIDC:
		op = realmOperation(r.URL.Path)
	case op == "":
		op = knownMethod(r.Method)
	}
	of := m.seriesOf(seriesKey{route.Service, op, status})
	of.requests.Inc()
	of.duration.Observe(took.Seconds())
}

func (m *Metrics) seriesOf(k seriesKey) series {
	m.seriesMu.RLock()
	s, ok := m.series[k]
	m.seriesMu.RUnlock()
	if !ok {
		s = series{m.requests.WithLabelValues(k.service, k.op, strconv.Itoa(k.status)), m.duration.WithLabelValues(k.service)}
		m.seriesMu.Lock()
		m.series[k] = s
		m.seriesMu.Unlock()
	}
	return s
}

// realmOperation is the last word of a realm's endpoint: token, certs, ….
func realmOperation(path string) string {
	word := path[strings.LastIndexByte(path, '/')+1:]
	switch word {
	case "token", "certs", "userinfo", "introspect", "revoke", "logout", "openid-configuration":
		return word
	}
	return "other"
}

func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPost, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}

// Handler serves the metrics in Prometheus' text form.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}
