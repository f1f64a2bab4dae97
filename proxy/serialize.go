package proxy

import (
	"net/http"
	"net/url"

	"avsproxy/internal/avs"
)

// Serialize sends events to AVS one after another, as AVS wants them: each leaves
// when the one before it has its answer's head, or has failed. They leave in the
// order they came in. Other requests do not wait. It stands before the injector, so
// that no token grows old in the queue.
//
// An event whose upload stalls holds up those behind it until its client goes, as
// AVS cannot answer what it has not got.
func Serialize(origin *url.URL, next http.RoundTripper) http.RoundTripper {
	return &serializer{events: pathAt(origin, avs.PathEvents), turn: make(chan struct{}, 1), next: next}
}

type serializer struct {
	events string
	turn   chan struct{} // full = an event is on its way; senders to a channel are served in their order
	next   http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (s *serializer) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodPost || req.URL.Path != s.events {
		return s.next.RoundTrip(req)
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
		return s.next.RoundTrip(req)
	case <-req.Context().Done():
		return nil, refuse(req, req.Context().Err())
	}
}
