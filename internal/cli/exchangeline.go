package cli

import (
	"io"
	"strconv"
	"time"

	"avsproxy/internal/avs"
	"avsproxy/internal/capture"
	"avsproxy/internal/charset"
	"avsproxy/internal/terminal"
)

// A lineWriter writes an exchange as one line for people. The zero value has no
// colors.
type lineWriter struct{ colors bool }

func newLineWriter(out io.Writer, getenv func(string) string) lineWriter {
	return lineWriter{terminal.HasColors(out, getenv)}
}

// line is the line of an exchange that has ended, or of one that will last.
func (l lineWriter) line(s capture.Summary) string {
	at := s.Began
	if s.State == capture.StateDone {
		at = at.Add(time.Duration(s.TookMS * float64(time.Millisecond)))
	}
	return string(terminal.AppendExchange(timeOfDay(at), &s, l.colors))
}

// directive is the line of a directive that passes.
func (l lineWriter) directive(id uint64, now time.Time, h avs.Header) string {
	name := "<- " + charset.PrintableN(h.Namespace+"."+h.Name, 128)
	if l.colors {
		name = "\x1b[36m" + name + "\x1b[0m"
	}
	return string(append(terminal.AppendNumber(timeOfDay(now), id), name...))
}

func timeOfDay(at time.Time) []byte { return at.Local().AppendFormat(nil, "15:04:05 ") }

func number(id uint64) string { return "#" + strconv.FormatUint(id, 10) }
