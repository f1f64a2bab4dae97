// Package peer tells who is at the other end of a connection to a local port,
// as far as the system tells us.
package peer

import (
	"context"
	"net"
	"net/netip"
)

// A Way is how a peer reaches us, which decides what can be known of it.
type Way int

// The ways. The zero value is a connection of which nothing is known.
const (
	Elsehow  Way = iota
	Loopback     // TCP to a loopback address: a program of this machine
	Socket       // a unix socket: a program of this machine
	Network      // TCP to any other address: perhaps another machine
)

// A Peer is who is at the other end of a connection. The zero value is a stranger.
type Peer struct {
	Way   Way
	UID   int  // of the user that made the connection; where Known only
	Known bool // false: of another machine, gone already, or the system does not tell
}

// Of finds out who is at the other end of conn, which may be wrapped in anything
// that has a method NetConn, as [crypto/tls.Conn] does. It never waits for the
// peer. What cannot be found out leaves the peer unknown. Where a wrapper knows the
// peer from before, by a method Peer, that is believed: the peer of a connection
// stays, but may be gone when it is asked for again.
func Of(conn net.Conn) Peer {
	conn, known := unwrap(conn)
	if known != nil {
		return known.Peer()
	}
	switch c := conn.(type) {
	case *net.TCPConn:
		return ofTCP(c)
	case *net.UnixConn:
		uid, known := unixUID(c)
		return Peer{Way: Socket, UID: uid, Known: known}
	}
	return Peer{}
}

type knower interface{ Peer() Peer }

func unwrap(conn net.Conn) (net.Conn, knower) {
	for {
		if known, ok := conn.(knower); ok {
			return conn, known
		}
		wrapped, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			return conn, nil
		}
		conn = wrapped.NetConn()
	}
}

// ofTCP goes by our own address. The peer's says nothing: a local program may give
// its socket any address of this machine before it connects to 127.0.0.1.
func ofTCP(c *net.TCPConn) Peer {
	ours, theirs := addrPort(c.LocalAddr()), addrPort(c.RemoteAddr())
	if !ours.Addr().IsLoopback() {
		return Peer{Way: Network}
	}
	uid, known := tcpUID(c, theirs, ours)
	return Peer{Way: Loopback, UID: uid, Known: known}
}

// addrPort is the address with IPv4 in its plain form; the zero value where
// there is none.
func addrPort(addr net.Addr) netip.AddrPort {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	full := tcp.AddrPort()
	return netip.AddrPortFrom(full.Addr().Unmap(), full.Port())
}

type contextKey struct{}

// NewContext puts a peer into the context of its connection.
func NewContext(ctx context.Context, p Peer) context.Context {
	return context.WithValue(ctx, contextKey{}, p)
}

// FromContext returns the peer that NewContext put there, else a stranger.
func FromContext(ctx context.Context) Peer {
	p, _ := ctx.Value(contextKey{}).(Peer)
	return p
}
