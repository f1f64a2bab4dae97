//go:build darwin || freebsd

package peer

import (
	"net"

	"golang.org/x/sys/unix"
)

// solLocal is SOL_LOCAL of sys/un.h, the level of options of unix sockets in both
// systems; x/sys has it for one of them.
const solLocal = 0

func unixSupported() error { return nil }

// unixUID is the user at the time of connect (unix(4), LOCAL_PEERCRED).
func unixUID(c *net.UnixConn) (uid int, known bool) {
	cred, err := sockopt(c, func(fd int) (*unix.Xucred, error) {
		return unix.GetsockoptXucred(fd, solLocal, unix.LOCAL_PEERCRED)
	})
	if err != nil || cred.Version != 0 { // XUCRED_VERSION: anything else has another layout
		return 0, false
	}
	return int(cred.Uid), true
}
