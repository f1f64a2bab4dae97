package app

import "sync"

// A leaving is what has to be undone when the program ends, however it ends but by
// SIGKILL.
type leaving struct {
	mu   sync.Mutex
	over bool
	undo []func()
}

// add has undo called once at the end: now, where that has come already.
func (l *leaving) add(undo func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		undo()
		return
	}
	l.undo = append(l.undo, undo)
}

func (l *leaving) End() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	for _, undo := range l.undo {
		undo()
	}
	l.undo = nil
}
