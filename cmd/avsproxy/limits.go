package main

import (
	"context"
	"net"
	"net/http"
	"sync"

	"avsproxy/internal/listen"
)

// Bounds of what all clients together can hold; docs/security.md does the sums.
const (
	connectionsMost        = 16 << 10 // to the proxy
	consoleConnectionsMost = 256
	requestsMost           = 20_000 // under way through the proxy; further ones wait for their turn
)

// proxyConnections leaves half of the files that this process may open to the
// upstreams and the store. Go has raised that number as far as the system lets it.
func proxyConnections(files int) int { return min(connectionsMost, files/2) }

// tunnelsMost is for tunnels to other hosts, each of which takes a file besides the
// client's, and over HTTP/2 without one of the client's.
func tunnelsMost(files int) int { return min(connectionsMost, files) / 4 }

// limited counts the connections of several listeners together.
func limited(lns []net.Listener, limit *listen.Limit) []net.Listener {
	var all []net.Listener
	for _, ln := range lns {
		all = append(all, limit.Listener(ln))
	}
	return all
}

// bodyBuffers bound what a client can make net/http hold of uploads that go on
// slowly: so much for a stream, and for all streams of a connection together. A
// frame is held whole, for as long as its connection lives.
func bodyBuffers() *http.HTTP2Config {
	return &http.HTTP2Config{
		MaxConcurrentStreams:          streamsMost,
		MaxReceiveBufferPerConnection: 256 << 10,
		MaxReceiveBufferPerStream:     64 << 10,
		MaxReadFrameSize:              16 << 10,
	}
}

// underWay counts the requests that are being answered. Unlike
// [http.Server.Shutdown] it knows of those that took over their connection, as
// WebSockets do.
type underWay struct{ sync.WaitGroup }

// counted lets most requests through at a time. A CONNECT takes no place: what is
// inside it would wait for that very place.
func (u *underWay) counted(most int, next http.Handler) http.Handler {
	places := make(chan struct{}, most)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			select {
			case places <- struct{}{}:
				defer func() { <-places }()
			case <-r.Context().Done():
				return
			}
		}
		u.Add(1)
		defer u.Done()
		next.ServeHTTP(w, r)
	})
}

// drain is for a server that takes no more requests.
func (u *underWay) drain(ctx context.Context) error {
	none := make(chan struct{})
	go func() {
		u.Wait() // over soon after the upstreams are closed, at the latest
		close(none)
	}()
	select {
	case <-none:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
