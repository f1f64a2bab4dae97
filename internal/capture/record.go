package capture

import (
	"encoding/json"
	"time"
)

// A Summary is an exchange in one line.
type Summary struct {
	ID            uint64    `json:"id"`
	Route         string    `json:"route"`
	Method        string    `json:"method"`
	Scheme        string    `json:"scheme"`
	Host          string    `json:"host"`
	Target        string    `json:"target"`
	Status        int       `json:"status"` // 0 until the answer's head
	State         string    `json:"state"`  // "active" or "done"
	Began         time.Time `json:"began"`
	TookMS        float64   `json:"took_ms"` // until now, while it is active
	Proto         string    `json:"proto"`
	UpstreamProto string    `json:"upstream_proto"`
	Decision      string    `json:"decision"`
	Error         string    `json:"error"`
	Ended         string    `json:"ended"`
	RequestBytes  int64     `json:"request_bytes"`
	ResponseBytes int64     `json:"response_bytes"`
	ContentType   string    `json:"content_type"`  // the answer's
	AVS           string    `json:"avs,omitempty"` // the event that was posted
	Replayed      bool      `json:"replayed"`
	ReplayOf      uint64    `json:"replay_of"`
}

// A Record is all that is known of an exchange.
type Record struct {
	Summary
	Arrived  time.Time `json:"-"` // zero: unknown
	Client   Leg       `json:"client"`
	Upstream Leg       `json:"upstream"`
	Tries    int       `json:"tries"`
	Token    Token     `json:"token"`
	Timing   Timing    `json:"timing_ms"`
	Request  Message   `json:"request"`
	Interim  []Interim `json:"interim"`
	Response Message   `json:"response"`
}

// A Token says what became of the credential. Times are in seconds, nil where
// they are unknown.
type Token struct {
	Credential string   `json:"credential"`
	Decision   string   `json:"decision"`
	Age        *float64 `json:"age_s,omitempty"`
	Left       *float64 `json:"left_s,omitempty"`
}

// Timing is in milliseconds, as [Facts] has it. FirstByte is zero until the
// answer's head.
type Timing struct {
	Guard     float64 `json:"guard"`
	Token     float64 `json:"token"`
	Connect   float64 `json:"connect"`
	TLS       float64 `json:"tls"` // of connect
	FirstByte float64 `json:"first_byte"`
	Total     float64 `json:"total"`
}

// A Message is a request or an answer, without its first line.
type Message struct {
	Header  []Field `json:"headers"`
	Trailer []Field `json:"trailers"`
	// Cut is set where header or trailer fields were too many or too long to keep.
	Cut  bool `json:"headers_cut,omitempty"`
	Body Body `json:"body"`

	coding string // of the body; empty = none
}

// A Body is what was kept of one.
type Body struct {
	Size int64 `json:"size"` // as it went over the wire
	Kept int64 `json:"kept"` // of Bytes, with "***" in place of secrets
	// Complete is set once the body has ended regularly and all of it is in Bytes.
	Complete bool `json:"complete"`
	// Masked is set where Bytes is not what went over the wire, because a secret was
	// in it. Of a body that travelled packed there is nothing then, nor where that
	// cannot be known: with other codings than gzip and deflate, or beyond 1 MiB.
	Masked bool   `json:"masked,omitempty"`
	Bytes  []byte `json:"-"`
	// Marks say when Bytes came, from the first on. Multipart bodies that did not
	// travel packed have them.
	Marks []Mark `json:"-"`
}

// An Interim is an answer's 1xx head.
type Interim struct {
	Status int     `json:"status"`
	Header []Field `json:"headers"`
}

// Kinds of events.
const (
	KindExchange = "exchange"
	KindChunk    = "chunk"
	KindRemoved  = "removed"
	KindCleared  = "cleared"
	KindPaused   = "paused"
)

// An Event is something that happened. Kind says which field is set; in JSON an
// event is that field alone, or {} where everything was cleared. What an event
// points to is shared between watchers: look, do not write.
type Event struct {
	Kind    string
	Summary *Summary // at an exchange's begin, its head and its end
	Chunk   *Chunk
	Removed []uint64 // exchanges that made room
	Paused  bool     // new exchanges are passed over from now on, or no more
}

// A Chunk is a piece of a followed exchange's body, masked. Offset counts the
// bytes that were retold before it, and those that were passed over.
type Chunk struct {
	ID     uint64 `json:"id"`
	Side   string `json:"side"` // "request" or "response"
	Offset int64  `json:"offset"`
	Bytes  []byte `json:"base64"`
}

// MarshalJSON writes the data of the event.
func (e Event) MarshalJSON() ([]byte, error) {
	switch e.Kind {
	case KindExchange:
		return json.Marshal(e.Summary)
	case KindChunk:
		return json.Marshal(e.Chunk)
	case KindRemoved:
		return json.Marshal(map[string][]uint64{"ids": e.Removed})
	case KindPaused:
		return json.Marshal(map[string]bool{"paused": e.Paused})
	}
	return []byte("{}"), nil
}
