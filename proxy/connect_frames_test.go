package proxy

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"

	"avsproxy/internal/testkit"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A frameClient speaks HTTP/2 frame by frame.
type frameClient struct {
	*http2.Framer
	t *testing.T
}

func frames(t *testing.T, conn net.Conn) *frameClient {
	t.Helper()
	io.WriteString(conn, http2.ClientPreface)
	c := &frameClient{http2.NewFramer(conn, conn), t}
	c.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.WriteSettings()
	c.WriteSettingsAck()
	return c
}

// open sends a head; fields are names and values in turn.
func (c *frameClient) open(id uint32, end bool, fields ...string) {
	c.t.Helper()
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for i := 0; i < len(fields); i += 2 {
		encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	testkit.NoError(c.t, c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: end}))
}

// next returns the next frame of the stream.
func (c *frameClient) next(id uint32) http2.Frame {
	c.t.Helper()
	for {
		frame := testkit.Must(c.ReadFrame())(c.t)
		if frame.Header().StreamID == id && frame.Header().Type != http2.FrameWindowUpdate {
			return frame
		}
	}
}

func (c *frameClient) status(id uint32) string {
	c.t.Helper()
	head, ok := c.next(id).(*http2.MetaHeadersFrame)
	if !ok {
		c.t.Fatal("no head")
	}
	return head.PseudoValue("status")
}

// RFC 9113 section 8.5: DATA both ways, END_STREAM for the target's end, and other
// streams of the connection go on beside it.
func TestFramesOfAnHTTP2Connect(t *testing.T) {
	f := forwarding(t, "tunnel", false)
	c := frames(t, testkit.Dial(t, f.addr))
	c.open(1, false, ":method", "CONNECT", ":authority", echo(t))
	if got := c.status(1); got != "200" {
		t.Fatal(got)
	}
	for _, text := range []string{"one", "two"} {
		c.WriteData(1, false, []byte(text))
		if data, ok := c.next(1).(*http2.DataFrame); !ok || string(data.Data()) != text || data.StreamEnded() {
			t.Fatalf("%v", data)
		}
	}
	c.open(3, true, ":method", "GET", ":scheme", "http", ":path", "/a", ":authority", "avs.example")
	if got := c.status(3); got != "200" {
		t.Error(got)
	}
	c.WriteData(1, true, nil)
	var rest []byte
	for {
		data, ok := c.next(1).(*http2.DataFrame)
		if !ok {
			t.Fatal("the stream was reset")
		}
		rest = append(rest, data.Data()...)
		if data.StreamEnded() {
			break
		}
	}
	if string(rest) != "goodbye" {
		t.Errorf("%q", rest)
	}
	c.open(5, false, ":method", "CONNECT", ":authority", "169.254.169.254:80")
	if got := c.status(5); got != "403" {
		t.Error(got)
	}
}

// A target that is cut is no target that ended well.
func TestCutTargetsResetTheStreamOfTheirConnect(t *testing.T) {
	ln := testkit.Listen(t)
	testkit.ServeConns(t, ln, func(conn net.Conn) {
		io.WriteString(conn, "half of it")
		io.ReadFull(conn, make([]byte, 1))
		conn.(*net.TCPConn).SetLinger(0) // Close is a RST
	})
	f := forwarding(t, "tunnel", false)
	c := frames(t, testkit.Dial(t, f.addr))
	c.open(1, false, ":method", "CONNECT", ":authority", ln.Addr().String())
	if got := c.status(1); got != "200" {
		t.Fatal(got)
	}
	if data, ok := c.next(1).(*http2.DataFrame); !ok || string(data.Data()) != "half of it" {
		t.Fatalf("%v", data)
	}
	c.WriteData(1, false, []byte("x"))
	if reset, ok := c.next(1).(*http2.RSTStreamFrame); !ok || reset.ErrCode != http2.ErrCodeInternal {
		t.Errorf("%v", reset)
	}
}

// Over HTTP/2 a request may have a Host besides its :authority, and servers differ
// about which one counts.
func TestC09_HostBesideAuthority(t *testing.T) {
	f := forwarding(t, "reject", false)
	raw, _ := connect1(t, f, "avs.example:443")
	conn := tls.Client(raw, &tls.Config{RootCAs: f.roots.Pool(), ServerName: "avs.example", NextProtos: []string{"h2"}})
	defer conn.Close()
	c := frames(t, conn)
	for i, step := range []struct{ host, want string }{{"avs.example", "200"}, {"evil.example", "421"}, {"localhost", "421"}} {
		id := uint32(2*i + 1)
		c.open(id, true, ":method", "GET", ":scheme", "https", ":path", "/a", ":authority", "avs.example", "host", step.host)
		if got := c.status(id); got != step.want {
			t.Errorf("%s: %s", step.host, got)
		}
	}
}

// A :path that names a host is no way to it.
func TestC09_AbsolutePathOverHTTP2(t *testing.T) {
	f := forwarding(t, "tunnel", false)
	reached := false
	host := testkit.Server(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	c := frames(t, testkit.Dial(t, f.addr))
	c.open(1, true, ":method", "GET", ":scheme", "http", ":path", host.URL+"/a", ":authority", "evil.example")
	switch frame := c.next(1).(type) {
	case *http2.RSTStreamFrame: // net/http itself will not have it
	case *http2.MetaHeadersFrame:
		if got := frame.PseudoValue("status"); got != "421" {
			t.Error(got)
		}
	}
	if reached {
		t.Error("the host was reached")
	}
}
