package listen

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"avsproxy/internal/netconn"
	"avsproxy/internal/peer"
	"avsproxy/internal/testkit"
)

func openLimited(t *testing.T, limit *Limit, addr string) net.Listener {
	t.Helper()
	lns, _, err := Open(context.Background(), addr)
	testkit.NoError(t, err)
	ln := limit.Listener(lns[0])
	t.Cleanup(func() { ln.Close() })
	return ln
}

// accepting hands over what the listener accepts.
func accepting(ln net.Listener) <-chan net.Conn {
	conns := make(chan net.Conn)
	go func() {
		defer close(conns)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			conns <- conn
		}
	}()
	return conns
}

func TestLimitIsSharedAndFreedByClose(t *testing.T) {
	limit := NewLimit(2)
	tcp, unix := openLimited(t, limit, "127.0.0.1:0"), openLimited(t, limit, "unix:"+filepath.Join(t.TempDir(), "a.sock"))
	fromTCP, fromUnix := accepting(tcp), accepting(unix)
	testkit.Dial(t, tcp.Addr().String())
	testkit.Dial(t, unix.Addr().String())
	first, second := <-fromTCP, <-fromUnix
	testkit.Dial(t, tcp.Addr().String())
	select {
	case <-fromTCP:
		t.Fatal("there is one too many")
	case <-time.After(50 * time.Millisecond):
	}
	second.Close()
	second.Close() // counts once
	third := <-fromTCP
	testkit.Dial(t, unix.Addr().String())
	select {
	case <-fromUnix:
		t.Fatal("closing twice made two places")
	case <-time.After(50 * time.Millisecond):
	}
	first.Close()
	(<-fromUnix).Close()
	third.Close()
}

func TestLimitedListenerClosesWhileFull(t *testing.T) {
	ln := openLimited(t, NewLimit(1), "127.0.0.1:0")
	testkit.Dial(t, ln.Addr().String())
	conn := testkit.Must(ln.Accept())(t)
	defer conn.Close()
	waiting := testkit.Dial(t, ln.Addr().String())
	ended := make(chan error)
	go func() {
		_, err := ln.Accept()
		ended <- err
	}()
	time.AfterFunc(20*time.Millisecond, func() { ln.Close() })
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	waiting.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := waiting.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the one that waited was left open: %v", err)
	}
}

func TestLimitedConnectionsKeepTheirMethods(t *testing.T) {
	limit := NewLimit(9)
	for _, addr := range []string{"127.0.0.1:0", "unix:" + filepath.Join(t.TempDir(), "a.sock")} {
		ln := openLimited(t, limit, addr)
		client := testkit.Dial(t, ln.Addr().String())
		conn := testkit.Must(ln.Accept())(t)
		half, ok := conn.(interface {
			CloseWrite() error
			syscall.Conn
		})
		if !ok {
			t.Fatalf("%T lost a method", conn)
		}
		below, ok := netconn.As[*net.TCPConn](conn)
		if ok {
			_, reads := conn.(io.ReaderFrom)
			_, lingers := conn.(interface{ SetLinger(int) error })
			if !reads || !lingers {
				t.Error("a TCP connection lost a method")
			}
		}
		if ok && below.LocalAddr().String() != conn.LocalAddr().String() {
			t.Errorf("%v is inside", below.LocalAddr())
		}
		if _, isUnix := netconn.As[*net.UnixConn](conn); isUnix == ok {
			t.Error("what was accepted is not inside")
		}
		half.CloseWrite()
		if _, err := client.Read(make([]byte, 1)); err != io.EOF {
			t.Error(err)
		}
		conn.Close()
	}
	pipe, other := net.Pipe()
	defer other.Close()
	limit.places.tryAcquire()
	conn := counted(pipe, peer.Peer{}, limit.places)
	if conn.Close(); len(limit.places.taken) != 0 || conn.(*countedConn).NetConn() != pipe {
		t.Error("another kind of connection is not counted")
	}
}
