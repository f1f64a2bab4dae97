package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"avsproxy/internal/sandbox/faults"
	"avsproxy/internal/sandbox/frames"
)

// An Arrival is one request as AVS received it. Until its body has arrived, BodySize and
// BodySHA256 are those of the bytes read so far.
//
// JSON shows fingerprints instead of the token and all other credentials: the first 8
// hex digits of their SHA-256.
type Arrival struct {
	Time      time.Time   `json:"time"`
	ConnID    int         `json:"conn"`   // numbers the connections to AVS from 1
	StreamID  uint32      `json:"stream"` // under HTTP/2, else 0
	Proto     string      `json:"proto"`
	Method    string      `json:"method"`
	Path      string      `json:"path"`      // as sent, still escaped, without the query
	Query     string      `json:"query"`     // as sent
	Authority string      `json:"authority"` // the Host header or :authority
	Header    http.Header `json:"-"`
	// Fields are the names and values of all header fields. Under HTTP/2 they are as
	// received and in order, with the pseudo-header fields; under HTTP/1.1 as net/http
	// stores them: Host, then the others by name.
	Fields     [][2]string `json:"fields"`
	Trailer    http.Header `json:"trailer,omitempty"` // nil if there is none, or the body was not read to its end yet
	Token      string      `json:"token"`             // the access token used; empty unless there was exactly one
	BodySize   int64       `json:"body_size"`
	BodySHA256 string      `json:"body_sha256"`    // hex
	Done       bool        `json:"done"`           // the body was read to its end
	Status     int         `json:"status"`         // of the answer; 0 before there is one
	Fault      string      `json:"fault"`          // the faults that struck it, as a list; empty for none
	Ended      time.Time   `json:"ended,omitzero"` // when the answer ended or was cut
}

// An entry is the body of a request, which records itself as it is read.
type entry struct {
	body    io.ReadCloser
	request *http.Request

	mu      sync.Mutex
	arrival Arrival
	hash    hash.Hash
}

// newEntry records a request, and replaces its body by the entry.
func newEntry(r *http.Request, struck faults.List) *entry {
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
		Fault:     struck.String(),
		Done:      r.ContentLength == 0,
	}}
	e.arrival.StreamID, e.arrival.Fields = fieldsOf(r)
	r.Body = e
	return e
}

func fieldsOf(r *http.Request) (streamID uint32, fields [][2]string) {
	if stream := frames.FromContext(r.Context()); stream != nil {
		for _, field := range stream.Fields() {
			fields = append(fields, [2]string{field.Name, field.Value})
		}
		return stream.ID(), fields
	}
	fields = append(fields, [2]string{"Host", r.Host})
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		for _, value := range r.Header[name] {
			fields = append(fields, [2]string{name, value})
		}
	}
	return 0, fields
}

func (e *entry) snapshot() Arrival {
	e.mu.Lock()
	defer e.mu.Unlock()
	a := e.arrival
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

// update changes the arrival.
func (e *entry) update(change func(*Arrival)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change(&e.arrival)
}

// shortestSecret is the length from which a credential is also replaced outside of its
// own field. A shorter one could be part of ordinary words.
const shortestSecret = 16

// MarshalJSON writes the arrival without credentials.
func (a Arrival) MarshalJSON() ([]byte, error) {
	type arrival Arrival // has the tags, but not this method
	shown := arrival(a)
	shown.Token = fingerprint(a.Token)
	shown.Fields = [][2]string{} // not null
	for _, field := range a.Fields {
		switch strings.ToLower(field[0]) {
		case "authorization", "proxy-authorization":
			secret := credential(field[1])
			field[1] = strings.TrimSuffix(field[1], secret) + fingerprint(secret)
		case "cookie":
			field[1] = fingerprint(field[1])
		}
		shown.Fields = append(shown.Fields, field)
	}
	text, err := json.Marshal(shown)
	return []byte(a.redactor().Replace(string(text))), err
}

// fingerprint distinguishes secrets without disclosing them.
func fingerprint(secret string) string {
	if secret == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:4])
}

// credential returns an Authorization field without the scheme.
func credential(value string) string {
	if _, rest, ok := strings.Cut(value, " "); ok {
		return strings.TrimSpace(rest)
	}
	return value
}

// redactor replaces the arrival's credentials anywhere in its JSON.
func (a Arrival) redactor() *strings.Replacer {
	var pairs []string
	for _, value := range a.Header.Values("Authorization") {
		if secret := credential(value); len(secret) >= shortestSecret {
			quoted, _ := json.Marshal(secret) // a string has JSON
			shown := fingerprint(secret)
			pairs = append(pairs, string(quoted[1:len(quoted)-1]), shown, url.QueryEscape(secret), shown)
		}
	}
	return strings.NewReplacer(pairs...)
}

const maxRecent = 2048 // requests to AVS, and token calls

// recent holds the last items that were added.
type recent[T any] struct {
	mu    sync.Mutex
	items []T
}

func (r *recent[T]) add(item T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.items = append(r.items, item)
	r.items = r.items[max(0, len(r.items)-maxRecent):]
}

func (r *recent[T]) all() []T {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]T{}, r.items...) // not nil: JSON shows an empty list
}

func (r *recent[T]) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.items = nil
}
