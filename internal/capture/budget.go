package capture

// makeRoom frees memory if too much is in use. The caller holds no lock.
func (r *Recorder) makeRoom() {
	if r.used.Load() <= r.budget {
		return
	}
	r.mu.Lock()
	removed := r.evictEnded()
	r.cutActive()
	r.mu.Unlock()
	if len(removed) > 0 {
		r.dropped.Add(uint64(len(removed)))
		r.watch.publish(Event{Kind: KindRemoved, Removed: removed})
	}
}

func (r *Recorder) overdrawn() bool { return r.used.Load() > r.budget }

func (r *Recorder) evictEnded() (removed []uint64) {
	for len(r.ended) > 0 && r.overdrawn() {
		removed = append(removed, r.evictOldest())
	}
	return removed
}

// cutActive drops the bodies of active exchanges, oldest first, and then their heads if
// that is not enough. What remains cannot be dropped, so the exchanges are not examined
// again until the memory in use has changed enough.
func (r *Recorder) cutActive() {
	near := max(r.budget/16, minChange)
	if change := r.used.Load() - r.floor; !r.overdrawn() || r.floor > 0 && change <= near && change >= -near {
		return
	}
	active := r.sorted()
	r.floor = 0
	for _, cut := range []func(*recording){(*recording).cutBodies, (*recording).cutHeads} {
		for _, e := range active {
			if !r.overdrawn() {
				return
			}
			cut(e)
		}
	}
	r.floor = r.used.Load()
}

// minChange is the smallest change that counts, however small Total is.
const minChange = 16 << 10

// evictOldest removes the exchange that ended first.
func (r *Recorder) evictOldest() uint64 {
	e := r.ended[0]
	r.ended[0], r.ended = nil, r.ended[1:]
	delete(r.all, e.id)
	e.cutBodies() // their slabs are used again, and somebody may still hold e
	r.used.Add(-e.cost.Load())
	return e.id
}
