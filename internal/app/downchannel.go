package app

import (
	"log/slog"
	"net/http"
	"net/url"

	"avsproxy/internal/config"
	"avsproxy/proxy"
)

// downchannel is what holds a route's downchannel, once it runs.
func downchannel(route config.Route, origin *url.URL, send http.RoundTripper, loginURL string, log *slog.Logger) *proxy.Downchannel {
	return proxy.NewDownchannel(proxy.DownchannelOptions{
		Origin: origin, Send: send, Headers: route.Headers,
		LoginURL: loginURL, Patience: route.DialTimeout,
		Tell: logDownchannel(log, route.Name),
	})
}
