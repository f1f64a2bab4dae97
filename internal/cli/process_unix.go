//go:build unix

package cli

import (
	"context"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// coreDumps is the variable that lets this program leave core dumps where it is "1",
// for somebody who looks for a fault in it.
const coreDumps = "AVSPROXY_CORE_DUMPS"

type coreLimitKey struct{}

// ForbidCores keeps tokens out of core dumps: none are made, unless they are asked
// for. The context remembers the limit for children, which are programs of others.
func ForbidCores(ctx context.Context, getenv func(string) string) (context.Context, error) {
	if getenv(coreDumps) == "1" {
		return ctx, nil
	}
	var limit syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_CORE, &limit)
	if err == nil {
		ctx = context.WithValue(ctx, coreLimitKey{}, limit)
		limit.Cur = 0
		err = syscall.Setrlimit(syscall.RLIMIT_CORE, &limit)
	}
	if err == nil {
		err = forbidDumps()
	}
	if err != nil {
		return ctx, fmt.Errorf("nothing keeps tokens out of a core dump of this process: %w", err)
	}
	return ctx, nil
}

// withCores starts a child that may leave core dumps as far as this process might
// have when it began.
func withCores(ctx context.Context, start func() error) error {
	before, changed := ctx.Value(coreLimitKey{}).(syscall.Rlimit)
	var now syscall.Rlimit
	if changed && syscall.Getrlimit(syscall.RLIMIT_CORE, &now) == nil {
		_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &before) // no more than it was
		defer syscall.Setrlimit(syscall.RLIMIT_CORE, &now)
	}
	return start()
}

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

// disableLineEditing takes the editing of lines from a terminal; what is no terminal stays
// as it is.
func disableLineEditing(fd int) (restore func()) {
	mode, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return func() {}
	}
	changed := *mode
	changed.Lflag &^= unix.ICANON
	changed.Cc[unix.VMIN], changed.Cc[unix.VTIME] = 1, 0
	if unix.IoctlSetTermios(fd, setTermios, &changed) != nil {
		return func() {}
	}
	return func() { _ = unix.IoctlSetTermios(fd, setTermios, mode) }
}
