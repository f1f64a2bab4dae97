package h2

import "time"

// setIdle notes that a client's connection has no request under way any more, or again.
func (s *Session) setIdle(idle bool) {
	if !s.server || s.err != nil {
		return
	}
	if s.config.Idle != nil {
		s.config.Idle(idle)
	}
	switch {
	case s.config.IdleTimeout <= 0:
	case s.idleTimer == nil:
		if idle {
			s.idleTimer = time.AfterFunc(s.config.IdleTimeout, s.Shutdown)
		}
	case idle:
		s.idleTimer.Reset(s.config.IdleTimeout)
	default:
		s.idleTimer.Stop()
	}
}
