package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/lmittmann/tint"
)

// A voice speaks to the person at the terminal, on stderr; results go to stdout.
// It has four ways: say tells, warn tells what may hurt later, fail tells why a
// command ends, and log is for what happens while serving. Sentences start in
// lower case and have no full stop; what to do next stands on a line of its own.
type voice struct {
	out   io.Writer
	log   *slog.Logger
	level *slog.LevelVar // the least that log prints
	plain bool
}

func newVoice(out io.Writer, getenv func(string) string) *voice {
	plain := getenv("NO_COLOR") != "" || !isTerminal(out)
	level := new(slog.LevelVar)
	handler := tint.NewTextHandler(out, &tint.Options{TimeFormat: "15:04:05", NoColor: plain, Level: level})
	return &voice{out: out, log: slog.New(handler), level: level, plain: plain}
}

// isTerminal takes every character device for one, which is enough to choose
// about colours.
func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func (v *voice) say(format string, args ...any) { fmt.Fprintf(v.out, format+"\n", args...) }

func (v *voice) bold(text string) string {
	if v.plain {
		return text
	}
	return "\x1b[1m" + text + "\x1b[0m"
}

func (v *voice) warn(text, hint string) {
	v.say("avsproxy: warning: %s", text)
	v.hint(hint)
}

func (v *voice) fail(err error, hint string) {
	for line := range strings.Lines(err.Error()) {
		v.say("avsproxy: %s", strings.TrimRight(line, "\n"))
	}
	v.hint(hint)
}

func (v *voice) hint(text string) {
	if text != "" {
		v.say("  hint: %s", text)
	}
}
