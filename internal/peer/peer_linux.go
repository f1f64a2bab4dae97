package peer

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

func tcpSupported() error { return nil }

func unixSupported() error { return nil }

// tcpUID asks the kernel for the user of the socket at the other end: its own address
// is theirs, its peer's is ours. The answer counts only while our own end is alive:
// until then no other socket can have these addresses. Later a client of another user
// could have them, while a request of the first client is not read yet.
func tcpUID(c *net.TCPConn, theirs, ours netip.AddrPort) (uid int, known bool) {
	found, err := lookUp(theirs, ours)
	if err != nil || found.inode == 0 || !connected(found.state) || !alive(c) || !mapped(found.uid) {
		return 0, false
	}
	return int(found.uid), true
}

// connected excludes sockets without a connection: a later client in SYN_SENT could
// count as the one that is gone.
func connected(state uint8) bool {
	switch state {
	case unix.BPF_TCP_ESTABLISHED, unix.BPF_TCP_FIN_WAIT1, unix.BPF_TCP_FIN_WAIT2, unix.BPF_TCP_CLOSE_WAIT, unix.BPF_TCP_CLOSING, unix.BPF_TCP_LAST_ACK:
		return true
	}
	return false
}

// alive reports whether our own end is still connected.
func alive(c *net.TCPConn) bool {
	info, err := sockopt(c, func(fd int) (*unix.TCPInfo, error) {
		return unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	})
	return err == nil && connected(info.State)
}

// lookUp finds the TCP socket between two addresses with sock_diag(7). The kernel
// answers in the call itself, so this does not wait.
func lookUp(own, peer netip.AddrPort) (diag, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return diag{}, err
	}
	defer unix.Close(fd)
	if err := unix.Sendto(fd, diagRequest(own, peer), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return diag{}, err
	}
	var answer [1024]byte // the fixed part has 88 bytes, and no attributes are asked for
	n, from, err := unix.Recvfrom(fd, answer[:], 0)
	if err != nil {
		return diag{}, err
	}
	if sender, ok := from.(*unix.SockaddrNetlink); !ok || sender.Pid != 0 {
		return diag{}, errors.New("the answer is not the kernel's")
	}
	found, err := parseDiag(answer[:n])
	if err == nil && (found.own != own || found.peer != peer) {
		// Without such a connection the kernel looks for a listener.
		return diag{}, errors.New("the answer is about another socket")
	}
	return found, err
}

func unixUID(c *net.UnixConn) (uid int, known bool) {
	cred, err := Credentials(c)
	if err != nil || !mapped(cred.Uid) {
		return 0, false
	}
	return int(cred.Uid), true
}

// Credentials are the process and the user at the other end at the time of connect or
// listen (unix(7), SO_PEERCRED), also if they are gone.
func Credentials(c *net.UnixConn) (*unix.Ucred, error) {
	return sockopt(c, func(fd int) (*unix.Ucred, error) {
		return unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
}

// overflowUID is the ID of every user that our user namespace does not map
// (user_namespaces(7)). In a namespace that maps all it is a user like others.
const overflowUID = 65534

// mapped reports whether a user ID of the kernel is that of one user.
func mapped(uid uint32) bool { return uid != overflowUID || allMapped() }

func allMapped() bool {
	text, err := os.ReadFile("/proc/self/uid_map")
	fields := strings.Fields(string(text))
	return err == nil && len(fields) == 3 && fields[2] == "4294967295"
}

// canName is why a user cannot be told from others; nil = it can.
func canName(uid int) error {
	if mapped(uint32(uid)) {
		return nil
	}
	return errors.New("in this container, the user of avsproxy has the number of all unknown users (65534)")
}
