// Package secretsource reads secrets from programs and from the system's keyring,
// within a limit of time and size.
package secretsource

import (
	"context"
	"errors"
	"os/exec"
	"time"
)

const (
	// MaxSize is the longest secret in bytes. OAuth tokens and secrets have at most
	// some 2 KB; JWTs can be longer.
	MaxSize = 64 << 10
	// CommandTimeout is how long a program may run.
	CommandTimeout = 10 * time.Second

	outputDelay = time.Second // how long a program's children may hold its output open
)

// The errors of a limit.
var (
	ErrTooLarge = errors.New("it is larger than 64 KiB")
	ErrTimeout  = errors.New("it did not end in time")
)

// A Command is a program that prints a secret.
type Command struct {
	// Argv is the program and its arguments; no shell reads them.
	Argv []string
	Env  []string // nil = this process's
	Dir  string   // where it runs; empty = here
	// AtTerminal keeps the program in our process group where there is a terminal, so
	// that it can ask a person. Then a timeout ends the program, but not its children.
	AtTerminal bool
}

// Output runs the program with an empty stdin and returns what it prints. A process
// that it leaves in the background, such as an agent, is no failure. The error is
// [ErrTimeout], also when ctx ends, [ErrTooLarge], or one of [exec.Cmd.Run].
func (c Command) Output(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, CommandTimeout)
	defer cancel()
	var out limitedBuffer
	cmd := exec.CommandContext(ctx, c.Argv[0], c.Argv[1:]...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.WaitDelay = c.Env, c.Dir, &out, outputDelay
	if !c.AtTerminal || !hasTerminal() {
		killGroup(cmd)
	}
	err := cmd.Run()
	switch {
	case out.full:
		return nil, ErrTooLarge
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return out.text, nil
	case ctx.Err() != nil:
		return nil, ErrTimeout
	}
	return nil, err
}

// A limitedBuffer takes MaxSize bytes; more than that breaks the program's pipe.
type limitedBuffer struct {
	text []byte
	full bool
}

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if b.full = len(b.text)+len(p) > MaxSize; b.full {
		return 0, ErrTooLarge
	}
	b.text = append(b.text, p...)
	return len(p), nil
}
