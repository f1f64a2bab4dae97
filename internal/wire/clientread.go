package wire

import (
	"encoding/binary"
	"fmt"
	"io"

	"golang.org/x/net/http2"
)

// A goAway is a GOAWAY of the server.
type goAway struct {
	last uint32
	code http2.ErrCode
}

// Read implements [net.Conn]. It never hands out more than a piece of one frame, and
// notes what the frame means before net/http reads it.
func (c *Client) Read(p []byte) (int, error) {
	if c.frames.between() {
		if err := c.nextFrame(); err != nil {
			c.cause.Store(&err)
			return 0, err
		}
	}
	n, err := c.frames.read(p)
	setNow(&c.lastRead)
	return n, err
}

// nextFrame is called when net/http has handled the frame before.
func (c *Client) nextFrame() error {
	if c.settingsSeen {
		c.settle()
	}
	if c.goAwaySeen {
		c.goAwaySeen = false
		c.ended(nil)
	}
	f, err := c.frames.next()
	if err != nil {
		c.noteEOF(err)
		return err
	}
	setNow(&c.lastRead)
	return c.note(f)
}

// note looks into a frame as far as its meaning needs it.
func (c *Client) note(f frame) error {
	switch f.kind {
	case http2.FrameSettings:
		return c.noteSettings(f)
	case http2.FrameHeaders, http2.FrameData:
		return c.noteContent(f)
	case http2.FrameRSTStream:
		return c.noteReset(f)
	case http2.FrameGoAway:
		return c.noteGoAway()
	case http2.FramePing:
		if f.flags.Has(http2.FlagPingAck) {
			return c.notePong()
		}
	}
	return nil
}

// peek returns the first n bytes of the payload; nil = it is shorter, and net/http will
// refuse the frame.
func (c *Client) peek(n int) ([]byte, error) {
	if c.frames.left < n {
		return nil, nil
	}
	return c.frames.in.Peek(n)
}

// settingLen is the size of one setting (RFC 9113 section 6.5.1).
const settingLen = 6

// noteSettings looks for SETTINGS_MAX_CONCURRENT_STREAMS, as far as the reader's buffer goes.
func (c *Client) noteSettings(f frame) error {
	c.settingsSeen = true
	payload, err := c.peek(min(f.length, c.frames.in.Size()))
	if err != nil {
		return err
	}
	for ; len(payload) >= settingLen; payload = payload[settingLen:] {
		if http2.SettingID(binary.BigEndian.Uint16(payload)) == http2.SettingMaxConcurrentStreams {
			c.maxStreams.Store(int64(binary.BigEndian.Uint32(payload[2:])))
		}
	}
	return nil
}

// noteContent is for HEADERS and DATA, which have END_STREAM in the same place.
func (c *Client) noteContent(f frame) error {
	data := dataFrame{last: f.flags.Has(http2.FlagDataEndStream)}
	if f.kind == http2.FrameData {
		data.size = f.length
		if f.flags.Has(http2.FlagDataPadded) {
			padding, err := c.peek(1)
			if err != nil || padding == nil {
				return err
			}
			data.size -= 1 + int(padding[0])
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if stream := c.streams[f.stream]; stream != nil {
		stream.ended = stream.ended || data.last
		if data.size > 0 {
			stream.data = append(stream.data, data)
		}
	}
	return nil
}

// noteReset relies on what net/http does: it opens no more streams where the server
// calls one a breach of the protocol.
func (c *Client) noteReset(f frame) error {
	payload, err := c.peek(4)
	if payload == nil {
		return err
	}
	code := http2.ErrCode(binary.BigEndian.Uint32(payload))
	if c.reset(f.stream, code) && code == http2.ErrCodeProtocol {
		c.ended(fmt.Errorf("it reset a stream with %v", code))
	}
	return nil
}

func (c *Client) reset(id uint32, code http2.ErrCode) (known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	stream := c.streams[id]
	if stream != nil {
		stream.reset, stream.code = true, code
	}
	return stream != nil
}

// noteEOF notes whether the server closed the connection between frames, while no
// answer was missing.
func (c *Client) noteEOF(err error) {
	if err != io.EOF {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, stream := range c.streams {
		if !stream.ended && !stream.reset {
			return
		}
	}
	c.closedIdle = true
}

func (c *Client) noteGoAway() error {
	payload, err := c.peek(8)
	if payload == nil {
		return err
	}
	code := http2.ErrCode(binary.BigEndian.Uint32(payload[4:]))
	c.mu.Lock()
	c.away = &goAway{binary.BigEndian.Uint32(payload) & (1<<31 - 1), code}
	c.mu.Unlock()
	c.goAwaySeen = true
	if code == http2.ErrCodeNo {
		c.ended(nil)
	} else {
		c.ended(fmt.Errorf("it ended the connection with %v", code))
	}
	return nil
}

func (c *Client) notePong() error {
	data, err := c.peek(8)
	if data == nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ping != nil && [8]byte(data) == [8]byte(c.ping.frame[headLen:]) {
		close(c.ping.done)
		c.ping = nil
	}
	return nil
}
