package redact

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// MaxPast is how many former secrets are still masked: an answer may repeat the token
// that was renewed meanwhile.
const MaxPast = 128

// Live holds the patterns for the secrets that are live, and rebuilds them when those
// change.
type Live struct {
	live    func() []string
	asked   atomic.Int64 // when live was called, in Unix nanoseconds
	current atomic.Pointer[Patterns]

	mu   sync.Mutex
	list []string
	past []string
}

// NewLive returns the patterns for the secrets that live returns. It may be nil, and
// should answer from memory.
func NewLive(live func() []string) *Live {
	if live == nil {
		live = func() []string { return nil }
	}
	return &Live{live: live}
}

// Now returns the patterns for what is live now.
func (s *Live) Now() *Patterns {
	s.asked.Store(time.Now().UnixNano())
	list := s.live()
	s.mu.Lock()
	defer s.mu.Unlock()
	set := s.current.Load()
	if set != nil && sameElements(list, s.list) {
		return set
	}
	s.addPast(list)
	s.list = slices.Clone(list)
	// This takes some milliseconds if secrets are many and long. Former secrets are not
	// worth a dozen patterns each.
	next := NewPatterns(append(encoded(list), s.past...))
	if set != nil {
		next.number = set.number + 1
	}
	s.current.Store(next)
	return next
}

// Recent is Now for frequent callers: what it returns may be a second old.
func (s *Live) Recent() *Patterns {
	set := s.current.Load()
	if set == nil || time.Now().UnixNano()-s.asked.Load() > int64(time.Second) {
		return s.Now()
	}
	return set
}

// sameElements reports whether two lists are equal except for their order.
func sameElements(a, b []string) bool {
	return slices.Equal(a, b) || len(a) == len(b) && !slices.ContainsFunc(a, func(one string) bool { return !slices.Contains(b, one) })
}

// addPast moves what is not in list to the past. The caller holds mu.
func (s *Live) addPast(list []string) {
	for _, old := range s.list {
		if !slices.Contains(list, old) && !slices.Contains(s.past, old) {
			s.past = append(s.past, old)
		}
	}
	s.past = s.past[max(0, len(s.past)-MaxPast):]
}
