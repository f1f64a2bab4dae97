// Package messages takes bodies apart that are streams of messages: server-sent events and gRPC, whose messages
// it shows without their schema. It does no I/O.
package messages

import (
	"bytes"
	"iter"
	"strings"
	"unicode/utf8"
)

// A Piece is a part of a body that came at once. AtMS is when, in milliseconds from the begin of the exchange; nil =
// unknown.
type Piece struct {
	AtMS  *float64
	Bytes []byte
}

// An Event is a server-sent event (WHATWG HTML, section 9.2).
type Event struct {
	AtMS *float64 `json:"at_ms,omitempty"` // when its end came; absent = unknown
	Type string   `json:"type"`            // "message" where it has none
	ID   string   `json:"id,omitempty"`
	Data string   `json:"data"`
	// Comment are the lines that are no part of it; an event of comments alone, as those that keep a
	// connection alive, has no type.
	Comment string `json:"comment,omitempty"`
	Retry   string `json:"retry,omitempty"`
}

// maxMessages bounds what is shown of a body.
const maxMessages = 2000

// Events cuts a body into its events. What has no end yet is left out. more = there are others beyond the bound.
func Events(body iter.Seq[Piece]) (list []Event, more bool) {
	list = []Event{}
	var line []byte
	var e eventBuilder
	lastCR := false
	for piece := range body {
		for _, c := range piece.Bytes {
			switch {
			case c == '\n' && lastCR: // the end of \r\n
				lastCR = false
				continue
			case c != '\n' && c != '\r':
				lastCR = false
				line = append(line, c)
				continue
			}
			lastCR = c == '\r'
			if event, whole := e.line(string(line)); whole {
				if len(list) == maxMessages {
					return list, true
				}
				event.AtMS = piece.AtMS
				list = append(list, event)
			}
			line = line[:0]
		}
	}
	return list, false
}

type eventBuilder struct {
	event          Event
	data           []string
	began, hasData bool
	comments       []string
	started        bool // the mark of byte order was looked for
}

// line takes a line of the body; an empty one ends an event.
func (b *eventBuilder) line(text string) (event Event, whole bool) {
	if !b.started {
		b.started, text = true, strings.TrimPrefix(text, "\ufeff")
	}
	text = strings.ToValidUTF8(text, "\ufffd")
	if text == "" {
		event, whole = b.end(), b.began
		*b = eventBuilder{started: true}
		return event, whole
	}
	b.began = true
	field, value, _ := strings.Cut(text, ":")
	value = strings.TrimPrefix(value, " ")
	switch field {
	case "":
		b.comments = append(b.comments, value)
	case "event":
		b.event.Type = value
	case "data":
		b.data, b.hasData = append(b.data, value), true
	case "id":
		b.event.ID = value
	case "retry":
		b.event.Retry = value
	}
	return Event{}, false
}

func (b *eventBuilder) end() Event {
	e := b.event
	e.Data, e.Comment = strings.Join(b.data, "\n"), strings.Join(b.comments, "\n")
	if e.Type == "" && b.hasData {
		e.Type = "message"
	}
	return e
}

// isText reports whether bytes read as text.
func isText(p []byte) bool {
	return utf8.Valid(p) && bytes.IndexFunc(p, func(r rune) bool { return r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7f }) < 0
}
