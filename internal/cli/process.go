package cli

import (
	"os"
	"os/signal"
	"strings"
	"syscall"

	"avsproxy/internal/config"
)

// Snapshot is like [os.Getenv] for the environment as it is now. As there, the first
// of two entries counts.
func Snapshot(environ []string) func(string) string {
	values := map[string]string{}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if _, known := values[name]; !known {
			values[name] = value
		}
	}
	return func(name string) string { return values[name] }
}

// unsetSecretVariables takes the variables that hold secrets out of the environment that
// this process's children inherit, whoever starts them. The configuration reads them
// from a snapshot.
func unsetSecretVariables(conf *config.Config) {
	for _, name := range conf.SecretVariables {
		_ = os.Unsetenv(name) // fails for no name that a configuration can have
	}
}

// ignoreBrokenPipe keeps this process alive when the reader of its stdout or stderr has
// ended, as in "serve 2>&1 | head". Otherwise a write to them ends a Go program (see
// [os/signal]), which is right for commands that only print. The signal is caught, not
// ignored, since children would inherit that.
func ignoreBrokenPipe() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
}
