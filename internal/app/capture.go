package app

import (
	"cmp"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"avsproxy/internal/avs"
	"avsproxy/internal/capture"
	"avsproxy/internal/config"
	"avsproxy/internal/wire"
	"avsproxy/proxy"
)

// A captureObserver writes down what the observers of the routes see.
type captureObserver struct {
	recorder     *capture.Recorder // nil = capture is off
	shuttingDown atomic.Bool       // the process ends, and with it what is under way
}

func newCaptureObserver(conf config.Capture, secrets func() []string) *captureObserver {
	if !conf.Enabled {
		return &captureObserver{}
	}
	return &captureObserver{recorder: capture.New(capture.Options{Body: sizeOrOff(conf.Body), Total: sizeOrOff(conf.Total), Secrets: secrets, EventName: avs.EventName})}
}

// sizeOrOff is a configured size as the recorder has it, whose 0 is the default.
func sizeOrOff(size int64) int64 {
	if size == 0 {
		return -1
	}
	return size
}

// markShutdown notes that what is under way does not end by itself. The nil scribe writes nothing.
func (s *captureObserver) markShutdown() {
	if s != nil {
		s.shuttingDown.Store(true)
	}
}

// begin is for [proxy.ObserveOptions].
func (s *captureObserver) begin(r *http.Request, e proxy.Exchange) proxy.Recording {
	if s.recorder == nil {
		return nil
	}
	replay := replayOf(r.Context())
	exchange := s.recorder.Begin(capture.Request{
		Began: e.Began, Arrived: e.Arrived, Route: e.Route, Method: r.Method,
		Scheme: cmp.Or(replay.scheme, schemeOf(r)), Host: r.Host, Target: targetOf(r), Proto: r.Proto,
		Client: clientLeg(r), Header: fieldsOf(r.Header), ReplayOf: replay.of,
	})
	replay.tell(exchange.ID())
	if exchange == nil {
		return nil
	}
	return exchangeRecorder{exchange, s}
}

func schemeOf(r *http.Request) string {
	switch {
	case r.URL.Scheme != "":
		return r.URL.Scheme
	case r.TLS != nil:
		return "https"
	}
	return "http"
}

// targetOf is path and query as they were sent, but for a CONNECT, which has neither.
func targetOf(r *http.Request) string {
	switch {
	case r.Method == http.MethodConnect:
		return r.Host
	case strings.HasPrefix(r.RequestURI, "/"):
		return r.RequestURI
	}
	return r.URL.RequestURI()
}

func clientLeg(r *http.Request) capture.ConnInfo {
	leg := capture.ConnInfo{Proto: r.Proto, Conn: wire.ConnID(r.Context()), Stream: wire.StreamID(r.Context()), TLS: r.TLS != nil}
	switch addr, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr); {
	case addr == nil:
	case addr.Network() == "unix":
		leg.Address = "unix:" + addr.String()
	default:
		leg.Address = "http://" + addr.String()
	}
	return leg
}

// fieldsOf is a header in the order of its names; net/http does not know any other.
func fieldsOf(h http.Header) []capture.Field {
	if len(h) == 0 {
		return nil
	}
	names := slices.AppendSeq(make([]string, 0, len(h)), maps.Keys(h))
	slices.Sort(names)
	fields := make([]capture.Field, 0, len(h))
	for _, name := range names {
		for _, value := range h[name] {
			fields = append(fields, capture.Field{Name: name, Value: value})
		}
	}
	return fields
}

// An exchangeRecorder is one exchange that is written down.
type exchangeRecorder struct {
	*capture.Exchange
	scribe *captureObserver
}

// RequestEnd implements [proxy.Recording], as all of these do.
func (r exchangeRecorder) RequestEnd(trailer http.Header, err error) {
	r.Exchange.RequestEnd(fieldsOf(trailer), err)
}

// Interim records a 1xx response.
func (r exchangeRecorder) Interim(status int, h http.Header) { r.Exchange.Interim(status, fieldsOf(h)) }

// Response records the head and the facts known by then: streams last long.
func (r exchangeRecorder) Response(e proxy.Exchange, h http.Header) {
	r.Facts(factsOf(e))
	r.Exchange.Response(e.Status, e.Upstream.Proto, fieldsOf(h))
}

// End records the rest.
func (r exchangeRecorder) End(e proxy.Exchange, trailer http.Header) {
	facts := factsOf(e)
	if facts.Ended != "" && r.scribe.shuttingDown.Load() {
		facts.Ended = "cut at shutdown"
	}
	r.Exchange.End(facts, fieldsOf(trailer))
}

func factsOf(e proxy.Exchange) capture.Facts {
	return capture.Facts{
		Upstream: capture.ConnInfo{
			Proto: e.Upstream.Proto, Conn: e.Upstream.Conn, Stream: e.Upstream.Stream, Reused: e.Upstream.Reused,
			TLS: strings.HasPrefix(e.Upstream.Origin, "https:"), Address: e.Upstream.Origin,
		},
		Tries: e.Tries, Replayed: e.Replayed, Decision: string(e.Decision), Credential: e.Credential,
		TokenAge: e.TokenAge, TokenLeft: e.TokenLeft,
		Guard: guardTook(e), Token: e.Token, Connect: e.Connect, TLS: e.TLS, FirstByte: e.FirstByte, Took: e.Took,
		Ended: e.Ended, Error: e.Error, Sent: e.Sent, Written: e.Written,
	}
}

// guardTook includes the wait for a place.
func guardTook(e proxy.Exchange) time.Duration {
	if e.Arrived.IsZero() {
		return 0
	}
	return e.Began.Sub(e.Arrived)
}
