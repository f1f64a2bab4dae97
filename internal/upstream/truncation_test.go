package upstream

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"
)

func TestEndsBelowTLSAreNoted(t *testing.T) {
	for name, c := range map[string]struct {
		reader io.Reader
		ended  bool
	}{
		"bytes, then the end": {strings.NewReader("x"), true},
		"bytes with the end":  {iotest.DataErrReader(bytes.NewReader([]byte("x"))), false}, // as TLS within TLS has it
		"cut otherwise":       {iotest.ErrReader(io.ErrClosedPipe), false},
	} {
		conn := &eofConn{Conn: readerConn{reader: c.reader}}
		buffer := make([]byte, 8)
		for {
			if _, err := conn.Read(buffer); err != nil {
				break
			}
		}
		if conn.ended.Load() != c.ended {
			t.Errorf("%s: ended = %v", name, !c.ended)
		}
	}
}

type readerConn struct {
	net.Conn
	reader io.Reader
}

func (c readerConn) Read(p []byte) (int, error) { return c.reader.Read(p) }
