package frames

import (
	"cmp"
	"fmt"
	"log"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
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
		if value := recover(); value != nil && value != http.ErrAbortHandler {
			cmp.Or(c.server.ErrorLog, log.Default()).Printf("frames: a handler panicked: %v\n%s", value, debug.Stack())
		}
	}()
	if tooLarge {
		c.server.refuse(s, 431)
	} else {
		c.server.Handler(s)
	}
	s.finish()
}

// checkRequest checks the fields of a request (RFC 9113 sections 8.2 and 8.3.1)
// and returns its content-length, or -1.
func checkRequest(fields []hpack.HeaderField) (length int64, err error) {
	pseudo := map[string]string{}
	regular := fields
	for len(regular) > 0 && regular[0].IsPseudo() {
		field := regular[0]
		if _, twice := pseudo[field.Name]; twice || !validValue(field.Value) {
			return -1, fmt.Errorf("%s is malformed or there twice", field.Name)
		}
		pseudo[field.Name] = field.Value
		regular = regular[1:]
	}
	if err := checkPseudo(pseudo); err != nil {
		return -1, err
	}
	if err := checkRegular(regular); err != nil {
		return -1, err
	}
	return contentLength(regular)
}

// checkPseudo requires :method, :scheme and :path, and for CONNECT only :method and
// :authority.
func checkPseudo(pseudo map[string]string) error {
	for name := range pseudo {
		if !slices.Contains([]string{":method", ":scheme", ":path", ":authority"}, name) {
			return fmt.Errorf("unknown pseudo-header %q", name)
		}
	}
	method, path := pseudo[":method"], pseudo[":path"]
	_, hasScheme := pseudo[":scheme"]
	_, hasPath := pseudo[":path"]
	switch {
	case !httpguts.ValidHeaderFieldName(method): // both are tokens
		return fmt.Errorf("malformed method %q", method)
	case method == "CONNECT" && (hasScheme || hasPath || pseudo[":authority"] == ""):
		return fmt.Errorf("CONNECT needs only an authority")
	case method != "CONNECT" && (pseudo[":scheme"] == "" || path == ""):
		return fmt.Errorf("no :scheme or no :path")
	case method != "CONNECT" && path[0] != '/' && (path != "*" || method != "OPTIONS"):
		return fmt.Errorf("malformed path")
	}
	return nil
}

// checkRegular refuses pseudo-header fields and connection-specific fields (RFC 9113
// section 8.2.2), in a head behind the pseudo-header fields and in a trailer.
func checkRegular(fields []hpack.HeaderField) error {
	for _, field := range fields {
		if !validName(field.Name) || !validValue(field.Value) {
			return fmt.Errorf("malformed field %q", field.Name)
		}
		if connectionSpecific(field.Name) || field.Name == "te" && !strings.EqualFold(field.Value, "trailers") {
			return fmt.Errorf("connection-specific field %q", field.Name)
		}
	}
	return nil
}

func connectionSpecific(name string) bool {
	return slices.Contains([]string{"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}, name)
}

func validName(name string) bool {
	return httpguts.ValidHeaderFieldName(name) && strings.ToLower(name) == name
}

// validValue also refuses spaces around a value (RFC 9113 section 8.2.1).
func validValue(value string) bool {
	return httpguts.ValidHeaderFieldValue(value) && strings.Trim(value, " \t") == value
}

// contentLength returns -1 if none is declared.
func contentLength(fields []hpack.HeaderField) (int64, error) {
	length := int64(-1)
	for _, field := range fields {
		if field.Name != "content-length" {
			continue
		}
		n, err := strconv.ParseUint(field.Value, 10, 63)
		if err != nil || length >= 0 && length != int64(n) {
			return -1, fmt.Errorf("malformed content-length %q", field.Value)
		}
		length = int64(n)
	}
	return length, nil
}
