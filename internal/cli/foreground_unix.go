//go:build unix

package cli

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// childSignals are for the command that 'run' runs to decide about.
var childSignals = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT}

// inForeground reports whether the keys of a terminal send their signals to our
// process group.
func inForeground() bool {
	tty, err := os.Open("/dev/tty")
	if err != nil { // no terminal controls us
		return false
	}
	defer tty.Close()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}
