package peer

import (
	"errors"
	"net"
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
	own := os.Geteuid()
	return &Users{
		UIDs: []int{own}, TCP: errors.Join(canName(own), tryTCP()), Unix: errors.Join(canName(own), unixSupported()),
	}
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
	case p.Transport == Loopback:
		return u.TCP != nil
	case p.Transport == Socket:
		return u.Unix != nil
	}
	return false
}

// tryTCP connects to itself and looks up its own user: a kernel without the facility
// answers as if the peer did not exist.
func tryTCP() error {
	if err := tcpSupported(); err != nil {
		return err
	}
	ln, err := listenLoopback()
	if err != nil {
		return err
	}
	defer ln.Close()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		return err
	}
	defer client.Close()
	server, err := ln.Accept()
	if err != nil {
		return err
	}
	defer server.Close()
	// Another program may have connected first; its user is as good a test.
	if p := Of(server); !p.Known {
		return errors.New("the kernel does not tell whose a TCP socket is (sock_diag(7))")
	}
	return nil
}

func listenLoopback() (net.Listener, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return net.Listen("tcp", "[::1]:0")
	}
	return ln, nil
}
