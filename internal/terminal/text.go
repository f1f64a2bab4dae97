package terminal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
)

// When is a time and how far away it is. The date is left out where it is less than a
// day ahead.
func When(t time.Time) string {
	left := time.Until(t)
	if left < 0 {
		return t.Local().Format(time.DateTime) + " (" + Roughly(-left) + " ago)"
	}
	layout := time.DateTime
	if left < 24*time.Hour {
		layout = time.TimeOnly
	}
	return t.Local().Format(layout) + " (in " + Roughly(left) + ")"
}

// Roughly names a length of time as people do.
func Roughly(d time.Duration) string {
	switch days := int(d.Hours() / 24); {
	case days >= 2:
		return fmt.Sprintf("%d days", days)
	case d >= time.Minute:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	}
	return d.Round(time.Second).String()
}

// Rounded leaves three or four digits of a duration.
func Rounded(d time.Duration) time.Duration {
	switch {
	case d > time.Minute:
		return d.Round(time.Second)
	case d > time.Second:
		return d.Round(10 * time.Millisecond)
	}
	return d.Round(10 * time.Microsecond)
}

// Size is a number of bytes for people.
func Size(n int64) string {
	switch {
	case n < 1000:
		return strconv.FormatInt(n, 10) + "B"
	case n < 1000_000:
		return fmt.Sprintf("%.1fkB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1fMB", float64(n)/1e6)
}

// JSONLine is JSON on one line with printable characters only. Others occur only in
// strings, where they can be escaped (RFC 8259 section 7).
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

// LoginCommand is what a person types to log in to a credential. imports = the command
// reads a refresh token.
func LoginCommand(credential, defaultCredential string, imports bool) string {
	command := "avsproxy login"
	if credential != defaultCredential {
		command += " " + credential
	}
	if imports {
		command += " < FILE-WITH-REFRESH-TOKEN"
	}
	return command
}
