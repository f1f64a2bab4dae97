package peer

import (
	"crypto/tls"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"avsproxy/internal/testkit"

	"golang.org/x/sys/unix"
)

const stranger = 12345 // nobody has to have this uid

// as runs f on a thread of another effective user, which is whose the sockets are
// that f makes.
func as(t *testing.T, uid int, f func()) {
	t.Helper()
	testkit.NeedRoot(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	become(t, uid)
	defer become(t, 0)
	f()
}

// become is for this thread alone, which package syscall cannot do.
func become(t *testing.T, uid int) {
	t.Helper()
	const keep = ^uintptr(0)
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, keep, uintptr(uid), keep); errno != 0 {
		t.Fatal(errno)
	}
}

// A pair is the two ends of a connection.
type pair struct{ client, server net.Conn }

func listen(t testing.TB, network, addr string) net.Listener {
	t.Helper()
	ln, err := net.Listen(network, addr)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

// dial connects in the thread of its caller.
func dial(t testing.TB, network, addr string, from net.Addr) net.Conn {
	t.Helper()
	reuse := func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) })
	}
	client := testkit.Must((&net.Dialer{LocalAddr: from, Control: reuse}).Dial(network, addr))(t)
	t.Cleanup(func() { client.Close() })
	return client
}

func accept(t testing.TB, ln net.Listener) net.Conn {
	t.Helper()
	server := testkit.Must(ln.Accept())(t)
	t.Cleanup(func() { server.Close() })
	return server
}

func connect(t testing.TB, ln net.Listener, network, addr string) pair {
	t.Helper()
	client := dial(t, network, addr, nil)
	return pair{client, accept(t, ln)}
}

// ways are the kinds of local connections: how to listen, and what clients dial.
func ways(t testing.TB) map[string]func() (ln net.Listener, network, addr string) {
	tcp := func(network, addr, host string) func() (net.Listener, string, string) {
		return func() (net.Listener, string, string) {
			ln := listen(t, network, addr)
			_, port, _ := net.SplitHostPort(ln.Addr().String())
			return ln, "tcp", net.JoinHostPort(host, port)
		}
	}
	return map[string]func() (net.Listener, string, string){
		"IPv4":                  tcp("tcp4", "127.0.0.1:0", "127.0.0.1"),
		"IPv6":                  tcp("tcp6", "[::1]:0", "::1"),
		"IPv4 on a dual socket": tcp("tcp", "[::]:0", "127.0.0.1"),
		"unix": func() (net.Listener, string, string) {
			path := filepath.Join(t.TempDir(), "s")
			return listen(t, "unix", path), "unix", path
		},
	}
}

func TestC04_PeersAreKnownByTheirUser(t *testing.T) {
	for name, open := range ways(t) {
		t.Run(name, func(t *testing.T) {
			ln, network, addr := open()
			way := Loopback
			if network == "unix" {
				way = Socket
			}
			own := connect(t, ln, network, addr)
			if got, want := Of(own.server), (Peer{way, unix.Geteuid(), true}); got != want {
				t.Errorf("own connection: %+v", got)
			}
			if network == "unix" {
				allowAll(t, addr)
			}
			as(t, stranger, func() {
				p := connect(t, ln, network, addr)
				if got, want := Of(p.server), (Peer{way, stranger, true}); got != want {
					t.Errorf("a stranger's connection: %+v", got)
				}
			})
		})
	}
}

// allowAll lets other users reach a socket, as an administrator may have done.
func allowAll(t *testing.T, path string) {
	t.Helper()
	for dir := filepath.Dir(path); dir != "/" && dir != "/tmp"; dir = filepath.Dir(dir) {
		unix.Chmod(dir, 0o755)
	}
	testkit.NoError(t, unix.Chmod(path, 0o777))
}

// A client may have a dual-stack socket of its own: its addresses are mapped then.
func TestC04_MappedClientsAreKnown(t *testing.T) {
	ln := listen(t, "tcp4", "127.0.0.1:0")
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Skip(err)
	}
	defer unix.Close(fd)
	mapped := unix.SockaddrInet6{Port: ln.Addr().(*net.TCPAddr).Port}
	copy(mapped.Addr[:], net.IPv4(127, 0, 0, 1).To16())
	testkit.NoError(t, unix.Connect(fd, &mapped))
	if got := Of(accept(t, ln)); got != (Peer{Loopback, unix.Geteuid(), true}) {
		t.Errorf("%+v", got)
	}
}

// The kernel gives uid 0 for sockets that nobody holds any more.
func TestC04_ClosedPeersAreUnknown(t *testing.T) {
	for name, end := range map[string]func(*net.TCPConn){
		"closed": func(c *net.TCPConn) { c.Close() },
		"reset":  func(c *net.TCPConn) { c.SetLinger(0); c.Close() },
	} {
		for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
			t.Run(name+" "+addr, func(t *testing.T) {
				ln := listen(t, "tcp", addr)
				p := connect(t, ln, "tcp", ln.Addr().String())
				io.WriteString(p.client, "GET / HTTP/1.0\r\n\r\n")
				end(p.client.(*net.TCPConn))
				if got := Of(p.server); got != (Peer{Transport: Loopback}) {
					t.Errorf("%+v", got)
				}
			})
		}
	}
}

