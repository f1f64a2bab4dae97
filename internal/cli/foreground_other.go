//go:build !unix

package cli

import (
	"os"
	"syscall"
)

var childSignals = []os.Signal{os.Interrupt, syscall.SIGTERM}

// inForeground is true since every program at the console receives its Ctrl-C, and
// there is no other way to send one.
func inForeground() bool { return true }
