package app

import (
	"context"
	"runtime/debug"
	"sync"

	"avsproxy/internal/api"
	"avsproxy/internal/config"
	"avsproxy/internal/terminal"
)

// An Environment is what the process gives to the parts of the program.
type Environment struct {
	Getenv    func(string) string
	UI        *terminal.Terminal
	warned    sync.Map // paths of unusable files, each warned of once
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

// warnLockHeld warns that another process holds a lock.
func (e *Environment) warnLockHeld(path string) {
	e.UI.Warn("waiting for the lock "+path+", which another process holds", "if it does not end by itself, see who that is: fuser "+terminal.ShellQuote(path))
}

// SayAwaitingRenewal says why the process does not end yet.
func (e *Environment) SayAwaitingRenewal(credential string) {
	e.UI.Say("avsproxy: waiting for the provider's answer to the renewal of %s, for 5 minutes at most; another signal ends this at once, and may lose the login", credential)
}

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

// FindDaemon finds the proxy that serves this configuration's state folder; nil = none
// does.
func FindDaemon(ctx context.Context, e *Environment, conf *config.Config) *api.Daemon {
	found, err := api.FindDaemon(ctx, conf.Store.Path)
	if err != nil {
		if _, told := e.warned.LoadOrStore(api.RunFilePath(conf.Store.Path), true); !told {
			e.UI.Warn("a running proxy cannot be found: "+err.Error(), "move it away; the next 'avsproxy serve' writes it anew")
		}
	}
	return found
}

// Version comes from what the Go tool notes in the binary: the module's version
// where it was installed by version, else the commit it was built from.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
