package app

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"avsproxy/internal/config"
	"avsproxy/internal/console"
	"avsproxy/internal/exchange"
	"avsproxy/internal/gate"
	"avsproxy/internal/h2"
	"avsproxy/internal/redact"
	"avsproxy/internal/terminal"
	"avsproxy/internal/upstream"
	"avsproxy/proxy"
	"avsproxy/tokens"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A memoryConn is a connection without a socket: what is written goes to taken, and what is
// read comes from the other side's channel.
type memoryConn struct {
	net.Conn
	in    chan []byte
	rest  []byte
	taken func(p []byte)
	end   chan struct{}
	once  sync.Once
}

func newMemoryConn() *memoryConn {
	return &memoryConn{in: make(chan []byte, 64), end: make(chan struct{})}
}

func (c *memoryConn) Read(p []byte) (int, error) {
	for len(c.rest) == 0 {
		select {
		case c.rest = <-c.in:
		case <-c.end:
			return 0, io.EOF
		}
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

func (c *memoryConn) Write(p []byte) (int, error)      { c.taken(p); return len(p), nil }
func (c *memoryConn) Close() error                     { c.once.Do(func() { close(c.end) }); return nil }
func (c *memoryConn) SetReadDeadline(time.Time) error  { return nil }
func (c *memoryConn) SetWriteDeadline(time.Time) error { return nil }
func (c *memoryConn) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }
func (c *memoryConn) RemoteAddr() net.Addr             { return c.LocalAddr() }

// eachFrame calls f for the frames in p.
func eachFrame(p []byte, f func(kind http2.FrameType, flags http2.Flags, stream uint32)) {
	for len(p) >= 9 {
		size := 9 + int(p[0])<<16 + int(p[1])<<8 + int(p[2])
		f(http2.FrameType(p[3]), http2.Flags(p[4]), binary.BigEndian.Uint32(p[5:]))
		p = p[min(size, len(p)):]
	}
}

// block is a block of fields without compression state.
func block(fields ...string) []byte {
	var out bytes.Buffer
	e := hpack.NewEncoder(&out)
	e.SetMaxDynamicTableSize(0)
	for i := 0; i < len(fields); i += 2 {
		_ = e.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return out.Bytes()
}

func appendFrame(out []byte, kind http2.FrameType, flags http2.Flags, stream uint32, payload []byte) []byte {
	n := len(payload)
	out = append(out, byte(n>>16), byte(n>>8), byte(n), byte(kind), byte(flags))
	out = binary.BigEndian.AppendUint32(out, stream)
	return append(out, payload...)
}

// BenchmarkRelay is what a small GET costs without sockets and TLS: both heads and the body
// are taken apart, judged, given a token and put together. With all features on, it is
// recorded, counted and logged as well.
func BenchmarkRelay(b *testing.B) {
	b.Run("all", func(b *testing.B) {
		recording := newCaptureObserver(config.Capture{Enabled: true, Body: 64 << 10, Total: 32 << 20}, func() []string { return nil })
		ui := terminal.New(io.Discard, func(string) string { return "" })
		benchmarkRelay(b, newObservers(ui, nil, console.NewMetrics(), recording, redact.NewLive(nil)).Observer)
	})
	b.Run("bare", func(b *testing.B) { benchmarkRelay(b, proxy.Observer{}) })
}

func benchmarkRelay(b *testing.B, observer proxy.Observer) {
	const batch = 80
	var group h2.Group
	origin := &url.URL{Scheme: "https", Host: "api.example.com"}
	conns := benchUpstream(b)
	up := upstream.New(upstream.Options{Origin: origin, Group: &group})
	up.UseConn(conns)
	defer up.Close()
	source := &tokens.Source{
		Name: "static", Kind: "static", Store: &tokens.MemoryStore{},
		Seed: func() (tokens.Grant, error) {
			return tokens.Grant{Kind: "static", Access: tokens.Secret(strings.Repeat("t", 1000))}, nil
		},
	}
	route := &proxy.Route{
		Policy: proxy.Policy{Name: "avs"}, Origin: origin, Credential: proxy.Credential{Source: source},
		Upstream: func() (upstream.Sender, exchange.Follower) { return up, nil },
	}
	table := &gate.Table{}
	if err := table.Add("avs"); err != nil {
		b.Fatal(err)
	}
	h := &proxy.Handler{Rules: gate.Rules{Host: table.Knows}, Table: table, Observer: observer, Routes: []*proxy.Route{route.Start()}}
	client := newMemoryConn()
	answered := make(chan int, 1024)
	client.taken = func(p []byte) {
		n := 0
		eachFrame(p, func(kind http2.FrameType, flags http2.Flags, stream uint32) {
			if stream > 0 && flags.Has(http2.FlagDataEndStream) && (kind == http2.FrameData || kind == http2.FrameHeaders) {
				n++
			}
		})
		answered <- n
	}
	bridge := &h2.Bridge{Handler: h}
	session := group.Server(client, h2.Config{Accept: h.Acceptor(&exchange.Conn{Listener: exchange.Listener{Host: "127.0.0.1", Port: "80"}}, bridge), MaxStreams: 250})
	go session.Serve()
	defer session.Close()
	client.in <- appendFrame([]byte(http2.ClientPreface), http2.FrameSettings, 0, 0, nil)
	head := block(":method", "GET", ":scheme", "http", ":authority", "localhost", ":path", "/small", "user-agent", "bench/1.0", "accept", "*/*")
	stream := uint32(1)
	send := func(n int) {
		var p []byte
		for range n {
			p = appendFrame(p, http2.FrameHeaders, http2.FlagHeadersEndHeaders|http2.FlagHeadersEndStream, stream, head)
			stream += 2
		}
		p = appendFrame(p, http2.FrameWindowUpdate, 0, 0, []byte{0, 0, 16, 0})
		client.in <- p
		for n > 0 {
			n -= <-answered
		}
	}
	send(1) // connects
	b.ReportAllocs()
	b.ResetTimer()
	for done := 0; done < b.N; done += batch {
		send(batch)
	}
}

// benchUpstream answers each request with a head and 13 bytes.
func benchUpstream(b *testing.B) *memoryConn {
	conn := newMemoryConn()
	conn.in <- appendFrame(nil, http2.FrameSettings, 0, 0, nil)
	head := block(":status", "200", "content-type", "text/plain", "content-length", "13")
	conn.taken = func(p []byte) {
		p = bytes.TrimPrefix(p, []byte(http2.ClientPreface))
		var out []byte
		eachFrame(p, func(kind http2.FrameType, flags http2.Flags, stream uint32) {
			if kind == http2.FrameHeaders {
				out = appendFrame(out, http2.FrameHeaders, http2.FlagHeadersEndHeaders, stream, head)
				out = appendFrame(out, http2.FrameData, http2.FlagDataEndStream, stream, []byte("hello, world\n"))
			}
		})
		if len(out) > 0 {
			conn.in <- out
		}
	}
	return conn
}
