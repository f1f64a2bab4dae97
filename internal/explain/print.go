package explain

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"avsproxy/internal/terminal"
)

// Print puts what each sentence is about into a column of its own.
func Print(w io.Writer, x *Explanation) error {
	fmt.Fprintf(w, "%s %s\n", x.Method, terminal.PrintableN(x.URL, 1<<10))
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, sentence := range x.Text {
		about, rest, _ := strings.Cut(sentence, ": ")
		fmt.Fprintf(table, "  %s\t%s\n", strings.ToLower(about), terminal.PrintableN(rest, 4<<10))
	}
	return table.Flush()
}
