package proxy

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
)

// A Recording takes one exchange down while it goes on. Its methods must not wait,
// and must keep neither the bytes nor the headers that they are given. Requests and
// answers overlap, so they are called by several goroutines at once; the body of a
// request may even be read on after the End.
type Recording interface {
	RequestBody(p []byte)
	// RequestEnd says that the body has ended: nil = it is whole.
	RequestEnd(trailer http.Header, err error)
	// WithoutBodies says that the bodies hold secrets of the client's. It comes before
	// either body does.
	WithoutBodies()
	Interim(status int, h http.Header)
	// Response tells the head of the answer, with what is known so far.
	Response(soFar Exchange, h http.Header)
	// ResponseBody comes before the client has the bytes. What follows a 101 does not come.
	ResponseBody(p []byte)
	End(e Exchange, trailer http.Header)
}

// recordBody shows the body of r to the recording, while it is read. What is inside of
// a CONNECT is none.
func (o *observation) recordBody(r *http.Request) {
	switch {
	case o.recording == nil || r.Method == http.MethodConnect:
	case hasNoBody(r):
		o.recording.RequestEnd(nil, nil)
	default: // net/http's server goes by what the body of its own request is
		r.Body = &recordedBody{ReadCloser: r.Body, recording: o.recording, request: r}
	}
}

func hasNoBody(r *http.Request) bool { return r.ContentLength == 0 || r.Body == nil }

// A recordedBody is the body of a request.
type recordedBody struct {
	io.ReadCloser
	recording Recording
	request   *http.Request
	ended     atomic.Bool
}

// Read reads on. Trailers are there with the end, and what comes after this one, by
// which they may be changed, is called with it.
func (b *recordedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.recording.RequestBody(p[:n])
	}
	if err != nil && !b.ended.Swap(true) {
		b.end(err)
	}
	return n, err
}

func (b *recordedBody) end(err error) {
	if err == io.EOF {
		b.recording.RequestEnd(b.request.Trailer, nil)
		return
	}
	b.recording.RequestEnd(nil, err)
}

// trailersOf is what stands behind the body of an answer: what was announced, and what
// has [http.TrailerPrefix].
func trailersOf(h http.Header) http.Header {
	var trailer http.Header
	add := func(name string, values []string) {
		if trailer == nil {
			trailer = http.Header{}
		}
		trailer[name] = values
	}
	for _, line := range h["Trailer"] {
		for name := range strings.SplitSeq(line, ",") {
			name = http.CanonicalHeaderKey(strings.TrimSpace(name))
			if values := h[name]; len(values) > 0 {
				add(name, values)
			}
		}
	}
	for name, values := range h {
		if bare, ok := strings.CutPrefix(name, http.TrailerPrefix); ok {
			add(bare, values)
		}
	}
	return trailer
}

// recordWithoutBodies is for exchanges whose bodies are nobody's business.
func recordWithoutBodies(ctx context.Context) {
	if o := observationOf(ctx); o != nil && o.recording != nil {
		o.recording.WithoutBodies()
	}
}
