package peer

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

func FuzzParseDiag(f *testing.F) {
	own, peer := netip.MustParseAddrPort("127.0.0.1:1"), netip.MustParseAddrPort("127.0.0.1:2")
	f.Add(diagRequest(own, peer))
	f.Add(make([]byte, messageSize))
	f.Add(message(unix.AF_INET))
	f.Add(message(unix.AF_INET6))
	f.Fuzz(func(t *testing.T, b []byte) {
		found, err := parseDiag(b)
		if err != nil && found != (diag{}) {
			t.Errorf("%+v beside %v", found, err)
		}
		if err == nil && (len(b) < messageSize || !found.own.IsValid() || !found.peer.IsValid()) {
			t.Errorf("%d bytes: %+v", len(b), found)
		}
	})
}

// message is an answer about the socket from 127.0.0.1:1 to port 2.
func message(family byte) []byte {
	b := make([]byte, messageSize)
	binary.NativeEndian.PutUint32(b, messageSize)
	binary.NativeEndian.PutUint16(b[4:], unix.SOCK_DIAG_BY_FAMILY)
	binary.NativeEndian.PutUint32(b[8:], sequence)
	b[16], b[17] = family, unix.BPF_TCP_ESTABLISHED
	b[messageID+1], b[messageID+3] = 1, 2
	copy(b[messageID+4:], []byte{127, 0, 0, 1})
	binary.NativeEndian.PutUint32(b[messageUID:], 7)
	binary.NativeEndian.PutUint32(b[messageUID+4:], 9)
	return b
}

func TestParseDiag(t *testing.T) {
	found, err := parseDiag(message(unix.AF_INET))
	if err != nil || found.uid != 7 || found.inode != 9 || found.own.String() != "127.0.0.1:1" || found.peer.Port() != 2 {
		t.Errorf("%+v, %v", found, err)
	}
	for name, spoil := range map[string]func(b []byte) []byte{
		"nothing":         func(b []byte) []byte { return nil },
		"cut":             func(b []byte) []byte { return b[:len(b)-1] },
		"a header":        func(b []byte) []byte { return b[:16] },
		"a length beyond": func(b []byte) []byte { binary.NativeEndian.PutUint32(b, messageSize+1); return b },
		"a short length":  func(b []byte) []byte { binary.NativeEndian.PutUint32(b, messageSize-1); return b },
		"other question":  func(b []byte) []byte { b[8]++; return b },
		"done":            func(b []byte) []byte { binary.NativeEndian.PutUint16(b[4:], unix.NLMSG_DONE); return b },
		"no error": func(b []byte) []byte {
			binary.NativeEndian.PutUint16(b[4:], unix.NLMSG_ERROR)
			clear(b[16:20])
			return b
		},
		"a family": func(b []byte) []byte { b[16] = unix.AF_UNIX; return b },
	} {
		if found, err := parseDiag(spoil(message(unix.AF_INET))); err == nil || found != (diag{}) {
			t.Errorf("%s: %+v", name, found)
		}
	}
}

func TestOnlyConnectedStatesCount(t *testing.T) {
	for state := range uint8(20) {
		want := state == 1 || state == 4 || state == 5 || state == 8 || state == 9 || state == 11
		if connected(state) != want {
			t.Errorf("state %d: %v", state, !want)
		}
	}
}
