package h2

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strconv"
	"sync"
	"time"
)

// A call is one request of [Session.RoundTrip], and the end of its stream.
type call struct {
	req    *http.Request
	st     *Stream
	body   *body
	noHead bool          // the answer has no body, being to a HEAD
	news   chan struct{} // has one when interim, resp or err were set

	// Under the group's lock.
	interims []func() error // 1xx that the caller has to hear of
	uploaded bool           // the request has ended
	closed   bool           // its body was closed before that
	resp     *http.Response
	err      error // why no head comes, or nothing can be sent any more
	drained  sync.Cond
}

func newCall(req *http.Request) *call {
	return &call{req: req, news: make(chan struct{}, 1), noHead: req.Method == http.MethodHead}
}

// attach gives the call its stream.
func (c *call) attach(st *Stream) {
	c.st, c.body = st, newBody(st)
	c.drained.L = &st.s.group.mu
	st.SetEnd(c)
	st.SetSource(c)
}

// returned is the answer as the caller gets it; ctx ends its body.
func (c *call) returned(ctx context.Context) *http.Response {
	if c.resp.Body != http.NoBody {
		c.resp.Body = &answerBody{body: c.body, call: c, stop: context.AfterFunc(ctx, func() { c.cancel(ctx.Err()) })}
	}
	return c.resp
}

// wait returns the answer's head. From then on the request's context ends the body.
func (c *call) wait(bound time.Duration) (*http.Response, error) {
	ctx := c.req.Context()
	var late <-chan time.Time // nil while the request goes on
	for {
		if late == nil && bound > 0 && c.isUploaded() {
			late = time.After(bound)
		}
		select {
		case <-c.news:
		case <-late:
			c.cancel(ErrHeadTimeout)
			return nil, ErrHeadTimeout
		case <-ctx.Done():
			c.cancel(ctx.Err())
			return nil, ctx.Err()
		}
		resp, err := c.heard()
		switch {
		case resp != nil:
			return c.returned(ctx), nil
		case err != nil:
			c.cancel(err)
			return nil, err
		}
	}
}

func (c *call) isUploaded() bool {
	g := c.st.s.group
	g.mu.Lock()
	defer g.mu.Unlock()
	return c.uploaded
}

// heard tells of the interim answers that have come, without the lock, and returns what
// came behind them.
func (c *call) heard() (*http.Response, error) {
	g := c.st.s.group
	g.mu.Lock()
	interims, resp, err := c.interims, c.resp, c.err
	c.interims = nil
	g.mu.Unlock()
	for _, tell := range interims {
		if err := tell(); err != nil {
			return nil, err
		}
	}
	return resp, err
}

// cancel gives the stream up.
func (c *call) cancel(err error) {
	g := c.st.s.group
	g.mu.Lock()
	defer g.mu.Unlock()
	if !c.st.gone {
		c.st.Reset(Cancel)
	}
	c.fail(err)
}

func (c *call) fail(err error) {
	if c.err == nil {
		c.err = err
	}
	c.body.end(err)
	c.drained.Broadcast()
	c.closeUpload()
	c.tell()
}

// closeUpload ends the reading of the request's body, which may wait for what its client has
// not sent yet.
func (c *call) closeUpload() {
	if !c.uploaded && !c.closed {
		c.closed = true
		go c.req.Body.Close() // may wait, too
	}
}

func (c *call) tell() {
	select {
	case c.news <- struct{}{}:
	default:
	}
}

// Head implements [End].
func (c *call) Head(h *Head, fin bool) {
	if h.Status < 200 {
		c.interim(h)
		return
	}
	resp := &http.Response{
		Status: strconv.Itoa(h.Status) + " " + http.StatusText(h.Status), StatusCode: h.Status,
		Proto: "HTTP/2.0", ProtoMajor: 2, Header: headerOf(h.Fields), ContentLength: h.Length, Request: c.req, Body: http.NoBody,
	}
	if h.Proto != "" {
		resp.Proto, resp.ProtoMajor, resp.ProtoMinor = h.Proto, 1, int(h.Proto[len(h.Proto)-1]-'0')
	}
	resp.Trailer = announced(resp.Header)
	delete(resp.Header, "Trailer")
	switch {
	case fin && !c.noHead:
		resp.ContentLength = max(resp.ContentLength, 0)
		resp.Trailer = nil
	case !fin:
		resp.Body = c.body
		if resp.Trailer == nil {
			resp.Trailer = http.Header{} // net/http's callers read unannounced ones, too
		}
		c.body.trailer = resp.Trailer
	}
	c.resp = resp
	c.tell()
	if fin {
		c.body.end(io.EOF)
		c.stopUpload()
	}
}

