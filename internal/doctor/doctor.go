// Package doctor looks for what keeps avsproxy from working, and says what to do about it. Of all
// that it looks at it changes nothing.
package doctor

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// A Level says how bad a finding is.
type Level string

const (
	OK   Level = "ok"
	Warn Level = "warn" // some uses may fail
	Fail Level = "fail" // something does not work
)

// A Finding is what one check saw.
type Finding struct {
	Check string `json:"check"` // what was looked at
	Level Level  `json:"level"`
	Seen  string `json:"seen"`
	Next  string `json:"next,omitempty"` // what to do; empty = nothing
}

func ok(check, format string, args ...any) Finding {
	return Finding{Check: check, Level: OK, Seen: fmt.Sprintf(format, args...)}
}

func warn(check, seen, next string) Finding { return Finding{check, Warn, seen, next} }

func fail(check, seen, next string) Finding { return Finding{check, Fail, seen, next} }

// Failed reports whether one of the findings is that something does not work.
func Failed(all []Finding) bool {
	return slices.ContainsFunc(all, func(f Finding) bool { return f.Level == Fail })
}

// Print writes a line for each finding, and one behind it that says what to do.
func Print(out io.Writer, all []Finding) error {
	width := 0
	for _, f := range all {
		width = max(width, len(f.Check))
	}
	var text strings.Builder
	for _, f := range all {
		fmt.Fprintf(&text, "%-4s  %-*s  %s\n", f.Level, width, f.Check, f.Seen)
		if f.Next != "" {
			fmt.Fprintf(&text, "%*s  next: %s\n", 6+width, "", f.Next)
		}
	}
	counts := map[Level]int{}
	for _, f := range all {
		counts[f.Level]++
	}
	fmt.Fprintf(&text, "%d checks: %d ok, %d to look at, %d failed\n", len(all), counts[OK], counts[Warn], counts[Fail])
	_, err := io.WriteString(out, text.String())
	return err
}
