package wire

import (
	"encoding/binary"
	"fmt"
	"io"

	"golang.org/x/net/http2"
)

// A goAway is what the server said when it took its leave.
type goAway struct {
	last uint32
	code http2.ErrCode
}

// Read implements [net.Conn]. It never hands out more than a piece of one frame, and
// what the frame means is noted before net/http hears of it.
func (c *Client) Read(p []byte) (int, error) {
	if len(c.give) == 0 && c.left == 0 {
		if err := c.nextFrame(); err != nil {
			c.cause.Store(&err)
			return 0, err
		}
	}
	if len(c.give) > 0 {
		n := copy(p, c.give)
		c.give = c.give[n:]
		return n, nil
	}
	n, err := c.in.Read(p[:min(len(p), c.left)])
	c.left -= n
	c.hear()
	return n, err
}

func (c *Client) nextFrame() error {
	if c.greeted { // and net/http has done with it: it asks for the next frame
		c.greeted = false
		c.settleOnce()
	}
	if c.parted {
		c.parted = false
		c.ended(nil)
	}
	if _, err := io.ReadFull(c.in, c.head[:]); err != nil {
		c.noteEOF(err)
		return err
	}
	c.hear()
	f := parseHead(c.head[:])
	c.give, c.left = c.head[:], f.length
	return c.note(f)
}

// note looks into a frame as far as its meaning needs it.
func (c *Client) note(f frame) error {
	switch f.kind {
	case http2.FrameSettings:
		c.greeted = true
		return c.noteSettings(f)
	case http2.FrameHeaders:
		c.noteEndStream(f)
	case http2.FrameData:
		c.noteEndStream(f)
		return c.noteData(f)
	case http2.FrameRSTStream:
		code, err := c.number(0)
		if stream := c.stream(f.stream); err == nil && stream != nil {
			c.noteReset(stream, http2.ErrCode(code))
		}
		return err
	case http2.FrameGoAway:
		return c.noteGoAway()
	case http2.FramePing:
		if f.flags.Has(http2.FlagPingAck) && f.length == 8 {
			return c.notePong()
		}
	}
	return nil
}

// noteReset knows of net/http that it opens no more streams where the server calls one
// a breach of the protocol.
func (c *Client) noteReset(stream *Stream, code http2.ErrCode) {
	stream.wasReset(code)
	if code == http2.ErrCodeProtocol {
		c.ended(fmt.Errorf("it reset a stream with %v", code))
	}
}

// settingLen is the size of one setting (RFC 9113 section 6.5.1).
const settingLen = 6

// noteSettings looks for SETTINGS_MAX_CONCURRENT_STREAMS, as far as the reader's buffer goes.
func (c *Client) noteSettings(f frame) error {
	payload, err := c.in.Peek(min(f.length, c.in.Size()))
	if err != nil {
		return err
	}
	for ; len(payload) >= settingLen; payload = payload[settingLen:] {
		if http2.SettingID(binary.BigEndian.Uint16(payload)) == http2.SettingMaxConcurrentStreams {
			c.most.Store(int64(binary.BigEndian.Uint32(payload[2:])))
		}
	}
	return nil
}

// noteEndStream is for HEADERS and DATA, which have the flag in the same place.
func (c *Client) noteEndStream(f frame) {
	if !f.flags.Has(http2.FlagDataEndStream) {
		return
	}
	if stream := c.stream(f.stream); stream != nil {
		stream.wasEnded()
	}
}

// noteEOF notes whether the server closed the connection between frames, while it owed
// nothing.
func (c *Client) noteEOF(err error) {
	if err != io.EOF {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, stream := range c.streams {
		if !stream.over() {
			return
		}
	}
	c.closedIdle = true
}

func (c *Client) noteData(f frame) error {
	size := f.length
	if f.flags.Has(http2.FlagDataPadded) && size > 0 {
		padding, err := c.in.Peek(1)
		if err != nil {
			return err
		}
		size -= 1 + int(padding[0])
	}
	if stream := c.stream(f.stream); stream != nil && size > 0 {
		stream.came(dataFrame{size, f.flags.Has(http2.FlagDataEndStream)})
	}
	return nil
}

// number peeks at 32 bits of the payload.
func (c *Client) number(at int) (uint32, error) {
	if c.left < at+4 {
		return 0, nil // net/http will complain of the frame
	}
	payload, err := c.in.Peek(at + 4)
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint32(payload[at:]), nil
}

func (c *Client) noteGoAway() error {
	last, err := c.number(0)
	if err != nil {
		return err
	}
	code, err := c.number(4)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.away = &goAway{last & (1<<31 - 1), http2.ErrCode(code)}
	c.mu.Unlock()
	c.parted = true
	if http2.ErrCode(code) == http2.ErrCodeNo {
		c.ended(nil)
	} else {
		c.ended(fmt.Errorf("it ended the connection with %v", http2.ErrCode(code)))
	}
	return nil
}
