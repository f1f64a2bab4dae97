package wire

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/net/http2"
)

// A server is the server's end of a connection that may speak HTTP/2. Every request
// gets a header field with the number of its stream, which [StreamIDs] takes out again.
type server struct {
	net.Conn
	field string // the name of that header field, which no client can guess

	// Of reading; net/http does it on one goroutine.
	seen   int // bytes of the preface
	frames frameReader
	last   uint32 // stream that was opened last
	now    frame  // with the flags as they came

	requests headReader // where it is not HTTP/2

	protocol atomic.Int32 // what the client speaks

	writing sync.Mutex
	out     track

	mu    sync.Mutex
	codes map[uint32]http2.ErrCode // of streams that are to be reset
}

// What a client speaks: not known yet, HTTP/2 as its preface said or as TLS
// negotiated, or something else.
const (
	unknown int32 = iota
	speaksHTTP2
	negotiated // the preface is still to come
	other
)

func newServer(conn net.Conn) *server {
	return &server{Conn: conn, field: "avsproxy-stream-" + strings.ToLower(rand.Text()), codes: map[uint32]http2.ErrCode{}}
}

// NetConn returns the connection below.
func (s *server) NetConn() net.Conn { return s.Conn }

// Read implements [net.Conn].
func (s *server) Read(p []byte) (int, error) {
	switch s.protocol.Load() {
	case other:
		n, err := s.Conn.Read(p)
		s.requests.read(p[:n])
		return n, err
	case unknown, negotiated:
		return s.readPreface(p)
	}
	if s.frames.between() {
		if err := s.nextFrame(); err != nil {
			return 0, err
		}
	}
	return s.frames.read(p)
}

// readPreface compares what comes with the preface, and reads no further than that.
func (s *server) readPreface(p []byte) (int, error) {
	n, err := s.Conn.Read(p[:min(len(p), len(preface)-s.seen)])
	if string(p[:n]) != preface[s.seen:s.seen+n] {
		s.protocol.Store(other)
		s.requests.read([]byte(preface[:s.seen]))
		s.requests.read(p[:n])
		return n, err
	}
	if s.seen += n; s.seen == len(preface) {
		s.frames.in = bufio.NewReader(s.Conn)
		s.protocol.Store(speaksHTTP2)
	}
	return n, err
}

// nextFrame puts a frame of ours behind the header block of a new request, or reads a
// frame.
func (s *server) nextFrame() (err error) {
	if s.opens() {
		s.last = s.now.stream
		s.frames.pending = s.streamIDFrame()
		return nil
	}
	if s.now, err = s.frames.next(); err != nil {
		return err
	}
	if s.opens() {
		s.frames.head[4] &^= byte(http2.FlagHeadersEndHeaders) // ours is what ends it
	}
	return nil
}

// opens reports whether the present frame ends the header block of a new request.
// HEADERS on a stream that is known are trailers.
func (s *server) opens() bool {
	switch s.now.kind {
	case http2.FrameHeaders:
		return s.now.stream > s.last && s.now.flags.Has(http2.FlagHeadersEndHeaders)
	case http2.FrameContinuation:
		return s.now.stream > s.last && s.now.flags.Has(http2.FlagContinuationEndHeaders)
	}
	return false
}

// streamIDFrame is a CONTINUATION (RFC 9113 section 6.10) with the number of the stream.
// It changes no compression state: a literal field without indexing (RFC 7541 section
// 6.2.2).
func (s *server) streamIDFrame() []byte {
	value := strconv.FormatUint(uint64(s.now.stream), 10)
	block := []byte{0, byte(len(s.field))}
	block = append(block, s.field...)
	block = append(block, byte(len(value)))
	block = append(block, value...)
	ours := frame{length: len(block), kind: http2.FrameContinuation, flags: http2.FlagContinuationEndHeaders, stream: s.now.stream}
	return append(appendHead(nil, ours), block...)
}

// Write implements [net.Conn].
func (s *server) Write(p []byte) (int, error) {
	if protocol := s.protocol.Load(); protocol != speaksHTTP2 && protocol != negotiated {
		return s.Conn.Write(p)
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.Conn.Write(s.recoded(p))
}

// recoded returns p, or a copy of it in which streams are reset with the codes that
// handlers have set.
func (s *server) recoded(p []byte) []byte {
	out := p
	s.out.follow(p, func(frame) {}, func(f frame, offset int, piece []byte) {
		if f.kind != http2.FrameRSTStream {
			return
		}
		code, ok := s.resetCode(f.stream, offset+len(piece) == f.length)
		if !ok {
			return
		}
		if &out[0] == &p[0] {
			out = bytes.Clone(p) // a writer may not change what it is given
		}
		at := cap(p) - cap(piece)
		whole := binary.BigEndian.AppendUint32(nil, uint32(code))
		copy(out[at:at+len(piece)], whole[min(offset, len(whole)):])
	})
	return out
}

// resetCode returns the code that the stream's RST_STREAM should have. With last, the
// frame ends, and the code is not needed again.
func (s *server) resetCode(stream uint32, last bool) (http2.ErrCode, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	code, ok := s.codes[stream]
	if last {
		delete(s.codes, stream)
	}
	return code, ok
}

// maxCodes bounds the codes of streams that ended in another way after all.
const maxCodes = 1024

func (s *server) setResetCode(stream uint32, code http2.ErrCode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.codes) == maxCodes {
		clear(s.codes)
	}
	s.codes[stream] = code
}
