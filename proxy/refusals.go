package proxy

import (
	"net/http"

	"avsproxy/internal/problem"
)

// RefusalRecorder write down, in a [Pace], requests that a guard keeps out, which no [Observe]
// sees. What they would have sent is not looked at. The zero value writes nothing.
type RefusalRecorder struct {
	// Record is that of [ObserveOptions].
	Record func(r *http.Request, e Exchange) Recording

	pace Pace
}

// Refused is for [httpexchange.Guard].
func (s *RefusalRecorder) Refused(r *http.Request, p problem.Problem) {
	if s.Record == nil {
		return
	}
	if _, ok := s.pace.Allows(string(p.Code)); !ok {
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
