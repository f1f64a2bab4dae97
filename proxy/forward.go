package proxy

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/http2"

	"avsproxy/internal/problem"
	"avsproxy/internal/wire"
)

// ForwardOptions say how a route relays its requests.
type ForwardOptions struct {
	// Origin is where requests go; a path in it is put before theirs. nil = where
	// their absolute form says.
	Origin *url.URL
	// Send is the rest of the chain: the injector before the upstream.
	Send http.RoundTripper
	// Headers are set on each request, whatever the client sent.
	Headers map[string]string
	// Strip names header fields of the client's that are not sent on, and are not
	// as trailers either.
	Strip []string
	// WebSocket lets requests become WebSocket connections (RFC 6455).
	WebSocket bool
	// RewriteLocation lets a Location that leads to Origin lead to the address by which
	// the client came, where that is not Origin's own.
	RewriteLocation bool
	// LoginURL is where a person can log in to the route's credential.
	LoginURL string
	// ErrorLog gets what net/http has to say; nil = log's default.
	ErrorLog *log.Logger
}

// copyBuffer is how much of a body is copied at once, and so what one direction
// of a busy exchange holds in memory.
const copyBuffer = 32 << 10

// Forward relays requests: both bodies flow at the same time and every chunk is
// flushed as it comes; trailers and 1xx answers pass; redirects are the client's
// to follow. Hop-by-hop fields end here (RFC 9110 section 7.6.1), Upgrade among
// them, but for WebSockets where the options say so.
func Forward(options ForwardOptions) http.Handler {
	reverse := &httputil.ReverseProxy{
		Rewrite:        options.rewrite,
		Transport:      options.Send,
		FlushInterval:  -1,
		ErrorHandler:   options.fail,
		ErrorLog:       options.ErrorLog,
		BufferPool:     &bufferPool{},
		ModifyResponse: options.receive,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodConnect {
			options.fail(w, r, errConnect)
			return
		}
		if r.ProtoMajor == 1 {
			// Without it net/http reads the rest of an upload before it lets an answer
			// out. Its one error is that the writer cannot, which then just stays so.
			_ = http.NewResponseController(w).EnableFullDuplex()
		}
		if r.ContentLength != 0 {
			r = r.WithContext(r.Context()) // the server goes by what the body of its own is
			r.Body = &upload{ReadCloser: r.Body, trailer: r.Trailer, strip: options.Strip}
		}
		if !r.ProtoAtLeast(1, 1) {
			defer abortResponse(w)
		}
		answer := newResponseWriter(w, r, options.adapt)
		reverse.ServeHTTP(answer, r.WithContext(answer.within(r.Context())))
	})
}

func (o ForwardOptions) rewrite(pr *httputil.ProxyRequest) {
	aim(pr, o.Origin)
	dropTrailers(pr.In.Trailer, o.Strip)
	pr.Out.Trailer = pr.In.Trailer // the same map: it is filled in when the body ends
	if !o.WebSocket || !opensWebSocket(pr.In) {
		// "Upgrade: h2c" would be a tunnel past everything that is decided here
		// (golang/go#80416).
		pr.Out.Header.Del("Upgrade")
		pr.Out.Header.Del("Connection")
	}
	pr.Out.Header.Del("Http2-Settings")
	keepForwarded(pr.Out.Header, pr.In.Header)
	drop(pr.Out.Header, o.Strip)
	for name, value := range o.Headers {
		pr.Out.Header.Set(name, value)
	}
}

// aim leaves Out.Host empty where there is an origin: the upstream's own name is sent.
func aim(pr *httputil.ProxyRequest, origin *url.URL) {
	if origin != nil {
		pr.SetURL(origin)
	}
	pr.Out.URL.RawQuery = pr.In.URL.RawQuery
}

// Aimed is where [Forward] sends a request for asked, of which path and query count.
func Aimed(origin, asked *url.URL) *url.URL {
	out := *asked
	pr := &httputil.ProxyRequest{In: &http.Request{URL: asked}, Out: &http.Request{URL: &out}}
	aim(pr, origin)
	return pr.Out.URL
}

// fail answers in the upstream's place.
func (o ForwardOptions) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() == context.Canceled {
		// The client is gone; cutting the connection is all that can still be said.
		panic(http.ErrAbortHandler)
	}
	p := o.explain(err, r)
	if p.Code == problem.BadRequest && r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close") // where the next request begins is not known
	}
	answerFault(w, r, err, p)
}

