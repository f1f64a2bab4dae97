package h2

import "time"

// goodbyeTime is how long an idle connection has for its GOAWAY, before it is cut.
const goodbyeTime = 5 * time.Second

// noteIdle looks whether a client's connection has no request under way any more, and no
// answer to be written.
func (s *Session) noteIdle() {
	if s.streams.len() == 0 && s.unwritten == 0 && s.reserved == 0 {
		s.setIdle(true)
	}
}

// setIdle notes that a connection has no request under way any more, or again.
func (s *Session) setIdle(idle bool) {
	if s.err != nil || s.leaving && !s.server {
		return
	}
	if s.config.Idle != nil {
		s.config.Idle(idle)
	}
	switch {
	case s.config.IdleTimeout <= 0:
	case s.idleTimer == nil:
		if idle {
			s.idleTimer = time.AfterFunc(s.config.IdleTimeout, s.endIdle)
		}
	case idle:
		s.idleTimer.Reset(s.config.IdleTimeout)
	default:
		s.idleTimer.Stop()
	}
}

// endIdle says goodbye, unless a request has come meanwhile. Who does not read what it is sent is
// cut off.
func (s *Session) endIdle() {
	s.group.mu.Lock()
	defer s.group.mu.Unlock()
	if s.err != nil || s.leaving || s.streams.len() > 0 || s.reserved > 0 {
		return
	}
	s.stop()
	s.goodbye(NoError, "")
	time.AfterFunc(goodbyeTime, func() {
		s.group.mu.Lock()
		idle := s.streams.len() == 0 && s.unwritten == 0
		s.group.mu.Unlock()
		if idle {
			s.Close()
		}
	})
}
