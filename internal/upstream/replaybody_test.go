package upstream

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
)

// A slowSource is a client that sends what it is given, and notes its end.
type slowSource struct {
	*io.PipeReader
	sent   *io.PipeWriter
	mu     sync.Mutex
	closed int
}

func newSlowSource() *slowSource {
	r, w := io.Pipe()
	return &slowSource{PipeReader: r, sent: w}
}

func (s *slowSource) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed++
	return nil
}

func (s *slowSource) closes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

func posting(t testing.TB, body io.ReadCloser) *http.Request {
	r := httptest.NewRequestWithContext(t.Context(), "POST", "https://h/", body)
	r.ContentLength = -1
	return r
}

// Whatever the chunks, and wherever attempts are given up, with their last read
// under way or not: the last attempt sends what the client sent.
func TestTheLastAttemptSendsWhatTheClientSent(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 0))
		want := make([]byte, random.IntN(2*keptMost))
		for i := range want {
			want[i] = byte(random.Uint32())
		}
		source := newSlowSource()
		var working sync.WaitGroup
		working.Go(func() { sendRandomly(source.sent, want, rand.New(rand.NewPCG(seed, 1))) })
		r := posting(t, source)
		body := NewReplayableBody(r)
		for i := range random.Uint64N(6) {
			old := body.Attempt(r).Body
			left := random.IntN(len(want)/3 + 1)
			ended := make(chan struct{}) // closed before the last read of the attempt
			working.Go(func() { readRandomly(t, old, want, left, ended, rand.New(rand.NewPCG(seed, 2+i))) })
			<-ended
			if random.IntN(2) == 0 {
				old.Close()
			}
		}
		got, err := io.ReadAll(body.Attempt(r).Body)
		if errors.Is(err, errNotKept) {
			if len(want) <= keptMost || body.restartable() {
				t.Fatalf("seed %d: %d bytes were not kept", seed, len(want))
			}
		} else if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("seed %d: %d bytes of %d, equal %v: %v", seed, len(got), len(want), bytes.Equal(got, want), err)
		}
		body.close()
		source.PipeReader.Close() // for those that still read or write
		working.Wait()
	}
}

func sendRandomly(w *io.PipeWriter, all []byte, random *rand.Rand) {
	defer w.Close()
	for len(all) > 0 {
		n := min(1+random.IntN(20<<10), len(all))
		if _, err := w.Write(all[:n]); err != nil {
			return
		}
		all = all[n:]
	}
}

// readRandomly reads about left bytes of an attempt, and then once more, which the
// next attempt may interrupt.
func readRandomly(t *testing.T, attempt io.Reader, want []byte, left int, ended chan struct{}, random *rand.Rand) {
	var got []byte
	for last := false; ; {
		if !last && len(got) >= left {
			last = true
			close(ended)
		}
		p := make([]byte, random.IntN(20<<10))
		n, err := attempt.Read(p)
		got = append(got, p[:n]...)
		if last || err != nil {
			break
		}
	}
	if len(got) < left {
		close(ended)
	}
	if !bytes.HasPrefix(want, got) {
		t.Error("an attempt that was given up had read other bytes")
	}
}

// The read that an old attempt waits in gets what the client sends next, and that
// is the new attempt's.
func TestWhatAnOldAttemptReadsIsNotLost(t *testing.T) {
	for _, size := range []int{10, keptMost + 10} { // the latter passes the bound
		synctest.Test(t, func(t *testing.T) {
			source := newSlowSource()
			r := posting(t, source)
			body := NewReplayableBody(r)
			old := body.Attempt(r).Body
			oldErr := make(chan error)
			go func() {
				_, err := old.Read(make([]byte, size))
				oldErr <- err
			}()
			synctest.Wait()
			if !body.restartable() || body.Whole() {
				t.Error("nothing was read yet")
			}
			next := body.Attempt(r).Body
			body.Forget() // the next is the last
			got := make(chan []byte)
			go func() {
				all, _ := io.ReadAll(next)
				got <- all
			}()
			synctest.Wait() // it waits for the old one's read
			want := bytes.Repeat([]byte("x"), size)
			source.sent.Write(want)
			if err := <-oldErr; err != http.ErrBodyReadAfterClose {
				t.Errorf("the old attempt: %v", err)
			}
			source.sent.Write([]byte("end"))
			source.sent.Close()
			if all := <-got; !bytes.Equal(all, append(want, "end"...)) {
				t.Errorf("%d bytes arrived", len(all))
			}
			old.Close()
			if source.closes() != 0 {
				t.Error("an old attempt closed the body")
			}
			next.Close()
			next.Close()
			body.close()
			if source.closes() != 1 {
				t.Errorf("closed %d times", source.closes())
			}
		})
	}
}

