package console

import (
	"math"
	"net/http"
	"time"

	"avsproxy/tokens"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are the counters of one running proxy, in a registry of their own.
type Metrics struct {
	registry    *prometheus.Registry
	ours        promauto.Factory // its names begin with avsproxy_
	requests    *requestMetrics
	refreshes   *prometheus.CounterVec
	connections *prometheus.GaugeVec
	probeUp     *prometheus.GaugeVec
	probeTook   *prometheus.GaugeVec
}

// NewMetrics returns metrics that count nothing yet.
func NewMetrics() *Metrics {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	ours := promauto.With(prometheus.WrapRegistererWithPrefix("avsproxy_", registry))
	requests := newRequestMetrics()
	registry.MustRegister(requests)
	return &Metrics{
		registry:    registry,
		ours:        ours,
		requests:    requests,
		refreshes:   ours.NewCounterVec(prometheus.CounterOpts{Name: "refresh_total", Help: "Renewals of tokens, by how they ended."}, []string{"credential", "outcome"}),
		connections: ours.NewGaugeVec(prometheus.GaugeOpts{Name: "upstream_connections", Help: "Open connections to the upstream."}, []string{"route"}),
		probeUp:     ours.NewGaugeVec(prometheus.GaugeOpts{Name: "probe_up", Help: "1 when the route's last probe was answered with a status below 400, else 0."}, []string{"route"}),
		probeTook:   ours.NewGaugeVec(prometheus.GaugeOpts{Name: "probe_seconds", Help: "How long the route's last probe took."}, []string{"route"}),
	}
}

// Route makes the route's series appear with zero, so that alerts see them
// before the first request.
func (m *Metrics) Route(route string) {
	m.connections.WithLabelValues(route)
	m.requests.show(route)
}

// Credential exports the state of a credential.
func (m *Metrics) Credential(source *tokens.Source) {
	for _, outcome := range []tokens.Outcome{tokens.OutcomeRenewed, tokens.OutcomeFailed, tokens.OutcomeLoginNeeded} {
		m.refreshes.WithLabelValues(source.Name, string(outcome))
	}
	labels := prometheus.Labels{"credential": source.Name}
	m.ours.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "token_expires_in_seconds", ConstLabels: labels,
		Help: "Seconds until the access token ends, negative once it has; 0 where there is none, +Inf where it never ends.",
	}, func() float64 { return secondsLeft(source.Status()) })
	m.ours.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "login_needed", ConstLabels: labels,
		Help: "1 when a person must log in, else 0.",
	}, func() float64 { return loginNeeded(source.Status()) })
}

// Began notes a request of a route; Done its end.
func (m *Metrics) Began(route string) { m.requests.began(route) }

// Done notes the end of a request that Began noted.
func (m *Metrics) Done(route string, status int, took time.Duration, decision string) {
	m.requests.done(route, status, took, decision)
}

// Refused counts a request that the gate refused, before it had a route.
func (m *Metrics) Refused(status int) { m.requests.refused(status) }

// Refreshed notes how a renewal ended.
func (m *Metrics) Refreshed(credential string, outcome tokens.Outcome) {
	m.refreshes.WithLabelValues(credential, string(outcome)).Inc()
}

// Connections notes that connections to a route's upstream came or went.
func (m *Metrics) Connections(route string, delta int) {
	m.connections.WithLabelValues(route).Add(float64(delta))
}

// Probed notes how a route's probe ended.
func (m *Metrics) Probed(route string, ok bool, took time.Duration) {
	up := 0.0
	if ok {
		up = 1
	}
	m.probeUp.WithLabelValues(route).Set(up)
	m.probeTook.WithLabelValues(route).Set(took.Seconds())
}

// Handler serves the metrics in the formats Prometheus reads.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

func secondsLeft(s tokens.Status) float64 {
	switch {
	case !s.Expiry.IsZero():
		return time.Until(s.Expiry).Seconds()
	case s.State == tokens.StateReady:
		return math.Inf(+1)
	}
	return 0
}

func loginNeeded(s tokens.Status) float64 {
	if s.State == tokens.StateLoginNeeded {
		return 1
	}
	return 0
}
