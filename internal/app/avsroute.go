package app

import (
	"log/slog"
	"net/url"

	"avsproxy/internal/api"
	"avsproxy/internal/avsroute"
	"avsproxy/internal/capture"
	"avsproxy/internal/exchange"
	"avsproxy/internal/upstream"
	"avsproxy/proxy"
)

// addUpstream gives a route its upstream, and AVS's rules as stages: synchronize, then
// serialize, then the notice of second downchannels; the gateway chooses the upstream and
// follows the answers. What synchronize posts goes the way of all events. Routes that do
// not speak to AVS have none of it.
func (b *routeBuilder) addUpstream(route *proxy.Route, options upstream.Options) routeState {
	conf, line := b.route, b.pipeline
	first := upstream.New(options)
	if conf.Preset != "avs" && !conf.SerializeEvents && !conf.Synchronize && !conf.FollowGateway {
		route.Upstream = func() (upstream.Sender, exchange.Follower) { return first, nil }
		line.closers = append(line.closers, first.Close)
		line.background = append(line.background, first.Keep)
		return routeState{trouble: first.Trouble}
	}
	log := avsLog{b.observers.log.With("route", route.Name)}
	gateway := b.gateway(first, options, log)
	route.Upstream = gateway.Upstream
	if conf.Synchronize {
		synchronizer := avsroute.NewSynchronizer(avsroute.SynchronizeOptions{
			Origin: route.Origin, Headers: conf.Headers, Send: b.recorded(capture.OwnSynchronize, route.Send), Done: log.synchronized,
		})
		line.closers = append(line.closers, synchronizer.Close)
		route.Stages = append(route.Stages, synchronizer)
	}
	if conf.SerializeEvents {
		route.Stages = append(route.Stages, avsroute.NewSerializer())
	}
	route.Stages = append(route.Stages, &avsroute.DuplicateDownchannel{Second: func() { go log.second() }})
	return routeState{trouble: gateway.Trouble, present: func() string {
		now := *route.Origin
		now.Host = gateway.Origin().Host
		return now.String()
	}}
}

func (b *routeBuilder) gateway(first *upstream.Upstream, options upstream.Options, log avsLog) *avsroute.Gateway {
	// What a relay calls must not wait, as a log may that nobody reads.
	tell := func(to avsroute.Redirection) { go log.asked(to) }
	moving := avsroute.GatewayOptions{First: first, OnRedirect: tell, OnFallback: log.returned}
	if b.route.FollowGateway {
		moving.Next = func(origin *url.URL) *upstream.Upstream {
			next := options
			next.Origin = origin
			return upstream.New(next)
		}
	}
	gateway := avsroute.NewGateway(moving)
	b.pipeline.closers = append(b.pipeline.closers, gateway.Close)
	b.pipeline.background = append(b.pipeline.background, gateway.Keep)
	return gateway
}

// A routeState is where a route sends its requests, and what is wrong.
type routeState struct {
	present func() string // where its requests go now; nil = it never moves
	trouble func() *upstream.Trouble
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

func (l avsLog) asked(to avsroute.Redirection) {
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

func (b *routeBuilder) downchannel(route *proxy.Route) *avsroute.Downchannel {
	return avsroute.NewDownchannel(avsroute.DownchannelOptions{
		Origin: route.Origin, Send: b.recorded(capture.OwnDownchannel, route.Send), Headers: b.route.Headers, Patience: b.route.DialTimeout,
		OnEvent: logDownchannel(b.observers.log, route.Name),
	})
}
