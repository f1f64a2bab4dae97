package main

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"avsproxy/internal/listen"
	"avsproxy/internal/peer"
	"avsproxy/internal/problem"
)

// Bounds of what all clients together can hold; docs/security.md does the sums.
const (
	connectionsMost        = 16 << 10 // to the proxy
	consoleConnectionsMost = 4 << 10
	refusedMost            = 64     // connections to each door that are there to be refused
	requestsMost           = 20_000 // under way through the proxy
	waitingMost            = 1_000  // further ones that wait for their turn, each with its head
)

// proxyConnections leaves half of the files that this process may open to the
// upstreams and the store. Go has raised that number as far as the system lets it.
func proxyConnections(files int) int { return min(connectionsMost, files/2) }

func consoleConnections(files int) int { return min(consoleConnectionsMost, files/8) }

// proxyLimit and consoleLimit keep places apart for other users, so that these get their
// answer and take no place away from those who may come in. Where a client key could let
// them in after all, that is a quarter of the proxy's places.
func (s *server) proxyLimit() *listen.Limit {
	most := proxyConnections(openFiles())
	apart := min(refusedMost, most/4)
	if !s.conf.Proxy.ClientKey.IsZero() {
		apart = most / 4
		most -= apart
	}
	limit := listen.NewLimit(most)
	limit.Apart(s.users.proxy, apart, s.counter(&s.turnedAway.proxy, "proxy"))
	return limit
}

func (s *server) consoleLimit() *listen.Limit {
	return pagesLimit(s.users.console, s.counter(&s.turnedAway.console, "console"))
}

// pagesLimit is for all that shows pages to users.
func pagesLimit(users *peer.Users, closed func()) *listen.Limit {
	most := consoleConnections(openFiles())
	limit := listen.NewLimit(most)
	limit.Apart(users, min(refusedMost, most/4), closed)
	return limit
}

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

// counted lets most requests through at a time, has so many others wait for their turn,
// and leaves the rest to busy. A CONNECT takes no place: what is inside it would wait
// for that very place.
func (u *underWay) counted(most, waiting int, busy, next http.Handler) http.Handler {
	places, queue := make(chan struct{}, most), make(chan struct{}, waiting)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			if !takeTurn(r.Context(), places, queue) {
				busy.ServeHTTP(w, r)
				return
			}
			defer func() { <-places }()
		}
		u.Add(1)
		defer u.Done()
		next.ServeHTTP(w, r)
	})
}

// surroundings are what the pipeline has from those who listen for it.
type surroundings struct {
	own func() []net.Addr // addresses that the proxy must not dial
	// place counts a connection inside CONNECT that has none of its own below; ok is
	// false where there is no place.
	place func(net.Conn) (_ net.Conn, ok bool)
	// counted bounds the requests under way.
	counted func(busy, next http.Handler) http.Handler
}

// counted is for [surroundings].
func (s *server) counted(busy, next http.Handler) http.Handler {
	return s.busy.counted(requestsMost, waitingMost, busy, next)
}

// takeTurn waits in the queue for a place; false = the queue is full. Where the client
// has gone meanwhile, or will send no more, the request is cut: an answer of net/http's
// own would be 200.
func takeTurn(ctx context.Context, places, queue chan struct{}) bool {
	select {
	case places <- struct{}{}:
		return true
	default:
	}
	select {
	case queue <- struct{}{}:
		defer func() { <-queue }()
	default:
		return false
	}
	select {
	case places <- struct{}{}:
		return true
	case <-ctx.Done():
		panic(http.ErrAbortHandler)
	}
}

// busy answers what a bound of ours leaves no room for.
func busy(detail string, refused func(*http.Request, problem.Problem)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := problem.Problem{
			Code: problem.Busy, Title: "too much is under way", Detail: detail,
			Hint: "try again; 'avsproxy tail' shows what is under way", RetryAfter: time.Second,
		}
		refused(r, p)
		p.Write(w)
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
