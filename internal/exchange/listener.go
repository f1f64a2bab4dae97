package exchange

import (
	"net"
	"strconv"
)

// A Listener is the side of a connection that the client cannot choose: the address
// at which it came in.
type Listener struct {
	Host string // the address the client connected to; empty on a unix socket
	Port string // the listener's port; empty on a unix socket
	TLS  bool   // the default port of the scheme is 443, not 80
}

// ListenerAt describes the listener at addr. A listener of an unknown kind gets a
// port that no client can name.
func ListenerAt(addr net.Addr, tls bool) Listener {
	switch addr := addr.(type) {
	case *net.TCPAddr:
		return Listener{Host: addr.IP.String(), Port: strconv.Itoa(addr.Port), TLS: tls}
	case *net.UnixAddr:
		return Listener{TLS: tls}
	}
	return Listener{Port: "unknown", TLS: tls}
}

// AcceptsPort reports whether the port that a client named is the listener's, the
// default of its scheme, or absent. A unix socket has no port and accepts any.
func (l Listener) AcceptsPort(a Authority) bool {
	if a.Port == "" || l.Port == "" || a.Port == l.Port {
		return true
	}
	if l.TLS {
		return a.Port == "443"
	}
	return a.Port == "80"
}

// IsSelf reports whether host is the listener itself: a local name, or the address
// that the client connected to. A web page cannot make a browser send the latter for
// a name of the page's own.
func (l Listener) IsSelf(host string) bool { return IsLocal(host) || (host != "" && host == l.Host) }
