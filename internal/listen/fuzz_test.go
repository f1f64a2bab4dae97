package listen

import (
	"bytes"
	"crypto/tls"
	"io"
	"testing"
	"time"

	"avsproxy/internal/testkit"
)

// Whatever the first bytes are and however they are cut, none is lost, and TLS is
// what starts with 0x16 and nothing else.
func FuzzSniff(f *testing.F) {
	for _, seed := range []string{
		"GET / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "CONNECT a:1 HTTP/1.0\r\n\r\n", "\x16\x03\x01\x00\x05hello", "\x16", "\x15\x03\x03", "\x80\x2e\x01\x00\x02", "\x00", "\r\nGET", " \x16", "\x05\x01\x00",
	} {
		f.Add([]byte(seed), 1)
	}
	f.Fuzz(func(t *testing.T, sent []byte, cut int) {
		if len(sent) == 0 {
			return
		}
		pipes := testkit.NewPipeListener()
		ln := Sniff(pipes, &tls.Config{}, time.Minute)
		defer ln.Close()
		client := pipes.Dial()
		cut = max(0, min(cut, len(sent)))
		go func() {
			defer client.Close()
			client.Write(sent[:cut])
			client.Write(sent[cut:])
		}()
		conn := testkit.Must(ln.Accept())(t)
		defer conn.Close()
		secure, isTLS := conn.(*tls.Conn)
		if isTLS != (sent[0] == 0x16) {
			t.Fatalf("%q became a %T", sent, conn)
		}
		if isTLS {
			conn = secure.NetConn() // what the handshake will read
		}
		if got, err := io.ReadAll(conn); err != nil || !bytes.Equal(got, sent) {
			t.Fatalf("%q was sent, %q was read, %v", sent, got, err)
		}
	})
}
