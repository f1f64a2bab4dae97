package proxy

import (
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"sync"

	"avsproxy/internal/exchange"
	"avsproxy/internal/h2"
	"avsproxy/internal/httpexchange"
	"avsproxy/internal/upstream"
)

// copyBuffer is how much of a body is copied at once, and so what one direction
// of a busy exchange holds in memory.
const copyBuffer = 32 << 10

// A forwarder is how requests are relayed by net/http: both bodies flow at the same time and every
// chunk is flushed as it comes; trailers and 1xx answers pass; redirects are the client's to follow.
// Hop-by-hop fields end here (RFC 9110 section 7.6.1).
type forwarder struct {
	rewrite  func(*httputil.ProxyRequest)
	send     func(*exchange.Exchange, *http.Request, *begun) (*http.Response, error)
	fail     func(http.ResponseWriter, *http.Request, *exchange.Exchange, error)
	errorLog *log.Logger
	buffers  bufferPool
}

// A relay is an exchange that is relayed. It is the [http.RoundTripper] of its own
// httputil.ReverseProxy, and so needs no context to be found in.
type relay struct {
	*exchange.Exchange
	by     *forwarder
	answer *responseWriter
	begun  *begun // what was done of it before; nil = nothing
}

// RoundTrip implements [http.RoundTripper].
func (to relay) RoundTrip(req *http.Request) (*http.Response, error) {
	return to.by.send(to.Exchange, req, to.begun)
}

func (to relay) serve(r *http.Request) {
	reverse := httputil.ReverseProxy{
		Rewrite:        to.by.rewrite,
		Transport:      to,
		FlushInterval:  -1,
		ErrorHandler:   func(w http.ResponseWriter, r *http.Request, err error) { to.by.fail(w, r, to.Exchange, err) },
		ErrorLog:       to.by.errorLog,
		BufferPool:     &to.by.buffers,
		ModifyResponse: to.receive,
	}
	reverse.ServeHTTP(to.answer, r)
}

// forward has an exchange relayed, of which something may have been done before. strip names what is no trailer of the request; adapt
// changes the heads of the answers.
func (by *forwarder) forward(w *responseWriter, r *http.Request, x *exchange.Exchange, before *begun, strip []string, adapt func(http.Header)) {
	if r.ProtoMajor == 1 {
		// Without it net/http reads the rest of an upload before it lets an answer
		// out. The only error is ErrNotSupported; then half-duplex remains.
		_ = http.NewResponseController(w).EnableFullDuplex()
	}
	if body, ok := r.Body.(*requestBody); ok {
		body.strip = strip
	}
	if !r.ProtoAtLeast(1, 1) && !h2.Serves(w) {
		defer abortResponse(w)
	}
	w.relay(adapt)
	relay{x, by, w, before}.serve(r)
}

// receive prepares an upstream's answer for its client.
func (to relay) receive(resp *http.Response) error {
	to.holdAnswer(resp)
	to.answer.adapt(resp.Header)
	to.Note(func(f *exchange.Facts) { f.Upstream.Proto = resp.Proto })
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return to.switchProtocols(resp)
	}
	if resp.Body == http.NoBody {
		resp.Trailer = nil // whatever was announced: announced again, it would keep the stream open
		to.answer.last.Store(true)
	}
	if client := resp.Request; len(resp.Trailer) > 0 && client.ProtoMajor == 1 && client.Method != http.MethodHead {
		resp.Header.Del("Content-Length") // HTTP/1.1 has trailers on chunked bodies only
	}
	dropOurs(httpexchange.Fields(resp.Trailer)) // as announced
	sent := resp.Request.Body
	resp.Body = &answerBody{resp.Body, resp, to, sent != nil && sent != http.NoBody}
	return nil
}

// An answerBody is the body of an answer; it notes how it was cut, if it was.
type answerBody struct {
	io.ReadCloser
	answer    *http.Response
	to        relay
	uploading bool // maybe
}

// Read reads on.
func (b *answerBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	switch ctx := b.answer.Request.Context(); {
	case err == io.EOF:
		if dropOurs(httpexchange.Fields(b.answer.Trailer)); n > 0 && len(b.answer.Trailer) == 0 {
			b.to.answer.last.Store(true)
		}
	case err != nil && ctx.Err() == nil:
		b.to.Note(func(f *exchange.Facts) { f.Fault = upstream.Cause(err) })
		passReset(b.to.answer, err)
	}
	return n, err
}

// passReset has the client's stream reset with the code with which the upstream reset
// its own. NO_ERROR would make of a broken answer a whole one (RFC 9113 section 8.1).
func passReset(client http.ResponseWriter, err error) {
	var reset *h2.ResetError
	if errors.As(err, &reset) && reset.Err == nil && !reset.ByUs && reset.Code != h2.NoError {
		h2.SetResetCode(client, reset.Code)
	}
}

// Close does not wait. net/http's own waits for the upload's next chunk, and with it
// would the end of an answer that came early, for which the client may wait in turn.
func (b *answerBody) Close() error {
	if !b.uploading {
		return b.ReadCloser.Close()
	}
	go b.ReadCloser.Close() // until the server ends the upload, after the answer
	return nil
}

// A bufferPool is an [httputil.BufferPool]. It holds pointers, since putting a
// slice into a sync.Pool allocates.
type bufferPool struct{ pool sync.Pool }

func (b *bufferPool) Get() []byte {
	if buffer, ok := b.pool.Get().(*[copyBuffer]byte); ok {
		return buffer[:]
	}
	return make([]byte, copyBuffer)
}

func (b *bufferPool) Put(buffer []byte) { b.pool.Put((*[copyBuffer]byte)(buffer)) }
