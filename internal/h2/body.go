package h2

import (
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

// A body is what comes in on a stream, for a goroutine that reads it. Its fields are under
// the group's lock.
type body struct {
	st      *Stream
	changed sync.Cond
	data    []byte // from start
	start   int
	err     error // behind the data; nil = more comes
	closed  bool
	trailer http.Header // is filled in before io.EOF; nil = nobody asks

	deadline time.Time
	timer    *time.Timer
}

func newBody(st *Stream) *body {
	b := &body{st: st}
	b.changed.L = &st.s.group.mu
	return b
}

// add takes a piece. What nobody will read is given back at once.
func (b *body) add(p []byte) {
	if b.closed {
		b.st.Credit(len(p))
		return
	}
	if b.start > 0 && len(b.data)+len(p) > cap(b.data) {
		b.data, b.start = append(b.data[:0], b.data[b.start:]...), 0
	}
	b.data = append(b.data, p...)
	b.changed.Broadcast()
}

// end notes what comes behind the data.
func (b *body) end(err error) {
	if b.err == nil {
		b.err = err
		b.changed.Broadcast()
	}
}

// Read implements [io.Reader].
func (b *body) Read(p []byte) (int, error) {
	b.changed.L.Lock()
	defer b.changed.L.Unlock()
	for {
		switch {
		case b.closed:
			return 0, http.ErrBodyReadAfterClose
		case b.expired():
			return 0, os.ErrDeadlineExceeded
		case b.start < len(b.data):
			n := copy(p, b.data[b.start:])
			if b.start += n; b.start == len(b.data) {
				b.data, b.start = b.data[:0], 0
			}
			b.st.Credit(n)
			if b.start == 0 && b.err != nil {
				b.data = nil
			}
			return n, nil
		case b.err != nil:
			return 0, b.err
		case len(p) == 0:
			return 0, nil
		}
		b.changed.Wait()
	}
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
	b.st.Credit(len(b.data) - b.start)
	b.data, b.start = nil, 0
	b.changed.Broadcast()
}

// whole reports whether all has come and was read.
func (b *body) whole() bool { return b.err == io.EOF && b.start == len(b.data) }

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
