package capture

import (
	"strings"
	"sync"

	"avsproxy/internal/redact"
)

// A Side names the request or the response of an exchange.
type Side string

// Sides of an exchange.
const (
	RequestSide  Side = "request"
	ResponseSide Side = "response"
)

// A side is the request or the response.
type side struct {
	header, trailer []Field
	cut             bool
	contentType     string
	coding          string // of the body
	body            body
}

// setHeader takes the fields of a head; cut = there were more.
func (s *side) setHeader(header []Field, cut bool, set *redact.Patterns) (cost int) {
	s.coding = codingOf(header)
	s.body.declared = lengthOf(header)
	s.header, s.cut = keepFields(header, set)
	s.cut = s.cut || cut
	s.contentType = FieldValue(s.header, "Content-Type")
	return costOf(s.header)
}

func (s *side) setTrailer(trailer []Field, cut bool, set *redact.Patterns) (cost int) {
	kept, more := keepFields(trailer, set)
	s.trailer, s.cut = kept, s.cut || cut || more
	return costOf(s.trailer)
}

// A body holds the first bytes of a body, not masked. Masking takes many times as long
// as copying, and most bodies are never shown, so it happens when a body is shown.
type body struct {
	size     int64
	declared int64 // by Content-Length; 0 = unknown
	kept     stored
	arrivals []Arrival        // of kept
	set      *redact.Patterns // what was secret when kept last grew
	live     *liveView        // nil = nobody has followed it
	dropped  bool             // nothing is kept
	messages bool             // it is of lines that are a [SocketMessage] each
	partial  bool             // not all bytes are in kept
	ended    bool
	whole    bool // it ended regularly
}

func (b *body) drop() (gain int) {
	b.partial, b.dropped = b.partial || b.size > 0, true
	gain = b.kept.drop() + costOfArrivals(b.arrivals)
	b.arrivals = nil
	return gain
}

// room returns how many more bytes are kept if limit is the maximum.
func (b *body) room(limit int64) int {
	if b.dropped {
		return 0
	}
	return max(0, int(limit)-b.kept.size)
}

// keep copies as much of p as there is room for, and returns the memory used.
func (b *body) keep(p []byte, limit int64) (cost int) {
	n := min(len(p), b.room(limit))
	b.partial = b.partial || n < len(p)
	return b.kept.add(p[:n], min(b.declared, limit))
}

var scratch = sync.Pool{New: func() any { return new([]byte) }}

func (e *recording) addBody(s *side, p []byte, size int) {
	b := &s.body
	if size == 0 || b.ended {
		return
	}
	if e.r.watch.follows(e.id) {
		e.emit(s, p)
	}
	b.size += int64(size)
	b.partial = b.partial || len(p) < size
	if b.room(e.r.options.Body) > 0 {
		b.set = e.r.secrets.Recent()
		e.noteArrival(s)
	}
	e.spend(b.keep(p, e.r.options.Body))
	if s == &e.request {
		e.findEvent(false)
	}
}

func (e *recording) endBody(s *side, whole bool) {
	if s.body.ended {
		return
	}
	if e.r.watch.follows(e.id) {
		e.emitEnd(s, whole)
	}
	if s == &e.request {
		e.findEvent(true)
	}
	s.body.ended, s.body.whole = true, whole
}

// findEvent looks for the name of the posted event: in the first piece of the body each
// time its size has doubled, and in the whole body at its end.
func (e *recording) findEvent(end bool) {
	s := &e.request
	b := &s.body
	if e.r.options.EventName == nil || e.event != "" || b.kept.size == 0 || !isMultipart(s.contentType) {
		return
	}
	text := b.kept.pieces[0]
	if end {
		text = b.kept.bytes()
	} else if len(text) < min(2*e.tried, slabSize) || len(text) == e.tried {
		return
	}
	e.tried = len(text)
	// The name was decoded, so masking the body does not mask the name.
	e.event = clip(b.set.Text(e.r.options.EventName(s.contentType, text)), maxWord)
}

// isTimed reports whether a body is one of messages, of which each has its time.
func isTimed(contentType string) bool {
	return isMultipart(contentType) || hasPrefixFold(contentType, "text/event-stream") || hasPrefixFold(contentType, "application/grpc") ||
		hasPrefixFold(contentType, "application/x-ndjson")
}

func isMultipart(contentType string) bool {
	return hasPrefixFold(contentType, "multipart/")
}

func hasPrefixFold(text, prefix string) bool {
	return len(text) >= len(prefix) && strings.EqualFold(text[:len(prefix)], prefix)
}