// Trailers come with the end of the body, into a map that the transport of a new
// attempt may be reading: the race detector would tell.
func TestTrailersDoNotRaceWithANewAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newSlowSource()
		r := posting(t, nil)
		r.Trailer = http.Header{"X-Sum": nil}
		r.Body = &trailed{source, r.Trailer}
		body := NewReplayableBody(r)
		old := body.Attempt(r)
		go old.Body.Read(make([]byte, 1))
		synctest.Wait()
		next := body.Attempt(r)
		source.sent.Close()
		if _, announced := next.Trailer["X-Sum"]; !announced {
			t.Error("the trailer is not announced")
		}
		if n, err := next.Body.Read(make([]byte, 1)); n != 0 || err != io.EOF || next.Trailer.Get("X-Sum") != "abc" {
			t.Errorf("%d, %v, %v", n, err, next.Trailer)
		}
		if delete(next.Trailer, "X-Sum"); r.Trailer.Get("X-Sum") != "abc" {
			t.Error("both have one map")
		}
		if again := body.Attempt(r); again.Trailer.Get("X-Sum") != "abc" {
			t.Errorf("%v", again.Trailer)
		}
	})
}

type trailed struct {
	io.ReadCloser
	trailer http.Header
}

func (s *trailed) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	if err == io.EOF {
		s.trailer.Set("X-Sum", "abc")
	}
	return n, err
}

func TestClosingAnAttemptEndsItsWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newSlowSource()
		r := posting(t, source)
		body := NewReplayableBody(r)
		go body.Attempt(r).Body.Read(make([]byte, 1))
		synctest.Wait()
		next := body.Attempt(r).Body
		ended := make(chan error)
		go func() {
			_, err := next.Read(make([]byte, 1))
			ended <- err
		}()
		synctest.Wait()
		next.Close()
		if err := <-ended; err != http.ErrBodyReadAfterClose || source.closes() != 0 {
			t.Errorf("%v, closed %d times", err, source.closes())
		}
		body.Forget()
		if source.closes() != 1 {
			t.Errorf("the last attempt was closed, the body %d times", source.closes())
		}
		source.sent.Close()
	})
}

func TestTheBoundOfWhatIsKept(t *testing.T) {
	for size, fits := range map[int]bool{0: true, 1: true, keptMost: true, keptMost + 1: false} {
		// The end comes with the last bytes, as net/http's own bodies tell it.
		r := posting(t, &closing{Reader: iotest.DataErrReader(strings.NewReader(strings.Repeat("x", size)))})
		body := NewReplayableBody(r)
		if !body.restartable() || body.Whole() {
			t.Errorf("%d: before any read", size)
		}
		if n, err := io.Copy(io.Discard, body.Attempt(r).Body); n != int64(size) || err != nil {
			t.Errorf("%d: %d, %v", size, n, err)
		}
		if body.restartable() != fits || body.Whole() != fits {
			t.Errorf("%d: restartable %v, whole %v", size, body.restartable(), body.Whole())
		}
		if !fits && body.body.kept != nil {
			t.Errorf("%d bytes are still held", len(body.body.kept))
		}
		got, err := io.ReadAll(body.Attempt(r).Body)
		if fits && (len(got) != size || err != nil) || !fits && err != errNotKept {
			t.Errorf("%d: again %d, %v", size, len(got), err)
		}
		body.Forget()
		if body.restartable() || body.body.kept != nil {
			t.Errorf("%d: not forgotten", size)
		}
	}
}

// A body whose length is known is whole with its last byte; HTTP/1.1 upstreams may
// answer before anybody looks for its end.
func TestAKnownLengthIsWholeWithItsLastByte(t *testing.T) {
	r := posting(t, &closing{Reader: strings.NewReader("body")})
	r.ContentLength = 4
	body := NewReplayableBody(r)
	p := make([]byte, 4)
	for attempt := range 2 {
		if _, err := io.ReadFull(body.Attempt(r).Body, p); err != nil || !body.Whole() {
			t.Errorf("attempt %d: %v, whole %v", attempt, err, body.Whole())
		}
	}
}

func TestWhoIsLentABodyDoesNotForgetIt(t *testing.T) {
	source := &closing{Reader: strings.NewReader("body")}
	r := posting(t, source)
	mine := NewReplayableBody(r)
	sent := mine.Attempt(r)
	lent := NewReplayableBody(sent)
	if got, _ := io.ReadAll(lent.Attempt(sent).Body); string(got) != "body" {
		t.Errorf("%q", got)
	}
	lent.Forget()
	last := mine.Attempt(r).Body
	if got, _ := io.ReadAll(last); string(got) != "body" || source.closed {
		t.Errorf("again %q", got)
	}
	mine.Forget()
	last.Close()
	if !source.closed {
		t.Error("not closed")
	}
}

func TestRequestsWithoutABodyAreWhole(t *testing.T) {
	for _, none := range []io.ReadCloser{nil, http.NoBody} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "https://h/", nil)
		r.Body = none
		body := NewReplayableBody(r)
		if sent := body.Attempt(r); sent == r || sent.Body != none || !body.Whole() || !body.restartable() {
			t.Errorf("%v", none)
		}
		body.Forget()
		body.close()
	}
}
