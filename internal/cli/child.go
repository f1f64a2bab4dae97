package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"avsproxy/internal/terminal"
)

// What shells and env(1) end with where a command cannot be run.
const (
	exitNotRunnable = 126
	exitNotFound    = 127
)

// findProgram looks for the command before anything is started for it.
func findProgram(name string) (path string, err error) {
	path, err = exec.LookPath(name)
	switch {
	case err == nil:
		return path, nil
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, os.ErrNotExist):
		return "", terminal.Exit(exitNotFound, fmt.Errorf("there is no command %s", name), "name a program in PATH, or the path of one")
	}
	return "", notRunnable(name, err)
}

func notRunnable(name string, err error) error {
	return terminal.Exit(exitNotRunnable, fmt.Errorf("%s cannot be run: %w", name, err), "")
}

// runProgram runs the command in our place at the terminal: it has our standard
// streams and stays in our process group, so that Ctrl-C and Ctrl-Z reach it as if
// it had been started alone. Its exit code becomes ours.
func runProgram(ctx context.Context, a *commands, path string, argv, env []string) error {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, childSignals...)
	defer signal.Stop(signals)
	a.childRuns.Store(true)
	defer a.childRuns.Store(false)
	if ctx.Err() != nil { // a signal came before
		return context.Cause(ctx)
	}
	cmd := exec.Command(path)
	cmd.Args, cmd.Env = argv, env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = a.stdin, a.stdout, a.UI.Out
	if err := withCores(ctx, cmd.Start); err != nil {
		return notRunnable(argv[0], err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case err := <-ended:
			return childEnded(err)
		case sig := <-signals:
			passSignal(cmd.Process, sig)
		}
	}
}

// passSignal hands on what was sent to us alone. A key press sends its signal to
// the whole foreground process group, and twice would be once too often: many
// programs take a second SIGINT for "at once".
func passSignal(child *os.Process, sig os.Signal) {
	if sig == syscall.SIGTERM || !inForeground() {
		_ = child.Signal(sig) // it may just have ended
	}
}

// childEnded turns the end of the command into our own, as shells do: 128 and the
// signal where there was one.
func childEnded(err error) error {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return &terminal.ExitError{Code: 128 + int(status.Signal())}
	}
	return &terminal.ExitError{Code: exit.ExitCode()}
}
