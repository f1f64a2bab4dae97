package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"avsproxy/internal/avs"
)

// moveGrace is how long streams to the former upstream may go on after a move.
const moveGrace = 30 * time.Second

const (
	addressesMost = 16 // are remembered as told
	formerMost    = 4  // legs are ending at a time
)

// A Backend is the last part of a route's way, to one origin: that of the injector.
type Backend struct {
	Inject   *Injector
	Upstream *Upstream // closed in the end, with whatever is under way
}

// GatewayOptions are for a [Gateway].
type GatewayOptions struct {
	// First is the backend to the configured upstream.
	First Backend
	// Next makes the backend to another origin; nil = the route stays where it is.
	Next func(origin *url.URL) (Backend, error)
	// OnRedirect hears of each origin that AVS asks for, once, and of each move. Neither it
	// nor Returned may call the gateway.
	OnRedirect func(Redirection)
	// OnFallback, if set, hears that nobody was to be reached after a move, so that the
	// route is back at First's origin.
	OnFallback func(from *url.URL)
}

// A Redirection is the wish of AVS that the device speak to it elsewhere.
type Redirection struct {
	Directive string   // its namespace and name
	Origin    *url.URL // nil = what was sent is not the https address of a host
	Followed  bool     // the route has moved there
	Why       string   // it has not; empty = it has, or this is its address already
}

// A Gateway looks for System.SetEndpoint and Alexa.ApiGateway.SetGateway in what
// passes, neither changing nor delaying it, and moves the route where it may: new
// requests then go to the new origin, and those under way get 30 seconds more.
// Requests are aimed at First's origin always, wherever the route is.
type Gateway struct {
	options GatewayOptions
	grace   time.Duration

	mu      sync.Mutex
	present *currentBackend
	former  map[*currentBackend]*time.Timer // what is ending, and when
	told    map[string]bool
	closed  bool
}

// A currentBackend knows whether anybody was there.
type currentBackend struct {
	Backend
	answered atomic.Bool
	left     chan struct{} // closed when the route has moved away
}

func newBackend(l Backend) *currentBackend {
	return &currentBackend{Backend: l, left: make(chan struct{})}
}

// NewGateway returns a gateway at the first leg's origin. It is to be closed.
func NewGateway(options GatewayOptions) *Gateway {
	return &Gateway{options: options, grace: moveGrace, present: newBackend(options.First), former: map[*currentBackend]*time.Timer{}, told: map[string]bool{}}
}

// Origin is where new requests go.
func (g *Gateway) Origin() *url.URL { return g.current().Inject.Origin }

func (g *Gateway) current() *currentBackend {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.present
}

// RoundTrip implements [http.RoundTripper].
func (g *Gateway) RoundTrip(req *http.Request) (*http.Response, error) {
	leg := g.current()
	resp, err := leg.Inject.RoundTrip(g.aim(req, leg.Inject.Origin))
	if err != nil {
		if errors.As(err, new(connectError)) && req.Context().Err() == nil && !leg.answered.Load() {
			g.fallBack(leg)
		}
		return nil, err
	}
	leg.answered.Store(true)
	heard := func(p avs.ReceivedDirective) { g.heard(leg, p) }
	if scanner := avs.NewDirectiveScanner(resp.Header.Get("Content-Type"), heard); scanner != nil && resp.StatusCode == http.StatusOK {
		resp.Body = &scannedBody{resp.Body, scanner}
	}
	return resp, nil
}

// aim leaves requests alone that are for somewhere else, which the injector then
// refuses.
func (g *Gateway) aim(req *http.Request, origin *url.URL) *http.Request {
	first := g.options.First.Inject.Origin
	if origin == first || req.URL.Scheme != first.Scheme || req.URL.Host != first.Host {
		return req
	}
	out, target := *req, *req.URL
	target.Scheme, target.Host = origin.Scheme, origin.Host
	out.URL = &target
	if req.Host == first.Host {
		out.Host = origin.Host
	}
	return &out
}

// heard looks at a directive that came over leg; what a former one still says is
// of no account.
func (g *Gateway) heard(leg *currentBackend, p avs.ReceivedDirective) {
	address, ok := avs.Endpoint(p.Header, p.Payload)
	if !ok {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.present != leg || g.closed {
		return
	}
	to := Redirection{Directive: p.Namespace + "." + p.Name, Origin: originOf(address)}
	to.Followed, to.Why = g.follow(to.Origin)
	if to.Followed || g.isNew(to.Origin) {
		g.options.OnRedirect(to)
	}
}

// isNew also keeps AVS from filling the log.
func (g *Gateway) isNew(origin *url.URL) bool {
	name := ""
	if origin != nil {
		name = origin.Host
	}
	if g.told[name] || len(g.told) == addressesMost {
		return false
	}
	g.told[name] = true
	return true
}

// follow moves the route, or says why not.
func (g *Gateway) follow(origin *url.URL) (moved bool, why string) {
	switch {
	case origin == nil:
		return false, "it is not the https address of a host"
	case sameOrigin(origin, g.present.Inject.Origin):
		return false, ""
	case g.options.Next == nil:
		return false, "follow_gateway is false"
	case !trusts(g.present.Inject.Origin, origin):
		return false, "the token goes to AVS's own gateways and to the present host only"
	}
	if len(g.former) == formerMost {
		return false, "the route has moved too often just now"
	}
	former := g.present
	if err := g.move(origin); err != nil {
		return false, err.Error()
	}
	g.former[former] = time.AfterFunc(g.grace, func() { g.end(former) })
	return true, ""
}

// fallBack goes back from where nobody was to be reached: a wrong address must not be
// the end of the route.
func (g *Gateway) fallBack(leg *currentBackend) {
	g.mu.Lock()
	defer g.mu.Unlock()
	first := g.options.First.Inject.Origin
	if g.present != leg || g.closed || sameOrigin(leg.Inject.Origin, first) || g.move(first) != nil {
		return
	}
	leg.Upstream.Close() // on which nothing is under way
	if g.options.OnFallback != nil {
		g.options.OnFallback(leg.Inject.Origin)
	}
}

func (g *Gateway) move(origin *url.URL) error {
	next, err := g.options.Next(origin)
	if err == nil {
		close(g.present.left)
		g.present = newBackend(next)
	}
	return err
}

func (g *Gateway) end(former *currentBackend) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.former, former)
	former.Upstream.Close()
}

// Keep does what [Upstream.Keep] does, wherever the route is.
func (g *Gateway) Keep(ctx context.Context) {
	for ctx.Err() == nil {
		leg := g.current()
		staying, cancel := context.WithCancel(ctx)
		go func() {
			select {
			case <-leg.left:
				cancel()
			case <-staying.Done():
			}
		}()
		leg.Upstream.Keep(staying)
		cancel()
		select {
		case <-leg.left:
		case <-ctx.Done():
		}
	}
}

// Close ends all legs, with whatever is under way on them.
func (g *Gateway) Close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for former, ending := range g.former {
		ending.Stop()
		former.Upstream.Close()
	}
	g.present.Upstream.Close()
}

// A scannedBody shows to a scanner what is read.
type scannedBody struct {
	io.ReadCloser
	scanner *avs.PartScanner
}

// Read reads on.
func (b *scannedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	_, _ = b.scanner.Write(p[:n]) // takes everything
	if err != nil {
		b.scanner.Close()
	}
	return n, err
}
