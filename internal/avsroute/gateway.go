package avsroute

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"avsproxy/internal/avs"
	"avsproxy/internal/exchange"
	"avsproxy/internal/upstream"
)

// moveGrace is how long streams to the former upstream may go on after a move.
const moveGrace = 30 * time.Second

const (
	addressesMost = 16 // addresses are remembered, so that OnRedirect hears each once
	formerMost    = 4  // former upstreams exist at a time
)

// GatewayOptions are for a [Gateway].
type GatewayOptions struct {
	// First is the configured upstream.
	First *upstream.Upstream
	// Next makes the upstream at another origin; nil = the route stays where it is.
	Next func(origin *url.URL) *upstream.Upstream
	// OnRedirect hears of each origin that AVS asks for, once, and of each move. It must not
	// wait. Neither it nor OnFallback may call the gateway.
	OnRedirect func(Redirection)
	// OnFallback, if set, hears that no connection was possible after a move: the
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

	// mu is taken while the lock of HTTP/2 sessions is held, so upstreams are closed without it.
	mu      sync.Mutex
	present *currentUpstream
	former  map[*currentUpstream]*time.Timer // what is ending, and when
	told    map[string]bool
	closed  bool
}

// A currentUpstream knows whether anybody was there. The gateway closes it in the end, with
// whatever is under way.
type currentUpstream struct {
	*upstream.Upstream
	answered atomic.Bool
	left     chan struct{} // closed when the route has moved away
}

func newCurrent(u *upstream.Upstream) *currentUpstream {
	return &currentUpstream{Upstream: u, left: make(chan struct{})}
}

// NewGateway returns a gateway at the first origin. It is to be closed.
func NewGateway(options GatewayOptions) *Gateway {
	return &Gateway{options: options, present: newCurrent(options.First), former: map[*currentUpstream]*time.Timer{}, told: map[string]bool{}}
}

// Origin is where new requests go.
func (g *Gateway) Origin() *url.URL { return g.current().Origin() }

func (g *Gateway) current() *currentUpstream {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.present
}

// Upstream is what a route asks for.
func (g *Gateway) Upstream() (upstream.Sender, exchange.Follower) {
	at := g.current()
	return at.Upstream, &gatewayFollower{gateway: g, at: at}
}

// A gatewayFollower looks for directives in one answer.
type gatewayFollower struct {
	gateway *Gateway
	at      *currentUpstream
	scanner *avs.PartScanner // nil = there are none in it
}

func (f *gatewayFollower) Head(status int, fields exchange.Fields) {
	f.at.answered.Store(true)
	if values := fields.Values("Content-Type"); status == http.StatusOK && len(values) > 0 {
		f.scanner = avs.NewDirectiveScanner(values[0], func(d avs.ReceivedDirective) { f.gateway.heard(f.at, d) })
	}
}

func (f *gatewayFollower) Data(p []byte) {
	if f.scanner != nil {
		_, _ = f.scanner.Write(p) // takes everything
	}
}

func (f *gatewayFollower) End(err error) {
	if f.scanner != nil {
		f.scanner.Close()
	}
	if upstream.IsNotConnected(err) && !errors.Is(err, context.Canceled) && !f.at.answered.Load() {
		f.gateway.fallBack(f.at)
	}
}

// heard looks at a directive that came from an upstream. It ignores those of former
// upstreams.
func (g *Gateway) heard(at *currentUpstream, p avs.ReceivedDirective) {
	address, ok := avs.Endpoint(p.Header, p.Payload)
	if !ok {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.present != at || g.closed {
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
	case sameOrigin(origin, g.present.Origin()):
		return false, ""
	case g.options.Next == nil:
		return false, "follow_gateway is false"
	case !trusts(g.present.Origin(), origin):
		return false, "the token goes to AVS's own gateways and to the present host only"
	}
	if len(g.former) == formerMost {
		return false, "the route has moved too often just now"
	}
	former := g.present
	g.move(origin)
	g.former[former] = time.AfterFunc(moveGrace, func() { g.end(former) })
	return true, ""
}

// fallBack returns to First's origin from one where no connection was possible: a wrong
// address must not end the route.
func (g *Gateway) fallBack(at *currentUpstream) {
	if !g.moveBack(at) {
		return
	}
	at.Close() // on which nothing is under way
	if g.options.OnFallback != nil {
		g.options.OnFallback(at.Origin())
	}
}

func (g *Gateway) moveBack(at *currentUpstream) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	first := g.options.First.Origin()
	if g.present != at || g.closed || sameOrigin(at.Origin(), first) {
		return false
	}
	g.move(first)
	return true
}

func (g *Gateway) move(origin *url.URL) {
	close(g.present.left)
	g.present = newCurrent(g.options.Next(origin))
}

func (g *Gateway) end(former *currentUpstream) {
	g.mu.Lock()
	delete(g.former, former)
	g.mu.Unlock()
	former.Close()
}

// Keep does what [upstream.Upstream.Keep] does, wherever the route is.
func (g *Gateway) Keep(ctx context.Context) {
	for ctx.Err() == nil {
		at := g.current()
		staying, cancel := context.WithCancel(ctx)
		go func() {
			select {
			case <-at.left:
				cancel()
			case <-staying.Done():
			}
		}()
		at.Keep(staying)
		cancel()
		select {
		case <-at.left:
		case <-ctx.Done():
		}
	}
}

// Close ends all upstreams, with whatever is under way on them.
func (g *Gateway) Close() {
	g.mu.Lock()
	g.closed = true
	all := []*currentUpstream{g.present}
	for former, ending := range g.former {
		ending.Stop()
		all = append(all, former)
	}
	g.mu.Unlock()
	for _, u := range all {
		u.Close()
	}
}

// Trouble tells it of the upstream where the route is now.
func (g *Gateway) Trouble() *upstream.Trouble { return g.current().Trouble() }
