package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// printExplanation puts what each sentence is about into a column of its own.
func printExplanation(w io.Writer, x *explanation) error {
	fmt.Fprintf(w, "%s %s\n", x.Method, legible(x.URL, 1<<10))
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, sentence := range x.Text {
		about, rest, _ := strings.Cut(sentence, ": ")
		fmt.Fprintf(table, "  %s\t%s\n", strings.ToLower(about), legible(rest, 4<<10))
	}
	return table.Flush()
}
