package app

import (
	"sync"

	"avsproxy/internal/terminal"
)

// An Environment is what the process gives to the parts of the program.
type Environment struct {
	Getenv    func(string) string
	UI        *terminal.Terminal
	warned    sync.Map // paths of unusable files that were told of
	Cleanup   Cleanup
	Temporary bool // the state folder ends with this process
}

// warnRecovered warns of a damaged file, whose login lives on from a copy.
func (e *Environment) warnRecovered(path string) {
	if _, told := e.warned.LoadOrStore(path, true); told {
		return
	}
	e.UI.Warn(path+" is damaged; the login goes on from the generation before it", "the damaged file is kept as "+path+".damaged with the next renewal; check the disk")
}

// warnLockHeld warns of a lock that is not to be had soon.
func (e *Environment) warnLockHeld(path string) {
	e.UI.Warn("waiting for the lock "+path+", which another process holds", "if it does not end by itself, see who that is: fuser "+terminal.ShellQuote(path))
}

// SayAwaitingRenewal tells why an end takes its time.
func (e *Environment) SayAwaitingRenewal(credential string) {
	e.UI.Say("avsproxy: waiting for the provider's answer to the renewal of %s, for 5 minutes at most; another signal ends this at once, and may lose the login", credential)
}
