package faults

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// A Fault is one item of a list. [Kinds] has its names and their values.
type Fault struct {
	Name  string
	Value string // empty for none
	// At is the number of the event that it waits for, from 1. 0 means that it
	// does not count. At most one of At and After is set.
	At int
	// After is how long it waits. 0 means not at all.
	After time.Duration
	// Count is how often it strikes. 0 means once if At is set or the kind says so,
	// and else each time.
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
		b.WriteString("@" + brief(f.After))
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

// Duration returns the fault's value, 0 if that is no duration.
func (f Fault) Duration() time.Duration {
	d, err := time.ParseDuration(f.Value)
	if err != nil {
		return 0
	}
	return d
}

// Number returns the fault's value as a number, and bytes as their number; 0 if
// it is neither.
func (f Fault) Number() int {
	n, _ := size(f.Value)
	return n
}

// brief writes a duration without parts that are 0: "1m", not "1m0s".
func brief(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// A List is what [Parse] reads.
type List []Fault

// String returns the list in the language of [Parse].
func (l List) String() string {
	items := make([]string, len(l))
	for i, f := range l {
		items[i] = f.String()
	}
	return strings.Join(items, ", ")
}

// Find returns the first fault of a name.
func (l List) Find(name string) (Fault, bool) {
	for _, f := range l {
		if f.Name == name {
			return f, true
		}
	}
	return Fault{}, false
}

// check returns the fault as [Parse] would have read it, and its kind.
func (f Fault) check() (Fault, Kind, error) {
	item := f.String()
	kind, err := kindOf(f, item)
	if err != nil {
		return Fault{}, Kind{}, err
	}
	if kind.Name != statuses {
		f.Name = kind.Name
	}
	if f.Value, err = kind.canonical(f.Value, item); err != nil {
		return Fault{}, Kind{}, err
	}
	switch {
	case f.At < 0 || f.After < 0 || f.Count < 0:
		return Fault{}, Kind{}, &Error{item, "it has a negative number", "leave it 0"}
	case f.At > 0 && f.After > 0:
		return Fault{}, Kind{}, &Error{item, "it waits for a number and for a duration", "keep one of them"}
	case math.IsNaN(f.Chance) || f.Chance < 0 || f.Chance > 1:
		return Fault{}, Kind{}, &Error{item, "its chance is not between 0 and 1", "25% is 0.25"}
	case kind.times && f.Value != "" && f.Count > 0:
		return Fault{}, Kind{}, &Error{item, "it is told twice how often to strike", "keep =N or xCOUNT"}
	}
	return f, kind, nil
}
