package upstream

import (
	"net"
	"testing"

	"golang.org/x/net/http2"

	"avsproxy/internal/wire"
)

// net/http tells of HEADERS that it could not write, too.
func TestRequestOfABrokenConnectionHasNoStream(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	l := &pooledConn{wire: wire.NewClient(near)}
	first := &opening{link: l, wrote: make(chan struct{})}
	far.Close()
	l.wire.Write([]byte(http2.ClientPreface))
	http2.NewFramer(l.wire, nil).WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true})
	first.written()
	if first.stream == nil || first.stream.ID != 1 {
		t.Fatal("the first request does not know its stream")
	}
	second := &opening{link: l, wrote: make(chan struct{})}
	second.written()
	if second.end() != nil {
		t.Error("the second request took the first one's stream")
	}
	givenUp := &opening{link: l, wrote: make(chan struct{})}
	givenUp.end()
	givenUp.written()
}
