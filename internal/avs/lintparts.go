package avs

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
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

// attachment checks a part behind the metadata.
func (l *linter) attachment(part CollectedPart) {
	if part.IsJSON() {
		l.add(LevelWarning, "a second part is JSON; the service reads only the first one")
		return
	}
	if part.Name != "audio" && l.event == recognize {
		l.add(LevelWarning, "the part with the sound is named %q and not \"audio\"", part.Name)
	}
	switch {
	case len(part.Body) == 0 && part.Complete:
		l.add(LevelError, "the audio is empty, so the service answers 204")
	case isBase64(part.Body):
		l.add(LevelError, "the audio is base64 text; the service expects the bytes themselves")
	case l.event == recognize:
		l.sound(part)
	}
}

func (l *linter) sound(part CollectedPart) {
	if isWAV(part.Body) {
		l.wav(parseWAV(part.Body))
		return
	}
	info, _ := Audio(part.ContentType, "", part.Body)
	ogg := bytes.HasPrefix(part.Body, []byte("OggS"))
	switch {
	case info.Format == FormatMP3:
		l.add(LevelError, "the audio is MP3; the service accepts only bare L16 samples or Opus packets")
	case ogg || bytes.HasPrefix(part.Body, []byte("fLaC")):
		l.add(LevelError, "the audio is in a container (%s); the service accepts only bare L16 samples or Opus packets", part.Body[:4])
	case l.format == "OPUS":
		l.opus(part)
	case info.Format == FormatOpus:
		l.add(LevelError, "the bytes look like Opus, but the payload's format is %q", l.format)
	default:
		l.samples(part)
	}
}

func (l *linter) wav(wav wavFile) {
	if l.format == "OPUS" {
		l.add(LevelError, "the payload's format is OPUS, but the audio is a WAV file")
	}
	for _, wrong := range []struct {
		what      string
		got, want int
	}{{"samples per second", wav.Rate, SpeechRate}, {"channels", wav.Channels, 1}, {"bits per sample", wav.bits, 16}} {
		if wrong.got != wrong.want {
			l.add(LevelError, "the WAV file has %d %s; the service expects %d, understands nothing and answers 204", wrong.got, wrong.what, wrong.want)
		}
	}
	if wav.coding != 1 && wav.coding != 0xFFFE {
		l.add(LevelError, "the WAV file is not PCM (its coding is %d)", wav.coding)
	}
	l.add(LevelNote, "the audio begins with the header of a WAV file, which sounds like a short crackle; the service expects only the samples")
	l.silence(wav.samples)
}

func (l *linter) opus(part CollectedPart) {
	if OpusPackets(part.Body) == nil {
		l.add(LevelError, "the payload's format is OPUS, but the bytes are not packets of 20 ms at a constant 32 or 64 kbit/s")
	}
}

// samples checks bare L16.
func (l *linter) samples(part CollectedPart) {
	if rate, channels, ok := declaredL16(part.ContentType, ""); ok && (rate != SpeechRate || channels != 1) {
		l.add(LevelError, "the part's Content-Type says %d samples per second and %d channels; the service expects 16000 and 1", rate, channels)
	}
	if part.Complete && len(part.Body)%2 != 0 {
		l.add(LevelWarning, "the audio has an odd number of bytes, so its last sample, or every sample, is split")
	}
	if looksLikeSamples(part.Body, binary.BigEndian) && !looksLikeSamples(part.Body, binary.LittleEndian) {
		l.add(LevelError, "the samples look big-endian; the service expects little-endian ones and hears noise")
	}
	if part.Complete && len(part.Body) < SpeechRate*2/5 {
		l.add(LevelNote, "the audio is shorter than a word (%d ms); the service probably answers 204", len(part.Body)*1000/SpeechRate/2)
	}
	l.silence(part.Body)
}

func (l *linter) silence(samples []byte) {
	if len(samples) > 0 && len(bytes.Trim(samples, "\x00")) == 0 {
		l.add(LevelWarning, "the audio is digital silence; is the microphone muted? The service answers 204")
	}
}

func isBase64(data []byte) bool {
	text := bytes.TrimSpace(data)
	if len(text) < 64 {
		return false
	}
	head := strings.NewReplacer("\r", "", "\n", "").Replace(string(text[:min(len(text), 4096)]))
	head = strings.TrimRight(head, "=")
	_, err := base64.RawStdEncoding.DecodeString(head[:len(head)/4*4])
	return err == nil
}
