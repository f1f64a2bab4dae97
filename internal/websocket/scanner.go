// Package websocket reads the messages of a WebSocket (RFC 6455) while its bytes pass, and makes the
// frames that end one. It sends and waits for nothing.
package websocket

import (
	"encoding/binary"
	"slices"
)

// An Opcode says what a message is (RFC 6455 section 11.8).
type Opcode byte

// The opcodes of messages.
const (
	Continuation Opcode = 0x0
	Text         Opcode = 0x1
	Binary       Opcode = 0x2
	Close        Opcode = 0x8
	Ping         Opcode = 0x9
	Pong         Opcode = 0xA
)

// String is the opcode's name in the RFC; "other" for those it does not define.
func (o Opcode) String() string {
	if name, ok := map[Opcode]string{Text: "text", Binary: "binary", Close: "close", Ping: "ping", Pong: "pong"}[o]; ok {
		return name
	}
	return "other"
}

func (o Opcode) isControl() bool { return o >= Close }

// A Message is what one side said: all frames of it together, neither masked nor compressed.
type Message struct {
	Opcode Opcode
	Data   []byte // its first bytes; valid until the next call of Write
	Size   int64  // bytes of it on the wire, without the heads of its frames
	Cut    bool   // Data is not all of it
	Packed bool   // it came compressed
}

// maxHead is how long the head of a frame can be (RFC 6455 section 5.2).
const maxHead = 14

// A Scanner reads what one side of a WebSocket sends. The zero value tells of nothing but where
// frames end. It is for one goroutine at a time.
type Scanner struct {
	// Deliver is called for each message when it is whole; nil = nobody asks.
	Deliver func(Message)
	// Most is how many bytes of a message are kept; 0 = none.
	Most int
	// Inflate unpacks the messages that are compressed; nil = they are given as they came.
	Inflate *Inflater

	head    []byte // of the frame that begins, so far
	left    int64  // bytes of the frame's payload that are still to come
	at      int64  // bytes of it that have come
	key     [4]byte
	masked  bool
	opcode  Opcode // of the frame
	final   bool
	broken  bool    // the bytes are no frames
	control Message // that is coming
	message Message // that is coming, maybe between control frames
}

// Write implements [io.Writer]. It takes everything: bytes that are no frames end the reading.
func (s *Scanner) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 && !s.broken {
		if s.left > 0 {
			p = s.payload(p)
			continue
		}
		p = s.header(p)
	}
	return n, nil
}

// Between reports whether a frame may be put in here: what came so far ends with a whole one.
func (s *Scanner) Between() bool { return !s.broken && s.left == 0 && len(s.head) == 0 }

// header reads on in the head of a frame, and returns the rest of p.
func (s *Scanner) header(p []byte) []byte {
	if s.head == nil {
		s.head = make([]byte, 0, maxHead)
	}
	for len(p) > 0 {
		s.head = append(s.head, p[0])
		p = p[1:]
		if len(s.head) >= 2 && len(s.head) == headLength(s.head) {
			s.begin()
			return p
		}
	}
	return p
}

// headLength is how long the head is whose first two bytes are known.
func headLength(head []byte) int {
	n := 2
	switch head[1] & 0x7f {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if head[1]&0x80 != 0 {
		n += 4
	}
	return n
}

// begin begins a frame whose head is whole.
func (s *Scanner) begin() {
	h := s.head
	s.head = s.head[:0]
	s.final, s.opcode, s.masked = h[0]&0x80 != 0, Opcode(h[0]&0x0f), h[1]&0x80 != 0
	s.left, s.at = int64(h[1]&0x7f), 0
	switch s.left {
	case 126:
		s.left = int64(binary.BigEndian.Uint16(h[2:]))
	case 127:
		s.left = int64(binary.BigEndian.Uint64(h[2:]))
	}
	if s.masked {
		copy(s.key[:], h[len(h)-4:])
	}
	if s.broken = s.left < 0 || s.opcode.isControl() && s.left > 125; s.broken {
		return
	}
	m := s.current()
	if s.opcode != Continuation {
		*m = Message{Opcode: s.opcode, Data: m.Data[:0], Packed: h[0]&0x40 != 0}
	}
	if s.left == 0 {
		s.end()
	}
}

// current is the message that the frame belongs to.
func (s *Scanner) current() *Message {
	if s.opcode.isControl() {
		return &s.control
	}
	return &s.message
}

// payload reads on in a frame, and returns the rest of p.
func (s *Scanner) payload(p []byte) []byte {
	n := int(min(int64(len(p)), s.left))
	m := s.current()
	if s.Deliver != nil {
		s.keep(m, p[:n])
	}
	m.Size += int64(n)
	s.left -= int64(n)
	s.at += int64(n)
	if s.left == 0 {
		s.end()
	}
	return p[n:]
}

// keep keeps what there is room for, unmasked.
func (s *Scanner) keep(m *Message, p []byte) {
	most := s.Most
	if m.Packed && s.Inflate != nil {
		most = maxPacked
	}
	taken := min(len(p), max(0, most-len(m.Data)))
	m.Cut = m.Cut || taken < len(p)
	begin := len(m.Data)
	m.Data = append(m.Data, p[:taken]...)
	if s.masked {
		for i := range m.Data[begin:] {
			m.Data[begin+i] ^= s.key[(s.at+int64(i))%4]
		}
	}
}

// end ends a frame, and with the final one the message.
func (s *Scanner) end() {
	if !s.final && !s.opcode.isControl() {
		return
	}
	m := s.current()
	if s.Deliver == nil {
		return
	}
	told := *m
	if m.Packed && s.Inflate != nil {
		told.Data, told.Cut = s.Inflate.message(m.Data, m.Cut, s.Most)
	}
	s.Deliver(told)
	if cap(m.Data) > maxKeptBuffer {
		m.Data = nil
	}
	m.Data = m.Data[:0]
}

// maxKeptBuffer is the largest buffer that waits for the next message.
const maxKeptBuffer = 64 << 10

// GoingAway is the frame by which a server, or with mask a client, ends a WebSocket since it goes down
// (RFC 6455 section 7.4.1). The mask is zero: it hides nothing, and the frame holds nothing of
// anybody's.
func GoingAway(mask bool) []byte {
	const reason = "the proxy ends"
	payload := append(binary.BigEndian.AppendUint16(nil, 1001), reason...)
	head := []byte{0x80 | byte(Close), byte(len(payload))}
	if mask {
		head[1] |= 0x80
		head = append(head, 0, 0, 0, 0)
	}
	return slices.Concat(head, payload)
}
