package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// An Arrival is one request as AVS saw it. While its body is still arriving,
// BodySize and BodySHA256 are those of the bytes read so far.
type Arrival struct {
	Time       time.Time
	ConnID     int // numbers the connections to AVS from 1
	Proto      string
	Method     string
	Path       string // as sent, still escaped, without the query
	Query      string // as sent
	Authority  string // the Host header or :authority
	Header     http.Header
	Trailer    http.Header // nil if there is none, and until the body was read to its end
	Token      string      // the access token used; empty unless there was exactly one
	BodySize   int64
	BodySHA256 string // hex
	Done       bool   // the body was read to its end
}

// ledger records requests as they arrive and while they are read.
type ledger struct {
	entries recent[*entry]
}

// An entry is the body of a request, which records itself as it is read.
type entry struct {
	body    io.ReadCloser
	request *http.Request

	mu      sync.Mutex
	arrival Arrival
	hash    hash.Hash
}

// record enters a request and replaces its body by one that records itself.
func (l *ledger) record(r *http.Request) {
	path, query, _ := strings.Cut(r.RequestURI, "?")
	e := &entry{body: r.Body, request: r, hash: sha256.New(), arrival: Arrival{
		Time:      time.Now(),
		ConnID:    connID(r.Context()),
		Proto:     r.Proto,
		Method:    r.Method,
		Path:      path,
		Query:     query,
		Authority: r.Host,
		Header:    r.Header.Clone(),
		Token:     bearer(r.Header),
		Done:      r.ContentLength == 0,
	}}
	r.Body = e
	l.entries.add(e)
}

func (l *ledger) arrivals() []Arrival {
	entries := l.entries.all()
	arrivals := make([]Arrival, len(entries))
	for i, e := range entries {
		arrivals[i] = e.snapshot()
	}
	return arrivals
}

func (e *entry) snapshot() Arrival {
	e.mu.Lock()
	defer e.mu.Unlock()
	a := e.arrival
	a.Header = a.Header.Clone()
	a.Trailer = a.Trailer.Clone()
	a.BodySHA256 = hex.EncodeToString(e.hash.Sum(nil))
	return a
}

// Read reads the request's body and records what it reads.
func (e *entry) Read(p []byte) (int, error) {
	n, err := e.body.Read(p)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.hash.Write(p[:n])
	e.arrival.BodySize += int64(n)
	if err == io.EOF && !e.arrival.Done {
		e.arrival.Done = true
		if len(e.request.Trailer) > 0 {
			e.arrival.Trailer = e.request.Trailer.Clone()
		}
		e.request, e.body = nil, http.NoBody // the ledger must not keep the connection
	}
	return n, err
}

// Close closes the request's body.
func (e *entry) Close() error { return e.body.Close() }
