package tokens

import (
	"context"
	"errors"
	"time"
)

// saveAgain is the time between attempts to save what the store could not take.
const saveAgain = 10 * time.Second

// saveSoonLocked has what only memory holds saved a little later, also if nobody
// asks for a token by then: until it is saved, a crash would lose the login.
func (s *Source) saveSoonLocked() {
	if s.saver != nil {
		s.saver.Stop()
	}
	s.saver = time.AfterFunc(saveAgain, s.saveHeld)
}

var (
	errWentBack = errors.New("the store went back to a login that was renewed since")
	errRenewing = errors.New("a renewal is under way")
)

// saveHeld saves what only memory holds.
func (s *Source) saveHeld() {
	ctx, cancel := context.WithTimeout(context.Background(), saveAgain)
	defer cancel()
	a := &attempt{source: s, held: true} // as long as nothing else is known
	unlock, err := s.Store.Lock(ctx, s.key())
	if err == nil {
		defer unlock()
		// One under way has what is newer, or waits for the lock and then saves what is held.
		if s.Status().Renewing {
			err = errRenewing
		} else if grant, _ := a.load(); a.held {
			a.save(grant)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !a.held:
		s.startLocked("") // others did something to the store; go on from there
	case err == nil && a.epoch == s.epoch:
		s.unsaved = a.saveErr
	}
	if s.unsaved != nil {
		s.saveSoonLocked()
	}
}
