package faults

import (
	"math"
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
	// Chance is the probability of each strike. 0 means 1.
	Chance float64
}

// String returns the fault in the language of [Parse]. The chance is rounded to a
// millionth.
func (f Fault) String() string {
	var b strings.Builder
	b.WriteString(f.Name)
	if f.Value != "" {
		b.WriteString("=" + f.Value)
	}
	switch {
	case f.At > 0:
		b.WriteString("@" + strconv.Itoa(f.At))
	case f.After > 0:
		b.WriteString("@" + shortDuration(f.After))
	}
	if f.Count > 0 {
		b.WriteString(" x" + strconv.Itoa(f.Count))
	}
	if f.Chance > 0 {
		percent := math.Round(f.Chance*millionths) / (millionths / 100)
		b.WriteString(" " + strconv.FormatFloat(percent, 'f', -1, 64) + "%")
	}
	return b.String()
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

// check returns the fault in its usual spelling, and its kind. item is the text for
// the error.
func (f Fault) check(item string) (Fault, Kind, error) {
	kind, err := kindOf(f, item)
	if err != nil {
		return Fault{}, Kind{}, err
	}
	if kind.Name != statuses {
		f.Name = kind.Name
	}
	if f.Value, err = kind.checkValue(f.Value, item); err != nil {
		return Fault{}, Kind{}, err
	}
	switch {
	case f.At < 0 || f.After < 0 || f.Count < 0:
		err = &Error{item, "it has a negative number", "leave it 0"}
	case f.At > 0 && f.After > 0:
		err = &Error{item, "it waits for a number and for a duration", "keep one of them"}
	case math.IsNaN(f.Chance) || f.Chance < 0 || f.Chance > 1:
		err = &Error{item, "its chance is not between 0 and 1", "25% is 0.25"}
	case kind.valueIsCount && f.Value != "" && f.Count > 0:
		err = &Error{item, "it has two counts", "keep =N or xCOUNT"}
	}
	return f, kind, err
}

// A List is what [Parse] returns.
type List []Fault

// String returns the list in the language of [Parse].
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
