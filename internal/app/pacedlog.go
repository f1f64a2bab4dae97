package app

import (
	"log/slog"
	"sync/atomic"
	"time"

	"avsproxy/internal/api"
	"avsproxy/proxy"
)

// A pacedLog prints what others can cause without end, in a [proxy.Pace].
type pacedLog struct {
	log  *slog.Logger
	pace proxy.Pace
}

// warn prints a line of a kind, or counts it for the next one. Where none comes, the
// count is printed by itself.
func (l *pacedLog) warn(kind, text string, args ...any) {
	leftOut, ok := l.pace.Allows(kind)
	switch {
	case ok && leftOut > 0:
		l.log.Warn(text, append(args, "left_out", leftOut)...)
	case ok:
		l.log.Warn(text, args...)
	case leftOut == 1:
		time.AfterFunc(proxy.PaceEvery, func() { l.sum(kind) })
	}
}

func (l *pacedLog) sum(kind string) {
	if leftOut := l.pace.LeftOut(kind); leftOut > 0 {
		l.log.Warn("more of the same", "error", kind, "left_out", leftOut)
	}
}

// refusedConnections counts the connections of other users that were closed as they came, since
// all places that are kept for these were taken.
type refusedConnections struct{ proxy, console atomic.Int64 }

// refusedCounter returns who counts those of one door.
func refusedCounter(s *Server, count *atomic.Int64, door string) func() {
	return func() {
		s.refusals.warn(door+" closes", "connections of other users are closed as they come: there are as many as get an answer", "door", door, "closed", count.Add(1))
	}
}

func (t *refusedConnections) counts() api.TurnedAway {
	return api.TurnedAway{Proxy: t.proxy.Load(), Console: t.console.Load()}
}
