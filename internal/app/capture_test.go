package app

import (
	"net/http/httptest"
	"testing"
	"time"

	"avsproxy/internal/config"
	"avsproxy/proxy"
)

func TestShutdownIsWhatCutThoseUnderWay(t *testing.T) {
	s := newCaptureObserver(config.Capture{Enabled: true, Total: 1 << 20}, func() []string { return nil })
	e := s.begin(httptest.NewRequest("GET", "/", nil), proxy.Exchange{Began: time.Now()})
	s.markShutdown()
	e.End(proxy.Exchange{Ended: "the client hung up"}, nil)
	if got := s.recorder.List()[0].Ended; got != "cut at shutdown" {
		t.Error(got)
	}
}
