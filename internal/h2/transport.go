package h2

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// ErrFull means that no stream is free: the server allows no more, or there are no numbers
// left. Nothing was sent.
var ErrFull = errors.New("h2: all streams of the connection are in use")

// ErrGone means that the session takes no more requests. Nothing was sent.
var ErrGone = errors.New("h2: the connection takes no more requests")

// ErrHeaderTooLarge means that the fields of a request are more than the server takes
// (SETTINGS_MAX_HEADER_LIST_SIZE). Nothing was sent.
var ErrHeaderTooLarge = errors.New("h2: the fields of the request are more than the server takes")

// sizeOf is that of RFC 9113 section 6.5.2.
func sizeOf(fields []Field) (n uint64) {
	for i := range fields {
		n += uint64(fields[i].size())
	}
	return n
}

// Open opens a stream with a request's head. end gets the answer. It is for who holds the
// group's lock. fin = the request has no body; noBody = the answer has none, being to a HEAD.
func (s *Session) Open(fields []Field, fin bool, end End, noBody bool) (*Stream, error) {
	if err := s.open(); err != nil {
		return nil, err
	}
	if s.peer.header < math.MaxUint32 && sizeOf(fields) > uint64(s.peer.header) {
		return nil, ErrHeaderTooLarge
	}
	if s.last == 0 {
		s.last = 1
	} else {
		s.last += 2
	}
	st := s.newStream(s.last, 0)
	st.end, st.noBody = end, noBody
	st.sendHead(fields, fin)
	if fin {
		st.outEnded = true
	}
	return st, nil
}

// RoundTrip sends a request of net/http's. It waits for no stream: see [ErrFull].
func (s *Session) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := s.Reserve(); err != nil {
		closeBody(req)
		return nil, err
	}
	return s.Send(req, SendOptions{})
}

// SendOptions are for [Session.Send]. The zero value is ready.
type SendOptions struct {
	// Opened hears the number of the stream.
	Opened func(id uint32)
	// HeadTimeout bounds the wait for the head of the answer, from the end of the request.
	// Zero = it is not bounded.
	HeadTimeout time.Duration
}

// ErrHeadTimeout is [os.ErrDeadlineExceeded] for the head of an answer.
var ErrHeadTimeout = fmt.Errorf("h2: no head of an answer came in time: %w", os.ErrDeadlineExceeded)

// Send sends a request for which a place was reserved. It returns once the head of the answer
// has come. Errors about the stream are [*ResetError].
func (s *Session) Send(req *http.Request, options SendOptions) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		s.Release()
		closeBody(req)
		return nil, err
	}
	noBody := req.Body == nil || req.Body == http.NoBody
	fields, err := requestFields(req, noBody)
	if err != nil {
		s.Release()
		closeBody(req)
		return nil, err
	}
	c := newCall(req)
	g := s.group
	g.mu.Lock()
	s.reserved--
	st, err := s.Open(fields, noBody, c, c.noHead)
	if err != nil {
		s.reserved++
		s.release()
		g.mu.Unlock()
		closeBody(req)
		if err == ErrHeaderTooLarge {
			return nil, err
		}
		return nil, &ResetError{Code: RefusedStream, Unprocessed: true, Err: err}
	}
	c.attach(st)
	c.uploaded = noBody
	g.mu.Unlock()
	if options.Opened != nil {
		options.Opened(st.id)
	}
	if noBody {
		closeBody(req)
	} else {
		go c.upload()
	}
	return c.wait(options.HeadTimeout)
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}

// requestFields is the head of a request.
func requestFields(req *http.Request, noBody bool) ([]Field, error) {
	authority := req.Host
	if authority == "" {
		authority = req.URL.Host
	}
	fields := make([]Field, 0, len(req.Header)+6)
	fields = append(fields, Field{Name: ":authority", Value: authority}, Field{Name: ":method", Value: req.Method})
	if req.Method != http.MethodConnect {
		path := req.URL.RequestURI()
		if path == "" || path[0] != '/' && path != "*" || strings.Contains(path, " ") {
			return nil, errors.New("h2: the request has no path, or one with a space")
		}
		fields = append(fields, Field{Name: ":path", Value: path}, Field{Name: ":scheme", Value: req.URL.Scheme})
	}
	for i := range fields {
		if !validValue(fields[i].Value) || fields[i].Name == ":method" && !isToken(fields[i].Value) {
			return nil, errors.New("h2: " + fields[i].Name + " has bytes that are not allowed")
		}
	}
	header := req.Header
	if agent := header["User-Agent"]; len(agent) == 1 && agent[0] == "" { // net/http's way to say: none
		header = maps.Clone(header)
		delete(header, "User-Agent")
	}
	fields = appendHeader(fields, header)
	if req.Header.Get("Content-Length") == "" && (req.ContentLength > 0 || noBody && (req.Method == "POST" || req.Method == "PUT" || req.Method == "PATCH")) {
		fields = append(fields, Field{Name: "content-length", Value: strconv.FormatInt(req.ContentLength, 10)})
	}
	for name := range req.Trailer {
		fields = append(fields, Field{Name: "trailer", Value: http.CanonicalHeaderKey(name)})
	}
	return fields, nil
}
