// Package faults is the language that tells a sandbox to misbehave, and the
// scheduler that decides when each fault strikes.
//
// A list of faults looks like this:
//
//	expire-token, 403@3, goaway@10s, token-503 x2, rst=REFUSED_STREAM@2, slow-headers=2s 25%
//
// Each item is
//
//	NAME[=VALUE][@WHEN] [xCOUNT] [P%]
//
// Case and extra spaces do not matter. [Kinds] lists the names, their values, and
// the event of each.
//
//   - WHEN is a number or a duration. With a number, the fault waits for the Nth of
//     its events from now and then strikes once. With a duration, it waits that long
//     from now, or, if it strikes connections, from the start of each connection.
//   - COUNT is how many times the fault strikes. Without COUNT and without @N, it
//     strikes every time until it is cleared.
//   - P is the probability of each strike, in per cent. An event that the fault
//     spares by chance does not count as a strike.
//
// Faults that exclude each other, such as two answers to one call, take turns: the
// first in the list strikes, and the others keep their strikes for later events. So
// "token-503 x2, token-429 x1" means two 503, then one 429. All other faults strike
// together.
//
// Durations are wall-clock time, whatever the time scale of the sandbox.
package faults

import (
	"strconv"
	"strings"
	"time"
)

// A Fault is one item of a list. [Kinds] lists the names and their values.
type Fault struct {
	Name  string
	Value string // empty for none
	// At is the number of the event to wait for, from 1. 0 means the first one. At
	// most one of At and After is set.
	At int
	// After is how long the fault waits. 0 means not at all.
	After time.Duration
	// Count is how many times the fault strikes. 0 means once if At is set or the kind
	// strikes once, and otherwise every time.
	Count int
	// Percent is the probability of each strike. 0 means 100.
	Percent float64
}

// String returns the fault as an item of a list.
func (f Fault) String() string {
	text := f.Name
	if f.Value != "" {
		text += "=" + f.Value
	}
	switch {
	case f.At > 0:
		text += "@" + strconv.Itoa(f.At)
	case f.After > 0:
		text += "@" + shortDuration(f.After)
	}
	if f.Count > 0 {
		text += " x" + strconv.Itoa(f.Count)
	}
	if f.Percent > 0 {
		text += " " + strconv.FormatFloat(f.Percent, 'f', -1, 64) + "%"
	}
	return text
}

// Duration returns the fault's value, or 0 if it is not a duration.
func (f Fault) Duration() time.Duration {
	d, _ := time.ParseDuration(f.Value)
	return d
}

// Number returns the fault's value, or 0 if it is not a number. A size is a number
// of bytes.
func (f Fault) Number() int {
	n, _ := size(f.Value)
	return n
}

// A List holds faults in order.
type List []Fault

// String returns the list in the language of the package comment.
func (l List) String() string {
	items := make([]string, len(l))
	for i, f := range l {
		items[i] = f.String()
	}
	return strings.Join(items, ", ")
}

// Find returns the first fault with this name.
func (l List) Find(name string) (Fault, bool) {
	for _, f := range l {
		if f.Name == name {
			return f, true
		}
	}
	return Fault{}, false
}
