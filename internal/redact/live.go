package capture

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// maxPast is how many secrets that are live no more are still masked: an answer
// that is under way while its token is renewed may repeat the old one.
const maxPast = 128

// secrets keeps the patterns for what is live, and makes them anew when that
// changes.
type secrets struct {
	live    func() []string // may be nil
	asked   atomic.Int64    // when live was asked, in Unix nanoseconds
	current atomic.Pointer[patterns]

	mu   sync.Mutex
	list []string
	past []string
}

// now returns the patterns for what is live now.
func (s *secrets) now() *patterns {
	set := s.current.Load()
	if s.live == nil && set != nil {
		return set
	}
	var list []string
	if s.live != nil {
		s.asked.Store(time.Now().UnixNano())
		list = s.live()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	set = s.current.Load()
	if set != nil && same(list, s.list) {
		return set
	}
	s.retire(list)
	s.list = slices.Clone(list)
	// Some milliseconds where secrets are many and long; see SecretsChanged.
	next := newPatterns(append(disguised(list), s.past...)) // what is dead is not worth a dozen patterns each
	if set != nil {
		next.number = set.number + 1
	}
	s.current.Store(next)
	return next
}

// recent is now for those who ask often: what it returns may be a second old.
func (s *secrets) recent() *patterns {
	set := s.current.Load()
	if set == nil || s.live != nil && time.Now().UnixNano()-s.asked.Load() > int64(time.Second) {
		return s.now()
	}
	return set
}

// same reports whether two lists hold the same, in whatever order.
func same(a, b []string) bool {
	return slices.Equal(a, b) || len(a) == len(b) && !slices.ContainsFunc(a, func(one string) bool { return !slices.Contains(b, one) })
}

// retire moves what is not in list to the past. The caller holds mu.
func (s *secrets) retire(list []string) {
	for _, old := range s.list {
		if !slices.Contains(list, old) && !slices.Contains(s.past, old) {
			s.past = append(s.past, old)
		}
	}
	s.past = s.past[max(0, len(s.past)-maxPast):]
}
