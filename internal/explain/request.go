package explain

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"avsproxy/internal/charset"
	"avsproxy/internal/exchange"
	"avsproxy/internal/gate"

	"golang.org/x/net/http/httpguts"
)

// A requestSpec is a request of which only the method and the URL are known.
type requestSpec struct {
	method   string
	url      *url.URL
	target   gate.Target
	pathOnly bool // the URL is a path alone
	tunnel   bool // it comes inside a CONNECT
}

// A listenAddr is one address that the proxy listens at.
type listenAddr struct {
	host string // empty = a unix socket
	port string // empty = it has none, or none that is known before 'serve' runs
}

// ListenAddrs reads addresses as they are configured, or as a running proxy reports them.
func ListenAddrs(addresses []string) (listeners []listenAddr) {
	for _, address := range addresses {
		if strings.HasPrefix(address, "unix:") {
			listeners = append(listeners, listenAddr{})
			continue
		}
		host, port, err := net.SplitHostPort(strings.TrimPrefix(address, "http://"))
		if err != nil || port == "0" {
			port = ""
		}
		if host == "localhost" || host == "" {
			host = "127.0.0.1"
		}
		listeners = append(listeners, listenAddr{host, port})
	}
	return listeners
}

// takes reports whether a client that asks for the authority connects to the listener
// itself, so that it takes us for the server and not for its forward proxy.
func (l listenAddr) takes(a exchange.Authority) bool {
	local := exchange.IsLocal(a.Host) || strings.HasSuffix(a.Host, ".localhost")
	switch {
	case l.port != "":
		return a.Port == l.port
	case l.host == "": // a unix socket, which has no port
		return local && a.Port == ""
	}
	return local
}

// ParseRequest reads a URL as a client would use it: a path alone is asked of the proxy
// at localhost, http and https at a port of the proxy's of that port, any other URL
// of the proxy as a forward proxy.
func ParseRequest(method, text string, listeners []listenAddr) (requestSpec, error) {
	a := requestSpec{method: strings.ToUpper(method), pathOnly: strings.HasPrefix(text, "/")}
	if !httpguts.ValidHeaderFieldName(method) { // the same characters (RFC 9110 section 9.1)
		return a, fmt.Errorf("%s is not a method", charset.Printable(method))
	}
	if a.method == http.MethodConnect && !strings.Contains(text, "://") {
		text = "https://" + text
	}
	text, _, _ = strings.Cut(text, "#") // which stays with the client
	parse := url.Parse
	if a.pathOnly {
		parse = url.ParseRequestURI // to which "//x" is a path
	}
	parsed, err := parse(text)
	switch {
	case err != nil:
		return a, errors.New("the URL cannot be read")
	case !a.pathOnly && (parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https"):
		return a, fmt.Errorf("%s is neither a path, such as /ping, nor a URL that begins with http:// or https://", charset.Printable(text))
	}
	parsed.User = nil
	if parsed.Path == "" {
		parsed.Path = "/"
	}
	a.url = parsed
	a.resolveListener(listeners)
	return a, nil
}

// resolveListener finds the listener that the request comes in by.
func (a *requestSpec) resolveListener(listeners []listenAddr) {
	chosen := listeners[0]
	secure := a.url.Scheme == "https"
	if a.pathOnly {
		a.target = gate.Target{Host: "localhost", Authority: exchange.Authority{Host: "localhost"}, Valid: true}
	} else {
		authority, ok := exchange.ParseAuthority(a.url.Host)
		a.target = gate.Target{Host: a.url.Host, Authority: authority, Valid: ok, Forward: true}
		i := slices.IndexFunc(listeners, func(l listenAddr) bool { return l.port != "" && l.takes(authority) })
		if i < 0 { // a port that is not known yet may be any
			i = slices.IndexFunc(listeners, func(l listenAddr) bool { return l.takes(authority) })
		}
		if i >= 0 && a.method != http.MethodConnect {
			chosen, a.target.Forward = listeners[i], false
		}
	}
	a.target.Method = a.method
	if a.tunnel = a.target.Forward && secure; a.tunnel {
		if a.target.Authority.Port == "" {
			a.target.Authority.Port = "443"
		}
		a.target.Host = net.JoinHostPort(a.target.Authority.Host, a.target.Authority.Port)
		secure = a.target.Authority.Port != "80"
	}
	a.target.Listener = exchange.Listener{Host: chosen.host, Port: chosen.port, TLS: secure}
}
