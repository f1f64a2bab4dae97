package upstream

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"avsproxy/internal/exchange"
	"avsproxy/internal/h2"
)

// A pooledConn is one connection to the upstream, of HTTP/2 but where http1 is set.
type pooledConn struct {
	session *h2.Session
	http1   *http1Conns   // of which it is one; nil = it speaks HTTP/2
	header  time.Duration // bounds the wait for an answer's head; 0 = it does not
	base    *upstreamConn // below TLS
	used    atomic.Bool   // it had a request
	waiting atomic.Int64  // requests, for a stream
	turn    chan struct{} // full = one of them is at the head of the queue
	freed   chan struct{} // has one when a stream may be free
	gone    chan struct{} // closed when the connection takes no more requests
	off     sync.Once

	// Under the lock of the pool:
	listed bool      // among them
	tried  time.Time // when its dial began
	wanted bool      // by a request, when it was made
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
		return false
	}
}

// stateChanged tells who waits for a stream. It is called with the session's lock held.
func (l *pooledConn) stateChanged(*h2.Session) {
	select {
	case l.freed <- struct{}{}:
	default:
	}
}

// saidGoodbye reports whether the connection takes no more requests, though it may not be
// retired yet.
func (l *pooledConn) saidGoodbye() bool {
	select {
	case <-l.session.Gone():
		return true
	default:
		return false
	}
}

// unused reports whether there was no request for long.
func (l *pooledConn) unused() bool {
	return l.session.InFlight() == 0 && min(l.session.ReadIdle(), l.session.WriteIdle()) >= idleTimeout
}

// lost reports whether the connection is closed.
func (l *pooledConn) lost() bool {
	select {
	case <-l.session.Done():
		return true
	default:
		return false
	}
}

// roundTrip sends a request on the place that it has.
func (l *pooledConn) roundTrip(x *exchange.Exchange, req *http.Request) (*http.Response, error) {
	options := h2.SendOptions{HeadTimeout: l.header}
	if l.http1 == nil {
		options.Opened = func(id uint32) { x.Note(func(f *exchange.Facts) { f.Upstream.Stream = id }) }
	}
	return l.session.Send(req, options)
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
	case <-l.session.Settled():
		return nil
	case <-l.session.Done():
		err = net.ErrClosed
	case <-ctx.Done():
		err = ctx.Err()
	}
	l.retire(func() {})
	l.session.Close()
	return connectError{err}
}

// endLocked says how the connection ended. The lock is that of the pool.
func (l *pooledConn) endLocked(cause error) connEnd {
	return connEnd{
		cause: cmp.Or(cause, errGoodbye), tried: l.tried,
		used: l.wanted || l.used.Load(), served: l.session.Answered() || l.session.Processed(), well: l.session.EndedWell(),
	}
}

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
	for {
		switch err := l.session.Reserve(); err {
		case nil:
			return true
		case h2.ErrGone:
			<-l.gone // which follows at once
			return false
		}
		select {
		case <-l.freed:
		case <-l.gone:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// full says how full the connection is.
func (l *pooledConn) full() *fullError {
	most, said := l.session.MaxStreams()
	if !said {
		most = -1
	}
	return &fullError{most: most, open: l.session.InFlight()}
}

// release gives back a place on which nothing was sent.
func (l *pooledConn) release() { l.session.Release() }

// authorized is the request as it goes out on the place that it has.
func (l *pooledConn) authorized(req *http.Request, authorize Authorize) (*http.Request, error) {
	out, err := authorize.Finish(req)
	if err != nil {
		l.release()
	}
	return out, err
}
