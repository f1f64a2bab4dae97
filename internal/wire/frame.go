// Package wire looks at the frames of HTTP/2 connections (RFC 9113) that net/http
// serves, and adds what net/http has no API for: the code with which a stream is reset,
// and the numbers of streams. The protocol itself remains net/http's.
package wire

import (
	"bufio"
	"encoding/binary"
	"io"

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

// A frameReader reads what the other end sends, frame by frame.
type frameReader struct {
	in      *bufio.Reader
	head    [headLen]byte
	pending []byte // of head, or of a frame of ours: not handed out yet
	left    int    // bytes to come of the payload
}

// between reports whether the next byte begins a frame.
func (r *frameReader) between() bool { return len(r.pending) == 0 && r.left == 0 }

// next reads the head of the next frame.
func (r *frameReader) next() (frame, error) {
	if _, err := io.ReadFull(r.in, r.head[:]); err != nil {
		return frame{}, err
	}
	f := parseHead(r.head[:])
	r.pending, r.left = r.head[:], f.length
	return f, nil
}

// read hands out a piece of the frame.
func (r *frameReader) read(p []byte) (n int, err error) {
	if len(r.pending) > 0 {
		n = copy(p, r.pending)
		r.pending = r.pending[n:]
		return n, nil
	}
	n, err = r.in.Read(p[:min(len(p), r.left)])
	r.left -= n
	return n, err
}

// A track follows frames through what is written, however it is cut into writes.
type track struct {
	skip int // bytes of the preface to come
	head [headLen]byte
	have int // bytes of head so far
	now  frame
	left int // bytes of now's payload to come
}

// follow calls head for each frame that begins in p, once its head is whole, and
// payload for each piece of a payload, which begins at offset.
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
