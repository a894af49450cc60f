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

	stsUp      = prometheus.NewDesc("daypass_upstream_sts_up", "1 while the upstream's STS can be reached.", upstreamLabels, nil)
	stsFailed  = prometheus.NewDesc("daypass_upstream_sts_failures_total", "Calls that did not reach the upstream's STS, or that it let down.", upstreamLabels, nil)
	stsRefused = prometheus.NewDesc("daypass_upstream_sts_refused_total", "Calls that were not sent because the upstream's STS was away.", upstreamLabels, nil)
)

// Describe implements prometheus.Collector.
func (m upstreamMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{upstreamUp, upstreamBusy, upstreamFailed, upstreamRefused, stsUp, stsFailed, stsRefused} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (m upstreamMetrics) Collect(out chan<- prometheus.Metric) {
	for _, s := range m.of.set.All() {
		gauge(out, upstreamUp, m.of.healthy(s), s.Name)
		out <- prometheus.MustNewConstMetric(upstreamBusy, prometheus.GaugeValue, float64(s.Gate.Busy()), s.Name)
		broken(out, s.Breaker, upstreamFailed, upstreamRefused, s.Name)
		if sts, ok := m.of.set.STS(s.Name); ok {
			gauge(out, stsUp, sts.Breaker.Up(), s.Name)
			broken(out, sts.Breaker, stsFailed, stsRefused, s.Name)
		}
	}
}

func gauge(out chan<- prometheus.Metric, d *prometheus.Desc, on bool, name string) {
	v := 0.0
	if on {
		v = 1
	}
	out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, name)
}

func broken(out chan<- prometheus.Metric, b *upstream.Breaker, failed, refused *prometheus.Desc, name string) {
	if b == nil {
		return
	}
	out <- prometheus.MustNewConstMetric(failed, prometheus.CounterValue, float64(b.Failures()), name)
	out <- prometheus.MustNewConstMetric(refused, prometheus.CounterValue, float64(b.Refused()), name)
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
