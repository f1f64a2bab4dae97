package h1

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// FuzzRequests has the bytes of a connection read by us and by the judges: what we take, all of
// them take alike.
func FuzzRequests(f *testing.F) {
	for _, texts := range []map[string]string{ambiguous, badChunks} {
		for _, text := range texts {
			if !strings.Contains(text, " HTTP/") {
				text = post("Transfer-Encoding: chunked\r\n", text)
			}
			f.Add([]byte(text))
		}
	}
	for _, c := range fine {
		f.Add([]byte(c.text))
	}
	var llhttp judge
	if _, err := exec.LookPath("node"); err == nil {
		llhttp = newNode(f)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		own := readInMemory(text)
		if text := differ(own, readStandard(text)); text != "" {
			t.Errorf("net/http: %s", text)
		}
		if llhttp == nil || len(own) == 0 {
			return
		}
		if text := differ(own, llhttp.read(t, string(text)).requests); text != "" {
			t.Errorf("llhttp: %s", text)
		}
	})
}

// The bytes of a connection mean the same however they come.
func FuzzPieces(f *testing.F) {
	for _, c := range fine {
		f.Add([]byte(c.text), 1)
		f.Add([]byte(c.text), 7)
	}
	for _, text := range ambiguous {
		f.Add([]byte(text), 3)
	}
	f.Fuzz(func(t *testing.T, text []byte, size int) {
		if size < 1 || size > 1000 || len(text) > 10_000 {
			return
		}
		whole := readInMemory(text)
		pieces := readConn(&memoryConn{rest: bytes.Clone(text), piece: size})
		if text := differ(whole, pieces); text != "" || len(whole) != len(pieces) {
			t.Errorf("%+v at once, %+v in pieces of %d", whole, pieces, size)
		}
	})
}

func readInMemory(text []byte) []seen { return readConn(&memoryConn{rest: bytes.Clone(text)}) }

func readConn(conn *memoryConn) []seen {
	n := &notes{}
	serveOurs(conn, n)
	return n.taken()
}

// readStandard reads as net/http does, without its server.
func readStandard(text []byte) (all []seen) {
	in := bufio.NewReader(bytes.NewReader(text))
	for {
		for len(all) > 0 { // its server drops those behind a request
			if c, _ := in.Peek(1); len(c) == 0 || c[0] != '\r' && c[0] != '\n' {
				break
			}
			in.Discard(1)
		}
		r, err := http.ReadRequest(in)
		if err != nil {
			return all
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return all
		}
		all = append(all, seen{r.Method, r.RequestURI, string(body)})
	}
}

// A memoryConn has the bytes of a client that sends them and no more.
type memoryConn struct {
	mu     sync.Mutex
	rest   []byte
	piece  int // bytes that a Read returns; 0 = all
	closed bool
}

func (c *memoryConn) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.rest) == 0 || c.closed {
		return 0, io.EOF
	}
	n := min(len(p), len(c.rest))
	if c.piece > 0 {
		n = min(n, c.piece)
	}
	copy(p, c.rest[:n])
	c.rest = c.rest[n:]
	return n, nil
}

func (c *memoryConn) Write(p []byte) (int, error) { return len(p), nil }

func (c *memoryConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	return nil
}

func (c *memoryConn) CloseWrite() error                { return nil }
func (c *memoryConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *memoryConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *memoryConn) SetDeadline(time.Time) error      { return nil }
func (c *memoryConn) SetReadDeadline(time.Time) error  { return nil }
func (c *memoryConn) SetWriteDeadline(time.Time) error { return nil }
