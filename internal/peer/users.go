package peer

import (
	"os"
	"slices"
)

// Users are the local users that may use a listener. The zero value is root alone.
type Users struct {
	UIDs []int // root is always allowed: it can become any user
	// TCP and Unix are why the system cannot tell users apart on loopback
	// connections and on unix sockets; then everybody is allowed. nil = it can.
	TCP, Unix error
}

// LocalUsers are the user that this process runs as, and root. It tries whether the
// system can tell users apart.
func LocalUsers() *Users {
	return &Users{UIDs: []int{os.Geteuid()}, TCP: Supported(Loopback), Unix: Supported(Socket)}
}

// And returns these users and others.
func (u *Users) And(uids ...int) *Users {
	more := *u
	more.UIDs = slices.Concat(u.UIDs, uids)
	return &more
}

// Admit reports whether the peer is allowed. Peers from the network are: they have no
// user here, and another rule decides about them.
func (u *Users) Admit(p Peer) bool {
	switch {
	case p.Transport == Network:
		return true
	case p.Known:
		return p.UID == 0 || slices.Contains(u.UIDs, p.UID)
	}
	return u.unsupported(p.Transport) != nil
}

// unsupported is why users cannot be told apart on a transport; nil = they can.
func (u *Users) unsupported(transport Transport) error {
	switch transport {
	case Loopback:
		return u.TCP
	case Socket:
		return u.Unix
	}
	return nil
}
