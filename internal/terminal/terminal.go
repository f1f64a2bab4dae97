// Package terminal words what the program says to a person, and the codes it ends with.
package terminal

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/lmittmann/tint"
	"golang.org/x/term"
)

// A Terminal writes for the person at the terminal, on stderr; results go to stdout.
// Say informs, Warn warns of later trouble, Fail gives the reason why a command ends,
// and Log is for what happens while serving. Sentences start in
// lower case and have no full stop; what to do next is on a line of its own.
type Terminal struct {
	Out   io.Writer
	Log   *slog.Logger
	Level *slog.LevelVar // the least that log prints
	plain bool
	json  bool   // see LogJSON
	lines *lines // Out writes to it
}

const timeFormat = "15:04:05"

func New(out io.Writer, getenv func(string) string) *Terminal {
	plain := !HasColors(out, getenv)
	level := new(slog.LevelVar)
	lines := &lines{out: Wrap(out)}
	handler := tint.NewTextHandler(lines, &tint.Options{TimeFormat: timeFormat, NoColor: plain, Level: level})
	return &Terminal{Out: lines, Log: slog.New(handler), Level: level, plain: plain, lines: lines}
}

// LogJSON has all that is said be objects of JSON, one a line, as programs read them: time, level,
// msg, and what else there is to say.
func (v *Terminal) LogJSON() {
	v.json, v.plain = true, true
	v.Log = slog.New(slog.NewJSONHandler(v.lines, &slog.HandlerOptions{Level: v.Level}))
}

// Plain reports whether nothing is to have colors.
func (v *Terminal) Plain() bool { return v.plain }

// Stream is what is written to in the end, for who draws on it.
func (v *Terminal) Stream() io.Writer {
	v.Flush()
	if wrapped, ok := v.lines.out.(*wrapper); ok {
		return wrapped.Writer
	}
	return v.lines.out
}

// HasColors reports whether what is written to a stream may have colors.
func HasColors(stream any, getenv func(string) string) bool {
	return getenv("NO_COLOR") == "" && getenv("TERM") != "dumb" && IsTerminal(stream)
}

// IsTerminal reports whether a stream is a terminal.
func IsTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

func (v *Terminal) Say(format string, args ...any) {
	if v.json {
		v.Log.Info(strings.TrimPrefix(fmt.Sprintf(format, args...), "avsproxy: "))
		return
	}
	fmt.Fprintf(v.Out, format+"\n", args...)
}

func (v *Terminal) Bold(text string) string {
	if v.plain {
		return text
	}
	return "\x1b[1m" + text + "\x1b[0m"
}

func (v *Terminal) Warn(text, hint string) {
	if v.json {
		v.Log.Warn(text, withHint(hint)...)
		return
	}
	v.Say("avsproxy: warning: %s", text)
	v.Hint(hint)
}

func (v *Terminal) Fail(err error, hint string) {
	if v.json {
		v.Log.Error(err.Error(), withHint(hint)...)
		return
	}
	for line := range strings.Lines(err.Error()) {
		v.Say("avsproxy: %s", strings.TrimRight(line, "\n"))
	}
	v.Hint(hint)
}

// withHint are the attributes of a line of the log.
func withHint(hint string) []any {
	if hint == "" {
		return nil
	}
	return []any{"hint", hint}
}

func (v *Terminal) Hint(text string) {
	if text != "" {
		v.Say("  hint: %s", text)
	}
}

// Exit codes, the same for every command.
const (
	ExitDone        = 0
	ExitFailed      = 1
	ExitUsage       = 2 // wrong usage or configuration
	ExitLogin       = 3 // a login is needed
	ExitUnreachable = 4 // provider or upstream unreachable
)

// An ExitError ends the program with a code of its own. A nil Err says nothing
// more to the person: everything was said.
type ExitError struct {
	Code int
	Err  error
	Hint string
}

func (e *ExitError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit %d", e.Code)
	}
	return e.Err.Error()
}

func (e *ExitError) Unwrap() error { return e.Err }

// Exit returns an [ExitError], or nil for the nil error.
func Exit(code int, err error, hint string) error {
	if err == nil {
		return nil
	}
	return &ExitError{code, err, hint}
}

// Failed is [Exit] with [ExitFailed].
func Failed(err error, hint string) error { return Exit(ExitFailed, err, hint) }

// Usage is [Exit] with [ExitUsage].
func Usage(err error, hint string) error { return Exit(ExitUsage, err, hint) }

// LoginNeeded is [Exit] with [ExitLogin].
func LoginNeeded(err error, hint string) error { return Exit(ExitLogin, err, hint) }

// Unreachable is [Exit] with [ExitUnreachable].
func Unreachable(err error, hint string) error { return Exit(ExitUnreachable, err, hint) }
