//go:build unix

package h2

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"

	"avsproxy/internal/netconn"
)

// awaitHangup waits until the other side of a connection that sends nothing more is gone for
// good. False = the read deadline came first; known is false where the system does not tell.
func awaitHangup(conn net.Conn) (hungUp, known bool) {
	socket, ok := netconn.As[syscall.Conn](conn)
	if !ok {
		return false, false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return false, false
	}
	_ = raw.Read(func(fd uintptr) bool {
		poll := []unix.PollFd{{Fd: int32(fd)}}
		_, err := unix.Poll(poll, 0)
		hungUp = err == nil && poll[0].Revents&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) != 0
		return hungUp
	})
	return hungUp, true
}
