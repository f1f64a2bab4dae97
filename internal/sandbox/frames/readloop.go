package frames

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/net/http2"
)

// sendPreface sends the server's preface. It does not wait for the client's.
func (c *Conn) sendPreface() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.control(func(f *http2.Framer) {
		f.WriteSettings(
			http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: c.server.maxStreams()},
			http2.Setting{ID: http2.SettingInitialWindowSize, Val: c.server.streamWindow()},
			http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: maxHeaderList},
		)
		f.WriteWindowUpdate(0, connWindow-initialWindow)
	})
}

// read reads frames until the connection ends, and returns why it ended. The first ones
// are the client's preface: a magic line, then SETTINGS (RFC 9113 section 3.4).
func (c *Conn) read() error {
	late := time.AfterFunc(prefaceTimeout, func() { c.end(os.ErrDeadlineExceeded) })
	defer late.Stop()
	if err := c.readMagic(); err != nil {
		return err
	}
	for first := true; ; first = false {
		header, err := c.in.ReadFrameHeader()
		switch {
		case errors.Is(err, http2.ErrFrameTooLarge):
			return http2.ConnectionError(http2.ErrCodeFrameSize)
		case err != nil:
			return fmt.Errorf("reading: %w", err)
		case first && (header.Type != http2.FrameSettings || header.Flags.Has(http2.FlagSettingsAck)):
			return http2.ConnectionError(http2.ErrCodeProtocol)
		}
		if err := c.handleFrame(header); err != nil {
			return err
		}
		late.Stop() // later silence is not an error
	}
}

// readMagic fails at the first wrong byte: another protocol may send fewer bytes than the
// line has.
func (c *Conn) readMagic() error {
	for _, want := range []byte(http2.ClientPreface) {
		got, err := c.buffered.ReadByte()
		if err != nil {
			return err
		}
		if got != want {
			return http2.ConnectionError(http2.ErrCodeProtocol)
		}
	}
	return nil
}

// handleFrame reads the rest of a frame and handles it, unless reads are stalled.
func (c *Conn) handleFrame(header http2.FrameHeader) error {
	frame, err := c.in.ReadFrameForHeader(header)
	if err == nil && c.server.Activity != nil {
		c.server.Activity(c)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.readsStalled && !c.closing && c.err == nil {
		c.changed.Wait()
	}
	if errors.Is(err, io.ErrUnexpectedEOF) { // the framer's error for a frame too short for its flags
		return http2.ConnectionError(http2.ErrCodeFrameSize)
	}
	if err == nil {
		err = c.dispatch(frame)
	}
	var one http2.StreamError
	switch {
	case !errors.As(err, &one):
		return err
	case frame == nil && header.Type == http2.FrameHeaders: // the compression state is lost
		return http2.ConnectionError(one.Code)
	default:
		return c.refuse(one)
	}
}

func (c *Conn) dispatch(frame http2.Frame) error {
	switch f := frame.(type) {
	case *http2.DataFrame:
		return c.onData(f)
	case *http2.HeadersFrame:
		return c.onHeaders(f)
	case *http2.ContinuationFrame:
		return c.onFragment(f.HeaderBlockFragment(), f.HeadersEnded())
	case *http2.PriorityFrame:
		if f.StreamDep == f.StreamID { // RFC 7540 section 5.3.1
			return streamError(f.StreamID, http2.ErrCodeProtocol)
		}
	case *http2.RSTStreamFrame:
		return c.onReset(f)
	case *http2.SettingsFrame:
		return c.onSettings(f)
	case *http2.PushPromiseFrame: // only servers push
		return http2.ConnectionError(http2.ErrCodeProtocol)
	case *http2.PingFrame:
		if !f.IsAck() {
			c.control(func(w *http2.Framer) { w.WritePing(true, f.Data) })
		}
	case *http2.WindowUpdateFrame:
		return c.onWindowUpdate(f)
	}
	return nil // GOAWAY is about pushed streams, which do not exist here; unknown frames are ignored
}

func (c *Conn) onSettings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		return nil
	}
	if err := f.ForeachSetting(c.apply); err != nil {
		return err
	}
	c.control(func(w *http2.Framer) { w.WriteSettingsAck() })
	return nil
}

func (c *Conn) apply(setting http2.Setting) error {
	if err := setting.Valid(); err != nil {
		return err
	}
	switch setting.ID {
	case http2.SettingHeaderTableSize:
		c.out.encoder.SetMaxDynamicTableSize(setting.Val)
	case http2.SettingInitialWindowSize:
		return c.setInitialWindow(int64(setting.Val))
	case http2.SettingMaxFrameSize:
		c.maxFrame = int(setting.Val)
	}
	return nil
}

// A closing is how a stream was closed, which decides what a late frame means
// (RFC 9113 section 5.1).
type closing int

const (
	forgotten closing = iota // or never opened
	finished                 // both sides sent END_STREAM
	cancelled                // the client reset it
	discarded                // the server reset or dropped it: the client may not know yet
)

// closedStreams holds how the last closed streams were closed.
type closedStreams struct {
	how   map[uint32]closing
	order []uint32
}

const maxRemembered = 1000

func (c *closedStreams) remember(id uint32, how closing) {
	if c.how == nil {
		c.how = map[uint32]closing{}
	}
	c.how[id] = how
	if c.order = append(c.order, id); len(c.order) > maxRemembered {
		delete(c.how, c.order[0])
		c.order = c.order[1:]
	}
}

func streamError(id uint32, code http2.ErrCode) error {
	return http2.StreamError{StreamID: id, Code: code}
}

// idle reports whether the client has not opened a stream yet. It can never open one with
// an even number.
func (c *Conn) idle(id uint32) bool { return id > c.lastID || id%2 == 0 }

// receiver returns the stream if its client may still send. Otherwise it returns nil, and
// an error unless the frame is to be ignored.
func (c *Conn) receiver(id uint32) (*Stream, error) {
	s, open := c.streams[id]
	switch {
	case open && s.bodyErr == nil:
		return s, nil
	case c.idle(id):
		return nil, http2.ConnectionError(http2.ErrCodeProtocol)
	case !open && c.closed.how[id] == discarded:
		return nil, nil
	default:
		return nil, streamError(id, http2.ErrCodeStreamClosed)
	}
}

// onReset handles the client's RST_STREAM.
func (c *Conn) onReset(f *http2.RSTStreamFrame) error {
	if c.idle(f.StreamID) {
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	if s, open := c.streams[f.StreamID]; open {
		s.fail(http2.StreamError{StreamID: f.StreamID, Code: f.ErrCode, Cause: errByClient}, cancelled)
	}
	return nil
}

// refuse answers a stream error with RST_STREAM. An idle stream cannot be reset, so its
// error is one of the connection.
func (c *Conn) refuse(e http2.StreamError) error {
	if c.idle(e.StreamID) {
		return http2.ConnectionError(e.Code)
	}
	c.control(func(f *http2.Framer) { f.WriteRSTStream(e.StreamID, e.Code) })
	if s, open := c.streams[e.StreamID]; open {
		s.fail(e, discarded)
	} else if c.closed.how[e.StreamID] == forgotten {
		c.closed.remember(e.StreamID, discarded)
	}
	return nil
}
