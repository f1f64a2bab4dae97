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

// Bounds of what is shown of a body's parts.
const (
	maxParts = 1000
	maxJSON  = 256 << 10 // of a part that is shown as JSON
)

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

func (c *Console) parts(w http.ResponseWriter, r *http.Request) error {
	message, err := c.message(r)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	// Not indented: JSON of strangers that is nested deep would grow hundredfold.
	_ = json.NewEncoder(w).Encode(partsOf(message)) // a reader that is gone is no error of ours
	return nil
}

// part serves the content of one part, with ?play=1 as a browser plays it.
func (c *Console) part(w http.ResponseWriter, r *http.Request) error {
	message, err := c.message(r)
	if err != nil {
		return err
	}
	parts := partsOf(message).Parts
	index, err := strconv.Atoi(r.PathValue("part"))
	if err != nil || index < 0 || index >= len(parts) {
		return refuse(http.StatusNotFound, "unknown_part", "the body has no such part", "the parts are counted from 0")
	}
	if r.URL.Query().Get("play") == "1" {
		return play(w, r, parts[index])
	}
	download(w, r, "part-"+r.PathValue("id")+"-"+strconv.Itoa(index)+".bin", parts[index].content)
	return nil
}

// play serves a part that sounds, in a form that browsers know.
func play(w http.ResponseWriter, r *http.Request, part Part) error {
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
		return refuse(http.StatusUnsupportedMediaType, "not_playable", "browsers cannot play this part", "leave out play=1 to get its bytes")
	}
	serveBytes(w, r, contentType, sound)
	return nil
}

// partsOf takes a body apart; one that is no multipart message has no parts.
func partsOf(message capture.Message) Parts {
	text, _ := message.Plain()
	found := Parts{Parts: []Part{}}
	var now, began *float64 // began is when the content of the present part did
	var empty bool
	format := ""
	collect := avs.CollectParts(func(avs.PartHead) int {
		if len(found.Parts) == maxParts {
			found.Left++
			return -1
		}
		return len(text)
	}, func(part avs.CollectedPart) {
		found.Parts = append(found.Parts, newPart(len(found.Parts), part, began, &format))
	})
	scanner := avs.NewPartScanner(capture.FieldValue(message.Header, "Content-Type"), avs.PartHandler{
		Begin: func(head avs.PartHead) {
			began, empty = now, true
			collect.Begin(head)
		},
		Data: func(p []byte) {
			if empty {
				began, empty = now, false // its head may have come long before, behind the last part
			}
			collect.Data(p)
		},
		End: collect.End,
	})
	for piece, came := range arrivals(message.Body.Arrivals, text) {
		now = came
		scanner.Write(piece)
	}
	scanner.Close()
	return found
}

// newPart finds out what a part holds. format is how the last event before it says that
// its audio is coded.
func newPart(index int, part avs.CollectedPart, began *float64, format *string) Part {
	p := Part{
		Index: index, Headers: strings.ToValidUTF8(string(part.Raw), "\ufffd"),
		Name: part.Name, ContentType: part.ContentType, ContentID: part.ContentID,
		Size: len(part.Body), Complete: part.Complete, AtMS: began, content: part.Body,
	}
	if part.IsJSON() || bytes.HasPrefix(part.Body, []byte("{")) {
		p.readJSON(format)
	} else if audio, ok := avs.Audio(part.ContentType, *format, part.Body); ok {
		p.Audio = &audio
	}
	return p
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
	return new(float64(d.Microseconds()) / 1000)
}

func (p *Part) readJSON(format *string) {
	if len(p.content) > maxJSON || !isFlat(p.content) {
		return
	}
	p.JSON = bytes.ToValidUTF8(p.content, []byte("\ufffd"))
	type message struct {
		Header  avs.Header `json:"header"`
		Payload struct {
			Format string `json:"format"`
		} `json:"payload"`
	}
	var known struct{ Event, Directive *message }
	_ = json.Unmarshal(p.content, &known) // where a field is of another type, the others are read
	for _, m := range []*message{known.Event, known.Directive} {
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

// body serves the bytes of a body as they were kept, with ?plain=1 unpacked. They are
// not ours: no browser may take them for a page of the console.
func (c *Console) body(w http.ResponseWriter, r *http.Request) error {
	message, err := c.message(r)
	if err != nil {
		return err
	}
	text := message.Body.Bytes
	if r.URL.Query().Get("plain") == "1" {
		text, _ = message.Plain()
	}
	download(w, r, "body-"+r.PathValue("id")+"-"+r.PathValue("side")+".bin", text)
	return nil
}

// message finds the side of an exchange that a request names.
func (c *Console) message(r *http.Request) (capture.Message, error) {
	record, err := c.record(r.PathValue("id"))
	if err != nil {
		return capture.Message{}, err
	}
	switch capture.Side(r.PathValue("side")) {
	case capture.RequestSide:
		return record.Request, nil
	case capture.ResponseSide:
		return record.Response, nil
	}
	return capture.Message{}, refuse(http.StatusNotFound, "unknown_side", "an exchange has a request and a response, nothing else", "see docs/api.md")
}

// download has the browser save the bytes, whatever they are.
func download(w http.ResponseWriter, r *http.Request, name string, text []byte) {
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	serveBytes(w, r, "application/octet-stream", text)
}

// serveBytes answers ranges too, which players ask for. Opened as a page the bytes
// have no origin and can do nothing.
func serveBytes(w http.ResponseWriter, r *http.Request, contentType string, text []byte) {
	h := w.Header()
	h.Set("Content-Security-Policy", "sandbox; "+h.Get("Content-Security-Policy"))
	h.Set("Content-Type", contentType)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(text))
}
