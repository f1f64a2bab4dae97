package peer

import (
	"errors"
	"net"

	"golang.org/x/sys/unix"

	"avsproxy/internal/netconn"
)

// Gone reports whether the program at the other end of a connection has closed it, and not only
// for sending. False = it has not, or the system does not tell, as about other machines.
func Gone(conn net.Conn) bool {
	c, ok := netconn.As[*net.TCPConn](conn)
	if !ok {
		return false
	}
	ours, theirs := addrPort(c.LocalAddr()), addrPort(c.RemoteAddr())
	if !ours.Addr().IsLoopback() {
		return false
	}
	found, err := lookUp(theirs, ours)
	return err == nil && found.inode == 0 || errors.Is(err, unix.ENOENT)
}
