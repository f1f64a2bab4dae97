package h2

import (
	"context"
	"crypto/rand"
	"encoding/binary"
)

// onPing is RFC 9113 section 6.7.
func (s *Session) onPing(f *frame) error {
	switch {
	case f.stream != 0:
		return ConnError{ProtocolError, "PING on a stream"}
	case len(f.payload) != 8:
		return ConnError{FrameSizeError, "PING"}
	case f.has(flagAck):
		data := [8]byte(f.payload)
		if answered := s.pings[data]; answered != nil {
			close(answered)
			delete(s.pings, data)
		}
		return nil
	}
	if err := s.futile(); err != nil {
		return err
	}
	s.out = append(appendFrameHead(s.out, 8, framePing, flagAck, 0), f.payload...)
	s.touch()
	return nil
}

// Ping waits for an answer to a PING, or for the end of ctx or of the connection.
func (s *Session) Ping(ctx context.Context) error {
	var data [8]byte
	rand.Read(data[:])
	answered := make(chan struct{})
	s.group.mu.Lock()
	if s.pings == nil {
		s.pings = map[[8]byte]chan struct{}{}
	}
	s.pings[data] = answered
	s.out = append(appendFrameHead(s.out, 8, framePing, 0, 0), data[:]...)
	s.touch()
	s.group.mu.Unlock()
	select {
	case <-answered:
		return nil
	case <-s.done:
		return s.Err()
	case <-ctx.Done():
		s.group.mu.Lock()
		defer s.group.mu.Unlock()
		delete(s.pings, data)
		return ctx.Err()
	}
}

// onGoAway is RFC 9113 section 6.8. What is above the last stream was not processed.
func (s *Session) onGoAway(f *frame) error {
	if f.stream != 0 {
		return ConnError{ProtocolError, "GOAWAY on a stream"}
	}
	if len(f.payload) < 8 {
		return ConnError{FrameSizeError, "GOAWAY"}
	}
	last := binary.BigEndian.Uint32(f.payload) & maxStreamID
	s.goAwayLast = last
	s.goAway = &GoAwayError{ErrCode(binary.BigEndian.Uint32(f.payload[4:]))}
	s.stop()
	if !s.server {
		for st := range s.streams.all {
			if st.id > last {
				st.close(&ResetError{Code: RefusedStream, Unprocessed: true, Err: *s.goAway})
			}
		}
	}
	if s.over() {
		s.touch()
	}
	s.config.stateChanged(s)
	return nil
}

// Shutdown says that no further request is taken; those under way go on. The connection
// ends with the last one.
func (s *Session) Shutdown() {
	s.group.mu.Lock()
	defer s.group.mu.Unlock()
	if s.err != nil || s.leaving {
		return
	}
	s.stop()
	s.goodbye(NoError, "")
}
