//go:build unix

package netconn

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"path/filepath"
	"testing"

	"avsproxy/internal/testkit"
)

// A full socket takes no more, and what it took comes once.
func TestWriteNowTakesWhatThereIsRoomFor(t *testing.T) {
	for name, pair := range map[string]func(*testing.T) (net.Conn, net.Conn){"tcp": tcpPair, "unix": unixPair} {
		t.Run(name, func(t *testing.T) {
			near, far := pair(t)
			write := WriteNowOf(Prepend(near, nil))
			all := bytes.Repeat([]byte("0123456789"), 1<<20)
			sent := 0
			for sent < len(all) {
				n, err := write(all[sent:min(sent+100_000, len(all))])
				if sent += n; err == ErrFull {
					break
				}
				testkit.NoError(t, err)
			}
			if n, err := write(all[sent:]); n != 0 || err != ErrFull || sent == len(all) {
				t.Errorf("%d of %d bytes, then %d, %v", sent, len(all), n, err)
			}
			near.Close()
			if got := testkit.Must(io.ReadAll(far))(t); !bytes.Equal(got, all[:sent]) {
				t.Errorf("%d of %d bytes came, or others", len(got), sent)
			}
			if _, err := write(all); !errors.Is(err, net.ErrClosed) {
				t.Errorf("on a closed connection: %v", err)
			}
		})
	}
}

// What changes what is written has no such way of its own accord.
func TestWriteNowDoesNotGoRoundTLS(t *testing.T) {
	near, _ := tcpPair(t)
	if WriteNowOf(tls.Client(near, &tls.Config{})) != nil {
		t.Error("it writes below TLS")
	}
	pipe, other := net.Pipe()
	defer other.Close()
	if WriteNowOf(pipe) != nil {
		t.Error("a pipe has no socket")
	}
}

func unixPair(t *testing.T) (server, client net.Conn) {
	t.Helper()
	ln := testkit.Must(net.Listen("unix", filepath.Join(t.TempDir(), "s")))(t)
	defer ln.Close()
	client = testkit.Must(net.Dial("unix", ln.Addr().String()))(t)
	server = testkit.Must(ln.Accept())(t)
	t.Cleanup(func() { server.Close(); client.Close() })
	return server, client
}
