package cli

import (
	"os"
	"os/signal"
	"syscall"
)

// ignoreBrokenPipe keeps this process alive when nobody reads its stdout or stderr any
// more, as when "serve 2>&1 | head" has seen enough: writing then fails, and there is
// nobody to tell. Without it such a write ends a Go program (see [os/signal]), which
// is right for commands whose whole work is to print. The signal is caught, not
// ignored, since children would inherit that.
func ignoreBrokenPipe() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
}
