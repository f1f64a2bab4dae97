package listen

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// private sets the mode of a unix socket before it has a name: bind creates the file with the mode of the socket less
// the umask (net/unix/af_unix.c, unix_bind_bsd), so that others can never connect.
func private(c syscall.RawConn) error {
	var err error
	if failed := c.Control(func(fd uintptr) { err = unix.Fchmod(int(fd), 0o600) }); failed != nil {
		return failed
	}
	return err
}
