package listen

import (
	"net"
	"slices"
	"strconv"
	"syscall"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"

	"avsproxy/internal/peer"
)

// stateListen is TCP_LISTEN of the kernel's include/net/tcp_states.h, as /proc/net/tcp shows it.
const stateListen = 0x0A

// tcpHolder finds the process that listens on a TCP port; 0 if that is not visible, as for another user's process.
func tcpHolder(addr *net.TCPAddr) (pid int, program string) {
	sockets := socketsOn(addr)
	if len(sockets) == 0 {
		return 0, ""
	}
	all, _ := procfs.AllProcs()
	for _, p := range all {
		targets, _ := p.FileDescriptorTargets() // fails for another user's process and for one that has ended
		if slices.ContainsFunc(targets, func(target string) bool { return slices.Contains(sockets, target) }) {
			return p.PID, comm(p.PID)
		}
	}
	return 0, ""
}

// socketsOn lists the listening sockets that overlap with addr, as the links in /proc/PID/fd have them.
func socketsOn(addr *net.TCPAddr) []string {
	proc, err := procfs.NewDefaultFS()
	if err != nil {
		return nil
	}
	// Deprecated in favour of netlink, which is too much for one line of an error message.
	//lint:ignore SA1019 see above
	four, _ := proc.NetTCP()
	//lint:ignore SA1019 see above
	six, _ := proc.NetTCP6()
	var links []string
	for _, line := range slices.Concat(four, six) {
		if line.St == stateListen && line.LocalPort == uint64(addr.Port) && overlap(line.LocalAddr, addr.IP) {
			links = append(links, "socket:["+strconv.FormatUint(line.Inode, 10)+"]")
		}
	}
	return links
}

// overlap: the wildcard address has the port of every address; the nil IP of ":9744" is a wildcard too.
func overlap(a, b net.IP) bool {
	return len(b) == 0 || a.IsUnspecified() || b.IsUnspecified() || a.Equal(b)
}

// unixHolder asks the kernel for the process that listens at the other end of a connection.
func unixHolder(c *net.UnixConn) (pid int, program string) {
	cred, err := peer.Credentials(c)
	if err != nil || cred.Pid <= 0 {
		return 0, ""
	}
	return int(cred.Pid), comm(int(cred.Pid))
}

func comm(pid int) string {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return ""
	}
	name, _ := p.Comm()
	return name
}

// private sets the mode of a unix socket before it has a name: bind creates the file with the mode of the socket less
// the umask (net/unix/af_unix.c, unix_bind_bsd), so that others can never connect.
func private(c syscall.RawConn) error {
	var err error
	if failed := c.Control(func(fd uintptr) { err = unix.Fchmod(int(fd), 0o600) }); failed != nil {
		return failed
	}
	return err
}
