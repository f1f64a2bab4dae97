package app

import (
	"log/slog"
	"net/http"
	"net/url"

	"avsproxy/internal/api"
	"avsproxy/proxy"
)

// avsMiddleware puts AVS's rules before the last part of a route, which next makes for
// any origin:
//
//	synchronize(serialize(notice(gateway(inject(upstream)))))
//
// The serializer runs before the injector, so that no token expires in the queue. What synchronize posts goes the way of all events. Routes that do not speak
// to AVS have none of it.
func (b *routeBuilder) avsMiddleware(first proxy.Backend, next func(origin *url.URL) (proxy.Backend, error)) (send http.RoundTripper, state routeState) {
	route, line := b.route, b.pipeline
	if route.Preset != "avs" && !route.SerializeEvents && !route.Synchronize && !route.FollowGateway {
		line.background = append(line.background, first.Upstream.Keep)
		return first.Inject, routeState{trouble: first.Upstream.Trouble}
	}
	origin := first.Inject.Origin
	log := avsLog{b.observers.log.With("route", route.Name)}
	options := proxy.GatewayOptions{First: first, OnRedirect: log.asked, OnFallback: log.returned}
	if route.FollowGateway {
		options.Next = next
	}
	gateway := proxy.NewGateway(options)
	line.closers = append(line.closers, gateway.Close)
	line.background = append(line.background, gateway.Keep)
	send = proxy.DuplicateDownchannel(origin, log.second, gateway)
	if route.SerializeEvents {
		send = proxy.Serialize(origin, send)
	}
	if route.Synchronize {
		synchronizer := proxy.NewSynchronizer(proxy.SynchronizeOptions{
			Origin: origin, Headers: route.Headers, Next: send, Done: log.synchronized,
		})
		line.closers = append(line.closers, synchronizer.Close)
		send = synchronizer
	}
	return send, routeState{trouble: gateway.Trouble, present: func() string {
		now := *origin
		now.Host = gateway.Origin().Host
		return now.String()
	}}
}

// A routeState is where a route sends its requests, and what is wrong.
type routeState struct {
	present func() string // where its requests go now; nil = it never moves
	trouble func() *proxy.Trouble
}

// problem is what is wrong, in the form of the console.
func (s routeState) problem() *api.RouteProblem {
	trouble := s.trouble()
	if trouble == nil {
		return nil
	}
	return &api.RouteProblem{Message: trouble.Detail, Hint: trouble.Hint, Down: trouble.Down}
}

// An avsLog logs what a route does without a request.
type avsLog struct{ *slog.Logger }

func (l avsLog) asked(to proxy.Redirection) {
	address := "unreadable"
	if to.Origin != nil {
		address = to.Origin.String()
	}
	log := l.With("directive", to.Directive, "address", address)
	switch {
	case to.Followed:
		log.Warn("AVS asks for another gateway: the route has moved there; clients that follow it themselves bypass the proxy")
	case to.Why == "":
		log.Warn("AVS names the present gateway; clients that follow it themselves bypass the proxy")
	default:
		log.Warn("AVS asks for another gateway: not followed; clients that follow it themselves bypass the proxy", "why", to.Why)
	}
}

func (l avsLog) returned(from *url.URL) {
	l.Warn("nobody was reached at the new gateway: the route is back at its configured upstream", "address", from.String())
}

func (l avsLog) second() {
	l.Warn(`a second downchannel of this device was opened; AVS speaks on one of them only; downchannel = "keep" shares one`)
}

func (l avsLog) synchronized(err error) {
	if err != nil {
		l.Warn("SynchronizeState failed; the next downchannel brings another", "cause", err)
		return
	}
	l.Info("SynchronizeState sent")
}

// downchannel holds the route's downchannel, once it runs.
func (b *routeBuilder) downchannel(origin *url.URL, send http.RoundTripper) *proxy.Downchannel {
	return proxy.NewDownchannel(proxy.DownchannelOptions{
		Origin: origin, Send: send, Headers: b.route.Headers,
		LoginURL: b.loginURL, Patience: b.route.DialTimeout,
		OnEvent: logDownchannel(b.observers.log, b.route.Name),
	})
}
