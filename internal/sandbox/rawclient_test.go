package sandbox

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A raw client speaks to AVS in frames.
type raw struct {
	*http2.Framer
	t       *testing.T
	nc      net.Conn
	host    string
	block   bytes.Buffer
	encoder *hpack.Encoder
}

func dial(t *testing.T, s *Sandbox) *raw {
	t.Helper()
	host := strings.TrimPrefix(s.AVS(), "https://")
	nc, err := tls.Dial("tcp", host, &tls.Config{RootCAs: s.Pool(), NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	nc.SetDeadline(time.Now().Add(time.Minute))
	return speak(t, nc, host)
}

// speak greets a server.
func speak(t *testing.T, nc net.Conn, host string) *raw {
	t.Cleanup(func() { nc.Close() })
	r := &raw{Framer: http2.NewFramer(nc, nc), t: t, nc: nc, host: host}
	r.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	r.encoder = hpack.NewEncoder(&r.block)
	io.WriteString(nc, http2.ClientPreface)
	r.WriteSettings()
	return r
}

// get asks for a path on a stream of its own.
func (r *raw) get(id uint32, path, token string) {
	r.t.Helper()
	r.block.Reset()
	for _, field := range [][2]string{
		{":method", "GET"}, {":scheme", "https"}, {":authority", r.host}, {":path", path}, {"authorization", "Bearer " + token},
	} {
		r.encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}
	block, most := r.block.Bytes(), 16<<10
	first := block[:min(len(block), most)]
	err := r.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: first, EndHeaders: len(block) <= most, EndStream: true})
	for rest := block[len(first):]; len(rest) > 0 && err == nil; {
		next := rest[:min(len(rest), most)]
		rest = rest[len(next):]
		err = r.WriteContinuation(id, len(rest) == 0, next)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// expect skips the frames before one of type F.
func expect[F http2.Frame](r *raw) F {
	r.t.Helper()
	for {
		f, err := r.ReadFrame()
		if err != nil {
			r.t.Fatal(err)
		}
		if f, ok := f.(F); ok {
			return f
		}
	}
}

func (r *raw) wantStatus(id uint32, status string) {
	r.t.Helper()
	if f := expect[*http2.MetaHeadersFrame](r); f.StreamID != id || f.PseudoValue("status") != status {
		r.t.Errorf("stream %d: status %q, want stream %d: %q", f.StreamID, f.PseudoValue("status"), id, status)
	}
}

// wantMarked wants also what every answer of a sandbox has.
func (r *raw) wantMarked(id uint32, status string) {
	r.t.Helper()
	f := expect[*http2.MetaHeadersFrame](r)
	fields := map[string]string{}
	for _, field := range f.Fields {
		fields[field.Name] = field.Value
	}
	if f.StreamID != id || fields[":status"] != status || fields["x-amzn-requestid"] == "" || fields["x-avsproxy-sandbox"] != "1" {
		r.t.Errorf("stream %d: %v, want stream %d: %s", f.StreamID, fields, id, status)
	}
}

// wantEnd wants no frame but those of streams that were open.
func (r *raw) wantEnd() {
	r.t.Helper()
	for {
		f, err := r.ReadFrame()
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
			r.t.Error("the connection did not end")
		}
		if err != nil {
			return
		}
		if f.Header().Type == http2.FrameHeaders {
			r.t.Errorf("got %v", f)
		}
	}
}

// wantSilence wants nothing to come for a while, after frames about settings and
// windows.
func (r *raw) wantSilence() {
	r.t.Helper()
	r.nc.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	for {
		f, err := r.ReadFrame()
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
			return
		}
		if err != nil {
			r.t.Fatal(err)
		}
		switch f.Header().Type {
		case http2.FrameSettings, http2.FrameWindowUpdate:
		default:
			r.t.Errorf("got %v", f)
		}
	}
}
