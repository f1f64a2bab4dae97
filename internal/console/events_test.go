package console

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/capture"
	"avsproxy/internal/exchange"
	"avsproxy/internal/testkit"
)

// A stream is an open /api/events.
type stream struct {
	t     *testing.T
	resp  *http.Response
	lines *bufio.Scanner
}

func (d *desk) watch(query string) *stream {
	d.t.Helper()
	resp := testkit.Must(d.browser.Get(d.url + "/api/events" + query))(d.t)
	d.t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		d.t.Fatalf("%s %v", resp.Status, resp.Header)
	}
	return &stream{d.t, resp, bufio.NewScanner(resp.Body)}
}

// next is the kind and the data of the next event.
func (s *stream) next() (kind, data string) {
	s.t.Helper()
	for s.lines.Scan() {
		name, value, _ := strings.Cut(s.lines.Text(), ": ")
		switch {
		case name == "event":
			kind = value
		case name == "data":
			data = value
		case s.lines.Text() == "" && kind != "":
			return kind, data
		}
	}
	s.t.Fatalf("the stream ended: %v", s.lines.Err())
	return "", ""
}

func (s *stream) wantExchange(id uint64, state capture.State, status int) {
	s.t.Helper()
	kind, data := s.next()
	var summary capture.Summary
	if err := json.Unmarshal([]byte(data), &summary); err != nil || kind != "exchange" {
		s.t.Fatalf("%s %s: %v", kind, data, err)
	}
	if summary.ID != id || summary.State != state || summary.Status != status {
		s.t.Errorf("got %s", data)
	}
}

func (s *stream) wantChunk(id uint64, side capture.Side, text string, offset int64) {
	s.t.Helper()
	kind, data := s.next()
	var chunk capture.Chunk
	if err := json.Unmarshal([]byte(data), &chunk); err != nil || kind != "chunk" {
		s.t.Fatalf("%s %s: %v", kind, data, err)
	}
	if chunk.ID != id || chunk.Side != side || string(chunk.Bytes) != text || chunk.Offset != offset {
		s.t.Errorf("got %s (%q)", data, chunk.Bytes)
	}
}

// A downchannel grows on the page as it is received.
func TestEventsFollowAnExchangeAsItGrows(t *testing.T) {
	d := inspecting(t)
	e, id := d.remember(told{method: "GET", target: "/down", requestOnly: true})
	s := d.watch(fmt.Sprintf("?follow=%d", id))
	e.Response(head(200, "HTTP/2.0"), testkit.Fields("Content-Type", "text/plain"))
	s.wantExchange(id, "active", 200)
	e.ResponseData([]byte("one\r\n"))
	s.wantChunk(id, "response", "one\r\n", 0)
	_, other := d.remember(told{method: "GET", target: "/other", request: "unheard", response: "unheard", status: 204})
	s.wantExchange(other, "active", 0)
	s.wantExchange(other, "active", 204)
	s.wantExchange(other, "done", 204)
	e.ResponseData([]byte("two\r\n"))
	s.wantChunk(id, "response", "two\r\n", 5)
	e.End(exchange.Facts{}, nil)
	s.wantExchange(id, "done", 200)
	d.Exchanges.Clear()
	if kind, data := s.next(); kind != "cleared" || data != "{}" {
		t.Errorf("%s %s", kind, data)
	}
	want(t, d.ask("GET", "/api/events?follow=x"), 400, "bad_request")
}

func TestEventsEndWithTheProxy(t *testing.T) {
	d := inspecting(t)
	ended := make(chan struct{})
	d.Ended = ended
	s := d.watch("")
	close(ended)
	for s.lines.Scan() {
	}
	if s.lines.Err() != nil {
		t.Error(s.lines.Err())
	}
	for d.watchers.Load() != 0 {
		time.Sleep(time.Millisecond)
	}
}

func TestWatchersAreBounded(t *testing.T) {
	d := inspecting(t)
	d.watchers.Store(maxWatchers)
	d.listeners.Store(maxWatchers)
	for path, code := range map[string]string{"/api/events": "too_many_watchers", "/api/directives": "busy"} {
		a := d.ask("GET", path)
		want(t, a, 503, code)
		if a.Header.Get("Retry-After") != "1" {
			t.Errorf("%s: %v", path, a.Header)
		}
	}
	if d.watchers.Load() != maxWatchers || d.listeners.Load() != maxWatchers {
		t.Error("the one that was refused is counted")
	}
	d.listeners.Store(0)
	d.ask("GET", "/api/directives")
	if d.listeners.Load() != 0 {
		t.Error("one that has ended is counted")
	}
}

// A stuck is a writer whose reader takes nothing: the write ends with its deadline.
type stuck struct {
	*httptest.ResponseRecorder
	written  int
	deadline time.Time
}

func (s *stuck) SetWriteDeadline(at time.Time) error {
	s.deadline = at
	return nil
}

func (s *stuck) Write(p []byte) (int, error) {
	if s.written++; s.written == 1 {
		return s.ResponseRecorder.Write(p) // what fits into the buffers
	}
	time.Sleep(time.Until(s.deadline))
	return 0, errors.New("the deadline is over")
}

// Recording never waits for who watches: the queue is bounded, the write too.
func TestASlowWatcherIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Console{Exchanges: capture.New(capture.Options{})}
		d := &desk{Console: c, t: t}
		w := &stuck{ResponseRecorder: httptest.NewRecorder()}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			c.events(w, httptest.NewRequestWithContext(t.Context(), "GET", "/api/events", nil))
		}()
		synctest.Wait()
		began := time.Now()
		for range 1000 {
			d.remember(told{method: "GET", target: "/", status: 200})
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("recording waited %v", took)
		}
		<-ended
		if took := time.Since(began); took != eventTimeout {
			t.Errorf("cut after %v", took)
		}
	})
}

func TestEventsShowThatTheyLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan struct{})
		c := &Console{Exchanges: capture.New(capture.Options{}), Ended: ended}
		time.AfterFunc(time.Minute+heartbeat/2, func() { close(ended) })
		w := httptest.NewRecorder()
		c.events(w, httptest.NewRequestWithContext(t.Context(), "GET", "/api/events", nil))
		if beats := strings.Count(w.Body.String(), "\n:\n"); beats != 4 || !w.Flushed {
			t.Errorf("%q", w.Body)
		}
	})
}

// The patience is with who does not read, not with a stream that has nothing to say:
// over HTTP/2 a deadline ends the stream even while nothing is written.
func TestQuietStreamsAreNotCut(t *testing.T) {
	for name, protocol := range map[string]func(*http.Protocols, bool){"HTTP/1.1": (*http.Protocols).SetHTTP1, "HTTP/2": (*http.Protocols).SetUnencryptedHTTP2} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var protocols http.Protocols
				protocol(&protocols, true)
				door := testkit.NewPipeListener()
				c := &Console{Exchanges: capture.New(capture.Options{})}
				server := &http.Server{Handler: secure(c.handler()), Protocols: &protocols}
				go server.Serve(door)
				transport := &http.Transport{Protocols: &protocols, DialContext: door.DialContext}
				defer transport.CloseIdleConnections()
				d := &desk{Console: c, t: t, url: "http://localhost", browser: &http.Client{Transport: transport}}
				s := d.watch("")
				for id := range uint64(3) {
					time.AfterFunc(3*heartbeat/2+eventTimeout, func() { d.remember(told{method: "GET", target: "/", requestOnly: true}) })
					s.wantExchange(id+1, "active", 0)
				}
				s.resp.Body.Close()
				server.Close()
			})
		})
	}
}
