package sandbox

import "sync"

const maxRecent = 2048 // requests to AVS, and token calls

// recent holds the last items that were added.
type recent[T any] struct {
	mu    sync.Mutex
	items []T
}

func (r *recent[T]) add(item T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.items) == maxRecent {
		copy(r.items, r.items[1:])
		r.items = r.items[:maxRecent-1]
	}
	r.items = append(r.items, item)
}

func (r *recent[T]) all() []T {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]T{}, r.items...) // not nil: JSON shows an empty list
}

func (r *recent[T]) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.items = nil
}
