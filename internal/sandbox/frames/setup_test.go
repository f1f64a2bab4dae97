package frames

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"avsproxy/internal/testkit"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// patience is what a test waits for something that must happen.
const patience = 30 * time.Second

var authority = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotAfter:     time.Now().Add(time.Hour),
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	leaf, _ := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
})

func trust() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(authority().Leaf)
	return &tls.Config{RootCAs: pool, NextProtos: []string{"h2"}, ServerName: "localhost"}
}

// serveTLS serves on a port of its own until the test ends, and returns the
// address.
func serveTLS(t *testing.T, s *Server) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	config := &tls.Config{Certificates: []tls.Certificate{authority()}, NextProtos: []string{"h2"}}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { serveOne(ctx, s, tls.Server(nc, config)) })
		}
	})
	t.Cleanup(func() { cancel(); l.Close(); serving.Wait() })
	return l.Addr().String()
}

func serveOne(ctx context.Context, s *Server, nc *tls.Conn) {
	if err := nc.HandshakeContext(ctx); err != nil {
		nc.Close()
		return
	}
	s.ServeConn(ctx, nc)
}

func serveHTTP(t *testing.T, h http.HandlerFunc) (url string) {
	t.Helper()
	return "https://" + serveTLS(t, &Server{Handler: HTTP(h)})
}

func newClient(t *testing.T) *http.Client {
	transport := &http.Transport{TLSClientConfig: trust(), ForceAttemptHTTP2: true, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

func get(t *testing.T, c *http.Client, url string) (*http.Response, string) {
	t.Helper()
	answer, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(text)
}

// A raw client speaks in frames.
type raw struct {
	*http2.Framer
	t       *testing.T
	nc      net.Conn
	block   bytes.Buffer
	encoder *hpack.Encoder
}

func newRaw(t *testing.T, nc net.Conn) *raw {
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(patience))
	r := &raw{Framer: http2.NewFramer(nc, nc), t: t, nc: nc}
	r.AllowIllegalWrites = true
	r.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	r.encoder = hpack.NewEncoder(&r.block)
	return r
}

// dial greets a server over TLS.
func dial(t *testing.T, s *Server, settings ...http2.Setting) *raw {
	t.Helper()
	nc, err := tls.Dial("tcp", serveTLS(t, s), trust())
	if err != nil {
		t.Fatal(err)
	}
	r := newRaw(t, nc)
	r.sendPreface(settings...)
	return r
}

// pipe gives the server one end of a pipe, and returns the other with a function
// that waits for the server.
func pipe(t *testing.T, ctx context.Context, s *Server) (client net.Conn, wait func()) {
	client, server := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.ServeConn(ctx, server)
	}()
	t.Cleanup(func() { client.Close(); <-done })
	return client, func() { <-done }
}

func (r *raw) sendPreface(settings ...http2.Setting) {
	r.t.Helper()
	io.WriteString(r.nc, http2.ClientPreface)
	r.WriteSettings(settings...)
	if f := r.any(); f.Header().Type != http2.FrameSettings {
		r.t.Fatalf("first frame %v", f)
	}
	r.WriteSettingsAck()
}

func (r *raw) encode(pairs ...string) []byte {
	r.block.Reset()
	for i := 0; i < len(pairs); i += 2 {
		r.encoder.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
	}
	return r.block.Bytes()
}

// request opens a stream, with further fields as pairs.
func (r *raw) request(id uint32, end bool, pairs ...string) {
	r.t.Helper()
	all := append([]string{":method", "POST", ":scheme", "https", ":path", "/", ":authority", "localhost"}, pairs...)
	r.fields(id, end, all...)
}

func (r *raw) fields(id uint32, end bool, pairs ...string) {
	r.t.Helper()
	err := r.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: r.encode(pairs...), EndStream: end, EndHeaders: true})
	if err != nil {
		r.t.Fatal(err)
	}
}

// any returns the next frame.
func (r *raw) any() http2.Frame {
	r.t.Helper()
	f, err := r.ReadFrame()
	if err != nil {
		r.t.Fatal(err)
	}
	return f
}

// next returns the next frame that is not about settings or windows.
func (r *raw) next() http2.Frame {
	r.t.Helper()
	for {
		f := r.any()
		switch f.Header().Type {
		case http2.FrameSettings, http2.FrameWindowUpdate:
		default:
			return f
		}
	}
}

// expect skips the frames before one of type F.
func expect[F http2.Frame](r *raw) F {
	r.t.Helper()
	for {
		if f, ok := r.any().(F); ok {
			return f
		}
	}
}

func (r *raw) wantReset(id uint32, code http2.ErrCode) {
	r.t.Helper()
	if f := expect[*http2.RSTStreamFrame](r); f.StreamID != id || f.ErrCode != code {
		r.t.Errorf("got %v %v, want stream %d %v", f, f.ErrCode, id, code)
	}
}

// wantGoAway wants also the connection to end after it.
func (r *raw) wantGoAway(code http2.ErrCode) *http2.GoAwayFrame {
	r.t.Helper()
	f := expect[*http2.GoAwayFrame](r)
	if f.ErrCode != code {
		r.t.Errorf("GOAWAY %v, want %v", f.ErrCode, code)
	}
	if next, err := r.ReadFrame(); err == nil {
		r.t.Errorf("after GOAWAY: %v", next)
	}
	return f
}

func (r *raw) wantStatus(id uint32, status string) {
	r.t.Helper()
	if f := expect[*http2.MetaHeadersFrame](r); f.StreamID != id || f.PseudoValue("status") != status {
		r.t.Errorf("stream %d: status %q, want stream %d: %q", f.StreamID, f.PseudoValue("status"), id, status)
	}
}

// wantAlive wants nothing but the answer to a PING.
func (r *raw) wantAlive() {
	r.t.Helper()
	r.WritePing(false, [8]byte{1})
	if f, ok := r.next().(*http2.PingFrame); !ok || !f.IsAck() || f.Data != [8]byte{1} {
		r.t.Errorf("got %v, want the answer to a ping", f)
	}
}
