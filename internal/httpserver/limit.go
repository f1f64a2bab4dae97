package httpserver

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// InFlight counts the requests that are being answered. Unlike
// [http.Server.Shutdown] it knows of those that took over their connection, as
// WebSockets do.
type InFlight struct {
	sync.WaitGroup
	places chan struct{} // of requests that are no CONNECT
}

// Requests is how many there are, without those for a tunnel.
func (u *InFlight) Requests() int { return len(u.places) }

// Limit returns how a request enters: most at a time, so many others wait for their turn,
// and false is for the rest. A CONNECT takes no place: what is inside it would wait
// for that very place. try does not wait.
func (u *InFlight) Limit(most, waiting int) (enter func(*http.Request) (leave func(), ok bool), try func() (leave func(), ok bool)) {
	places, queue := make(chan struct{}, most), make(chan struct{}, waiting)
	u.places = places
	leave := func() { u.Done(); <-places }
	try = func() (func(), bool) {
		select {
		case places <- struct{}{}:
			u.Add(1)
			return leave, true
		default:
			return nil, false
		}
	}
	enter = func(r *http.Request) (func(), bool) {
		if r.Method == http.MethodConnect {
			u.Add(1)
			return u.Done, true
		}
		if !acquire(r.Context(), places, queue) {
			return nil, false
		}
		u.Add(1)
		return leave, true
	}
	return enter, try
}

// acquire waits in the queue for a place; false = the queue is full. Where the client
// has gone meanwhile, or will send no more, the request is cut: an answer of net/http's
// own would be 200.
func acquire(ctx context.Context, places, queue chan struct{}) bool {
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

// Drain is for a server that takes no more requests.
func (u *InFlight) Drain(ctx context.Context) error {
	return awaitAll(ctx, &u.WaitGroup) // over soon after the upstreams are closed, at the latest
}

func awaitAll(ctx context.Context, group *sync.WaitGroup) error {
	none := make(chan struct{})
	go func() {
		group.Wait()
		close(none)
	}()
	select {
	case <-none:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ShutDown ends a server of short pages.
func ShutDown(server *Server) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if server.Shutdown(ctx) != nil {
		server.Close()
	}
}
