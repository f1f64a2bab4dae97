package avsroute

import (
	"errors"
	"sync"

	"avsproxy/internal/avs"
)

// A drainer ends a downchannel whose connection is about to end, so that it can be
// opened on the next one; but not in the middle of a part.
type drainer struct {
	end func()

	mu     sync.Mutex
	asked  bool
	inside bool
}

// ask asks for the end.
func (f *drainer) ask() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = true
	if !f.inside {
		f.end()
	}
}

// watch returns h, and sees where parts begin and end.
func (f *drainer) watch(h avs.PartHandler) avs.PartHandler {
	begin, end := h.Begin, h.End
	h.Begin = func(head avs.PartHead) {
		f.set(true)
		begin(head)
	}
	h.End = func(complete bool) {
		end(complete)
		f.set(false)
	}
	return h
}

func (f *drainer) set(inside bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.inside = inside; f.asked && !inside {
		f.end()
	}
}

// errLeft means that a downchannel was left for the next connection.
var errLeft = errors.New("the connection takes no more requests")

// errorOf returns the error that ended the channel, if it was not we who did.
func (f *drainer) errorOf(err error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.asked {
		return errLeft
	}
	return err
}
