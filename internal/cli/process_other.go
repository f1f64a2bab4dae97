//go:build !unix

package cli

import (
	"context"
	"os"
	"syscall"
)

// ForbidCores has nothing to do: this system makes no core dumps by itself.
func ForbidCores(ctx context.Context, _ func(string) string) (context.Context, error) {
	return ctx, nil
}

func withCores(_ context.Context, start func() error) error { return start() }

var childSignals = []os.Signal{os.Interrupt, syscall.SIGTERM}

// inForeground is true since every program at the console receives its Ctrl-C, and
// there is no other way to send one.
func inForeground() bool { return true }

// disableLineEditing does nothing: no bound of this system's terminals is known.
func disableLineEditing(int) (restore func()) { return func() {} }
