package upstream

import (
	"cmp"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"avsproxy/internal/exchange"
	"avsproxy/internal/wire"
)

// A pooledConn is one HTTP/2 connection to the upstream.
type pooledConn struct {
	conn     *http.ClientConn
	wire     *wire.Client
	base     *upstreamConn // below TLS
	used     atomic.Bool   // it had a request
	answered atomic.Bool   // one of them
	waiting  atomic.Int64  // requests, for a stream
	turn     chan struct{} // full = one of them is at the head of the queue
	gone     chan struct{} // closed when the connection takes no more requests
	off      sync.Once

	// Under the lock of the pool:
	listed  bool      // among them
	tried   time.Time // when its dial began
	wanted  bool      // by a request, when it was made
	watched bool      // by the keeper
}

// retire ends the connection for new requests; those under way go on. Only the first call
// does, and tells of it before anybody can look for a successor.
func (l *pooledConn) retire(tell func()) (did bool) {
	l.off.Do(func() {
		tell()
		close(l.gone)
		did = true
	})
	return did
}

func (l *pooledConn) retired() bool {
	select {
	case <-l.gone:
		return true
	default:
		return l.conn.Err() != nil
	}
}

// lost reports whether the connection is closed.
func (l *pooledConn) lost() bool {
	select {
	case <-l.wire.Done():
		return true
	default:
		return false
	}
}

// wakeWaiters has the requests that lost their place to new SETTINGS, and so wait in net/http,
// look again whether there can be a stream for them: after GOAWAY net/http leaves them
// asleep until another one ends. What wakes them is a request that is given up; it is not
// sent.
func (l *pooledConn) wakeWaiters() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	none := &http.Request{Method: http.MethodGet, URL: &url.URL{Scheme: "https", Host: "none"}, Header: http.Header{}}
	_, _ = l.conn.RoundTrip(none.WithContext(ctx)) // always an error
}

// roundTrip sends a request and returns the stream that it went on; nil = none was
// opened for it.
func (l *pooledConn) roundTrip(x *exchange.Exchange, req *http.Request) (*http.Response, *wire.Stream, error) {
	o := &opening{link: l, wrote: make(chan struct{})}
	trace := &httptrace.ClientTrace{WroteHeaders: o.written}
	resp, err := l.conn.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	if err != nil {
		stream := o.end()
		if stream != nil {
			x.Note(func(f *exchange.Facts) { f.Upstream.Stream = stream.ID })
		}
		return nil, stream, err
	}
	l.answered.Store(true)
	<-o.wrote // by another goroutine than the one that reads answers
	x.Note(func(f *exchange.Facts) { f.Upstream.Stream = o.stream.ID })
	if resp.StatusCode == http.StatusNotModified { // net/http refuses one whose Content-Length is not zero
		go resp.Body.Close() // which may wait for an upload
		resp.Body = http.NoBody
	}
	if resp.Body == http.NoBody { // and stays so, for those who ask
		o.stream.Forget()
		return resp, o.stream, nil
	}
	resp.Body = &pooledBody{o.stream.Body(resp.Body), o.stream}
	return resp, o.stream, nil
}

// An opening finds out which stream a request goes on.
type opening struct {
	link  *pooledConn
	wrote chan struct{}

	mu     sync.Mutex
	stream *wire.Stream // nil also where no HEADERS could be written any more
	ended  bool
}

// written is called where net/http lets one request at a time write its HEADERS.
func (o *opening) written() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.stream = o.link.wire.Claim(); o.stream != nil && o.ended {
		o.stream.Forget()
	}
	close(o.wrote)
}

// end is for a request that failed. One that was given up by its client may still
// be written.
func (o *opening) end() *wire.Stream {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
	if o.stream != nil {
		o.stream.Forget()
	}
	return o.stream
}

// A pooledBody is an answer; its stream is forgotten with it.
type pooledBody struct {
	io.ReadCloser
	stream *wire.Stream
}

// Close implements [io.Closer].
func (b *pooledBody) Close() error {
	err := b.ReadCloser.Close()
	b.stream.Forget()
	return err
}

// callDraining calls x.Draining when the connection takes no more requests.
func (l *pooledConn) callDraining(ctx context.Context, x *exchange.Exchange) {
	if x.Draining == nil {
		return
	}
	go func() {
		select {
		case <-l.gone:
			if !l.lost() { // then there is nothing to leave
				x.Draining()
			}
		case <-ctx.Done():
		}
	}()
}

// settle waits until it is known how many streams the connection may have.
func (l *pooledConn) settle(ctx context.Context) error {
	var err error
	select {
	case <-l.wire.Settled():
		return nil
	case <-l.wire.Done():
		err = net.ErrClosed
	case <-ctx.Done():
		err = ctx.Err()
	}
	l.retire(func() {})
	l.conn.Close()
	return connectError{err}
}

// endLocked says how the connection ended. The lock is that of the pool.
func (l *pooledConn) endLocked(cause error) connEnd {
	return connEnd{
		cause: cmp.Or(cause, errGoodbye), tried: l.tried,
		used: l.wanted || l.used.Load(), served: l.answered.Load() || l.wire.Took(), well: l.wire.EndedWell(),
	}
}

// lookAgain is how often a request at the head of the queue looks for a stream by itself.
const lookAgain = 50 * time.Millisecond

// awaitStream waits in the queue for the connection's streams. Only who is at its head looks.
func (l *pooledConn) awaitStream(ctx context.Context) bool {
	l.waiting.Add(1)
	defer l.waiting.Add(-1)
	select {
	case l.turn <- struct{}{}: // senders to a channel are served in their order
		defer func() { <-l.turn }()
	case <-l.gone:
		return false
	case <-ctx.Done():
		return false
	}
	freed := make(chan struct{}, 1)
	l.conn.SetStateHook(func(*http.ClientConn) { // must not wait: net/http may hold its locks
		select {
		case freed <- struct{}{}:
		default:
		}
	})
	defer l.conn.SetStateHook(nil)
	again := time.NewTicker(lookAgain) // net/http leaves calls of the hook out that come close together
	defer again.Stop()
	for l.conn.Reserve() != nil {
		select {
		case <-freed:
		case <-again.C:
		case <-l.gone:
			return false
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// closeIfOver closes a connection that takes no more requests once it has none.
func (l *pooledConn) closeIfOver() {
	if l.retired() && l.conn.InFlight() == 0 {
		l.conn.Close()
	}
}

// full says how full the connection is.
func (l *pooledConn) full() *fullError {
	most, said := l.wire.MaxStreams()
	if !said {
		most = -1
	}
	return &fullError{most: most, open: l.conn.InFlight()}
}

// release gives back a place on which nothing was sent.
func (l *pooledConn) release() {
	l.conn.Release()
	l.closeIfOver()
}

// authorized is the request as it goes out on the place that it has.
func (l *pooledConn) authorized(req *http.Request, authorize Authorize) (*http.Request, error) {
	out, err := authorize.Finish(req)
	if err != nil {
		l.release()
	}
	return out, err
}
