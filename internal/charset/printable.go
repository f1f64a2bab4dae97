package charset

import (
	"strings"
	"unicode"
)

// Printable makes text from outside safe for one line of a terminal, a log or a page.
// Characters that move the cursor or change the direction of the text become "?". A text
// of more than 256 characters ends in "…".
func Printable(text string) string { return PrintableN(text, 256) }

// PrintableN is [Printable] with another limit.
func PrintableN(text string, limit int) string {
	end, count := "", 0
	for i := range text {
		if count++; count > limit {
			text, end = text[:i], "…"
			break
		}
	}
	return strings.Map(printable, text) + end
}

func printable(c rune) rune {
	if unicode.IsPrint(c) {
		return c
	}
	return '?'
}
