package app

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"avsproxy/internal/api"
	"avsproxy/internal/capture"
	"avsproxy/internal/exchange"
	"avsproxy/internal/terminal"
	"avsproxy/proxy"
)

const (
	// probeEvery is how often a route's probe is sent.
	probeEvery = 5 * time.Minute
	// probeTimeout bounds one probe, its token and connection included.
	probeTimeout = 30 * time.Second
	// maxProbeBody is how much of the answer is read, so that the connection can be used again.
	maxProbeBody = 1 << 20
)

// A prober sends a route's probe, the way of all its requests, and remembers the last outcome.
type prober struct {
	method, path string
	origin       *url.URL
	headers      map[string]string
	send         sender
	last         atomic.Pointer[api.Probe]
	told         func(api.Probe)
}

// addProbe adds the route's probe, where there is one. The returned function returns its last outcome; nil = none yet.
func (b *routeBuilder) addProbe(route *proxy.Route) func() *api.Probe {
	if b.route.Probe == "" {
		return nil
	}
	p := &prober{origin: route.Origin, headers: b.route.Headers, send: b.recorded(capture.OwnProbe, route.Send)}
	p.method, p.path, _ = strings.Cut(b.route.Probe, " ")
	metrics, log := b.observers.metrics, b.observers.log.With("route", route.Name)
	failed := false
	p.told = func(result api.Probe) {
		metrics.Probed(route.Name, result.OK, time.Duration(result.TookMS*float64(time.Millisecond)))
		if result.OK != failed { // as it was
			return
		}
		if failed = !result.OK; failed {
			log.Warn("the probe failed", "probe", result.Request, "cause", result.Text)
		} else {
			log.Info("the probe is answered again", "probe", result.Request)
		}
	}
	b.pipeline.background = append(b.pipeline.background, p.run)
	return p.last.Load
}

// run probes until ctx ends.
func (p *prober) run(ctx context.Context) {
	for {
		result := p.probe(ctx)
		if ctx.Err() != nil {
			return
		}
		p.last.Store(&result)
		p.told(result)
		if !sleep(ctx, probeEvery) {
			return
		}
	}
}

func (p *prober) probe(ctx context.Context) api.Probe {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	began := time.Now()
	path, _, _ := strings.Cut(p.path, "?") // the query may hold anything
	result := api.Probe{Request: p.method + " " + path, At: began}
	resp, err := p.ask(ctx)
	result.TookMS = float64(time.Since(began)) / float64(time.Millisecond)
	if err != nil {
		result.Text = faultText(err)
		return result
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, maxProbeBody)
	result.Status, result.OK = resp.StatusCode, resp.StatusCode < 400
	result.Text = resp.Status + " in " + terminal.Wait(time.Since(began))
	return result
}

func (p *prober) ask(ctx context.Context) (*http.Response, error) {
	target := *p.origin
	path, query, _ := strings.Cut(p.path, "?")
	address, err := url.Parse(strings.TrimSuffix(target.String(), "/") + path)
	if err != nil {
		return nil, err
	}
	address.RawQuery = query
	req, err := http.NewRequestWithContext(ctx, p.method, address.String(), nil)
	if err != nil {
		return nil, err
	}
	for name, value := range p.headers {
		req.Header.Set(name, value)
	}
	return p.send(exchange.New(nil, &exchange.Head{Method: p.method, Path: path, Query: query, NoBody: true}), req)
}
