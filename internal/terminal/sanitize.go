package terminal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
)

// Printable is text from outside on one line of a log or a terminal: at most 256
// characters, none of which moves the cursor or changes the writing direction.
func Printable(text string) string { return PrintableN(text, 256) }

// PrintableN is [Printable] with another bound.
func PrintableN(text string, maxRunes int) string {
	clean := make([]rune, 0, min(len(text), maxRunes))
	for _, r := range text {
		if len(clean) == maxRunes {
			return string(clean) + "…"
		}
		if !unicode.IsPrint(r) {
			r = '?'
		}
		clean = append(clean, r)
	}
	return string(clean)
}

// JSONLine is JSON on one line, in which terminals see nothing but text. What is not
// printed stands only in its strings, where it can be escaped (RFC 8259 section 7).
func JSONLine(data []byte) (string, error) {
	var compact bytes.Buffer
	if err := json.Compact(&compact, data); err != nil {
		return "", err
	}
	var line strings.Builder
	for _, r := range compact.String() {
		switch {
		case unicode.IsPrint(r):
			line.WriteRune(r)
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&line, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&line, `\u%04x`, r)
		}
	}
	return line.String(), nil
}

// ShellQuote is for lines that people copy into a shell.
func ShellQuote(text string) string {
	if strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=@%+,") == "" && text != "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
