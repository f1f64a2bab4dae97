package h2

import "encoding/binary"

// maxPriority bounds the text of a priority, which is some ten bytes as a rule.
const maxPriority = 256

// A prioritized end hears which priority a request gets while it is under way.
type prioritized interface{ Priority(text string) }

// onPriorityUpdate is RFC 9218 section 7.1: a client changes the priority of a request. Streams
// take turns here whatever that says; but it passes on to who sends the answer.
func (s *Session) onPriorityUpdate(f *frame) error {
	switch {
	case f.stream != 0 || !s.server:
		return ConnError{ProtocolError, "PRIORITY_UPDATE on a stream, or of a server"}
	case len(f.payload) < 4:
		return ConnError{FrameSizeError, "PRIORITY_UPDATE"}
	}
	id, text := binary.BigEndian.Uint32(f.payload)&maxStreamID, f.payload[4:]
	if id%2 == 0 {
		return ConnError{ProtocolError, "PRIORITY_UPDATE for a stream that no client opens"}
	}
	if st := s.streams.get(id); st != nil && len(text) <= maxPriority && validValue(string(text)) {
		if end, ok := st.end.(prioritized); ok {
			end.Priority(string(text))
		}
	}
	return s.futile()
}

func (s *Session) appendPriorityUpdate(id uint32, text string) {
	s.out = appendFrameHead(s.out, 4+len(text), framePriorityUpdate, 0, 0)
	s.out = binary.BigEndian.AppendUint32(s.out, id)
	s.out = append(s.out, text...)
	s.touch()
}

// Priority implements prioritized.
func (r *relayedRequest) Priority(text string) {
	if r.out == nil {
		r.priority = text
	} else if !r.out.gone {
		r.out.s.appendPriorityUpdate(r.out.id, text)
	}
}
