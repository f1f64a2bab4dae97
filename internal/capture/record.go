package capture

import (
	"encoding/json"
	"time"

	"avsproxy/internal/exchange"
	"avsproxy/internal/redact"
)

// A State says whether an exchange has ended.
type State string

// The states.
const (
	StateActive State = "active"
	StateDone   State = "done"
)

// A Summary describes an exchange in one line.
type Summary struct {
	ID            uint64            `json:"id"`
	Route         string            `json:"route"`
	Method        string            `json:"method"`
	Scheme        string            `json:"scheme"`
	Host          string            `json:"host"`
	Target        string            `json:"target"`
	Status        int               `json:"status"` // 0 before the response head
	State         State             `json:"state"`
	Began         time.Time         `json:"began"`
	TookMS        float64           `json:"took_ms"` // until now if it is active
	Proto         string            `json:"proto"`
	UpstreamProto string            `json:"upstream_proto"`
	Decision      exchange.Decision `json:"decision"`
	Error         string            `json:"error"`
	Ended         string            `json:"ended"`
	RequestBytes  int64             `json:"request_bytes"`
	ResponseBytes int64             `json:"response_bytes"`
	ContentType   string            `json:"content_type"`    // of the response
	AVS           string            `json:"avs,omitempty"`   // the event that was posted
	Lasts         bool              `json:"lasts,omitempty"` // its answer has no end of its own
	Replayed      bool              `json:"replayed"`
	ReplayOf      uint64            `json:"replay_of"`
	ClientConn    uint64            `json:"client_conn,omitempty"`   // its number among all connections to the listeners; 0 = unknown
	UpstreamConn  uint64            `json:"upstream_conn,omitempty"` // among those to the upstream
	Credential    string            `json:"credential,omitempty"`    // whose token was asked for, or is got
	Own           string            `json:"own,omitempty"`           // what the proxy did by itself, see [OwnRenewal]; empty = a client asked
}

// Failed reports whether something went wrong: a status from 400 on, an error of the proxy, or no regular end.
func (s *Summary) Failed() bool { return s.Status >= 400 || s.Error != "" || s.Ended != "" }

// A Record is all that is known of an exchange. Method and Target are not as the client
// sent them if a flag says so.
type Record struct {
	Summary
	Arrived  time.Time         `json:"-"` // zero: unknown
	Client   exchange.ConnInfo `json:"client"`
	Upstream exchange.ConnInfo `json:"upstream"`
	Tries    int               `json:"tries"`
	Token    Token             `json:"token"`
	Timing   Timing            `json:"timing_ms"`
	Request  Message           `json:"request"`
	Interim  []Interim         `json:"interim"`
	Response Message           `json:"response"`

	MethodMasked bool `json:"method_masked,omitempty"`
	TargetMasked bool `json:"target_masked,omitempty"`
	TargetCut    bool `json:"target_cut,omitempty"`
}

// A Token says what was done with the credential. Times are in seconds, nil if
// unknown.
type Token struct {
	Credential string            `json:"credential"`
	Decision   exchange.Decision `json:"decision"`
	Age        *float64          `json:"age_s,omitempty"`
	Left       *float64          `json:"left_s,omitempty"`
}

// Timing has the times of [exchange.Facts] in milliseconds. FirstByte is zero before the response
// head.
type Timing struct {
	Guard     float64 `json:"guard"`
	Token     float64 `json:"token"`
	Connect   float64 `json:"connect"`
	TLS       float64 `json:"tls"` // part of connect
	FirstByte float64 `json:"first_byte"`
	Total     float64 `json:"total"`
}

// A Body is what was kept of a body.
type Body struct {
	Size int64 `json:"size"` // on the wire
	Kept int64 `json:"kept"` // length of Bytes, with "***" in place of secrets
	// Complete is set if the body has ended regularly and all of it is in Bytes.
	Complete bool `json:"complete"`
	// Masked is set if a secret in Bytes was replaced. Then Bytes is empty for a body
	// with a content coding, also if that cannot be decoded: with codings other than
	// gzip and deflate, or above 1 MiB.
	Masked bool   `json:"masked,omitempty"`
	Bytes  []byte `json:"-"`
	// Arrivals say when Bytes came. Only bodies of messages (multipart, event streams, gRPC) without a content coding have
	// them.
	Arrivals []Arrival `json:"-"`
}

// An Interim is a 1xx response head.
type Interim struct {
	Status int     `json:"status"`
	Header []Field `json:"headers"`
}

// An EventKind says what an event is about.
type EventKind string

// The kinds.
const (
	KindExchange EventKind = "exchange"
	KindChunk    EventKind = "chunk"
	KindRemoved  EventKind = "removed"
	KindCleared  EventKind = "cleared"
	KindPaused   EventKind = "paused"
)

// An Event is sent to watchers. Kind says which field is set; in JSON an event is only
// that field, or {} for KindCleared. Watchers share what an event points to and must not
// change it.
type Event struct {
	Kind    EventKind
	Summary *Summary // at the begin, the response head and the end of an exchange
	Chunk   *Chunk
	Removed []uint64 // exchanges that were evicted
	Paused  bool     // whether new exchanges are ignored
}

// A Chunk is a masked piece of a body of the followed exchange. Offset counts the bytes
// that were shown before it, and those that were skipped.
type Chunk struct {
	ID     uint64 `json:"id"`
	Side   Side   `json:"side"`
	Offset int64  `json:"offset"`
	Bytes  []byte `json:"base64"`
}

// Plain returns the body without its content coding. whole is false if the end is
// missing.
func (m Message) Plain() (text []byte, whole bool) {
	if m.coding == "" || len(m.Body.Bytes) == 0 {
		return m.Body.Bytes, m.Body.Complete
	}
	text, err := redact.Decode(m.coding, m.Body.Bytes)
	return text, m.Body.Complete && err == nil
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
