package console

import (
	"bytes"
	"encoding/json"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"avsproxy/internal/avs"
	"avsproxy/internal/capture"
)

// Bounds of what is told of a body's parts.
const (
	partsMost = 1000
	jsonMost  = 256 << 10 // of a part that is shown as JSON
)

// noTime leaves Last-Modified out.
var noTime time.Time

// Parts is the answer to GET /api/exchanges/ID/SIDE/parts.
type Parts struct {
	Parts []Part `json:"parts"`
	Left  int    `json:"left_out,omitempty"` // beyond the bound
}

// A Part is one of a multipart body.
type Part struct {
	Index       int             `json:"index"`
	Headers     string          `json:"headers"` // as they came
	Name        string          `json:"name"`
	ContentType string          `json:"content_type"`
	ContentID   string          `json:"content_id"`
	Size        int             `json:"size"`
	Complete    bool            `json:"complete"`
	AtMS        *float64        `json:"at_ms,omitempty"` // when its first byte came, from the exchange's begin; absent = unknown
	JSON        json.RawMessage `json:"json,omitempty"`
	Message     *avs.Header     `json:"message,omitempty"` // of an event or a directive
	Audio       *avs.AudioInfo  `json:"audio,omitempty"`

	content []byte
}

func (c *Console) parts(w http.ResponseWriter, r *http.Request) {
	_, message, ok := c.message(w, r)
	if !ok {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	// Not indented: JSON of strangers that is nested deep would grow hundredfold.
	_ = json.NewEncoder(w).Encode(partsOf(message)) // a reader that is gone is no error of ours
}

// part serves the content of one part, with ?play=1 as a browser plays it.
func (c *Console) part(w http.ResponseWriter, r *http.Request) {
	_, message, ok := c.message(w, r)
	if !ok {
		return
	}
	parts := partsOf(message).Parts
	index, ok := number(r.PathValue("part"))
	switch {
	case !ok || index >= len(parts):
		refuse(w, http.StatusNotFound, "unknown_part", "the body has no such part", "the parts are counted from 0")
	case r.URL.Query().Get("play") == "1":
		play(w, r, parts[index])
	default:
		download(w, r, "part-"+r.PathValue("id")+"-"+strconv.Itoa(index)+".bin", parts[index].content)
	}
}

// play serves a part that sounds, in a form that browsers know.
func play(w http.ResponseWriter, r *http.Request, part Part) {
	sound, contentType := part.content, ""
	switch audio := part.Audio; {
	case audio == nil:
	case audio.Format == avs.FormatL16:
		sound, contentType = avs.WAV(part.content, audio.Rate, audio.Channels), "audio/wav"
	case audio.Format == avs.FormatWAV:
		contentType = "audio/wav"
	case audio.Format == avs.FormatMP3:
		contentType = "audio/mpeg"
	case audio.Format == avs.FormatOpus:
		contentType = "audio/ogg"
		if !bytes.HasPrefix(sound, []byte("OggS")) {
			sound = avs.OggOpus(sound)
		}
	}
	if contentType == "" {
		refuse(w, http.StatusUnsupportedMediaType, "not_playable", "browsers cannot play this part", "leave out play=1 to get its bytes")
		return
	}
	serveBytes(w, r, contentType, sound)
}

// partsOf takes a body apart; one that is no multipart message has no parts.
func partsOf(message capture.Message) Parts {
	text, _ := message.Plain()
	var found Parts
	var at *Part
	var now *float64
	scanner := avs.NewPartScanner(fieldOf(message.Header, "Content-Type"), avs.PartHandler{
		Begin: func(head avs.PartHead) {
			if at = nil; len(found.Parts) == partsMost {
				found.Left++
				return
			}
			found.Parts = append(found.Parts, Part{
				Index: len(found.Parts), Headers: strings.ToValidUTF8(string(head.Raw), "\ufffd"),
				Name: head.Name, ContentType: head.ContentType, ContentID: head.ContentID,
				AtMS: now,
			})
			at = &found.Parts[len(found.Parts)-1]
		},
		Data: func(p []byte) {
			if at == nil {
				return
			}
			if len(at.content) == 0 {
				at.AtMS = now // its head may have come long before, behind the last part
			}
			at.content = append(at.content, p...)
		},
		End: func(complete bool) {
			if at != nil {
				at.Complete = complete
			}
		},
	})
	for piece, came := range arrivals(message.Body.Arrivals, text) {
		now = came
		scanner.Write(piece)
	}
	scanner.Close()
	format := ""
	for i := range found.Parts {
		found.Parts[i].look(&format)
	}
	if found.Parts == nil {
		found.Parts = []Part{}
	}
	return found
}

// arrivals cuts a body into the pieces in which it came, each with its time in
// milliseconds from the exchange's begin; nil = unknown.
func arrivals(list []capture.Arrival, text []byte) iter.Seq2[[]byte, *float64] {
	return func(yield func([]byte, *float64) bool) {
		if len(list) == 0 || len(text) == 0 {
			yield(text, nil)
			return
		}
		for i, arrival := range list {
			end := int64(len(text))
			if i+1 < len(list) {
				end = list[i+1].Offset
			}
			if !yield(text[arrival.Offset:end], milliseconds(arrival.At)) {
				return
			}
		}
	}
}

func milliseconds(d time.Duration) *float64 {
	if d < 0 {
		return nil
	}
	ms := float64(d.Microseconds()) / 1000
	return &ms
}

// look finds out what a part holds. format is how the last event before it says that
// its audio is coded.
func (p *Part) look(format *string) {
	p.Size = len(p.content)
	if isJSON(p) {
		p.readJSON(format)
		return
	}
	if audio, ok := avs.Audio(p.ContentType, *format, p.content); ok {
		p.Audio = &audio
	}
}

func isJSON(p *Part) bool {
	return avs.PartHead{ContentType: p.ContentType}.IsJSON() || bytes.HasPrefix(p.content, []byte("{"))
}

func (p *Part) readJSON(format *string) {
	if len(p.content) > jsonMost || !isFlat(p.content) {
		return
	}
	p.JSON = bytes.ToValidUTF8(p.content, []byte("\ufffd"))
	type message struct {
		Header  avs.Header `json:"header"`
		Payload struct {
			Format string `json:"format"`
		} `json:"payload"`
	}
	var told struct{ Event, Directive *message }
	_ = json.Unmarshal(p.content, &told) // where a field is of another type, the others are read
	for _, m := range []*message{told.Event, told.Directive} {
		if m != nil && m.Header.Name != "" {
			p.Message, *format = &m.Header, m.Payload.Format
		}
	}
}

// isFlat reports whether the text is JSON that is nested no deeper than what shows it
// can follow: 500 levels. encoding/json ends at 10,000.
func isFlat(text []byte) bool {
	const levels = 10_000 - 500
	return json.Valid(slices.Concat(bytes.Repeat([]byte("["), levels), text, bytes.Repeat([]byte("]"), levels)))
}
