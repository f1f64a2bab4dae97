package proxy

import (
	"sync"
	"time"
)

// Of each kind so many pass at once, and one more each time that PaceEvery has passed:
// who is refused without end, as a web page may be, must not push out what else is
// kept, nor fill a disk.
const (
	paceMost  = 16
	PaceEvery = time.Minute
)

// A Pace bounds how much is written down of what others can cause without end. The
// zero value is ready.
type Pace struct {
	mu    sync.Mutex
	kinds map[string]*paced
}

type paced struct {
	due     time.Time // when the next one would come at an even pace
	leftOut int
}

// Allows reports whether there is room for one more of a kind, and then how many were
// left out since the last one, else how many with this one. Kinds are few and ours.
func (p *Pace) Allows(kind string) (leftOut int, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kinds == nil {
		p.kinds = map[string]*paced{}
	}
	k := p.kinds[kind]
	if k == nil {
		k = &paced{}
		p.kinds[kind] = k
	}
	now := time.Now()
	if k.due.Before(now) {
		k.due = now
	}
	if k.due.Sub(now) > (paceMost-1)*PaceEvery {
		k.leftOut++
		return k.leftOut, false
	}
	k.due = k.due.Add(PaceEvery)
	return k.take(), true
}

// LeftOut returns how many of a kind were left out that nobody was told of, who is told
// now.
func (p *Pace) LeftOut(kind string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if k := p.kinds[kind]; k != nil {
		return k.take()
	}
	return 0
}

func (k *paced) take() int {
	n := k.leftOut
	k.leftOut = 0
	return n
}
