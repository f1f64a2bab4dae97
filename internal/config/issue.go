package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Complaint is one thing wrong with the file. None of its fields ever holds
// a value of the file.
type Complaint struct {
	File string
	Line int    // from 1; 0 when no line is to blame
	Key  string // dotted, as in credential.alexa.scopes; may be empty
	Say  string // what is wrong
	Hint string // what to do; may be empty
}

// String gives the complaint as one line: FILE:LINE: key: what is wrong; hint.
func (c Complaint) String() string {
	var b strings.Builder
	b.WriteString(c.File)
	if c.Line > 0 {
		fmt.Fprintf(&b, ":%d", c.Line)
	}
	if c.Key != "" {
		b.WriteString(": " + c.Key)
	}
	b.WriteString(": " + c.Say)
	if c.Hint != "" {
		b.WriteString("; " + c.Hint)
	}
	return b.String()
}

// Complaints is everything wrong with the file, in the order of its lines.
type Complaints []Complaint

// Error gives one complaint per line, without a final newline.
func (c Complaints) Error() string {
	lines := make([]string, len(c))
	for i, one := range c {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

func (c Complaints) sorted() Complaints {
	slices.SortStableFunc(c, func(a, b Complaint) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Say, b.Say))
	})
	return c
}
