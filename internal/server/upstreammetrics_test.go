package server

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"daypass/internal/identity"
	"daypass/internal/upstream"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

func TestUpstreamMetrics(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	key := "access_key_id: AKUP, secret_key_file: " + keyFiles(t) + "/secret"
	c, err := LoadConfig(writeConfig(t, "object_store: {enabled: false}\ns3: {default_upstream: plain}\nupstreams:\n"+
		"- {name: plain, endpoint: 'https://c', "+key+"}\n"+
		"- {name: ceph, endpoint: 'https://c', "+key+", sts: {endpoint: '"+gone.URL+"'}}\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	u, err := openUpstreams(&c, nil, identity.SystemClock{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	sts, ok := u.set.STS("ceph")
	if !ok {
		t.Fatal("no STS")
	}
	if _, err := sts.AssumeRole(t.Context(), upstream.RoleRequest{RoleARN: "arn:aws:iam:::role/r", SessionName: "s", DurationSeconds: 900}); identity.KindOf(err) != identity.KindUnavailable {
		t.Fatalf("an STS that is away: %v", err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(upstreamMetrics{u})
	w := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, want := range []string{
		`daypass_upstream_up{upstream="plain"} 1`, `daypass_upstream_sts_up{upstream="ceph"} 1`,
		`daypass_upstream_sts_failures_total{upstream="ceph"} 1`, `daypass_upstream_sts_refused_total{upstream="ceph"} 0`,
		`daypass_upstream_failures_total{upstream="ceph"} 0`,
	} {
		if !strings.Contains(w.Body.String(), want+"\n") {
			t.Errorf("no line %s", want)
		}
	}
}
