package h2

import (
	"encoding/binary"
	"time"
)

// Settings (RFC 9113 section 6.5.2, RFC 8441 section 3).
const (
	settingHeaderTableSize      = 0x1
	settingEnablePush           = 0x2
	settingMaxConcurrentStreams = 0x3
	settingInitialWindowSize    = 0x4
	settingMaxFrameSize         = 0x5
	settingMaxHeaderListSize    = 0x6
	settingEnableConnect        = 0x8
	settingNoRFC7540Priorities  = 0x9 // RFC 9218 section 2.1
)

const (
	defaultWindow = 1<<16 - 1 // of a connection, and of streams before SETTINGS
	maxWindow     = 1<<31 - 1
)

// peerSettings are what the other side has said.
type peerSettings struct {
	streams   uint32 // that it allows
	window    int64  // of a new stream
	header    uint32 // bytes of a block that it takes
	connects  bool   // it takes extended CONNECT
	mentioned bool   // SETTINGS have come
}

func appendSetting(out []byte, id uint16, value uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(out, id), value)
}

// hello appends our SETTINGS and the window of the connection.
func (s *Session) hello() {
	var p []byte
	if s.server {
		p = appendSetting(p, settingMaxConcurrentStreams, s.config.MaxStreams)
		p = appendSetting(p, settingNoRFC7540Priorities, 1)
		if s.config.ExtendedConnect {
			p = appendSetting(p, settingEnableConnect, 1)
		}
	} else {
		p = appendSetting(p, settingEnablePush, 0)
	}
	p = appendSetting(p, settingInitialWindowSize, streamWindow)
	p = appendSetting(p, settingMaxHeaderListSize, uint32(s.config.MaxHeader))
	if !s.server {
		s.out = append(s.out, Preface...)
	}
	s.out = append(appendFrameHead(s.out, len(p), frameSettings, 0, 0), p...)
	s.out = appendWindowUpdate(s.out, 0, connWindow-defaultWindow)
}

// onSettings takes SETTINGS (RFC 9113 section 6.5).
func (s *Session) onSettings(f *frame) error {
	switch {
	case f.stream != 0:
		return ConnError{ProtocolError, "SETTINGS on a stream"}
	case f.has(flagAck):
		if len(f.payload) > 0 {
			return ConnError{FrameSizeError, "SETTINGS with ACK and a payload"}
		}
		return nil
	case len(f.payload)%6 != 0:
		return ConnError{FrameSizeError, "SETTINGS of an odd size"}
	}
	if err := s.futile(); err != nil {
		return err
	}
	for p := f.payload; len(p) > 0; p = p[6:] {
		if err := s.onSetting(binary.BigEndian.Uint16(p), binary.BigEndian.Uint32(p[2:])); err != nil {
			return err
		}
	}
	s.out = appendFrameHead(s.out, 0, frameSettings, flagAck, 0)
	s.touch()
	if !s.peer.mentioned {
		s.peer.mentioned = true
		_ = s.conn.SetReadDeadline(time.Time{}) // that of Serve
		s.Settle()
		s.noteIdle()
	}
	s.config.stateChanged(s)
	return nil
}

func (s *Session) onSetting(id uint16, value uint32) error {
	switch id {
	case settingHeaderTableSize:
		s.encoder.setMax(int(min(value, maxTable)))
	case settingEnablePush:
		if value > 1 || !s.server && value != 0 {
			return ConnError{ProtocolError, "ENABLE_PUSH"}
		}
	case settingMaxConcurrentStreams:
		s.peer.streams = value
	case settingInitialWindowSize:
		if value > maxWindow {
			return ConnError{FlowControlError, "INITIAL_WINDOW_SIZE"}
		}
		delta := int64(value) - s.peer.window
		s.peer.window = int64(value)
		return s.widen(delta)
	case settingMaxFrameSize:
		if value < maxPayload || value > 1<<24-1 {
			return ConnError{ProtocolError, "MAX_FRAME_SIZE"}
		}
	case settingMaxHeaderListSize:
		s.peer.header = value
	case settingEnableConnect:
		if value > 1 {
			return ConnError{ProtocolError, "ENABLE_CONNECT_PROTOCOL"}
		}
		s.peer.connects = value == 1
	}
	return nil
}
