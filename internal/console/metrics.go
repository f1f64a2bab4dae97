package console

import (
	"math"
	"net/http"
	"strconv"
	"time"

	"avsproxy/tokens"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are the counters of one running proxy, in a registry of their own.
type Metrics struct {
	registry    *prometheus.Registry
	requests    *prometheus.CounterVec
	seconds     prometheus.Histogram
	injected    *prometheus.CounterVec
	refreshes   *prometheus.CounterVec
	connections *prometheus.GaugeVec
	streams     *prometheus.GaugeVec
}

// NewMetrics returns metrics that count nothing yet.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry:    prometheus.NewRegistry(),
		requests:    counter("requests_total", "Requests answered, by route and status; 499 is a client that hung up.", "route", "code"),
		injected:    counter("injected_total", "What was done about the credential of requests.", "route", "decision"),
		refreshes:   counter("refresh_total", "Renewals of tokens, by how they ended.", "credential", "outcome"),
		connections: gauge("upstream_connections", "Open connections to the upstream.", "route"),
		streams:     gauge("streams_open", "Requests under way.", "route"),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "avsproxy_request_seconds", Help: "How long requests took until the end of the answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 600, 3600},
		}),
	}
	m.registry.MustRegister(m.requests, m.seconds, m.injected, m.refreshes, m.connections, m.streams,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "avsproxy_" + name, Help: help}, labels)
}

func gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "avsproxy_" + name, Help: help}, labels)
}

// Route makes the route's series appear with zero, so that alerts see them
// before the first request.
func (m *Metrics) Route(route string) {
	m.connections.WithLabelValues(route)
	m.streams.WithLabelValues(route)
	m.requests.WithLabelValues(route, "200")
	m.injected.WithLabelValues(route, "injected")
}

// Credential exports how a credential stands.
func (m *Metrics) Credential(source *tokens.Source) {
	for _, outcome := range []tokens.Outcome{tokens.OutcomeRenewed, tokens.OutcomeFailed, tokens.OutcomeLoginNeeded} {
		m.refreshes.WithLabelValues(source.Name, string(outcome))
	}
	labels := prometheus.Labels{"credential": source.Name}
	m.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "avsproxy_token_expires_in_seconds", ConstLabels: labels,
			Help: "Seconds until the access token ends, negative once it has; 0 where there is none, +Inf where it never ends.",
		}, func() float64 { return secondsLeft(source.Status()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "avsproxy_login_needed", ConstLabels: labels,
			Help: "1 when a person must log in, else 0.",
		}, func() float64 { return loginNeeded(source.Status()) }))
}

// Began notes a request of a route; Done its end.
func (m *Metrics) Began(route string) { m.streams.WithLabelValues(route).Inc() }

// Done notes the end of a request that Began noted.
func (m *Metrics) Done(route string, status int, took time.Duration, decision string) {
	m.streams.WithLabelValues(route).Dec()
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
	m.seconds.Observe(took.Seconds())
	if decision != "" {
		m.injected.WithLabelValues(route, decision).Inc()
	}
}

// Refused notes a request that the guard kept out, before it had a route.
func (m *Metrics) Refused(status int) { m.requests.WithLabelValues("", strconv.Itoa(status)).Inc() }

// Refreshed notes how a renewal ended.
func (m *Metrics) Refreshed(credential string, outcome tokens.Outcome) {
	m.refreshes.WithLabelValues(credential, string(outcome)).Inc()
}

// Connections notes that connections to a route's upstream came or went.
func (m *Metrics) Connections(route string, delta int) {
	m.connections.WithLabelValues(route).Add(float64(delta))
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
