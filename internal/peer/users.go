package peer

import (
	"os"
	"slices"
)

// Users are the local users who may use a door. The zero value is root alone.
type Users struct {
	UIDs []int // besides root, who could become any of them
	// TCP and Unix say why the system does not tell users apart on loopback
	// connections and on unix sockets; everybody may come in there. nil = it does.
	TCP, Unix error
}

// LocalUsers are the user that this process runs as, and root. It tries out
// whether the system tells users apart.
func LocalUsers() *Users {
	return &Users{UIDs: []int{os.Geteuid()}, TCP: Supported(Loopback), Unix: Supported(Socket)}
}

// And returns these users and others.
func (u *Users) And(uids ...int) *Users {
	more := *u
	more.UIDs = slices.Concat(u.UIDs, uids)
	return &more
}

// Admit reports whether the peer may come in. Peers from the network are let
// through: they are another rule's matter, since they have no user here.
func (u *Users) Admit(p Peer) bool {
	switch {
	case p.Way == Network:
		return true
	case p.Known:
		return p.UID == 0 || slices.Contains(u.UIDs, p.UID)
	}
	return u.blind(p.Way) != nil
}

// blind says why users cannot be told apart on a way; nil = they can.
func (u *Users) blind(way Way) error {
	switch way {
	case Loopback:
		return u.TCP
	case Socket:
		return u.Unix
	}
	return nil
}
