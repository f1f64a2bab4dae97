package sandbox

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"math"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http2/hpack"

	"avsproxy/internal/sandbox/frames"
)

// streamWindow is the SETTINGS_INITIAL_WINDOW_SIZE that was observed of AVS.
const streamWindow = math.MaxInt32

// acceptPause is how long a listener that fails is left alone, as when the
// process has run out of file descriptors.
const acceptPause = 10 * time.Millisecond

// A framed engine speaks HTTP/2 and nothing else, as AVS does: whoever does not
// hear that, or speaks HTTP/1.1 all the same, gets a SETTINGS frame and the end.
type framed struct {
	running     context.Context // its end closes all connections
	secure      *tls.Config
	server      *frames.Server
	connections *connections
	serving     sync.WaitGroup // connections

	mu        sync.Mutex
	listeners []net.Listener
	closed    bool
}

func newFramed(running context.Context, secure *tls.Config, handler http.Handler, k *conduct, o Options) *framed {
	f := &framed{running: running, secure: secure, connections: newConnections()}
	f.server = &frames.Server{
		Handler:              frames.HTTP(handler),
		MaxConcurrentStreams: uint32(min(o.MaxConcurrentStreams, math.MaxInt32)),
		InitialWindowSize:    streamWindow,
		HeaderTimeout:        handshakeTimeout,
		Fields:               marks,
		ConnStart:            k.begin,
		ErrorLog:             log.New(io.Discard, "", 0),
	}
	f.server.Activity = func(c *frames.Conn, _ bool) {
		f.connections.began(c.NetConn())
		k.heard(c)
	}
	f.server.ConnEnd = func(c *frames.Conn) {
		f.connections.ended(c.NetConn())
		k.end(c)
	}
	return f
}

func (f *framed) serve(l net.Listener) {
	if !f.opened(l) {
		return
	}
	for {
		nc, err := l.Accept()
		switch {
		case err == nil:
			f.serving.Go(func() { f.serveConn(nc) })
		case errors.Is(err, net.ErrClosed) || !pause(f.running, acceptPause):
			return
		}
	}
}

// opened takes a listener over, unless it is too late: then it closes it.
func (f *framed) opened(l net.Listener) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		l.Close()
		return false
	}
	f.listeners = append(f.listeners, l)
	return true
}

func (f *framed) serveConn(nc net.Conn) {
	secure := tls.Server(nc, f.secure)
	ctx, cancel := context.WithTimeout(f.running, handshakeTimeout)
	err := secure.HandshakeContext(ctx)
	cancel()
	if err != nil {
		nc.Close()
		return
	}
	f.server.ServeConn(f.running, secure)
}

// shut closes the listeners. The connections end with the sandbox's context.
func (f *framed) shut() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var failed []error
	for _, l := range f.listeners {
		failed = append(failed, l.Close())
	}
	f.listeners, f.closed = nil, true
	return errors.Join(failed...)
}

func (f *framed) wait()                     { f.serving.Wait() }
func (f *framed) counts() (open, total int) { return f.connections.counts() }

// marks are those of mark.
func marks() []hpack.HeaderField {
	return []hpack.HeaderField{{Name: "x-amzn-requestid", Value: newID()}, {Name: strings.ToLower(MarkHeader), Value: "1"}}
}
