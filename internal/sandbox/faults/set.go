package faults

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// A Set decides when faults strike. The zero value is an empty set, ready to use. It
// is safe for concurrent use.
type Set struct {
	// Random returns numbers in [0,1), one call at a time; nil means rand.Float64. It
	// must not change once the set is used. A seeded source makes a run repeatable:
	// rand.New(rand.NewPCG(seed, seed)).Float64.
	Random func() float64

	mu     sync.Mutex
	active []*activeFault
}

// An activeFault may still strike.
type activeFault struct {
	Fault
	group   string  // those of one group take turns
	events  []Event // at which it may strike
	limit   int     // of its strikes; 0 means none
	added   time.Time
	seen    int // events since the fault's After has passed
	strikes int
}

// Replace removes all faults and adds those of a list in the language of the package
// comment, with a comma or a line end between the items. An empty list clears the set. If
// an item is wrong, nothing changes; the error joins an [*Error] for each wrong item.
func (s *Set) Replace(list string) error {
	added, err := parse(list)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active = added
	return nil
}

// List returns the faults that may still strike, in the order of the list.
func (s *Set) List() List {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list List
	for _, a := range s.active {
		list = append(list, a.Fault)
	}
	return list
}

// Strike counts one happening, which is all of these events at once, for each fault
// that waits for one of them. It returns the faults that strike, in the order of the
// set. It returns a fault that strikes connections after a while at the event
// [Connection]; the caller then waits for the fault's After.
func (s *Set) Strike(events ...Event) (struck List) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	taken := map[string]bool{}
	for _, a := range s.active {
		if !a.meets(events) || !a.due(now) || taken[a.group] || !s.hits(a.Percent) {
			continue
		}
		taken[a.group] = true
		a.strikes++
		struck = append(struck, a.Fault)
	}
	s.active = slices.DeleteFunc(s.active, func(a *activeFault) bool { return a.limit > 0 && a.strikes >= a.limit })
	return struck
}

func (a *activeFault) meets(events []Event) bool {
	return slices.ContainsFunc(a.events, func(e Event) bool { return slices.Contains(events, e) })
}

// due counts an event, and reports whether the fault may strike at it.
func (a *activeFault) due(now time.Time) bool {
	if !slices.Contains(a.events, Connection) && now.Sub(a.added) < a.After {
		return false
	}
	a.seen++
	return a.seen >= a.At
}

func (s *Set) hits(percent float64) bool {
	switch {
	case percent == 0 || percent == 100:
		return true
	case s.Random != nil:
		return s.Random()*100 < percent
	}
	return rand.Float64()*100 < percent
}
