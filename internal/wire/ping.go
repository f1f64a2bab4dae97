package wire

import (
	"context"
	"encoding/binary"
	"time"

	"golang.org/x/net/http2"
)

// A ping is under way, and shared by all that wait for its answer.
type ping struct {
	frame [headLen + 8]byte
	done  chan struct{}
}

// Ping sends a PING (RFC 9113 section 6.7) and returns when it was answered.
// Whoever asks meanwhile waits for the same one.
func (c *Client) Ping(ctx context.Context) error {
	p := c.begin()
	go c.sendWanted() // which may wait for room until the connection is closed
	select {
	case <-p.done:
		return nil
	case <-c.done:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pingMark begins the data of our pings; net/http's own are random.
const pingMark = 0x61767370726f7879 // "avsproxy"

func (c *Client) begin() *ping {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ping == nil {
		c.pings++
		c.ping = &ping{done: make(chan struct{})}
		frame := appendHead(c.ping.frame[:0], frame{length: 8, kind: http2.FramePing})
		binary.BigEndian.AppendUint64(frame, pingMark^c.pings)
		c.wanted.Store(c.ping)
	}
	return c.ping
}

// sendWanted sends the ping that is wanted, unless somebody is writing, who will do
// it afterwards, or a frame is half written.
func (c *Client) sendWanted() {
	for c.wanted.Load() != nil && c.writing.TryLock() {
		between := c.out.between()
		if p := c.wanted.Load(); between && p != nil {
			c.wanted.Store(nil)
			c.said.Store(time.Now().UnixNano())
			_, _ = c.Conn.Write(p.frame[:]) // where it fails, no answer comes
		}
		c.writing.Unlock()
		if !between {
			return
		}
	}
}

func (c *Client) notePong() error {
	data, err := c.in.Peek(8)
	if err != nil {
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
