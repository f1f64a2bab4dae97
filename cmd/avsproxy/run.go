package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"

	"avsproxy/internal/config"
)

// Exit codes, the same for every command.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2 // wrong usage or configuration
	exitLogin       = 3 // a login is needed
	exitUnreachable = 4 // provider or upstream unreachable
)

// An exitError ends the program with a code of its own. A nil Err says nothing
// more to the person: everything was said.
type exitError struct {
	Code int
	Err  error
	Hint string
}

func (e *exitError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit %d", e.Code)
	}
	return e.Err.Error()
}

func (e *exitError) Unwrap() error { return e.Err }

// An app is what all commands share.
type app struct {
	getenv     func(string) string
	stdin      io.Reader
	stdout     io.Writer
	ui         *voice
	configPath string
	told       sync.Map // paths of unusable files that were told of
	leaving    leaving
	passing    bool // the state folder ends with this command
	// childRuns is set while signals are for the command that 'run' runs.
	childRuns atomic.Bool
}

// run is the whole program. A first SIGINT or SIGTERM cancels the command's
// context; a second one ends run at once.
func run(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) int {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // which nohup does
		signal.Notify(signals, syscall.SIGHUP)
	}
	defer signal.Stop(signals)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	a := &app{getenv: getenv, stdin: stdin, stdout: stdout, ui: newVoice(stderr, getenv)}
	defer a.leaving.end()
	root := a.rootCommand()
	root.SetArgs(args)
	ended := make(chan error, 1)
	go func() { ended <- root.ExecuteContext(ctx) }()
	for {
		select {
		case err := <-ended:
			return a.exitCode(ctx, err)
		case sig := <-signals:
			switch {
			case a.childRuns.Load():
			case ctx.Err() != nil:
				return signalCode(sig)
			default:
				cancel(signalError{sig})
			}
		}
	}
}

// A signalError is the cause of a context that a signal cancelled.
type signalError struct{ sig os.Signal }

func (e signalError) Error() string { return "ended by " + e.sig.String() }

func signalCode(sig os.Signal) int {
	switch sig {
	case syscall.SIGTERM:
		return 143
	case syscall.SIGHUP:
		return 129
	}
	return 130
}

// exitCode says what is left to say about err and turns it into a code. Errors
// that carry no code come from the command line's parser.
func (a *app) exitCode(ctx context.Context, err error) int {
	var (
		exit       *exitError
		complaints config.Issues
		notFound   *config.NotFound
		sig        signalError
	)
	switch {
	case err == nil:
		return exitDone
	case errors.As(context.Cause(ctx), &sig):
		return signalCode(sig.sig) // whatever else err says, it is because of the signal
	case errors.As(err, &complaints), errors.As(err, &notFound):
		a.ui.fail(err, "")
		return exitUsage
	case errors.As(err, &exit):
		if exit.Err != nil {
			a.ui.fail(exit.Err, exit.Hint)
		}
		return exit.Code
	}
	a.ui.fail(err, "see 'avsproxy --help'")
	return exitUsage
}

func failed(err error, hint string) error { return &exitError{exitFailed, err, hint} }
