package upstream

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"testing"

	"avsproxy/internal/netconn"
	"avsproxy/internal/testkit"
)

// Records that had no room go out before what is written next.
func TestRecordsOfTLSWithoutRoom(t *testing.T) {
	ln := testkit.Listen(t)
	server, client := testkit.TLSConfigs(t)
	got := make(chan []byte, 1)
	begin := make(chan struct{})
	go func() {
		conn := tls.Server(testkit.Must(ln.Accept())(t), server)
		testkit.NoError(t, conn.Handshake())
		<-begin
		all, _ := io.ReadAll(conn)
		got <- all
	}()
	raw := testkit.Must(net.Dial("tcp", ln.Addr().String()))(t)
	conn := newTLSConn(tls.Client(&gatherConn{Conn: raw, now: netconn.WriteNowOf(raw)}, client))
	testkit.NoError(t, conn.Handshake())
	write, want := conn.WriteNow(), []byte{}
	piece := bytes.Repeat([]byte("0123456789abcdef"), 4<<10)
	for {
		n, err := write(piece)
		want = append(want, piece[:n]...)
		if err == netconn.ErrFull {
			break
		}
		testkit.NoError(t, err)
	}
	close(begin)
	for _, rest := range []string{"", "the rest"} { // nothing has its records go out, too
		testkit.Must(conn.Write([]byte(rest)))(t)
		want = append(want, rest...)
	}
	testkit.NoError(t, conn.Close())
	if all := <-got; !bytes.Equal(all, want) {
		t.Errorf("%d of %d bytes came, or others", len(all), len(want))
	}
}

// TLS over something that has no socket is not written to without waiting.
func TestRecordsOfTLSOverTLS(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	if newTLSConn(tls.Client(&gatherConn{Conn: near}, &tls.Config{})).WriteNow() != nil {
		t.Error("it does not know when that waits")
	}
}
