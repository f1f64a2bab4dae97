package proxy

import (
	"net/http"
	"sync"
	"time"

	"avsproxy/internal/problem"
)

// Of each kind of refusal so many are written down at once, and one more each time that
// refusalEvery has passed: who is refused without end, as a web page may be, must not
// push out what else is kept.
const (
	refusalsMost = 16
	refusalEvery = time.Minute
)

// Refusals write down requests that a guard keeps out, which no [Observe] sees. What
// they would have sent is not looked at. The zero value writes nothing.
type Refusals struct {
	// Record is that of [ObserveOptions].
	Record func(r *http.Request, e Exchange) Recording

	mu  sync.Mutex
	due map[problem.Code]time.Time // when the next one would come at an even pace
}

// Refused is for [guard.Guard].
func (s *Refusals) Refused(r *http.Request, p problem.Problem) {
	if s.Record == nil || !s.hasRoom(p.Code, time.Now()) {
		return
	}
	e := arrival("", r)
	e.Decision, e.Status, e.Error, e.Ended = Refused, p.Code.Status(), string(p.Code), p.Title+": "+p.Detail
	recording := s.Record(r, e)
	if recording == nil {
		return
	}
	recording.WithoutBodies()
	if hasNoBody(r) {
		recording.RequestEnd(nil, nil)
	}
	recording.Response(e, nil)
	recording.End(e, nil)
}

// hasRoom counts a refusal, if there is room for it.
func (s *Refusals) hasRoom(kind problem.Code, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	due := s.due[kind]
	if due.Before(now) {
		due = now
	}
	if due.Sub(now) > (refusalsMost-1)*refusalEvery {
		return false
	}
	if s.due == nil {
		s.due = map[problem.Code]time.Time{}
	}
	s.due[kind] = due.Add(refusalEvery)
	return true
}
