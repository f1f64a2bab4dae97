package h2

import (
	"encoding/binary"
)

// maxContinuations bounds the frames of one block: each costs more than its bytes.
const maxContinuations = 32

// A headBlock is a block of fields whose frames have not all come yet (RFC 9113 section
// 4.3).
type headBlock struct {
	stream uint32 // 0 = there is none
	fin    bool
	bytes  []byte
	frames int
}

func (b *headBlock) open() bool { return b.stream != 0 }

func dependsOn(priority []byte) uint32 { return binary.BigEndian.Uint32(priority) & maxStreamID }

// onHeaders is RFC 9113 section 6.2.
func (s *Session) onHeaders(f *frame) error {
	if f.stream == 0 {
		return ConnError{ProtocolError, "HEADERS without a stream"}
	}
	if err := f.unpad(); err != nil {
		return err
	}
	var self bool
	if f.has(flagPriority) {
		if len(f.payload) < 5 {
			return ConnError{FrameSizeError, "HEADERS"}
		}
		self = dependsOn(f.payload) == f.stream
		f.payload = f.payload[5:]
	}
	fin := f.has(flagEndStream)
	if !f.has(flagEndHeaders) {
		s.block = headBlock{stream: f.stream, fin: fin, bytes: append(s.block.bytes[:0], f.payload...)}
		return nil
	}
	err := s.onBlock(f.stream, fin, f.payload)
	if err == nil && self {
		err = streamError{f.stream, ProtocolError, "a stream that depends on itself"}
	}
	return err
}

// onContinuation is RFC 9113 section 6.10.
func (s *Session) onContinuation(f *frame) error {
	b := &s.block
	if !b.open() || f.stream != b.stream {
		return ConnError{ProtocolError, "CONTINUATION of nothing"}
	}
	b.frames++
	if len(b.bytes)+len(f.payload) > 2*s.config.MaxHeader || b.frames > maxContinuations {
		return ConnError{EnhanceYourCalm, "a block of fields without end"}
	}
	b.bytes = append(b.bytes, f.payload...)
	if !f.has(flagEndHeaders) {
		return nil
	}
	id, fin, block := b.stream, b.fin, b.bytes
	s.block = headBlock{}
	return s.onBlock(id, fin, block)
}

// onBlock takes a whole block. It is decoded whatever becomes of it, since it changes the
// state of the compression.
func (s *Session) onBlock(id uint32, fin bool, block []byte) error {
	var err error
	if s.fields, s.size, err = s.decoder.block(s.fields[:0], block, s.config.MaxHeader); err != nil {
		if err == errBomb {
			return ConnError{EnhanceYourCalm, "a block of fields that becomes too large"}
		}
		return ConnError{CompressionError, "HPACK"}
	}
	st := s.streams.get(id)
	switch {
	case st != nil && s.server:
		return st.onTrailer(fin)
	case st != nil:
		return st.onAnswer(fin)
	case !s.isIdle(id):
		return s.onClosed(id)
	case !s.server || id%2 == 0:
		return ConnError{ProtocolError, "HEADERS on an idle stream"}
	}
	return s.onRequest(id, fin)
}

func (s *Session) tooLarge() bool { return s.size > s.config.MaxHeader }

// onRequest opens a stream for a client.
func (s *Session) onRequest(id uint32, fin bool) error {
	s.last = id
	if s.leaving { // what we said goodbye to before it came
		return s.refuseStream(id, RefusedStream)
	}
	most := int(s.config.MaxStreams)
	if s.streams.len() >= most || s.unwritten >= 2*most { // a client that has not seen an end cannot count on it
		return streamError{id, RefusedStream, "too many streams"}
	}
	st := s.newStream(id, min(s.size, s.config.MaxHeader))
	if s.tooLarge() {
		st.inEnded = fin
		s.config.refuse(st, ErrHeadTooLarge)
		return nil
	}
	if err := s.received.parse(s.fields, true); err != nil {
		return streamError{id, ProtocolError, err.Error()}
	}
	if s.received.Protocol != "" && !s.config.ExtendedConnect {
		return streamError{id, ProtocolError, ":protocol, which was not offered"}
	}
	st.rest = s.received.Length
	if err := st.countBody(0, fin); err != nil {
		return err
	}
	st.inEnded = fin
	s.useful()
	s.config.Accept(st, &s.received, fin)
	return nil
}

// onTrailer ends a request's body.
func (st *Stream) onTrailer(fin bool) error {
	switch {
	case st.inEnded:
		return streamError{st.id, StreamClosed, "HEADERS behind the end"}
	case !fin:
		return streamError{st.id, ProtocolError, "a trailer that does not end the stream"}
	}
	return st.takeTrailer()
}

func (st *Stream) takeTrailer() error {
	if st.s.tooLarge() {
		return streamError{st.id, EnhanceYourCalm, "a trailer that is too large"}
	}
	if err := checkTrailer(st.s.fields); err != nil {
		return streamError{st.id, ProtocolError, err.Error()}
	}
	if err := st.countBody(0, true); err != nil {
		return err
	}
	st.inEnded = true
	st.end.Trailer(st.s.fields)
	st.endIfDone()
	return nil
}

// onAnswer is for a client: 1xx, the final head, or the trailer.
func (st *Stream) onAnswer(fin bool) error {
	s := st.s
	switch {
	case st.inEnded:
		return streamError{st.id, StreamClosed, "HEADERS behind the end"}
	case st.headIn && !fin:
		return streamError{st.id, ProtocolError, "a trailer that does not end the stream"}
	case st.headIn:
		return st.takeTrailer()
	case s.tooLarge():
		return streamError{st.id, EnhanceYourCalm, "a head that is too large"}
	}
	h := &s.received
	if err := h.parse(s.fields, false); err != nil {
		return streamError{st.id, ProtocolError, err.Error()}
	}
	if h.Status < 200 {
		if fin || h.Status == 101 {
			return streamError{st.id, ProtocolError, "an interim answer that is none"}
		}
		st.end.Head(h, false)
		return nil
	}
	st.headIn, s.answered = true, true
	st.noBody = st.noBody || h.Status == 204 || h.Status == 304
	st.rest = h.Length
	if st.noBody {
		st.rest = 0
	}
	if err := st.countBody(0, fin); err != nil {
		return err
	}
	st.inEnded = fin
	st.end.Head(h, fin)
	st.endIfDone()
	return nil
}
