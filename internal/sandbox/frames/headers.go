package frames

import (
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	maxFragments = 1000 // frames in which a header block may come
	// maxBlock is how many bytes of a too large block are decoded, so that the compression
	// state stays correct.
	maxBlock = 4*maxHeaderList + 64<<10
)

// A headerBlock is one HEADERS frame with its CONTINUATIONs.
type headerBlock struct {
	id            uint32
	ends          bool // with END_STREAM
	selfDependent bool // the stream depends on itself
	fields        []hpack.HeaderField
	size          uint32 // as SETTINGS_MAX_HEADER_LIST_SIZE counts
	encoded       int
	frames        int
	tooLarge      bool
}

func (c *Conn) onHeaders(f *http2.HeadersFrame) error {
	c.block = headerBlock{
		id:            f.StreamID,
		ends:          f.StreamEnded(),
		selfDependent: f.HasPriority() && f.Priority.StreamDep == f.StreamID,
	}
	c.decoder.SetEmitEnabled(true)
	return c.onFragment(f.HeaderBlockFragment(), f.HeadersEnded())
}

func (c *Conn) onFragment(fragment []byte, last bool) error {
	c.block.frames++
	c.block.encoded += len(fragment)
	if c.block.frames > maxFragments || c.block.encoded > maxBlock {
		return http2.ConnectionError(http2.ErrCodeEnhanceYourCalm)
	}
	if _, err := c.decoder.Write(fragment); err != nil {
		return http2.ConnectionError(http2.ErrCodeCompression)
	}
	if !last {
		return nil
	}
	if err := c.decoder.Close(); err != nil {
		return http2.ConnectionError(http2.ErrCodeCompression)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.onBlock(c.block)
}

// addField is called for each decoded field.
func (c *Conn) addField(field hpack.HeaderField) {
	c.block.size += field.Size()
	if c.block.size > maxHeaderList {
		c.block.tooLarge = true
		c.decoder.SetEmitEnabled(false)
		return
	}
	c.block.fields = append(c.block.fields, field)
}

// onBlock opens a stream, or ends a request with its trailers.
func (c *Conn) onBlock(b headerBlock) error {
	if b.id%2 == 0 {
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	if b.id > c.lastID {
		return c.open(b)
	}
	if _, open := c.streams[b.id]; !open {
		switch c.closed.how[b.id] {
		case forgotten: // numbers must ascend
			return http2.ConnectionError(http2.ErrCodeProtocol)
		case finished:
			return http2.ConnectionError(http2.ErrCodeStreamClosed)
		}
	}
	s, err := c.receiver(b.id)
	if s == nil {
		return err
	}
	return s.receiveTrailer(b)
}

// open opens a stream, or refuses it.
func (c *Conn) open(b headerBlock) error {
	if c.err != nil { // the writer may have failed before the reader
		return c.err
	}
	c.lastID = b.id
	if c.closing || c.goAwaySent && b.id > c.goAwayLast {
		c.closed.remember(b.id, discarded)
		return nil
	}
	length, err := checkRequest(b.fields)
	if b.tooLarge {
		length, err = -1, nil
	}
	limit := int(c.server.maxStreams())
	switch {
	case b.selfDependent, err != nil, b.ends && length > 0:
		return http2.StreamError{StreamID: b.id, Code: http2.ErrCodeProtocol, Cause: err}
	case len(c.streams) >= limit:
		return streamError(b.id, http2.ErrCodeRefusedStream)
	case c.running >= max(4*limit, 100): // the client resets faster than handlers return
		return http2.ConnectionError(http2.ErrCodeEnhanceYourCalm)
	}
	s := newStream(c, b, length)
	c.streams[b.id] = s
	c.running++
	c.work.Go(func() { c.run(s, b.tooLarge) })
	return nil
}

// run answers a request.
func (c *Conn) run(s *Stream, tooLarge bool) {
	defer s.release()
	defer func() {
		if value := recover(); value != nil {
			c.server.panicked(value)
		}
	}()
	if tooLarge {
		c.server.refuse(s, 431)
	} else {
		c.server.Handler(s)
	}
	s.finish()
}
