package explain

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"avsproxy/internal/guard"
	"avsproxy/internal/terminal"

	"golang.org/x/net/http/httpguts"
)

// An requestSpec request is one of which only the method and the URL are known.
type requestSpec struct {
	method   string
	url      *url.URL
	target   guard.Target
	pathOnly bool // the URL is a path alone
	tunnel   bool // it comes inside a CONNECT
}

// A listenAddr is one address that the proxy listens at.
type listenAddr struct {
	host string // empty = a unix socket
	port string // empty = it has none, or none that is known before 'serve' runs
}

// ListenAddrs reads addresses as they are configured, or as a running proxy tells them.
func ListenAddrs(addresses []string) (doors []listenAddr) {
	for _, address := range addresses {
		if strings.HasPrefix(address, "unix:") {
			doors = append(doors, listenAddr{})
			continue
		}
		host, port, err := net.SplitHostPort(strings.TrimPrefix(address, "http://"))
		if err != nil || port == "0" {
			port = ""
		}
		if host == "localhost" || host == "" {
			host = "127.0.0.1"
		}
		doors = append(doors, listenAddr{host, port})
	}
	return doors
}

// takes reports whether a client that asks for the authority connects to the door
// itself, so that it takes us for the server and not for its forward proxy.
func (d listenAddr) takes(a guard.Authority) bool {
	local := guard.IsLocal(a.Host) || strings.HasSuffix(a.Host, ".localhost")
	switch {
	case d.port != "":
		return a.Port == d.port
	case d.host == "": // a unix socket, of which nobody names a port
		return local && a.Port == ""
	}
	return local
}

// ParseRequest reads a URL as a client would use it: a path alone is asked of the proxy
// at localhost, http and https at a port of the proxy's of that port, any other URL
// of the proxy as a forward proxy.
func ParseRequest(method, text string, doors []listenAddr) (requestSpec, error) {
	a := requestSpec{method: strings.ToUpper(method), pathOnly: strings.HasPrefix(text, "/")}
	if !httpguts.ValidHeaderFieldName(method) { // the same characters (RFC 9110 section 9.1)
		return a, fmt.Errorf("%s is not a method", terminal.Printable(method))
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
		return a, fmt.Errorf("%s is neither a path, such as /ping, nor a URL that begins with http:// or https://", terminal.Printable(text))
	}
	parsed.User = nil
	if parsed.Path == "" {
		parsed.Path = "/"
	}
	a.url = parsed
	a.resolveListener(doors)
	return a, nil
}

// resolveListener finds the door by which the request comes.
func (a *requestSpec) resolveListener(doors []listenAddr) {
	door := doors[0]
	secure := a.url.Scheme == "https"
	if a.pathOnly {
		a.target = guard.Target{Host: "localhost", Authority: guard.Authority{Host: "localhost"}, Valid: true}
	} else {
		authority, ok := guard.ParseAuthority(a.url.Host)
		a.target = guard.Target{Host: a.url.Host, Authority: authority, Valid: ok, Forward: true}
		if i := slices.IndexFunc(doors, func(d listenAddr) bool { return d.takes(authority) }); i >= 0 && a.method != http.MethodConnect {
			door, a.target.Forward = doors[i], false
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
	a.target.Door = guard.Door{Host: door.host, Port: door.port, TLS: secure}
}
