package sandbox

import "sync"

const keep = 2048 // of arrivals and of token calls

// recent remembers the last things it was given.
type recent[T any] struct {
	mu    sync.Mutex
	items []T
}

func (r *recent[T]) add(item T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.items) == keep {
		copy(r.items, r.items[1:])
		r.items = r.items[:keep-1]
	}
	r.items = append(r.items, item)
}

func (r *recent[T]) all() []T {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]T(nil), r.items...)
}

func (r *recent[T]) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.items = nil
}
