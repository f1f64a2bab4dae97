package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// BuiltInName is how messages call the configuration that comes with the program.
const BuiltInName = "the built-in configuration"

// An Issue is one thing that is wrong with the file. No field has a value of the
// file.
type Issue struct {
	File    string // empty = it is about the one that comes with the program
	Line    int    // from 1; 0 = of the whole file
	Key     string // dotted, as in credential.alexa.scopes; may be empty
	Message string // what is wrong
	Hint    string // what to do; may be empty
}

// String returns the issue as one line: FILE:LINE: key: what is wrong; hint.
func (i Issue) String() string {
	var b strings.Builder
	b.WriteString(cmp.Or(i.File, BuiltInName))
	if i.Line > 0 {
		fmt.Fprintf(&b, ":%d", i.Line)
	}
	if i.Key != "" {
		b.WriteString(": " + i.Key)
	}
	b.WriteString(": " + i.Message)
	if i.Hint != "" {
		b.WriteString("; " + i.Hint)
	}
	return b.String()
}

// Issues is everything that is wrong with the file, in the order of its lines.
type Issues []Issue

// Error returns one issue per line, without a newline at the end.
func (list Issues) Error() string {
	lines := make([]string, len(list))
	for i, issue := range list {
		lines[i] = issue.String()
	}
	return strings.Join(lines, "\n")
}

func (list Issues) sorted() Issues {
	slices.SortStableFunc(list, func(a, b Issue) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Message, b.Message))
	})
	return list
}
