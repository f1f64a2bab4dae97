package capture

import (
	"cmp"
	"slices"
)

// fit makes room if the budget is overdrawn. The caller holds no lock.
func (r *Recorder) fit() {
	if r.used.Load() <= r.options.Total {
		return
	}
	r.mu.Lock()
	removed := r.forgetEnded()
	r.cutActive()
	r.mu.Unlock()
	if len(removed) > 0 {
		r.dropped.Add(uint64(len(removed)))
		r.watch.publish(Event{Kind: KindRemoved, Removed: removed})
	}
}

func (r *Recorder) overdrawn() bool { return r.used.Load() > r.options.Total }

func (r *Recorder) forgetEnded() (removed []uint64) {
	for r.ended != nil && r.overdrawn() {
		removed = append(removed, r.forgetOldest())
	}
	return removed
}

// cutActive takes bodies from exchanges under way, the oldest first, if nothing
// else is left to take.
func (r *Recorder) cutActive() {
	if !r.overdrawn() {
		return
	}
	active := make([]*Exchange, 0, len(r.all))
	for _, e := range r.all {
		active = append(active, e)
	}
	slices.SortFunc(active, func(a, b *Exchange) int { return cmp.Compare(a.id, b.id) })
	for _, e := range active {
		if !r.overdrawn() {
			return
		}
		e.cutBodies()
	}
}

// forgetOldest forgets the exchange that ended first.
func (r *Recorder) forgetOldest() uint64 {
	e := r.ended
	r.ended = e.next
	if r.ended == nil {
		r.youngest = nil
	}
	delete(r.all, e.id)
	e.cutBodies() // which others may use from now on, and somebody may still look at e
	r.used.Add(-e.cost.Load())
	return e.id
}

// retire puts an exchange that has ended into the queue of those that may go.
func (r *Recorder) retire(e *Exchange) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.youngest == nil {
		r.ended = e
	} else {
		r.youngest.next = e
	}
	r.youngest = e
}
