// Package peer finds out who is at the other end of a connection to a local port, as
// far as the system knows.
package peer

import (
	"errors"
	"net"
	"net/netip"
	"syscall"

	"avsproxy/internal/netconn"
)

// A Transport is how a peer reaches us. It decides what can be known about the peer.
type Transport int

// The transports. The zero value is a connection of another kind.
const (
	Unknown  Transport = iota
	Loopback           // TCP to a loopback address: a program of this machine
	Socket             // a unix socket: a program of this machine
	Network            // TCP to any other address: perhaps another machine
)

// A Peer is the program at the other end of a connection. The zero value is unknown.
type Peer struct {
	Transport Transport
	UID       int  // the user that made the connection; only if Known
	Known     bool // false: another machine, closed already, or the system does not tell
}

// Of finds the peer of conn, which may have wrappers (see [netconn.As]). It does not
// wait for the peer. If a wrapper has a method Peer, Of returns its result: the peer
// of a connection does not change, but may be gone when it is looked up again.
func Of(conn net.Conn) Peer {
	if c, ok := netconn.As[interface{ Peer() Peer }](conn); ok {
		return c.Peer()
	}
	if c, ok := netconn.As[*net.TCPConn](conn); ok {
		return ofTCP(c)
	}
	if c, ok := netconn.As[*net.UnixConn](conn); ok {
		uid, known := unixUID(c)
		return Peer{Transport: Socket, UID: uid, Known: known}
	}
	return Peer{}
}

// ofTCP looks at our own address, not at the peer's: a local program may bind its
// socket to any address of this machine before it connects to 127.0.0.1.
func ofTCP(c *net.TCPConn) Peer {
	ours, theirs := addrPort(c.LocalAddr()), addrPort(c.RemoteAddr())
	if !ours.Addr().IsLoopback() {
		return Peer{Transport: Network}
	}
	uid, known := tcpUID(c, theirs, ours)
	return Peer{Transport: Loopback, UID: uid, Known: known}
}

// addrPort is the TCP address, without IPv4 in IPv6; zero for other addresses.
func addrPort(addr net.Addr) netip.AddrPort {
	tcp, _ := addr.(*net.TCPAddr)
	full := tcp.AddrPort() // zero for nil
	return netip.AddrPortFrom(full.Addr().Unmap(), full.Port())
}

// sockopt gets an option of a connection's socket.
func sockopt[T any](c syscall.Conn, get func(fd int) (T, error)) (value T, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return value, err
	}
	failed := raw.Control(func(fd uintptr) { value, err = get(int(fd)) })
	return value, errors.Join(failed, err)
}
