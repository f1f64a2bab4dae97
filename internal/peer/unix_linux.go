package peer

import (
	"errors"
	"net"

	"golang.org/x/sys/unix"
)

func unixSupported() error { return nil }

func unixUID(c *net.UnixConn) (uid int, known bool) {
	cred, err := Credentials(c)
	if err != nil || !mapped(cred.Uid) {
		return 0, false
	}
	return int(cred.Uid), true
}

// Credentials are the process and the user at the other end at the time of connect or
// listen (unix(7), SO_PEERCRED), also if they are gone.
func Credentials(c *net.UnixConn) (cred *unix.Ucred, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	failed := raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	return cred, errors.Join(failed, err)
}
