package faults

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// A Set says when faults strike. The zero value is an empty set, ready to use,
// and a nil *Set may be asked like an empty one, but not told anything. It is safe for concurrent use.
type Set struct {
	// Now is the clock; nil means time.Now. It may not be changed once the set is used.
	Now func() time.Time
	// Random returns numbers in [0,1), one call at a time; nil means rand.Float64.
	// It may not be changed once the set is used. For a run that repeats itself, use
	// rand.New(rand.NewPCG(seed, seed)).Float64.
	Random func() float64

	mu    sync.Mutex
	armed []*armed
}

// armed is a fault that waits.
type armed struct {
	Fault
	kind   Kind
	events []Event
	since  time.Time
	seen   int // events, while it did not only wait for its time
	struck int
}

// Replace puts a list in the place of all faults; an empty one clears the set.
// All counting begins anew. If a fault is wrong, nothing changes.
func (s *Set) Replace(list List) error {
	fresh, err := s.arm(list)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.armed = fresh
	return nil
}

// Add adds faults behind those of the set. If one is wrong, nothing changes.
func (s *Set) Add(faults ...Fault) error {
	fresh, err := s.arm(faults)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.armed = append(s.armed, fresh...)
	return nil
}

// List returns the faults that may still strike, as they were given.
func (s *Set) List() List {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var list List
	for _, a := range s.armed {
		list = append(list, a.Fault)
	}
	return list
}

// Strike counts one event for the faults of a name, and returns the one that
// strikes. A kind with several values for a name, such as expire-token, is better
// asked for by its event.
func (s *Set) Strike(name string) (Fault, bool) {
	struck := s.meet(func(a *armed) bool { return a.kind.named(name) && (a.kind.Name != statuses || a.Name == name) })
	if len(struck) == 0 {
		return Fault{}, false
	}
	return struck[0], true
}

// StrikeAll counts one happening, which is all of these events, for each fault
// that waits for one of them. It returns those that strike, in the order of the
// set. A fault that strikes connections after a while is returned at the event
// [Connection], and it is for the caller to wait for the fault's After.
func (s *Set) StrikeAll(events ...Event) List {
	return s.meet(func(a *armed) bool {
		return slices.ContainsFunc(a.events, func(e Event) bool { return slices.Contains(events, e) })
	})
}

func (s *Set) meet(concerned func(*armed) bool) (struck List) {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	taken := map[string]bool{}
	for _, a := range s.armed {
		if !concerned(a) || !a.due(now) || taken[a.kind.group] || !s.hits(a.Chance) {
			continue
		}
		taken[a.kind.group] = true
		a.struck++
		struck = append(struck, a.Fault)
	}
	s.armed = slices.DeleteFunc(s.armed, (*armed).spent)
	return struck
}

// due counts an event, and says whether the fault may strike at it.
func (a *armed) due(now time.Time) bool {
	if !slices.Contains(a.events, Connection) && now.Sub(a.since) < a.After {
		return false
	}
	a.seen++
	return a.seen >= a.At
}

func (a *armed) spent() bool {
	limit := a.Count
	switch {
	case limit > 0:
	case a.kind.times && a.Value != "":
		limit = a.Number()
	case a.At > 0 || a.kind.once:
		limit = 1
	default:
		return false
	}
	return a.struck >= limit
}

func (s *Set) hits(chance float64) bool {
	switch {
	case chance == 0 || chance == 1:
		return true
	case s.Random != nil:
		return s.Random() < chance
	}
	return rand.Float64() < chance
}

func (s *Set) arm(list []Fault) ([]*armed, error) {
	now := s.now()
	fresh := make([]*armed, 0, len(list))
	for _, f := range list {
		f, kind, err := f.check()
		if err != nil {
			return nil, err
		}
		fresh = append(fresh, &armed{Fault: f, kind: kind, events: kind.events(f), since: now})
	}
	return fresh, nil
}

func (s *Set) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}
