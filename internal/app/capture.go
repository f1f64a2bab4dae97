package app

import (
	"cmp"
	"sync/atomic"

	"avsproxy/internal/avs"
	"avsproxy/internal/capture"
	"avsproxy/internal/config"
	"avsproxy/internal/exchange"
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

// markShutdown notes that what is under way does not end by itself. It may be nil.
func (s *captureObserver) markShutdown() {
	if s != nil {
		s.shuttingDown.Store(true)
	}
}

// begin is for [proxy.Observer].
func (s *captureObserver) begin(x *exchange.Exchange) exchange.Recorder {
	if recorded := s.recorder.BeginWith(requestOf(x), x.Head.Fields, x.HeadCache); recorded != nil {
		return recorded
	}
	return nil
}

// requestOf is the head of an exchange as it is recorded.
func requestOf(x *exchange.Exchange) capture.Request {
	head := x.Head
	scheme := cmp.Or(head.Scheme, "http")
	if head.Scheme == "" && x.Conn.TLS {
		scheme = "https"
	}
	request := capture.Request{
		Method: head.Method, Scheme: scheme, Host: head.Authority, Target: head.Target, Proto: head.Proto, NoBody: head.NoBody,
		Client: exchange.ConnInfo{Proto: head.Proto, Conn: x.Conn.Number, Stream: head.Stream, TLS: x.Conn.TLS, Address: x.Conn.Address},
	}
	x.Note(func(f *exchange.Facts) { request.Began, request.Arrived, request.Route = f.Began, f.Arrived, f.Route })
	return request
}