func answerFault(w http.ResponseWriter, r *http.Request, err error, p problem.Problem) {
	note(r.Context(), func(e *Exchange) {
		e.Fault = cause{err}
		switch p.Code {
		case problem.LoginRequired:
			e.Decision = LoginMissing
		case problem.TokenRefreshFailed:
			e.Decision = RefreshFailed
		case problem.NotAllowed:
			e.Decision = Refused
		}
	})
	p.Write(w)
}

func (o ForwardOptions) explain(err error, r *http.Request) problem.Problem {
	if o.Origin == nil {
		return explainOther(err, r.Host)
	}
	return explain(err, o)
}

func (o ForwardOptions) receive(resp *http.Response) error {
	resp.Header.Del(problem.Header)
	resp.Header.Del(DecisionHeader)
	o.adapt(resp.Header, responseWriterOf(resp.Request.Context()).request)
	note(resp.Request.Context(), func(e *Exchange) { e.Upstream.Proto = resp.Proto })
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return switchProtocols(resp)
	}
	if resp.Body == http.NoBody {
		resp.Trailer = nil // whatever was announced: announced again, it would keep the stream open
		endsWithNextWrite(resp.Request.Context())
	}
	if client := resp.Request; len(resp.Trailer) > 0 && client.ProtoMajor == 1 && client.Method != http.MethodHead {
		resp.Header.Del("Content-Length") // HTTP/1.1 has trailers on chunked bodies only
	}
	dropOurs(resp.Trailer) // as announced
	sent := resp.Request.Body
	resp.Body = &download{resp.Body, resp, sent != nil && sent != http.NoBody}
	return nil
}

// dropOurs keeps an upstream from speaking for us behind its answer.
func dropOurs(trailer http.Header) {
	for _, name := range []string{problem.Header, DecisionHeader, NoticeHeader} {
		delete(trailer, name)
	}
}

// An upload is the body of a request. Closing net/http's own for HTTP/1.x waits for
// what the client has not sent yet, and with it would every answer that comes
// before the upload's end; closing the one for HTTP/2 resets the stream. The server
// closes either anyway, after the answer.
type upload struct {
	io.ReadCloser
	trailer http.Header
	strip   []string // what is no trailer either
	closed  atomic.Bool
}

// Read reads on, until the upload is closed.
func (u *upload) Read(p []byte) (int, error) {
	if u.closed.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := u.ReadCloser.Read(p)
	switch {
	case err == io.EOF:
		dropTrailers(u.trailer, u.strip)
	case err != nil && !u.closed.Load(): // and not by us
		err = uploadError{err}
	}
	return n, err
}

// Close ends reading.
func (u *upload) Close() error {
	u.closed.Store(true)
	return nil
}

// dropTrailers removes the fields that RFC 9110 section 6.5.1 keeps out of
// trailers, such as a second Authorization, and those to strip: some servers merge
// them.
func dropTrailers(trailer http.Header, strip []string) {
	drop(trailer, strip)
	for name := range trailer {
		if !httpguts.ValidTrailerHeader(name) {
			delete(trailer, name)
		}
	}
}

// A download is the body of an answer; it notes how it was cut, if it was.
type download struct {
	io.ReadCloser
	answer    *http.Response
	uploading bool // maybe
}

// Read reads on.
func (d *download) Read(p []byte) (int, error) {
	n, err := d.ReadCloser.Read(p)
	switch ctx := d.answer.Request.Context(); {
	case err == io.EOF:
		if dropOurs(d.answer.Trailer); n > 0 && len(d.answer.Trailer) == 0 {
			endsWithNextWrite(ctx)
		}
	case err != nil && ctx.Err() == nil:
		note(ctx, func(e *Exchange) { e.Fault = cause{err} })
		passReset(ctx, err)
	}
	return n, err
}

// passReset has the client's stream reset with the code with which the upstream reset
// its own. NO_ERROR would make of a broken answer a whole one (RFC 9113 section 8.1).
func passReset(ctx context.Context, err error) {
	var reset http2.StreamError
	if errors.As(err, &reset) && reset.Code != http2.ErrCodeNo {
		wire.ResetWith(ctx, reset.Code)
	}
}

// Close does not wait. net/http's own waits for the upload's next chunk, and with it
// would the end of an answer that came early, for which the client may wait in turn.
func (d *download) Close() error {
	if !d.uploading {
		return d.ReadCloser.Close()
	}
	go d.ReadCloser.Close() // until the server ends the upload, after the answer
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