// maxInterims bounds the 1xx that wait for the caller.
const maxInterims = 100

// interim keeps a 1xx for the request's trace, by which net/http tells of them.
func (c *call) interim(h *Head) {
	trace := httptrace.ContextClientTrace(c.req.Context())
	if trace == nil {
		return
	}
	if len(c.interims) >= maxInterims {
		c.st.Reset(EnhanceYourCalm)
		c.fail(&ResetError{Code: EnhanceYourCalm, ByUs: true})
		return
	}
	if h.Status == http.StatusContinue && trace.Got100Continue != nil {
		c.interims = append(c.interims, func() error { trace.Got100Continue(); return nil })
	}
	if trace.Got1xxResponse != nil {
		header, status := textproto.MIMEHeader(headerOf(h.Fields)), h.Status
		c.interims = append(c.interims, func() error { return trace.Got1xxResponse(status, header) })
	}
	c.tell()
}

// Data implements [End].
func (c *call) Data(p []byte, fin bool) {
	c.body.add(p)
	if fin {
		c.body.end(io.EOF)
		c.stopUpload()
	}
}

// Trailer implements [End].
func (c *call) Trailer(fields []Field) {
	c.body.came = headerOf(fields)
	c.body.end(io.EOF)
	c.stopUpload()
}

// Reset implements [End]. A server that has answered whole may end the request so (RFC 9113
// section 8.1).
func (c *call) Reset(err *ResetError) {
	if c.resp != nil && c.body.err != nil {
		c.stopUpload()
		return
	}
	c.fail(err)
}

// stopUpload ends a request whose answer is whole.
func (c *call) stopUpload() {
	if c.err == nil && !c.st.outEnded {
		c.err = errAnswered
		c.st.Reset(NoError) // RFC 9113 section 8.1
		c.closeUpload()
	}
	c.drained.Broadcast()
}

var errAnswered = errors.New("h2: the answer has ended before the request")

// Credit implements [Source].
func (c *call) Credit(int) {
	if c.st.Queued() <= maxUnsent/2 {
		c.drained.Broadcast()
	}
}

// upload sends the request's body, as its reader has it.
func (c *call) upload() {
	buffer := uploadBuffers.Get().(*[uploadBuffer]byte)
	defer uploadBuffers.Put(buffer)
	defer c.req.Body.Close()
	for {
		n, err := c.req.Body.Read(buffer[:])
		if !c.send(buffer[:n], err) || err != nil {
			return
		}
	}
}

const uploadBuffer = 32 << 10

var uploadBuffers = sync.Pool{New: func() any { return new([uploadBuffer]byte) }}

// send sends a piece, once there is room; err is that of reading. false = nothing can be
// sent any more.
func (c *call) send(p []byte, err error) bool {
	g := c.st.s.group
	g.mu.Lock()
	defer g.mu.Unlock()
	for c.err == nil && !c.st.gone && c.st.Queued() >= maxUnsent {
		c.drained.Wait()
	}
	if c.err != nil || c.st.gone {
		return false
	}
	trailer := err == io.EOF && len(c.req.Trailer) > 0
	if len(p) > 0 || err == io.EOF && !trailer {
		c.st.SendData(p, err == io.EOF && !trailer)
	}
	if c.uploaded = err == io.EOF; c.uploaded {
		c.tell()
	}
	switch {
	case trailer:
		c.st.SendTrailer(appendHeader(nil, c.req.Trailer))
	case err != nil && err != io.EOF:
		c.st.Reset(Cancel)
		c.fail(err)
	}
	return true
}

// An answerBody is the body of an answer, for net/http's callers.
type answerBody struct {
	*body
	call *call
	stop func() bool
}

// Close gives up what has not come yet.
func (b *answerBody) Close() error {
	b.stop()
	g := b.call.st.s.group
	g.mu.Lock()
	defer g.mu.Unlock()
	if !b.body.whole() && b.body.err == nil {
		b.call.st.Reset(Cancel)
		b.call.fail(http.ErrBodyReadAfterClose)
	}
	b.closeLocked()
	return nil
}
