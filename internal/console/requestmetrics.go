package console

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// requestMetrics count requests in plain numbers, which cost little, and show them as a
// [prometheus.Collector].
type requestMetrics struct {
	requests, injected, streams, seconds *prometheus.Desc

	mu     sync.Mutex
	routes []*routeNumbers // few
	took   durations
}

// A routeNumbers has what is counted of one route; its name is empty for requests without one.
type routeNumbers struct {
	name      string
	named     bool // it is a route of the configuration
	open      int
	statuses  map[int]float64
	decisions []decisionNumber // few
}

type decisionNumber struct {
	decision string
	count    float64
}

// durations is a histogram.
type durations struct {
	below [len(durationBounds)]uint64 // or equal, and above the bound before
	count uint64
	sum   float64
}

var durationBounds = [...]float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 600, 3600} // seconds

func newRequestMetrics() *requestMetrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("avsproxy_"+name, help, labels, nil)
	}
	return &requestMetrics{
		requests: desc("requests_total", "Requests answered, by route and status; 499 is a client that hung up.", "route", "code"),
		injected: desc("injected_total", "What was done about the credential of requests.", "route", "decision"),
		streams:  desc("streams_open", "Requests under way.", "route"),
		seconds:  desc("request_seconds", "How long requests took until the end of the answer."),
	}
}

// route returns the numbers of a route. The caller holds mu.
func (m *requestMetrics) route(name string) *routeNumbers {
	for _, r := range m.routes {
		if r.name == name {
			return r
		}
	}
	r := &routeNumbers{name: name, statuses: map[int]float64{}}
	m.routes = append(m.routes, r)
	return r
}

// show makes a route appear with zeros.
func (m *requestMetrics) show(route string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.route(route)
	r.named = true
	r.statuses[200] += 0
	r.decide("injected", 0)
}

func (m *requestMetrics) began(route string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.route(route)
	r.open++
	r.named = true
}

func (m *requestMetrics) done(route string, status int, took time.Duration, decision string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.route(route)
	r.open--
	r.statuses[status]++
	if decision != "" {
		r.decide(decision, 1)
	}
	m.took.add(took.Seconds())
}

func (m *requestMetrics) refused(status int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.route("").statuses[status]++
}

func (r *routeNumbers) decide(decision string, n float64) {
	for i := range r.decisions {
		if r.decisions[i].decision == decision {
			r.decisions[i].count += n
			return
		}
	}
	r.decisions = append(r.decisions, decisionNumber{decision, n})
}

func (d *durations) add(seconds float64) {
	d.count++
	d.sum += seconds
	for i, bound := range durationBounds {
		if seconds <= bound {
			d.below[i]++
			return
		}
	}
}

// Describe implements [prometheus.Collector].
func (m *requestMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{m.requests, m.injected, m.streams, m.seconds} {
		out <- desc
	}
}

// Collect implements [prometheus.Collector].
func (m *requestMetrics) Collect(out chan<- prometheus.Metric) {
	for _, metric := range m.metrics() { // who takes them may be slow
		out <- metric
	}
}

func (m *requestMetrics) metrics() (all []prometheus.Metric) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.routes {
		for status, n := range r.statuses {
			all = append(all, prometheus.MustNewConstMetric(m.requests, prometheus.CounterValue, n, r.name, strconv.Itoa(status)))
		}
		for _, d := range r.decisions {
			all = append(all, prometheus.MustNewConstMetric(m.injected, prometheus.CounterValue, d.count, r.name, d.decision))
		}
		if r.named {
			all = append(all, prometheus.MustNewConstMetric(m.streams, prometheus.GaugeValue, float64(r.open), r.name))
		}
	}
	buckets, sofar := map[float64]uint64{}, uint64(0)
	for i, bound := range durationBounds {
		sofar += m.took.below[i]
		buckets[bound] = sofar
	}
	return append(all, prometheus.MustNewConstHistogram(m.seconds, m.took.count, m.took.sum, buckets))
}