// A connection of which only one direction has ended is still its user's.
func TestHalfClosedPeersAreKnown(t *testing.T) {
	ln := listen(t, "tcp", "127.0.0.1:0")
	p := connect(t, ln, "tcp", ln.Addr().String())
	p.client.(*net.TCPConn).CloseWrite()
	if got := Of(p.server); !got.Known {
		t.Errorf("%+v", got)
	}
}

// A stranger sends a request and breaks off; then a client of ours gets the same
// port. What the stranger sent can still be read, and must not pass for ours.
func TestC04_NobodyInheritsAPort(t *testing.T) {
	ln := listen(t, "tcp", "127.0.0.1:0")
	// An address of its own: on the usual one the port may be taken by what old connections left behind.
	own := &net.TCPAddr{IP: net.IPv4(127, 0, byte(rand.IntN(256)), byte(1+rand.IntN(254)))}
	first := dial(t, "tcp", ln.Addr().String(), own).(*net.TCPConn)
	io.WriteString(first, "POST /spend HTTP/1.0\r\n\r\n")
	port := first.LocalAddr()
	old := accept(t, ln)
	first.SetLinger(0)
	first.Close()
	dial(t, "tcp", ln.Addr().String(), port)
	second := accept(t, ln)
	if found, err := lookUp(addrPort(old.RemoteAddr()), addrPort(old.LocalAddr())); err != nil || found.inode == 0 {
		t.Fatalf("the second client is not there: %+v, %v", found, err)
	}
	if got := Of(old); got.Known {
		t.Errorf("the first client passes for the second: %+v", got)
	}
	if got := Of(second); !got.Known {
		t.Errorf("the second client: %+v", got)
	}
}

// The way is decided by our address: a program may choose its own among all that
// the machine has.
func TestC04_SourceAddressDoesNotChangeTheUser(t *testing.T) {
	from := outerAddress(t)
	ln := listen(t, "tcp", "127.0.0.1:0")
	client := dial(t, "tcp", ln.Addr().String(), &net.TCPAddr{IP: from})
	if got := Of(accept(t, ln)); got != (Peer{Loopback, unix.Geteuid(), true}) {
		t.Errorf("from %s: %+v", client.LocalAddr(), got)
	}
	wide := listen(t, "tcp", net.JoinHostPort(from.String(), "0"))
	if got := connect(t, wide, "tcp", wide.Addr().String()); Of(got.server) != (Peer{Transport: Network}) {
		t.Errorf("at %s: %+v", wide.Addr(), Of(got.server))
	}
}

func outerAddress(t *testing.T) net.IP {
	t.Helper()
	addrs := testkit.Must(net.InterfaceAddrs())(t)
	for _, addr := range addrs {
		if ip, ok := addr.(*net.IPNet); ok && ip.IP.To4() != nil && !ip.IP.IsLoopback() {
			return ip.IP
		}
	}
	t.Skip("this machine has no address but loopback")
	return nil
}

func TestWrappedConnectionsAreUnwrapped(t *testing.T) {
	ln := listen(t, "tcp", "127.0.0.1:0")
	p := connect(t, ln, "tcp", ln.Addr().String())
	if got := Of(tls.Server(wrapped{p.server}, nil)); !got.Known {
		t.Errorf("%+v", got)
	}
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	if got := Of(server); got != (Peer{}) {
		t.Errorf("a pipe: %+v", got)
	}
}

type wrapped struct{ net.Conn }

func (w wrapped) NetConn() net.Conn { return w.Conn }

func TestThisSystemIsSupported(t *testing.T) {
	users := LocalUsers()
	if users.TCP != nil || users.Unix != nil {
		t.Error(users.TCP, users.Unix)
	}
}

func BenchmarkOf(b *testing.B) {
	for name, open := range ways(b) {
		b.Run(name, func(b *testing.B) {
			ln, network, addr := open()
			p := connect(b, ln, network, addr)
			for b.Loop() {
				if !Of(p.server).Known {
					b.Fatal("unknown")
				}
			}
		})
	}
}

// Where there is no connection the kernel answers about a listener, whose owner
// has nothing to do with it.
func TestC04_AListenerIsNobodysPeer(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		ln := listen(t, "tcp", addr)
		own := addrPort(ln.Addr())
		if found, err := lookUp(own, netip.AddrPortFrom(own.Addr(), 1)); err == nil {
			t.Errorf("%s: %+v", addr, found)
		}
	}
}

// Go listens for Multipath TCP where the kernel has it; a client's socket then is
// one that holds the TCP socket.
func TestC04_MultipathClientsAreKnown(t *testing.T) {
	ln := listen(t, "tcp", "127.0.0.1:0")
	dialer := net.Dialer{}
	dialer.SetMultipathTCP(true)
	as(t, stranger, func() {
		client := testkit.Must(dialer.Dial("tcp", ln.Addr().String()))(t)
		defer client.Close()
		multipath, err := client.(*net.TCPConn).MultipathTCP()
		t.Log("multipath:", multipath, err)
		if got := Of(accept(t, ln)); got != (Peer{Loopback, stranger, true}) {
			t.Errorf("%+v", got)
		}
	})
}
