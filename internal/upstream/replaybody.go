package upstream

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"sync"
	"time"
)

// keptMost is how many bytes of a request's body are kept for another attempt.
const keptMost = 64 << 10

var errNotKept = errors.New("the request cannot be sent again: too much of its body has passed")

// A ReplayableBody is the body of a request that may have to be sent more than once.
// What is read from it is copied while it passes, never waited for, as long as it
// fits in keptMost.
type ReplayableBody struct {
	body *bodyBuffer // nil = the request has none
	lent bool        // by who asked first, and so decides when it is over
}

// NewReplayableBody returns the sendable that req's body is an attempt of, or makes one
// around its body. A request without a body has one that is always whole.
func NewReplayableBody(req *http.Request) *ReplayableBody {
	if req.Body == nil || req.Body == http.NoBody {
		return &ReplayableBody{}
	}
	if a, ok := req.Body.(*bodyReader); ok {
		return &ReplayableBody{body: a.body, lent: true}
	}
	b := &bodyBuffer{source: req.Body, length: req.ContentLength, trailer: req.Trailer, announced: req.Trailer.Clone()}
	b.changed.L = &b.mu
	return &ReplayableBody{body: b}
}

// Attempt returns a copy of req whose body begins with the first byte, and ends the
// Attempt before: its reads fail from now on, its Close does nothing. Where the
// first bytes are gone, all reads fail.
func (s *ReplayableBody) Attempt(req *http.Request) *http.Request {
	out := *req
	if s.body == nil {
		return &out
	}
	a := s.body.begin()
	if out.Body = a; a.trailer != nil {
		out.Trailer = a.trailer
	}
	return &out
}

// restartable reports whether all that was read so far is kept, so that another
// Attempt sends the same bytes and then goes on with the rest.
func (s *ReplayableBody) restartable() bool {
	if s.body == nil {
		return true
	}
	s.body.mu.Lock()
	defer s.body.mu.Unlock()
	return s.body.restartableLocked()
}

// Whole reports whether all of the body was read, and is kept.
func (s *ReplayableBody) Whole() bool {
	if s.body == nil {
		return true
	}
	s.body.mu.Lock()
	defer s.body.mu.Unlock()
	ended := s.body.end == io.EOF || int64(len(s.body.kept)) == s.body.length
	return ended && s.body.restartableLocked()
}

// completeIn is what reading bytes that are there may take.
const completeIn = 100 * time.Millisecond

// Complete reads on where the present attempt has stopped, if it is known that the rest
// is short, and reports whether all was there. It does not wait for a client.
func (s *ReplayableBody) Complete(ctx context.Context) bool {
	if s.body == nil || s.body.length < 0 || s.body.length > keptMost || !s.restartable() {
		return s.Whole()
	}
	rest := s.body.begin()
	done := make(chan struct{})
	go func() { // at the latest until the server ends the request
		defer close(done)
		_, _ = io.Copy(io.Discard, rest)
	}()
	ctx, cancel := context.WithTimeout(ctx, completeIn)
	defer cancel()
	select {
	case <-done:
	case <-ctx.Done():
	}
	return s.Whole()
}

// Fill reads the first n bytes, which are there, and the end, if that is.
func (s *ReplayableBody) Fill(n int) {
	if s.body != nil {
		_, _ = io.CopyN(io.Discard, s.body.begin(), int64(n))
	}
}

// Forget ends the copying and frees what is kept: nobody will ask for another
// attempt. The present one goes on where it is. Whoever was lent the body by an
// earlier step cannot know that, and changes nothing.
func (s *ReplayableBody) Forget() {
	if s.body != nil && !s.lent {
		s.body.forget()
	}
}

// close closes the underlying body, and ends the present attempt.
func (s *ReplayableBody) close() {
	if s.body != nil {
		s.body.close()
	}
}

