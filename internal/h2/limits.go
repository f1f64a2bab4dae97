package h2

import (
	"errors"
	"time"
)

// What the other side may cost without getting anything done (RFC 9113 section 10.5).
const (
	// maxFutile bounds frames that mean nothing: PING, SETTINGS, PRIORITY, empty DATA, what
	// comes behind a stream's end. So many are forgotten each second.
	maxFutile = 10_000
	// maxWasted bounds requests that end before their answer, by the client's RST_STREAM or
	// by its fault: beside those that were answered, and so many each second.
	maxWasted = 200
)

// limits count, by the second.
type limits struct {
	futile, wasted, useful int
	since                  time.Time
}

func (l *limits) age(now time.Time) {
	if past := now.Sub(l.since); past >= time.Second {
		seconds := int(min(past/time.Second, 3600))
		l.futile = max(0, l.futile-seconds*maxFutile)
		l.wasted = max(0, l.wasted-seconds*maxWasted/2)
		l.since = now
	}
}

// futile counts a frame that got nothing done.
func (s *Session) futile() error {
	s.limits.age(s.lastRead)
	if s.limits.futile++; s.limits.futile > maxFutile || len(s.out) > 4*maxOut {
		return ConnError{EnhanceYourCalm, "too many frames that mean nothing"}
	}
	return nil
}

// wasteful counts a request that was begun in vain.
func (s *Session) wasteful() error {
	s.limits.age(s.lastRead)
	if s.limits.wasted++; s.server && s.limits.wasted > maxWasted {
		return ConnError{EnhanceYourCalm, "too many requests that were given up"}
	}
	return nil
}

// useful takes something off for a request, so that who cancels some of many is let be.
func (s *Session) useful() {
	s.limits.age(s.lastRead)
	if s.limits.useful++; s.limits.useful%8 == 0 && s.limits.wasted > 0 {
		s.limits.wasted--
	}
}

// ErrHeadTooLarge is about a request whose fields are more than [Config.MaxHeader].
var ErrHeadTooLarge = errors.New("the fields of the request are more than is taken")

// refuse answers a request that cannot be taken; without Refuse, since its fields are too many
// (RFC 6585 section 5).
func (c *Config) refuse(st *Stream, why error) {
	if c.Refuse != nil {
		c.Refuse(st, why)
		return
	}
	st.SetEnd(discard{st})
	st.SendHead([]Field{{Name: ":status", Value: "431"}, {Name: "content-length", Value: "0"}}, true)
}

// A discard end takes all and keeps nothing.
type discard struct{ st *Stream }

func (d discard) Head(*Head, bool)      {}
func (d discard) Data(p []byte, _ bool) { d.st.Credit(len(p)) }
func (d discard) Trailer([]Field)       {}
func (d discard) Reset(*ResetError)     {}

// A resetLog remembers the streams that we reset last: frames for them may be under way.
type resetLog struct {
	ids  [256]uint32
	next int
}

func (l *resetLog) add(id uint32) {
	l.ids[l.next%len(l.ids)] = id
	l.next++
}

func (l *resetLog) has(id uint32) bool {
	for _, known := range l.ids {
		if known == id {
			return true
		}
	}
	return false
}
