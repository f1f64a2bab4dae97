// Package charset makes text of other programs usable: it converts files of Windows
// editors, output of Windows programs, and answers of servers without an encoding to
// UTF-8, and makes text from the network safe to print.
package charset

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode"
	"unicode/utf16"
)

var byteOrderMark = []byte("\ufeff")

// UTF8 returns text as UTF-8 without a byte order mark and without NUL bytes around
// it. UTF-16 has a byte order mark or a zero byte in its first ASCII letter (RFC 4627
// section 3). Other text does not change.
func UTF8(text []byte) []byte {
	if order := utf16Order(text); order != nil {
		text = decode(text, order)
	}
	text = bytes.Trim(text, "\x00")
	return bytes.TrimPrefix(text, byteOrderMark)
}

// utf16Order returns the byte order of UTF-16, nil = the text is something else.
func utf16Order(text []byte) binary.ByteOrder {
	switch {
	case len(text) < 2:
		return nil
	case text[0] == 0xff && text[1] == 0xfe, text[0] != 0 && text[1] == 0 && pairs(text, 1):
		return binary.LittleEndian
	case text[0] == 0xfe && text[1] == 0xff, text[0] == 0 && text[1] != 0 && pairs(text, 0):
		return binary.BigEndian
	}
	return nil
}

// pairs reports whether the second letter has its zero byte at the same side, so that
// one NUL after the first letter does not count as UTF-16.
func pairs(text []byte, zero int) bool { return len(text) >= 4 && text[2+zero] == 0 }

func decode(text []byte, order binary.ByteOrder) []byte {
	units := make([]uint16, len(text)/2)
	for i := range units {
		units[i] = order.Uint16(text[2*i:])
	}
	return []byte(string(utf16.Decode(units)))
}

// Printable makes text from outside safe for one line of a terminal, a log or a page.
// Characters that move the cursor or change the direction of the text become "?". A text
// of more than 256 characters ends in "…".
func Printable(text string) string { return PrintableN(text, 256) }

// PrintableN is [Printable] with another limit.
func PrintableN(text string, limit int) string {
	if len(text) <= limit && isPlain(text) { // as most
		return text
	}
	end, count := "", 0
	for i := range text {
		if count++; count > limit {
			text, end = text[:i], "…"
			break
		}
	}
	return strings.Map(printable, text) + end
}

// isPlain reports whether a text is of ASCII characters that can be printed.
func isPlain(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

func printable(c rune) rune {
	if unicode.IsPrint(c) {
		return c
	}
	return '?'
}
