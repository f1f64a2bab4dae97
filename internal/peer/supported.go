package peer

import (
	"errors"
	"net"
	"os"
)

// Supported reports whether this system can tell the peers of a transport; the error
// says why not. For TCP it tries a connection to itself: a kernel without the
// facility answers as if the peer did not exist.
func Supported(transport Transport) error {
	switch transport {
	case Loopback:
		return errors.Join(canName(os.Geteuid()), tryTCP())
	case Socket:
		return errors.Join(canName(os.Geteuid()), unixSupported())
	}
	return errors.New("the users of other machines are unknown here")
}

// tryTCP connects to itself and looks up its own user.
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
