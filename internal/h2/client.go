package h2

import "time"

// What a pool of connections asks a client's session.

// Reserve takes a place for a request that [Session.Send] will send, or else
// [Session.Release] gives back. Its error is [ErrFull] or [ErrGone].
func (s *Session) Reserve() error {
	s.group.mu.Lock()
	defer s.group.mu.Unlock()
	if err := s.open(); err != nil {
		return err
	}
	s.reserved++
	return nil
}

// open says why no stream can be opened; nil = one can.
func (s *Session) open() error {
	switch {
	case s.err != nil || s.leaving || s.goAway != nil:
		return ErrGone
	case s.last >= maxStreamID-1:
		s.stop()
		return ErrGone
	case s.streams.len()+s.reserved >= int(s.peer.streams):
		return ErrFull
	}
	return nil
}

// Ready reports whether a stream can be opened and something has come within quiet, now. It is
// for who holds the group's lock.
func (s *Session) Ready(now time.Time, quiet time.Duration) bool {
	return s.open() == nil && wallBetween(s.lastRead, now) < quiet
}

// Release gives a place back that Reserve took.
func (s *Session) Release() {
	s.group.mu.Lock()
	defer s.group.mu.Unlock()
	s.release()
}

func (s *Session) release() {
	s.reserved--
	s.noteIdle()
	if s.over() {
		s.touch()
	}
	s.config.stateChanged(s)
}

// InFlight is how many streams are open, and places taken.
func (s *Session) InFlight() int {
	s.group.mu.Lock()
	defer s.group.mu.Unlock()
	return s.streams.len() + s.reserved
}

// MaxStreams is how many streams the server allows; said is false where it did not say.
func (s *Session) MaxStreams() (most int, said bool) {
	s.group.mu.Lock()
	defer s.group.mu.Unlock()
	return int(s.peer.streams), s.peer.streams < maxStreamID
}

// Retire lets no request on the connection any more. It ends with the last one that is
// under way.
func (s *Session) Retire() {
	s.group.mu.Lock()
	defer s.group.mu.Unlock()
	s.stop()
	s.leaving = true
	s.touch()
}

// Cause is why the session takes no more requests: nil = the server said goodbye without an
// error, or it does take them.
func (s *Session) Cause() error {
	s.group.mu.Lock()
	defer s.group.mu.Unlock()
	switch {
	case s.goAway != nil && s.goAway.Code == NoError:
		return nil
	case s.goAway != nil:
		return *s.goAway
	}
	return s.err
}

// EndedWell reports whether the server ended the connection in good order: by GOAWAY
// without an error, unless it looked at none of the requests, or by closing it while no
// stream was open.
func (s *Session) EndedWell() bool {
	s.group.mu.Lock()
	defer s.group.mu.Unlock()
	if s.goAway != nil {
		return s.goAway.Code == NoError && (s.sent == 0 || s.goAwayLast > 0)
	}
	return s.wellIdle
}

// Answered reports whether the head of an answer has come.
func (s *Session) Answered() bool {
	s.group.mu.Lock()
	defer s.group.mu.Unlock()
	return s.answered
}

// Processed reports whether the server said with GOAWAY that it has looked at requests.
func (s *Session) Processed() bool {
	s.group.mu.Lock()
	defer s.group.mu.Unlock()
	return s.goAway != nil && min(s.goAwayLast, s.last) > 0
}

// ReadIdle is how long nothing has come, time asleep included.
func (s *Session) ReadIdle() time.Duration { return s.since(&s.lastRead) }

// WriteIdle is how long nothing was sent.
func (s *Session) WriteIdle() time.Duration { return s.since(&s.lastSent) }

// since goes by the wall clock: one that stands still while the machine sleeps would call a
// dead connection fresh.
func (s *Session) since(at *time.Time) time.Duration {
	s.group.mu.Lock()
	defer s.group.mu.Unlock()
	return wallSince(*at)
}

func wallSince(at time.Time) time.Duration { return wallBetween(at, time.Now()) }

func wallBetween(at, now time.Time) time.Duration {
	passed := now.Round(0).Sub(at.Round(0))
	return max(passed, -passed) // the clock may have been set back
}
