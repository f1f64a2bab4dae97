package tokens

import "slices"

// formerMost is how many tokens that were replaced are remembered, so that an answer
// which repeats one of them later does not show it.
const formerMost = 8

// Secrets returns the tokens of this process, from memory: the present ones, the last
// few that they replaced, and what the store was seen to hold. It is for who hides
// them in what others said; nothing in it is for printing, or to be written to.
func (s *Source) Secrets() []Secret {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := [...]Secret{s.grant.Access, s.grant.Refresh, s.stored.Access, s.stored.Refresh, s.spent, s.rejected}
	if held != s.hidden.held { // asked for with each request, and different once an hour
		s.hidden.held = held
		s.hidden.list = slices.Clone(s.former)
		for _, secret := range held {
			if !secret.IsZero() && !slices.Contains(s.hidden.list, secret) {
				s.hidden.list = append(s.hidden.list, secret)
			}
		}
	}
	return s.hidden.list
}

// holdLocked makes grant the present one.
func (s *Source) holdLocked(grant Grant) {
	for _, old := range []Secret{s.grant.Access, s.grant.Refresh} {
		if old.IsZero() || old == grant.Access || old == grant.Refresh || slices.Contains(s.former, old) {
			continue
		}
		if s.former = append(s.former, old); len(s.former) > formerMost {
			s.former = slices.Delete(s.former, 0, 1)
		}
	}
	s.grant = grant
}
