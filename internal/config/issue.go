package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Issue is one thing wrong with the file. None of its fields ever holds
// a value of the file.
type Issue struct {
	File    string
	Line    int    // from 1; 0 when no line is to blame
	Key     string // dotted, as in credential.alexa.scopes; may be empty
	Message string // what is wrong
	Hint    string // what to do; may be empty
}

// String gives the issue as one line: FILE:LINE: key: what is wrong; hint.
func (c Issue) String() string {
	var b strings.Builder
	b.WriteString(c.File)
	if c.Line > 0 {
		fmt.Fprintf(&b, ":%d", c.Line)
	}
	if c.Key != "" {
		b.WriteString(": " + c.Key)
	}
	b.WriteString(": " + c.Message)
	if c.Hint != "" {
		b.WriteString("; " + c.Hint)
	}
	return b.String()
}

// Issues is everything wrong with the file, in the order of its lines.
type Issues []Issue

// Error gives one issue per line, without a final newline.
func (c Issues) Error() string {
	lines := make([]string, len(c))
	for i, one := range c {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

func (c Issues) sorted() Issues {
	slices.SortStableFunc(c, func(a, b Issue) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Message, b.Message))
	})
	return c
}
