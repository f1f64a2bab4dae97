package avs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

const recognize = "SpeechRecognizer.Recognize"

// metadata checks the JSON of an event.
func (l *linter) metadata(text []byte) {
	if problem := jsonProblem(text); problem != "" {
		l.add(LevelError, "the metadata part is not JSON: %s", problem)
		return
	}
	var message struct {
		Event *struct {
			Header  *Header
			Payload json.RawMessage
		}
		MessageBody json.RawMessage
		Directive   json.RawMessage
	}
	err := json.Unmarshal(text, &message)
	switch {
	case err != nil:
		l.add(LevelError, "the metadata part has a member of the wrong type: %v", err)
	case message.MessageBody != nil: // v1 has no ids
	case message.Directive != nil:
		l.add(LevelError, "the metadata part holds a directive; devices send events")
	case message.Event == nil:
		l.add(LevelError, "the metadata part has no member \"event\"")
	case message.Event.Header == nil:
		l.add(LevelError, "the event has no header")
	default:
		l.header(*message.Event.Header)
		l.payload(message.Event.Payload)
	}
}

func (l *linter) header(h Header) {
	l.event = h.Namespace + "." + h.Name
	for _, field := range []struct{ name, value string }{{"namespace", h.Namespace}, {"name", h.Name}, {"messageId", h.MessageID}} {
		if field.value == "" {
			l.add(LevelError, "the event's header has no %s; the service answers 400", field.name)
		}
	}
	if l.event == recognize && h.DialogRequestID == "" {
		l.add(LevelError, "the header of a Recognize event has no dialogRequestId, which the directives that answer it repeat")
	}
}

func (l *linter) payload(text json.RawMessage) {
	if !bytes.HasPrefix(text, []byte("{")) {
		l.add(LevelError, "the event has no payload; an empty payload is {}")
		return
	}
	var payload struct {
		Format string `json:"format"`
	}
	if l.event != recognize || json.Unmarshal(text, &payload) != nil {
		return
	}
	l.format = payload.Format
	switch l.format {
	case "AUDIO_L16_RATE_16000_CHANNELS_1", "OPUS":
	case "":
		l.add(LevelError, "the payload does not name the format of the audio, for example AUDIO_L16_RATE_16000_CHANNELS_1")
	default:
		l.add(LevelError, "the service does not accept the format %q; it accepts AUDIO_L16_RATE_16000_CHANNELS_1 and OPUS", l.format)
	}
}

// jsonProblem says what is wrong with a text and where. It is empty for valid JSON.
func jsonProblem(text []byte) string {
	switch {
	case len(bytes.TrimSpace(text)) == 0:
		return "it is empty"
	case bytes.HasPrefix(text, []byte("\uFEFF")):
		return "it begins with a byte order mark"
	case !utf8.Valid(text):
		return "it is not UTF-8"
	}
	var any json.RawMessage
	err := json.Unmarshal(text, &any)
	if err == nil {
		return ""
	}
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return err.Error()
	}
	before := text[:max(0, min(int(syntax.Offset)-1, len(text)))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
	return fmt.Sprintf("%v (line %d, column %d)", syntax, line, column)
}
