package h1

import (
	"bytes"

	"avsproxy/internal/h2"
)

// A chunkReader reads a body in chunks (RFC 9112 section 7.1).
type chunkReader struct {
	left    int64 // of the chunk
	state   chunkState
	extra   int // bytes of the lines between chunks, less what their data allows
	trailer []h2.Field
}

type chunkState int

const (
	inSize    chunkState = iota // a line with the size comes
	inData                      // data comes
	inDataEnd                   // the line break behind data comes
	inTrailer                   // the trailer comes, or the empty line in its place
	inNothing                   // the body has ended
)

const (
	maxSizeLine = 4 << 10  // bytes, with extensions
	maxExtra    = 16 << 10 // bytes of lines that are longer than need be, together
)

// next reads on in p. data is a piece of the body, of most bytes at most; used is what was read
// of p, with it. Where nothing was used, more is to come first.
func (c *chunkReader) next(p []byte, most int) (data []byte, used int, err error) {
	for c.state != inNothing {
		var n int
		switch c.state {
		case inSize:
			n, err = c.size(p[used:])
		case inData:
			n = int(min(c.left, int64(len(p)-used), int64(most)))
			if n == 0 {
				return nil, used, nil
			}
			data, used = p[used:used+n], used+n
			if c.left -= int64(n); c.left == 0 {
				c.state = inDataEnd
			}
			return data, used, nil
		case inDataEnd:
			n, err = c.lineBreak(p[used:])
		case inTrailer:
			n, err = c.readTrailer(p[used:])
		}
		if err != nil || n == 0 {
			return nil, used, err
		}
		used += n
	}
	return nil, used, nil
}

// size reads the line before a chunk. Extensions are dropped, and so may not be long.
func (c *chunkReader) size(p []byte) (n int, err error) {
	end := bytes.IndexByte(p[:min(len(p), maxSizeLine)], '\n')
	if end < 0 {
		if len(p) >= maxSizeLine {
			return 0, SyntaxError("the line before a chunk is too long")
		}
		return 0, nil
	}
	if end == 0 || p[end-1] != '\r' {
		return 0, SyntaxError("the line before a chunk does not end in CR LF")
	}
	digits, extension, _ := bytes.Cut(p[:end-1], []byte(";"))
	if c.left, err = parseSize(digits); err != nil {
		return 0, err
	}
	for _, b := range extension {
		if b < ' ' && b != '\t' || b == 0x7f {
			return 0, SyntaxError("the extension of a chunk has a control character")
		}
	}
	if c.extra = max(0, c.extra+end-16-int(min(c.left, maxExtra))); c.extra > maxExtra {
		return 0, SyntaxError("the lines before the chunks are much longer than the chunks")
	}
	if c.state = inData; c.left == 0 {
		c.state = inTrailer
	}
	return end + 1, nil
}

// parseSize reads up to 15 hexadecimal digits.
func parseSize(digits []byte) (size int64, err error) {
	if len(digits) == 0 || len(digits) > 15 {
		return 0, SyntaxError("the size of a chunk is missing or too large")
	}
	for _, c := range digits {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, SyntaxError("the size of a chunk is not a hexadecimal number")
		}
		size = size<<4 | int64(c)
	}
	return size, nil
}

func (c *chunkReader) lineBreak(p []byte) (n int, err error) {
	switch {
	case len(p) > 0 && p[0] != '\r' || len(p) > 1 && p[1] != '\n':
		return 0, SyntaxError("a chunk is longer than its size")
	case len(p) < 2:
		return 0, nil
	}
	c.state = inSize
	return 2, nil
}

// readTrailer takes the trailer as a whole.
func (c *chunkReader) readTrailer(p []byte) (n int, err error) {
	switch {
	case len(p) > 0 && p[0] == '\n' || len(p) > 1 && p[0] == '\r' && p[1] != '\n':
		return 0, SyntaxError("a line does not end in CR LF")
	case len(p) >= 2 && p[0] == '\r':
		c.state = inNothing
		return 2, nil
	}
	if n = endOfHead(p, 0); n == 0 {
		if len(p) > maxHead {
			return 0, SyntaxError("the trailer is too long")
		}
		return 0, nil
	}
	for lines := p[:n-2]; len(lines) > 0; {
		end := bytes.IndexByte(lines, '\n')
		if end < 1 || lines[end-1] != '\r' {
			return 0, SyntaxError("a line does not end in CR LF")
		}
		f, err := parseField(lines[:end-1])
		if err != nil {
			return 0, err
		}
		if c.trailer = append(c.trailer, f); n+len(c.trailer)*fieldCost > maxHead {
			return 0, SyntaxError("the trailer is too long")
		}
		lines = lines[end+1:]
	}
	c.state = inNothing
	return n, nil
}

// maxPiece is how much of a body goes on at once: a frame of HTTP/2.
const maxPiece = 16 << 10

// fits returns how many of n bytes a stream may receive now. None = the reader is blocked until
// it may.
func fits(st *h2.Stream, n int) int {
	n = min(n, st.Window())
	if n == 0 {
		st.Session().Block(true)
	}
	return n
}

// receive has a stream receive a piece of the body, but not its end.
func (c *chunkReader) receive(p []byte, st *h2.Stream) (used int, err error) {
	most := fits(st, maxPiece)
	if most == 0 {
		return 0, nil
	}
	data, used, err := c.next(p, most)
	if err == nil && len(data) > 0 {
		st.Receive(data, false)
	}
	return used, err
}

// endReceived has a stream receive the end of a body in chunks.
func endReceived(st *h2.Stream, trailer []h2.Field) {
	if len(trailer) > 0 {
		st.ReceiveTrailer(trailer)
	} else {
		st.Receive(nil, true)
	}
}
