package h2

import (
	"encoding/binary"
	"io"
)

// framed is the [Framing] of HTTP/2.
type framed Session

// TakeEnd implements [Framing]: a connection of HTTP/2 has no use with one direction.
func (s *framed) TakeEnd() error { return io.EOF }

// AppendHead implements [Framing]: HEADERS, and CONTINUATION where one frame does not do.
func (s *framed) AppendHead(out []byte, st *Stream, fields []Field, fin bool) []byte {
	s.encoded = s.encoder.block(s.encoded[:0], fields)
	block := s.encoded
	kind, flags := byte(frameHeaders), byte(0)
	if fin {
		flags = flagEndStream
	}
	for {
		piece := block[:min(len(block), maxPayload)]
		if block = block[len(piece):]; len(block) == 0 {
			flags |= flagEndHeaders
		}
		out = append(appendFrameHead(out, len(piece), kind, flags, st.id), piece...)
		if len(block) == 0 {
			return out
		}
		kind, flags = frameContinuation, 0
	}
}

// AppendData implements [Framing].
func (s *framed) AppendData(out []byte, st *Stream, p []byte, fin bool) []byte {
	flags := byte(0)
	if fin {
		flags = flagEndStream
	}
	return append(appendFrameHead(out, len(p), frameData, flags, st.id), p...)
}

// AppendEnd implements [Framing].
func (s *framed) AppendEnd(out []byte, st *Stream, trailer []Field) []byte {
	if trailer != nil {
		return s.AppendHead(out, st, trailer, true)
	}
	return appendFrameHead(out, 0, frameData, flagEndStream, st.id)
}

// AppendReset implements [Framing].
func (s *framed) AppendReset(out []byte, st *Stream, code ErrCode) []byte {
	s.resets.add(st.id)
	return appendReset(out, st.id, code)
}

func appendReset(out []byte, id uint32, code ErrCode) []byte {
	return binary.BigEndian.AppendUint32(appendFrameHead(out, 4, frameRSTStream, 0, id), uint32(code))
}

// AppendCredit implements [Framing].
func (s *framed) AppendCredit(out []byte, st *Stream, n int) []byte {
	return appendWindowUpdate(out, st.id, n)
}

// AppendGoAway implements [Framing].
func (s *framed) AppendGoAway(out []byte, code ErrCode, text string) []byte {
	out = appendFrameHead(out, 8+len(text), frameGoAway, 0, 0)
	out = binary.BigEndian.AppendUint32(out, s.last)
	out = binary.BigEndian.AppendUint32(out, uint32(code))
	return append(out, text...)
}

// Gone implements [Framing].
func (s *framed) Gone(*Stream) {}

// refuseStream resets a stream that is not open.
func (s *Session) refuseStream(id uint32, code ErrCode) error {
	s.unwritten++
	s.out = appendReset(s.out, id, code)
	s.resets.add(id)
	s.touch()
	return s.wasteful()
}
