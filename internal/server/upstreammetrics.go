package server

import (
	"context"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"daypass/internal/upstream"
)

// upstreamMetrics asks the upstreams that there are at each scrape.
type upstreamMetrics struct{ of *upstreams }

var (
	upstreamLabels = []string{"upstream"}
	upstreamUp     = prometheus.NewDesc("daypass_upstream_up", "1 while the upstream can be reached.", upstreamLabels, nil)
	upstreamBusy   = prometheus.NewDesc("daypass_upstream_requests_in_flight", "Requests under way at the upstream.", upstreamLabels, nil)
	upstreamFailed = prometheus.NewDesc("daypass_upstream_failures_total",
		"Requests that did not reach the upstream, or that it let down; its answers of any status are none.", upstreamLabels, nil)
	upstreamRefused = prometheus.NewDesc("daypass_upstream_refused_total", "Requests that were not sent because the upstream was away.", upstreamLabels, nil)
)

// Describe implements prometheus.Collector.
func (m upstreamMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{upstreamUp, upstreamBusy, upstreamFailed, upstreamRefused} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (m upstreamMetrics) Collect(out chan<- prometheus.Metric) {
	for _, s := range m.of.set.All() {
		up := 0.0
		if m.of.healthy(s) {
			up = 1
		}
		out <- prometheus.MustNewConstMetric(upstreamUp, prometheus.GaugeValue, up, s.Name)
		out <- prometheus.MustNewConstMetric(upstreamBusy, prometheus.GaugeValue, float64(s.Gate.Busy()), s.Name)
		if s.Breaker != nil {
			out <- prometheus.MustNewConstMetric(upstreamFailed, prometheus.CounterValue, float64(s.Breaker.Failures()), s.Name)
			out <- prometheus.MustNewConstMetric(upstreamRefused, prometheus.CounterValue, float64(s.Breaker.Refused()), s.Name)
		}
	}
}

// healthy reports whether s can be reached.
func (u *upstreams) healthy(s *upstream.S3) bool {
	if s == u.embedded {
		return u.objects.Healthy()
	}
	return s.Breaker.Up()
}

// probe asks every upstream for a sign of life, so that metrics and log tell
// its state without anybody's request, and it is found to be back.
func (u *upstreams) probe(ctx context.Context) error {
	var all sync.WaitGroup
	for _, s := range u.set.All() {
		if s != u.embedded {
			all.Go(func() { _ = s.Probe(ctx) }) // its breaker takes note
		}
	}
	all.Wait()
	return nil
}
