package frames

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/http2/hpack"
)

// HTTP converts an http.Handler to a [Server]'s Handler. The http.Handler gets its stream
// with [FromContext], and may act on it between its own writes.
//
// After the body's EOF, the request's Trailer has all fields that came, announced or not.
// An answer that fits into 4 KiB and was not flushed gets a Content-Length, every answer
// gets a Date; HTTP does not guess a Content-Type. The bytes between two flushes go out as
// one DATA frame, if they fit.
func HTTP(h http.Handler) func(*Stream) {
	return func(s *Stream) {
		r, err := newRequest(s)
		if err != nil {
			s.conn.server.refuse(s, http.StatusBadRequest)
			return
		}
		w := &response{stream: s, isHead: r.Method == http.MethodHead, header: http.Header{}}
		h.ServeHTTP(w, r)
		w.finish()
	}
}

func newRequest(s *Stream) (*http.Request, error) {
	pseudo, header := split(s.fields)
	r := &http.Request{
		Method:        pseudo[":method"],
		RequestURI:    pseudo[":path"],
		Host:          pseudo[":authority"],
		Proto:         "HTTP/2.0",
		ProtoMajor:    2,
		Header:        header,
		Body:          http.NoBody,
		ContentLength: s.length,
		RemoteAddr:    s.conn.nc.RemoteAddr().String(),
		TLS:           tlsState(s.conn),
	}
	if r.Host == "" {
		r.Host = header.Get("Host")
	}
	header.Del("Host") // as net/http has it
	if err := setURL(r); err != nil {
		return nil, err
	}
	r = r.WithContext(s.ctx)
	if s.bodyless {
		r.ContentLength = 0
		return r, nil
	}
	r.Trailer = announced(header)
	expects := httpguts.HeaderValuesContainsToken(header["Expect"], "100-continue")
	r.Body = &requestBody{stream: s, expects: expects, trailer: r.Trailer}
	return r, nil
}

func setURL(r *http.Request) (err error) {
	if r.Method == http.MethodConnect {
		r.URL, r.RequestURI = &url.URL{Host: r.Host}, r.Host
		return nil
	}
	r.URL, err = url.ParseRequestURI(r.RequestURI)
	return err
}

// split separates the pseudo-header fields, and joins the cookie crumbs (RFC 9113 section
// 8.2.3).
func split(fields []hpack.HeaderField) (pseudo map[string]string, header http.Header) {
	pseudo, header = map[string]string{}, http.Header{}
	for _, field := range fields {
		if field.IsPseudo() {
			pseudo[field.Name] = field.Value
		} else {
			header.Add(field.Name, field.Value)
		}
	}
	if crumbs := header["Cookie"]; len(crumbs) > 1 {
		header.Set("Cookie", strings.Join(crumbs, "; "))
	}
	return pseudo, header
}

// announced returns the trailer before it came: the names in the Trailer field.
func announced(header http.Header) http.Header {
	trailer := http.Header{}
	for _, list := range header["Trailer"] {
		for name := range strings.SplitSeq(list, ",") {
			if name = strings.TrimSpace(name); name != "" {
				trailer[http.CanonicalHeaderKey(name)] = nil
			}
		}
	}
	header.Del("Trailer")
	return trailer
}

func tlsState(c *Conn) *tls.ConnectionState {
	secure, ok := c.nc.(interface{ ConnectionState() tls.ConnectionState })
	if !ok {
		return nil
	}
	state := secure.ConnectionState()
	return &state
}

// A requestBody is a stream's body that behaves as in net/http.
type requestBody struct {
	stream  *Stream
	expects bool // the client waits for a 100 before it sends
	closed  atomic.Bool
	trailer http.Header
}

// Read sends the 100 Continue that a client waits for, and fills the trailer at EOF.
func (b *requestBody) Read(p []byte) (int, error) {
	if b.closed.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	if b.expects {
		b.expects = false
		b.stream.Head(http.StatusContinue, nil, false) // it fails if the answer has started, but then it is not needed
	}
	n, err := b.stream.Read(p)
	if err == io.EOF {
		for _, field := range b.stream.Trailer() {
			b.trailer.Add(field.Name, field.Value)
		}
		b.expects = false
	}
	return n, err
}

// Close makes further reads fail.
func (b *requestBody) Close() error {
	b.closed.Store(true)
	return nil
}
