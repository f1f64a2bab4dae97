//go:build !linux

package peer

import (
	"errors"
	"net"
	"net/netip"
)

func canName(int) error { return nil }

func tcpSupported() error {
	return errors.New("this system does not tell whose a TCP connection is")
}

func tcpUID(*net.TCPConn, netip.AddrPort, netip.AddrPort) (uid int, known bool) { return 0, false }
