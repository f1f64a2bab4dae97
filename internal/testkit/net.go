package testkit

import (
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Listen listens on a free port of 127.0.0.1 until the test ends.
func Listen(t testing.TB) net.Listener {
	t.Helper()
	ln := Must(net.Listen("tcp", "127.0.0.1:0"))(t)
	t.Cleanup(func() { ln.Close() })
	return ln
}

// ClosedPort returns an address of 127.0.0.1 where nobody listens.
func ClosedPort(t testing.TB) (addr string) {
	t.Helper()
	ln := Listen(t)
	ln.Close()
	return ln.Addr().String()
}

// ServeConns calls serve for each connection that ln accepts, and closes the connection
// when serve returns. Both end with the test.
func ServeConns(t testing.TB, ln net.Listener, serve func(net.Conn)) {
	var (
		mu      sync.Mutex
		conns   []net.Conn
		serving sync.WaitGroup
	)
	serving.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
			serving.Go(func() { defer conn.Close(); serve(conn) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		mu.Lock()
		for _, conn := range conns {
			conn.Close()
		}
		mu.Unlock()
		serving.Wait()
	})
}

// Dial connects to a TCP address, or to the Unix socket of a path. The connection closes
// with the test, and its reads and writes end after [Timeout].
func Dial(t testing.TB, addr string) net.Conn {
	t.Helper()
	network := "tcp"
	if filepath.IsAbs(addr) {
		network = "unix"
	}
	conn := Must(net.Dial(network, addr))(t)
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(Timeout))
	return conn
}

// SocketDir returns a folder like t.TempDir whose path is short enough for a Unix
// socket's.
func SocketDir(t testing.TB) string {
	t.Helper()
	dir := Must(os.MkdirTemp("", "s"))(t)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
