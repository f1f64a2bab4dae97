package console

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"

	"avsproxy/internal/capture"
	"avsproxy/internal/messages"
)

// Messages is the answer to GET /api/exchanges/ID/SIDE/messages: a body that is a stream of messages, taken apart.
type Messages struct {
	Kind string `json:"kind"` // "events", "grpc", "websocket", or "" where the body is none of these
	// One of these has the messages.
	Events  []messages.Event        `json:"events,omitempty"`
	Calls   []messages.Call         `json:"calls,omitempty"`
	Frames  []capture.SocketMessage `json:"frames,omitempty"`
	More    bool                    `json:"more,omitempty"`    // there are others beyond the bound
	Partial bool                    `json:"partial,omitempty"` // the body was not kept whole
}

func (c *Console) messages(r *http.Request) (any, error) {
	message, err := c.message(r)
	if err != nil {
		return nil, err
	}
	record, err := c.record(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	return c.messagesOf(record, message, capture.Side(r.PathValue("side"))), nil
}

func (c *Console) messagesOf(record capture.Record, message capture.Message, side capture.Side) Messages {
	text, whole := message.Plain()
	contentType := strings.ToLower(capture.FieldValue(message.Header, "Content-Type"))
	isGRPC := strings.HasPrefix(contentType, "application/grpc")
	if isGRPC { // masks would change lengths; its reader masks what it finds
		raw, _ := c.Exchanges.Raw(record.ID, side)
		text, whole, message.Body.Arrivals = raw.Bytes, raw.Complete, raw.Arrivals
	}
	pieces := func(yield func(messages.Piece) bool) {
		for piece, at := range arrivals(message.Body.Arrivals, text) {
			if !yield(messages.Piece{AtMS: at, Bytes: piece}) {
				return
			}
		}
	}
	answer := Messages{Partial: !whole && record.State == capture.StateDone}
	switch {
	case record.Status == http.StatusSwitchingProtocols:
		answer.Kind, answer.Frames = "websocket", socketMessages(text)
	case strings.HasPrefix(contentType, "text/event-stream"):
		answer.Kind = "events"
		answer.Events, answer.More = messages.Events(pieces)
	case isGRPC:
		answer.Kind = "grpc"
		reader := messages.Reader{Encoding: capture.FieldValue(message.Header, "Grpc-Encoding"), Mask: c.Exchanges.MaskText}
		answer.Calls, answer.More = reader.Calls(pieces)
	}
	return answer
}

// socketMessages reads the lines that a recorder made. A line that was not kept whole is left out.
func socketMessages(text []byte) []capture.SocketMessage {
	list := []capture.SocketMessage{}
	for line := range bytes.Lines(text) {
		var m capture.SocketMessage
		if json.Unmarshal(line, &m) == nil {
			list = append(list, m)
		}
	}
	return list
}
