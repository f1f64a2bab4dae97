package h2

import "runtime"

// touch has what is to be sent looked after: by who holds the lock, once it has done what it does,
// or by the session's writer.
func (s *Session) touch() {
	switch g := s.group; {
	case !g.gathers || s.tryWrite == nil:
		s.wake.Broadcast()
	case !s.touched:
		s.touched = true
		g.touched = append(g.touched, s)
	}
}

// flush sends what was added to sessions since gathers was set, as far as that needs no waiting:
// the writer's goroutine would begin later. The caller holds the lock, and sees the sessions
// change.
func (g *Group) flush() {
	g.gathers = false
	if len(g.touched) == 0 {
		return
	}
	g.mu.Unlock()
	runtime.Gosched() // who else is ready may add more: one write for all
	g.mu.Lock()
	all := g.touched
	g.touched, g.spare = g.spare[:0], nil
	for _, s := range all { // others add to g.touched meanwhile, and flush that themselves
		s.touched = false
		s.writeNow()
	}
	clear(all)
	g.spare = all[:0]
}

// maxNow is how much is sent at once without the writer. More is better written while its reader
// goes on.
const maxNow = 16 << 10

// writeNow sends what there is room for. The rest is the writer's.
func (s *Session) writeNow() {
	if s.err == nil && !s.writing && !s.stuck {
		if s.pump(); 0 < len(s.out) && len(s.out) <= maxNow {
			s.send(s.tryWrite)
		}
		if s.err == nil && !s.stuck && len(s.out) == 0 && !s.over() && (s.window <= 0 || len(s.turns.list) == 0) {
			s.quiet()
			return
		}
	}
	s.wake.Broadcast()
}
