package app

import (
	"testing"

	"avsproxy/internal/config"
	"avsproxy/internal/exchange"
	"avsproxy/internal/httpexchange"
)

func TestRequestsAreRecordedAsTheyWereSent(t *testing.T) {
	s := newCaptureObserver(config.Capture{Enabled: true, Total: 1 << 20}, func() []string { return nil })
	head := &exchange.Head{Method: "GET", Authority: "localhost:9744", Target: "/a%2Fb?c", Fields: httpexchange.Fields{}}
	s.begin(exchange.New(&exchange.Conn{TLS: true}, head))
	if got := s.recorder.List()[0]; got.Scheme != "https" || got.Host != "localhost:9744" || got.Target != "/a%2Fb?c" {
		t.Errorf("%+v", got)
	}
	off := newCaptureObserver(config.Capture{}, nil)
	if got := off.begin(exchange.New(&exchange.Conn{}, head)); got != nil {
		t.Errorf("capture is off: %v", got)
	}
}
