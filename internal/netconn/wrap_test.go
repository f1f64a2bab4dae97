package netconn

import (
	"io"
	"net"
	"testing"

	"avsproxy/internal/testkit"
)

func tcpPair(t *testing.T) (server, client net.Conn) {
	t.Helper()
	ln := testkit.Listen(t)
	client = testkit.Dial(t, ln.Addr().String())
	server = testkit.Must(ln.Accept())(t)
	t.Cleanup(func() { server.Close() })
	return server, client
}

func TestWrapperKeepsTheMethodsOfTheConnection(t *testing.T) {
	server, _ := tcpPair(t)
	if _, ok := Prepend(Prepend(server, nil), nil).(tcp); !ok {
		t.Error("a TCP connection lost a method")
	}
	pipe, other := net.Pipe()
	defer other.Close()
	if _, ok := Prepend(pipe, nil).(stream); ok {
		t.Error("a pipe has a method that it cannot have")
	}
}

func TestPrefixComesFirst(t *testing.T) {
	server, client := tcpPair(t)
	conn := Prepend(server, []byte("abc"))
	io.WriteString(client, "de")
	client.Close()
	if n, err := conn.Read(nil); n != 0 || err != nil {
		t.Errorf("an empty read returned %d, %v", n, err)
	}
	two := make([]byte, 2)
	if n, err := conn.Read(two); n != 2 || err != nil || string(two) != "ab" {
		t.Errorf("%q, %v", two, err)
	}
	if rest, err := io.ReadAll(conn); err != nil || string(rest) != "cde" {
		t.Errorf("%q, %v", rest, err)
	}
}

func TestAsFindsWrappersAndWhatIsInside(t *testing.T) {
	server, _ := tcpPair(t)
	conn := Prepend(server, nil)
	if found, ok := As[*prefixConn](conn); !ok || found.Conn != server {
		t.Error("the wrapper is not found")
	}
	if found, ok := As[*net.TCPConn](conn); !ok || net.Conn(found) != server {
		t.Error("the connection is not found")
	}
	if _, ok := As[*net.UnixConn](conn); ok {
		t.Error("found what is not there")
	}
}
