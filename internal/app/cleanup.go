package app

import "sync"

// A Cleanup is what has to be undone when the program ends, however it ends but by
// SIGKILL.
type Cleanup struct {
	mu   sync.Mutex
	over bool
	undo []func()
}

// add has undo called once at the end: now, where that has come already.
func (l *Cleanup) add(undo func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		undo()
		return
	}
	l.undo = append(l.undo, undo)
}

func (l *Cleanup) Run() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	for _, undo := range l.undo {
		undo()
	}
	l.undo = nil
}
