package capture

import (
	"cmp"
	"maps"
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

// cutActive takes bodies from exchanges under way, the oldest first, and then heads,
// if nothing else is left to take. What remains then is their bookkeeping, and they are
// looked at again when that has changed, not with each chunk.
func (r *Recorder) cutActive() {
	near := max(r.options.Total/16, overdraft)
	if change := r.used.Load() - r.floor; !r.overdrawn() || r.floor > 0 && change <= near && change >= -near {
		return
	}
	active := slices.SortedFunc(maps.Values(r.all), func(a, b *Exchange) int { return cmp.Compare(a.id, b.id) })
	r.floor = 0
	for _, cut := range []func(*Exchange){(*Exchange).cutBodies, (*Exchange).cutHeads} {
		for _, e := range active {
			if !r.overdrawn() {
				return
			}
			cut(e)
		}
	}
	r.floor = r.used.Load()
}

// overdraft is what is no change where the budget is small.
const overdraft = 16 << 10

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
