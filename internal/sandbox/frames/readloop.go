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
	c.control(func(f *http2.Framer) { f.WriteSettings(c.server.settings()...) })
	c.control(func(f *http2.Framer) { f.WriteWindowUpdate(0, connWindow-initialWindow) })
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

// handleFrame reads the rest of a frame and handles it.
func (c *Conn) handleFrame(header http2.FrameHeader) error {
	frame, err := c.in.ReadFrameForHeader(header)
	c.waitForReads()
	if err == nil && c.server.Activity != nil {
		c.server.Activity(c)
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

func (c *Conn) waitForReads() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.readsStalled && !c.closing && c.err == nil {
		c.changed.Wait()
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
		return onPriority(f)
	case *http2.RSTStreamFrame:
		return c.onReset(f)
	case *http2.SettingsFrame:
		return c.onSettings(f)
	case *http2.PushPromiseFrame: // only servers push
		return http2.ConnectionError(http2.ErrCodeProtocol)
	case *http2.PingFrame:
		c.onPing(f)
	case *http2.WindowUpdateFrame:
		return c.onWindowUpdate(f)
	}
	return nil // GOAWAY is about pushed streams, which do not exist here; unknown frames are ignored
}

// onPriority only refuses a stream that depends on itself (RFC 7540 section 5.3.1).
func onPriority(f *http2.PriorityFrame) error {
	if f.StreamDep == f.StreamID {
		return streamError(f.StreamID, http2.ErrCodeProtocol)
	}
	return nil
}

func (c *Conn) onPing(f *http2.PingFrame) {
	if f.IsAck() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.control(func(w *http2.Framer) { w.WritePing(true, f.Data) })
}

func (c *Conn) onSettings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
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
