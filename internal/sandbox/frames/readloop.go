package frames

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/net/http2"
)

// sendPreface sends the server's preface. It does not wait for the client's.
func (c *Conn) sendPreface() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.control(func(f *http2.Framer) { f.WriteSettings(c.server.settings()...) })
	if more := c.server.connWindow() - initialWindow; more > 0 {
		c.control(func(f *http2.Framer) { f.WriteWindowUpdate(0, more) })
	}
}

// read reads frames until the connection ends, and returns why it ended.
func (c *Conn) read() error {
	c.nc.SetReadDeadline(time.Now().Add(c.server.headerTimeout()))
	if err := c.readPreface(); err != nil {
		return err
	}
	c.clearDeadline()
	for {
		if err := c.readFrame(); err != nil {
			return err
		}
	}
}

// clearDeadline removes the deadline of the preface: later silence is not an error.
func (c *Conn) clearDeadline() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closing {
		c.nc.SetReadDeadline(time.Time{})
	}
}

// readPreface reads the client's preface: a magic line, then SETTINGS (RFC 9113
// section 3.4).
func (c *Conn) readPreface() error {
	var preface [len(http2.ClientPreface)]byte
	if err := c.readMagic(preface[:]); err != nil {
		return err
	}
	header, err := c.in.ReadFrameHeader()
	if err != nil {
		return readError(err)
	}
	if header.Type != http2.FrameSettings || header.Flags.Has(http2.FlagSettingsAck) {
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	return c.handleFrame(header)
}

// readMagic fails at the first wrong byte: another protocol may send fewer bytes than the
// preface has.
func (c *Conn) readMagic(buf []byte) error {
	for n := 0; n < len(buf); {
		more, err := c.buffered.Read(buf[n:])
		if err != nil {
			return err
		}
		n += more
		if !bytes.HasPrefix([]byte(http2.ClientPreface), buf[:n]) {
			return http2.ConnectionError(http2.ErrCodeProtocol)
		}
	}
	return nil
}

func (c *Conn) readFrame() error {
	header, err := c.in.ReadFrameHeader()
	if err != nil {
		return readError(err)
	}
	return c.handleFrame(header)
}

// handleFrame reads the rest of a frame and handles it.
func (c *Conn) handleFrame(header http2.FrameHeader) error {
	frame, err := c.in.ReadFrameForHeader(header)
	c.waitForReads()
	if err == nil && c.server.Activity != nil {
		c.server.Activity(c, header.Type == http2.FramePing)
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

// readError distinguishes a too long frame from the end of the connection.
func readError(err error) error {
	if errors.Is(err, http2.ErrFrameTooLarge) {
		return http2.ConnectionError(http2.ErrCodeFrameSize)
	}
	return fmt.Errorf("reading: %w", err)
}

func (c *Conn) waitForReads() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.readsStalled && !c.closing && c.err == nil {
		c.progress.Wait()
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
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.IsAck() {
		c.acknowledged()
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
		c.flow.maxFrame = int(setting.Val)
	}
	return nil
}