// A bodyBuffer is what all attempts to send a body share.
type bodyBuffer struct {
	source    io.ReadCloser
	length    int64       // as announced; negative = it was not
	trailer   http.Header // filled in by the source's end
	announced http.Header // the trailer before that

	mu      sync.Mutex
	changed sync.Cond
	present *bodyReader
	kept    []byte // from the first byte; once it is passing, what the present attempt has yet to read
	passing bool   // bytes are no longer kept
	reading bool   // some attempt, maybe an old one, reads the source
	end     error  // of the source; nil = it goes on
	settled bool   // the present attempt is the last
	closed  bool
}

func (b *bodyBuffer) restartableLocked() bool { return !b.passing && len(b.kept) <= keptMost }

// begin makes the next attempt the present one. A read of the source that an old one
// has begun may write trailers at any time, so they get a map of their own then.
func (b *bodyBuffer) begin() *bodyReader {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := &bodyReader{body: b, missing: b.passing}
	if b.reading {
		a.trailer = b.announced.Clone()
	}
	b.present = a
	b.changed.Broadcast()
	return a
}

func (b *bodyBuffer) forget() {
	b.mu.Lock()
	b.settled, b.passing = true, true
	over := false
	if b.present != nil {
		b.present.freeLocked()
		over = b.present.closed
	}
	b.mu.Unlock()
	if over {
		b.close()
	}
}

// close does not hold the lock while the source closes, which may take its time.
func (b *bodyBuffer) close() error {
	b.mu.Lock()
	again := b.closed
	b.closed, b.passing, b.kept = true, true, nil
	b.changed.Broadcast()
	b.mu.Unlock()
	if again {
		return nil
	}
	return b.source.Close()
}

// An bodyReader is the body of one bodyReader to send a request.
type bodyReader struct {
	body    *bodyBuffer
	trailer http.Header // of its own; nil = the source's
	missing bool        // its first bytes were gone when it began

	// Under the body's lock:
	next   int // the place in kept
	closed bool
}

// Read gives what is kept, and then reads on. The source is read by one at a time;
// what an old attempt gets from it comes here by what is kept.
func (a *bodyReader) Read(p []byte) (int, error) {
	b := a.body
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		switch {
		case a.overLocked():
			return 0, http.ErrBodyReadAfterClose
		case a.missing:
			return 0, errNotKept
		case a.next < len(b.kept):
			return a.rereadLocked(p), nil
		case b.end != nil:
			return 0, a.endLocked()
		case !b.reading:
			return a.passLocked(p)
		}
		b.changed.Wait()
	}
}

func (a *bodyReader) overLocked() bool {
	return a.closed || a.body.closed || a.body.present != a
}

func (a *bodyReader) rereadLocked(p []byte) int {
	n := copy(p, a.body.kept[a.next:])
	a.next += n
	a.freeLocked()
	return n
}

// freeLocked frees what was read by this attempt, if no other will come.
func (a *bodyReader) freeLocked() {
	if a.body.passing && a.next == len(a.body.kept) {
		a.body.kept, a.next = nil, 0
	}
}

// passLocked reads the source right into p, without the lock.
func (a *bodyReader) passLocked(p []byte) (int, error) {
	b := a.body
	b.reading = true
	b.mu.Unlock()
	n, err := b.source.Read(p)
	b.mu.Lock()
	b.reading, b.end = false, err
	b.changed.Broadcast()
	if a.overLocked() {
		b.kept = append(b.kept, p[:n]...) // beyond the bound too: the next attempt has nowhere else to get it from
		return 0, http.ErrBodyReadAfterClose
	}
	b.passing = b.passing || len(b.kept)+n > keptMost
	if b.passing {
		b.kept = nil
	} else {
		b.kept = append(b.kept, p[:n]...)
	}
	a.next = len(b.kept)
	if err != nil {
		return n, a.endLocked()
	}
	return n, nil
}

func (a *bodyReader) endLocked() error {
	if a.trailer != nil && a.body.end == io.EOF {
		maps.Copy(a.trailer, a.body.trailer)
	}
	return a.body.end
}

// Close ends the attempt. The source is closed with the last one.
func (a *bodyReader) Close() error {
	b := a.body
	b.mu.Lock()
	a.closed = true
	last := b.settled && b.present == a
	b.changed.Broadcast()
	b.mu.Unlock()
	if last {
		return b.close()
	}
	return nil
}
