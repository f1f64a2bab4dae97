package upstream

import (
	"errors"
	"fmt"
	"time"

	"avsproxy/internal/problem"
)

// A Trouble is what keeps requests from the single connection to an upstream.
type Trouble struct {
	Detail string // what it is
	Hint   string // what to do about it
	Down   bool   // no request can go; else some wait
}

// Trouble is what is known to be wrong with the single connection; nil = nothing is.
func (u *Upstream) Trouble() *Trouble { return u.pool.trouble(u.options.Origin.Host) }

func (s *connPool) trouble(host string) *Trouble {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sortOutLocked()
	for _, l := range s.open {
		if n := l.waiting.Load(); n > 0 {
			return &Trouble{Detail: fmt.Sprintf("%s: %v; waiting for one: %d", host, l.full(), n), Hint: fullHint}
		}
	}
	var spent *spentError
	if s.single && len(s.open) == 0 && errors.As(s.back.spent(time.Now()), &spent) {
		detail, hint := spent.explain(host)
		return &Trouble{detail, hint, true}
	}
	return nil
}

const (
	spentHint = "the log tells why each of them failed; find out why the upstream does not keep connections, or wait"
	fullHint  = "end downchannels and long polls that are not needed, or wait until a request has ended; " +
		"dial_timeout and header_timeout of the route bound the wait"
)

func spentProblem(spent *spentError, host string) problem.Problem {
	detail, hint := spent.explain(host)
	return problem.Problem{
		Code: problem.UpstreamUnreachable, Title: "the upstream could not be reached",
		Detail: detail, Hint: hint, RetryAfter: spent.wait,
	}
}

// explain says also why the last connection failed, or ended.
func (e *spentError) explain(host string) (detail, hint string) {
	why, hint := "the upstream ended it", spentHint
	switch {
	case IsTimeout(e.last):
		why = "the upstream did not answer in time"
	case isLost(e.last):
		why = "it was cut"
	case errors.As(e.last, new(connectError)):
		why, hint = Describe(e.last)
	}
	return host + ": " + e.Error() + "; the last one: " + why, hint
}
