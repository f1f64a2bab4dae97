package peer

import (
	"net"

	"golang.org/x/sys/unix"
)

func unixSupported() error { return nil }

// unixUID is the user at the time of connect (unix(7), SO_PEERCRED), also of a peer
// that is gone.
func unixUID(c *net.UnixConn) (uid int, known bool) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, false
	}
	var cred *unix.Ucred
	failed := raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if failed != nil || err != nil || !mapped(cred.Uid) {
		return 0, false
	}
	return int(cred.Uid), true
}
