// Package breakpoint holds requests and answers while somebody looks at them, who may change them, let them go on or drop
// them. It is the one exception to the rule that bytes are never held: it holds only what a page that is connected has
// asked for, for a bounded time, and lets everything go when the page leaves.
package breakpoint

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Bound is how long one request or answer is held at most.
const Bound = time.Minute

// MaxBody is how much of a body is shown, and can be changed. What is longer, or does not come whole within [Patience],
// goes on as it comes.
const (
	MaxBody  = 1 << 20
	Patience = 500 * time.Millisecond
)

// maxHeld bounds what is held at once, with its body; others go on.
const maxHeld = 32

// A Side is what is held of an exchange.
type Side string

// The sides.
const (
	Request Side = "request"
	Answer  Side = "answer"
)

// About says which exchange a message belongs to.
type About struct {
	Exchange                                   uint64 // 0 = it is not recorded
	Route, Method, Scheme, Host, Target, Proto string
	Status                                     int // of an answer
	// Early says that nothing of the exchange is recorded yet: what cannot be known is to count as a match.
	Early bool
}

// A Held is a message that waits.
type Held struct {
	ID     uint64
	Side   Side
	About  About
	Header http.Header
	Body   []byte // as far as it came
	Whole  bool   // Body is all of it
}

// A Decision is what becomes of it.
type Decision struct {
	Drop   bool
	Method string              // of a request; empty = as it was
	Target string              // of a request; empty = as it was
	Status int                 // of an answer; 0 = as it was
	Set    map[string][]string // fields in the place of those of their names
	Remove []string            // names of fields
	Body   *[]byte             // nil = as it was
}

// ErrDropped says that a message is to go no further.
var ErrDropped = errors.New("dropped at a breakpoint")

// Points are the breakpoints of a proxy. The zero value has none.
type Points struct {
	armed atomic.Int32 // how many there are

	mu     sync.Mutex
	points map[*point]struct{}
	held   map[uint64]*waiting
	last   uint64
	places int // that are taken, those whose body is looked at included
}

// A point is what one page asked for.
type point struct {
	side    Side
	matches func(About) bool
	to      chan Held
	gone    <-chan struct{}
}

type waiting struct {
	decided chan Decision
}

// Armed reports whether there is any breakpoint. It costs next to nothing.
func (p *Points) Armed() bool { return p != nil && p.armed.Load() > 0 }

// Add holds what matches until ctx ends. What is held is sent to the channel, which is closed then.
func (p *Points) Add(ctx context.Context, side Side, matches func(About) bool) <-chan Held {
	one := &point{side: side, matches: matches, to: make(chan Held, maxHeld), gone: ctx.Done()}
	p.mu.Lock()
	if p.points == nil {
		p.points, p.held = map[*point]struct{}{}, map[uint64]*waiting{}
	}
	p.points[one] = struct{}{}
	p.mu.Unlock()
	p.armed.Add(1)
	context.AfterFunc(ctx, func() {
		p.armed.Add(-1)
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.points, one)
		close(one.to)
	})
	return one.to
}

// Wants reports whether a message of that side would be held. An answer that has not come yet cannot be
// matched, so Wants is true if any breakpoint is for answers.
func (p *Points) Wants(about About) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for one := range p.points {
		if one.side == Answer || one.matches(about) {
			return true
		}
	}
	return false
}

// Decide says what becomes of a message that waits; false = it does not, any more.
func (p *Points) Decide(id uint64, decision Decision) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.held[id]
	delete(p.held, id)
	if one == nil {
		return false
	}
	one.decided <- decision // which has room
	return true
}

// hold waits for a decision about a message; the zero decision if none comes.
func (p *Points) hold(ctx context.Context, one *point, held Held) Decision {
	wait := p.enter(one, &held)
	if wait == nil {
		return Decision{}
	}
	bound := time.NewTimer(Bound)
	defer bound.Stop()
	select {
	case decision := <-wait.decided:
		return decision
	case <-one.gone:
	case <-bound.C:
	case <-ctx.Done():
	}
	return p.leave(held.ID, wait)
}

// reserve takes a place for a message that a page wants, before its body is looked at; nil = none does, or has room.
func (p *Points) reserve(side Side, about About) *point {
	if !p.Armed() {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.places >= maxHeld {
		return nil
	}
	for one := range p.points {
		if one.side == side && one.matches(about) {
			p.places++
			return one
		}
	}
	return nil
}

func (p *Points) giveBack() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.places--
}

// enter sends a message to the page that wants it; nil = it has left, or does not read.
func (p *Points) enter(one *point, held *Held) *waiting {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, there := p.points[one]; !there {
		return nil
	}
	p.last++
	held.ID = p.last
	select {
	case one.to <- *held:
	default:
		return nil
	}
	wait := &waiting{decided: make(chan Decision, 1)}
	p.held[held.ID] = wait
	return wait
}

// leave ends the wait. What was decided at this moment holds.
func (p *Points) leave(id uint64, wait *waiting) Decision {
	p.mu.Lock()
	delete(p.held, id)
	p.mu.Unlock()
	select {
	case decision := <-wait.decided:
		return decision
	default:
		return Decision{}
	}
}
