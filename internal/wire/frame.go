package wire

import (
	"encoding/binary"

	"golang.org/x/net/http2"
)

// headLen is the size of a frame's head (RFC 9113 section 4.1).
const headLen = 9

// preface is what a client's side begins with (RFC 9113 section 3.4).
const preface = http2.ClientPreface

// A frame is what the head of one says.
type frame struct {
	length int
	kind   http2.FrameType
	flags  http2.Flags
	stream uint32
}

func parseHead(head []byte) frame {
	return frame{
		length: int(head[0])<<16 | int(head[1])<<8 | int(head[2]),
		kind:   http2.FrameType(head[3]),
		flags:  http2.Flags(head[4]),
		stream: binary.BigEndian.Uint32(head[5:]) & (1<<31 - 1),
	}
}

func appendHead(to []byte, f frame) []byte {
	to = append(to, byte(f.length>>16), byte(f.length>>8), byte(f.length), byte(f.kind), byte(f.flags))
	return binary.BigEndian.AppendUint32(to, f.stream)
}

// A track follows frames through what is written, however it is cut into writes.
type track struct {
	skip int // bytes of the preface to come
	head [headLen]byte
	have int // bytes of head so far
	now  frame
	left int // bytes of now's payload to come
}

// between reports whether the last write ended with a frame.
func (t *track) between() bool { return t.skip == 0 && t.have == 0 && t.left == 0 }

// follow tells head of each frame that begins in p, once its head is whole, and
// payload of each piece of a payload, which begins at offset.
func (t *track) follow(p []byte, head func(frame), payload func(f frame, offset int, piece []byte)) {
	if n := min(t.skip, len(p)); n > 0 {
		t.skip -= n
		p = p[n:]
	}
	for len(p) > 0 {
		if t.left > 0 {
			n := min(t.left, len(p))
			payload(t.now, t.now.length-t.left, p[:n])
			t.left -= n
			p = p[n:]
			continue
		}
		n := copy(t.head[t.have:], p)
		t.have += n
		p = p[n:]
		if t.have == headLen {
			t.now = parseHead(t.head[:])
			t.have, t.left = 0, t.now.length
			head(t.now)
		}
	}
}
