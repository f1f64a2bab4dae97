package h2

import (
	"io"
	"maps"
	"net/http"
	"os"
	"sync"
	"time"
)

// A body is what comes in on a stream, for a goroutine that reads it. Its fields are under
// the group's lock.
type body struct {
	st       *Stream
	changed  sync.Cond
	data     queue
	err      error // behind the data; nil = more comes
	closed   bool
	credited int         // of the first bytes, for which the stream was given its window back already
	ask      func()      // asks for the body when it is first read; nil = it comes unasked
	came     http.Header // the trailer that came; nil = none
	trailer  http.Header // who reads finds it here with io.EOF; nil = nobody asks

	deadline time.Time
	timer    *time.Timer
}

func newBody(st *Stream) *body {
	b := &body{st: st}
	b.data.owner = st.s
	b.changed.L = &st.s.group.mu
	return b
}

// add takes a piece. What nobody will read is given back at once.
func (b *body) add(p []byte) {
	if b.closed {
		b.st.Credit(len(p))
		return
	}
	b.data.add(p)
	b.changed.Broadcast()
}

// end notes what comes behind the data.
func (b *body) end(err error) {
	if b.err == nil {
		b.err = err
		b.changed.Broadcast()
	}
}

// Read implements [io.Reader]. It returns no more than one DATA frame, so that who passes on
// what it reads keeps their borders.
func (b *body) Read(p []byte) (int, error) {
	b.changed.L.Lock()
	defer b.changed.L.Unlock()
	if b.ask != nil && b.data.size == 0 && b.err == nil && !b.closed {
		b.ask()
		b.ask = nil
	}
	for {
		switch {
		case b.closed:
			return 0, http.ErrBodyReadAfterClose
		case b.data.size > 0:
			n := min(len(p), b.data.first())
			b.data.take(p[:0], n)
			b.credit(n)
			if b.whole() {
				return n, b.ended() // so that who passes it on can end with it
			}
			return n, nil
		case b.err != nil:
			return 0, b.ended()
		case b.expired():
			return 0, os.ErrDeadlineExceeded
		case len(p) == 0:
			return 0, nil
		}
		b.changed.Wait()
	}
}

// ended is what comes behind the data. The trailer is filled in by who reads, as net/http
// does it.
func (b *body) ended() error {
	if b.err == io.EOF && b.trailer != nil {
		maps.Copy(b.trailer, b.came)
	}
	return b.err
}

// Close implements [io.Closer]. What was not read is dropped.
func (b *body) Close() error {
	b.changed.L.Lock()
	defer b.changed.L.Unlock()
	b.closeLocked()
	return nil
}

func (b *body) closeLocked() {
	if b.closed {
		return
	}
	b.closed = true
	b.credit(b.data.size)
	b.data.drop()
	b.changed.Broadcast()
}

func (b *body) credit(n int) {
	already := min(n, b.credited)
	b.credited -= already
	b.st.Credit(n - already)
}

// whole reports whether all has come and was read.
func (b *body) whole() bool { return b.err == io.EOF && b.data.size == 0 }

func (b *body) expired() bool { return !b.deadline.IsZero() && !time.Now().Before(b.deadline) }

// setDeadline wakes who reads at t; the zero time is none.
func (b *body) setDeadline(t time.Time) {
	b.changed.L.Lock()
	defer b.changed.L.Unlock()
	if b.timer != nil {
		b.timer.Stop()
	}
	if b.deadline = t; !t.IsZero() {
		b.timer = time.AfterFunc(time.Until(t), func() {
			b.changed.L.Lock()
			defer b.changed.L.Unlock()
			b.changed.Broadcast()
		})
	}
	b.changed.Broadcast()
}
