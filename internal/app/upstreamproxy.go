package app

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"

	"avsproxy/internal/terminal"
	"avsproxy/internal/upstream"

	"golang.org/x/net/http/httpproxy"
)

// A proxyFunc names the proxy on the way to a URL; nil, or nil from it = direct.
type proxyFunc = func(*url.URL) (*url.URL, error)

// upstreamProxy is what the environment says of a proxy that leads out of this
// network, in capitals or not. This machine's loopback is never behind one.
func upstreamProxy(e *Environment) (proxyFunc, error) {
	conf := &httpproxy.Config{
		HTTPProxy:  cmp.Or(e.Getenv("http_proxy"), e.Getenv("HTTP_PROXY")),
		HTTPSProxy: cmp.Or(e.Getenv("https_proxy"), e.Getenv("HTTPS_PROXY")),
		NoProxy:    cmp.Or(e.Getenv("no_proxy"), e.Getenv("NO_PROXY")) + ",.localhost",
	}
	if conf.HTTPSProxy == "" {
		return conf.ProxyFunc(), nil
	}
	// Alone and for any host: what is not understood would be taken for no proxy.
	alone := httpproxy.Config{HTTPSProxy: conf.HTTPSProxy}
	via, err := alone.ProxyFunc()(&url.URL{Scheme: "https", Host: "any.example"})
	if err != nil || via == nil || via.Hostname() == "" || !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, via.Scheme) {
		return nil, terminal.Usage(errors.New("HTTPS_PROXY names no proxy that can be used"), // its value may hold a password
			"HTTPS_PROXY=http://HOST:PORT, or https, socks5 or socks5h; special characters of a password are percent-encoded")
	}
	return conf.ProxyFunc(), nil
}

// connectProxyError reports a proxy's refusal as one of a route, instead of in the
// proxy's words. It is an error of the network for those who sort errors.
func connectProxyError(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
	if err := upstream.ProxyRefusal(resp.StatusCode); err != nil {
		return &net.OpError{Op: "proxyconnect", Net: "tcp", Err: err}
	}
	return nil
}
