package terminal

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"avsproxy/tokens"
)

// When is a time and how far away it is. The date is left out where it is less than a
// day ahead.
func When(t time.Time) string {
	left := time.Until(t)
	if left < 0 {
		return t.Local().Format(time.DateTime) + " (" + about(-left) + " ago)"
	}
	layout := time.DateTime
	if left < 24*time.Hour {
		layout = time.TimeOnly
	}
	return t.Local().Format(layout) + " (in " + about(left) + ")"
}

// about is Roughly without what nobody asks of a date.
func about(d time.Duration) string {
	if d > 90*time.Second {
		return Roughly(d.Round(time.Minute))
	}
	return Roughly(d.Round(time.Second))
}

// JSONLine is a value as JSON on one line with printable characters only. Others occur
// only in strings, where they can be escaped (RFC 8259 section 7).
func JSONLine(value any) (string, error) {
	data, err := json.Marshal(value)
	var line strings.Builder
	for _, r := range string(data) {
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
	return line.String(), err
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

// TokenText says whether a credential's token can be used, until when, and what happens
// then.
func TokenText(s tokens.Status) string {
	unused := s.State == tokens.StateUnknown
	switch {
	case unused && s.Expiry.IsZero():
		return "not used yet"
	case unused && s.Renewable:
		return "expired, will be renewed by the next request"
	case s.State == tokens.StateFailing && s.Failure != nil:
		return "failing: " + s.Failure.Error()
	case s.State == tokens.StateFailing:
		return "failing"
	case s.State != tokens.StateReady:
		return "login needed"
	case s.Expiry.IsZero():
		return "ready, without a known expiry"
	case s.Renewable:
		return "ready, expires " + When(s.Expiry) + ", renewed automatically"
	}
	return "ready, expires " + When(s.Expiry) + "; it cannot be renewed; log in again before it expires"
}

// EndsSoon is how long before the end of a login people are warned.
const EndsSoon = 14 * 24 * time.Hour

// LoginEnd says when a login ends and what to do about it.
func LoginEnd(end time.Time) string {
	switch left := time.Until(end); {
	case left < 0:
		return "the login ended " + When(end) + " according to refresh_token_max_age; log in again"
	case left < EndsSoon:
		return "the login ends " + When(end) + "; log in again before it does"
	}
	return "the login ends " + When(end)
}

// ClockSkew says that this machine's clock is ahead of the provider's, or behind it.
func ClockSkew(ahead time.Duration) string {
	way := "ahead of"
	if ahead < 0 {
		way = "behind"
	}
	return "this machine's clock is " + Roughly(ahead.Abs()) + " " + way + " the provider's; set it, for APIs may refuse requests that carry a time"
}

// Count is a number with its noun, whose plural ends in s.
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
