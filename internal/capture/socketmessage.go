package capture

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"avsproxy/internal/redact"
	"avsproxy/internal/websocket"
)

// A SocketMessage is what one side of a WebSocket said. The bodies of an exchange that became one
// are such messages, each a line of JSON, in place of the bytes, which are masked and may be compressed. They are
// cut and masked as other bodies are.
type SocketMessage struct {
	Time   time.Time `json:"time"`
	Type   string    `json:"type"`             // "text", "binary", "close", "ping", "pong", "other"
	Size   int64     `json:"size"`             // bytes on the wire
	Code   int       `json:"code,omitempty"`   // of a close (RFC 6455 section 7.4)
	Text   string    `json:"text,omitempty"`   // what it said, as far as it is kept, or why it closed
	Base64 []byte    `json:"base64,omitempty"` // in place of Text, where that would not be text
	Packed bool      `json:"compressed,omitempty"`
	Cut    bool      `json:"cut,omitempty"` // it said more
}

// Message adds what one side of a WebSocket said.
func (e *Exchange) Message(fromClient bool, m websocket.Message) {
	if e == nil {
		return
	}
	told := newSocketMessage(m, time.Now())
	line := told.line()
	for len(line) > maxPiece { // escapes make it longer; a line stays in one piece
		told.Text, told.Base64, told.Cut = told.Text[:len(told.Text)/2], told.Base64[:len(told.Base64)/2], true
		told.Text = strings.ToValidUTF8(told.Text, "")
		line = told.line()
	}
	kind, side := entryResponseMessage, 1
	if fromClient {
		kind, side = entryRequestMessage, 0
	}
	e.data(kind, side, line)
}

func (m SocketMessage) line() []byte {
	line, _ := json.Marshal(m) // never fails: these are texts and numbers
	return append(line, '\n')
}

func newSocketMessage(m websocket.Message, now time.Time) SocketMessage {
	told := SocketMessage{Time: now, Type: m.Opcode.String(), Size: m.Size, Packed: m.Packed, Cut: m.Cut}
	data := m.Data
	if m.Opcode == websocket.Close && len(data) >= 2 {
		told.Code, data = int(binary.BigEndian.Uint16(data)), data[2:]
	}
	if m.Cut { // maybe amid a character
		for i := 0; i < utf8.UTFMax && len(data) > 0 && m.Opcode == websocket.Text && !utf8.Valid(data); i++ {
			data = data[:len(data)-1]
		}
	}
	if m.Opcode != websocket.Binary && utf8.Valid(data) {
		told.Text = string(data)
	} else {
		told.Base64 = data
	}
	return told
}

// addMessage adds a line of a body. A handshake has no body of its own, so the body begins here.
func (e *recording) addMessage(s *side, c *codec) {
	e.change(func() { s.body.ended, s.body.whole, s.body.messages = false, false, true })
	e.addData(s, c)
}

// maskMessages masks what was said, line by line: masking the lines themselves would not see through their escapes,
// and could break them.
func maskMessages(lines []byte, set *redact.Patterns) (out []byte, masked bool) {
	for line := range bytes.Lines(lines) {
		var m SocketMessage
		if json.Unmarshal(line, &m) != nil {
			continue // its end was not kept
		}
		text, a := maskText([]byte(m.Text), set)
		data, b := maskText(m.Base64, set)
		m.Text, m.Base64, masked = string(text), data, masked || a || b
		out = append(out, m.line()...)
	}
	return out, masked
}

// maskText masks a text that is whole.
func maskText(text []byte, set *redact.Patterns) ([]byte, bool) {
	var mask redact.Masker
	out, _ := mask.Add(nil, text, set)
	out = mask.End(out, set, true)
	return out, mask.Masked()
}

// MaskText masks a text by itself, with what is secret now.
func (r *Recorder) MaskText(text string) string {
	out, _ := maskText([]byte(text), r.secrets.Now())
	return string(out)
}
