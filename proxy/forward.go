package proxy

import (
	"context"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"

	"avsproxy/internal/problem"
)

// ForwardOptions say how a route relays its requests.
type ForwardOptions struct {
	// Origin is where requests go; a path in it is put before theirs.
	Origin *url.URL
	// Send is the rest of the chain: the injector before the upstream.
	Send http.RoundTripper
	// Headers are set on each request, whatever the client sent.
	Headers map[string]string
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
// them.
func Forward(options ForwardOptions) http.Handler {
	reverse := &httputil.ReverseProxy{
		Rewrite:        options.rewrite,
		Transport:      options.Send,
		FlushInterval:  -1,
		ErrorHandler:   options.fail,
		ErrorLog:       options.ErrorLog,
		BufferPool:     &bufferPool{},
		ModifyResponse: dropOurHeader,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 1 {
			// Without it net/http reads the rest of an upload before it lets an answer
			// out. Its one error is that the writer cannot, which then just stays so.
			_ = http.NewResponseController(w).EnableFullDuplex()
		}
		reverse.ServeHTTP(w, r)
	})
}

func (o ForwardOptions) rewrite(pr *httputil.ProxyRequest) {
	pr.SetURL(o.Origin) // leaves Out.Host empty: the upstream's own name is sent
	pr.Out.URL.RawQuery = pr.In.URL.RawQuery
	pr.Out.Trailer = pr.In.Trailer // the same map: it is filled in when the body ends
	// The proxied connection cannot become another protocol: "Upgrade: h2c" would
	// be a tunnel past everything that is decided here (golang/go#80416).
	pr.Out.Header.Del("Upgrade")
	pr.Out.Header.Del("Connection")
	pr.Out.Header.Del("Http2-Settings")
	for name, value := range o.Headers {
		pr.Out.Header.Set(name, value)
	}
}

func (o ForwardOptions) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := explain(r.Context(), err, o)
	note(r.Context(), func(e *Exchange) {
		e.Fault = err
		switch p.Code {
		case problem.LoginRequired:
			e.Decision = LoginMissing
		case problem.TokenRefreshFailed:
			e.Decision = RefreshFailed
		case problem.NotAllowed:
			e.Decision = Refused
		}
	})
	if r.Context().Err() == context.Canceled {
		// The client is gone; cutting the connection is all that can still be said.
		panic(http.ErrAbortHandler)
	}
	p.Write(w)
}

func dropOurHeader(resp *http.Response) error {
	resp.Header.Del(problem.Header)
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
