package cli

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"avsproxy/internal/avs"
	"avsproxy/internal/capture"
	"avsproxy/internal/terminal"
)

// A lineWriter writes an exchange as one line for people. The zero value has no
// colours.
type lineWriter struct{ colours bool }

func newLineWriter(out io.Writer, getenv func(string) string) lineWriter {
	return lineWriter{colours: getenv("NO_COLOR") == "" && terminal.IsTerminal(out)}
}

const timeOfDay = "15:04:05"

// line is the line of an exchange that has ended.
func (l lineWriter) line(s capture.Summary) string {
	took := time.Duration(s.TookMS * float64(time.Millisecond))
	words := []string{
		s.Began.Add(took).Local().Format(timeOfDay), number(s.ID), l.status(s.Status), requestOf(s),
		orDash(s.Route), orDash(string(s.Decision)), terminal.Rounded(took).String(), terminal.Size(s.ResponseBytes),
	}
	return strings.Join(append(words, remarks(s)...), " ")
}

// opening is the line of one that has begun and will last.
func (l lineWriter) opening(s capture.Summary) string {
	return strings.Join([]string{s.Began.Local().Format(timeOfDay), number(s.ID), l.status(s.Status), requestOf(s), orDash(s.Route), orDash(string(s.Decision)), "open"}, " ")
}

// directive is the line of a directive that passes.
func (l lineWriter) directive(id uint64, now time.Time, h avs.Header) string {
	name := "<- " + terminal.PrintableN(h.Namespace+"."+h.Name, 128)
	if l.colours {
		name = "\x1b[36m" + name + "\x1b[0m"
	}
	return now.Local().Format(timeOfDay) + " " + number(id) + " " + name
}

func number(id uint64) string { return "#" + strconv.FormatUint(id, 10) }

// orDash keeps the columns apart where there is nothing to name.
func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return terminal.PrintableN(text, 64)
}

// requestOf is the request in short, with its host where no route implies it.
func requestOf(s capture.Summary) string {
	target := s.Target
	switch {
	case s.Method == http.MethodConnect:
		target = s.Host
	case s.Route == "" && strings.HasPrefix(target, "/"):
		target = s.Scheme + "://" + s.Host + target
	}
	text := terminal.PrintableN(s.Method, 16) + " " + terminal.PrintableN(target, 256)
	if s.AVS != "" {
		text += " (" + terminal.PrintableN(s.AVS, 128) + ")"
	}
	return text
}

// remarks says what is out of the ordinary, and why.
func remarks(s capture.Summary) (words []string) {
	if s.ReplayOf != 0 {
		words = append(words, "(again "+number(s.ReplayOf)+")")
	}
	if s.Replayed {
		words = append(words, "(sent twice: the token was refused and renewed)")
	}
	if s.Error != "" {
		words = append(words, terminal.PrintableN(s.Error, 64))
	}
	if s.Ended != "" {
		words = append(words, "- "+terminal.PrintableN(s.Ended, 256))
	}
	return words
}

func (l lineWriter) status(status int) string {
	text := "---" // there was no answer
	if status != 0 {
		text = strconv.Itoa(status)
	}
	if !l.colours {
		return text
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", colourOf(status), text)
}

// colourOf numbers the colour of a status among a terminal's.
func colourOf(status int) int {
	switch status / 100 {
	case 1, 2:
		return 32 // green
	case 3:
		return 36 // cyan
	case 4:
		return 33 // yellow
	}
	return 31 // red
}
