package peer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// The layout of linux/inet_diag.h. Ports and addresses are in network order, the
// rest in the machine's own. x/sys has the numbers, but not the structures.
const (
	requestSize = unix.SizeofNlMsghdr + 56 // struct inet_diag_req_v2
	messageSize = unix.SizeofNlMsghdr + 72 // struct inet_diag_msg
	requestID   = unix.SizeofNlMsghdr + 8  // struct inet_diag_sockid
	messageID   = unix.SizeofNlMsghdr + 4
	messageUID  = messageID + 48 + 12
	sequence    = 1 // each netlink socket has one request
)

// A diag is the kernel's answer about a TCP socket.
type diag struct {
	own, peer netip.AddrPort
	state     uint8 // TCP_ESTABLISHED and so on
	uid       uint32
	inode     uint32 // 0: no process has the socket, and uid is not valid
}

// diagRequest asks for the socket between the addresses. IPv4 must not be in IPv6
// form: a socket of both families that uses IPv4 has its IPv4 addresses.
func diagRequest(own, peer netip.AddrPort) []byte {
	family := byte(unix.AF_INET)
	if own.Addr().Is6() {
		family = unix.AF_INET6
	}
	b := make([]byte, requestSize)
	binary.NativeEndian.PutUint32(b, requestSize)
	binary.NativeEndian.PutUint16(b[4:], unix.SOCK_DIAG_BY_FAMILY)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST)
	binary.NativeEndian.PutUint32(b[8:], sequence)
	b[16], b[17] = family, unix.IPPROTO_TCP
	binary.NativeEndian.PutUint32(b[20:], ^uint32(0)) // every state
	id := b[requestID:]
	binary.BigEndian.PutUint16(id, own.Port())
	binary.BigEndian.PutUint16(id[2:], peer.Port())
	copy(id[4:20], own.Addr().AsSlice())
	copy(id[20:36], peer.Addr().AsSlice())
	binary.NativeEndian.PutUint64(id[40:], ^uint64(0)) // INET_DIAG_NOCOOKIE
	return b
}

// parseDiag reads the answer to a diagRequest: one message or one error.
func parseDiag(b []byte) (diag, error) {
	if len(b) < unix.SizeofNlMsghdr+4 {
		return diag{}, errors.New("the kernel's answer is too short")
	}
	if binary.NativeEndian.Uint32(b[8:]) != sequence {
		return diag{}, errors.New("the answer belongs to another request")
	}
	switch kind := binary.NativeEndian.Uint16(b[4:]); kind {
	case unix.NLMSG_ERROR:
		return diag{}, unix.Errno(-int32(binary.NativeEndian.Uint32(b[unix.SizeofNlMsghdr:])))
	case unix.SOCK_DIAG_BY_FAMILY:
	default:
		return diag{}, fmt.Errorf("the kernel answered with a message of type %d", kind)
	}
	if size := binary.NativeEndian.Uint32(b); len(b) < messageSize || size < messageSize || int64(size) > int64(len(b)) {
		return diag{}, errors.New("the kernel's answer is too short")
	}
	return readDiag(b)
}

func readDiag(b []byte) (diag, error) {
	size := 4
	switch family := b[unix.SizeofNlMsghdr]; family {
	case unix.AF_INET:
	case unix.AF_INET6:
		size = 16
	default:
		return diag{}, fmt.Errorf("the kernel answered about address family %d", family)
	}
	id := b[messageID:]
	return diag{
		own:   addrPortAt(id[4:4+size], id),
		peer:  addrPortAt(id[20:20+size], id[2:]),
		state: b[unix.SizeofNlMsghdr+1],
		uid:   binary.NativeEndian.Uint32(b[messageUID:]),
		inode: binary.NativeEndian.Uint32(b[messageUID+4:]),
	}, nil
}

func addrPortAt(addr, port []byte) netip.AddrPort {
	ip, _ := netip.AddrFromSlice(addr) // 4 or 16 bytes
	return netip.AddrPortFrom(ip.Unmap(), binary.BigEndian.Uint16(port))
}
