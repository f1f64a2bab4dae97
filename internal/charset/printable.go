package charset

import (
	"strings"
	"unicode"
)

// Printable makes text from the network safe for one line of a terminal, a log or a page.
// Characters that move the cursor or change the direction of the text become "?". With
// max above zero, a text of more characters ends in "…".
func Printable(text string, max int) string {
	var clean strings.Builder
	count := 0
	for _, c := range text {
		if count++; max > 0 && count > max {
			clean.WriteRune('…')
			break
		}
		if !unicode.IsPrint(c) {
			c = '?'
		}
		clean.WriteRune(c)
	}
	return clean.String()
}
