package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"

	"avsproxy/internal/avs"
	"avsproxy/internal/config"
	"avsproxy/proxy"
)

// downchannel is what holds a route's downchannel, once it runs.
func downchannel(route config.Route, origin *url.URL, send http.RoundTripper, loginURL string, log *slog.Logger) *proxy.Downchannel {
	return proxy.NewDownchannel(proxy.DownchannelOptions{
		Origin: origin, Send: send, Headers: route.Headers,
		LoginURL: loginURL, Patience: route.DialTimeout,
		Tell: tellDownchannel(log, route.Name),
	})
}

func tellDownchannel(log *slog.Logger, route string) func(proxy.DownchannelNews, error) {
	return func(news proxy.DownchannelNews, cause error) {
		switch news {
		case proxy.DownchannelOpened:
			log.Info("downchannel opened", "route", route)
		case proxy.DownchannelLost:
			log.Warn("downchannel lost; trying again", "route", route, "cause", faultText(cause))
		case proxy.DownchannelWaits:
			log.Warn("the downchannel waits for a login", "route", route)
		case proxy.DownchannelSkipped:
			log.Warn("a part of the downchannel was not passed on", "route", route, "cause", faultText(cause))
		}
	}
}

// directives joins the downchannel of a route, or where none is named the first
// that is kept; nil = there is none.
func (l *pipeline) directives(ctx context.Context, route string) <-chan avs.ReceivedDirective {
	for _, r := range l.routes {
		if channel := l.channels[r.Name]; channel != nil && (route == "" || route == r.Name) {
			return channel.Subscribe(ctx)
		}
	}
	return nil
}
