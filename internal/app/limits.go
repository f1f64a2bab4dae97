package app

import (
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"avsproxy/internal/api"
	"avsproxy/internal/h2"
	"avsproxy/internal/listen"
	"avsproxy/internal/peer"
	"avsproxy/proxy"
)

// Bounds of what all clients together can hold; docs/security.md does the sums.
const (
	maxConnections        = 16 << 10 // to the proxy
	maxConsoleConnections = 4 << 10
	maxRefused            = 64       // connections to each listener that get a refusal
	maxRequests           = 20_000   // under way through the proxy
	maxWaiting            = 1_000    // further ones that wait for their turn, each with its head
	requestPrice          = 80 << 10 // memory of one that net/http's handlers relay
)

// ProxyConnections leaves half of the files that this process may open to the
// upstreams and the store. Go has raised that number as far as the system lets it.
func ProxyConnections(files int) int { return min(maxConnections, files/2) }

func consoleConnections(files int) int { return min(maxConsoleConnections, files/8) }

// proxyLimit and consoleLimit keep places apart for other users, so that these get their
// answer and take no place away from those who may come in. Where a client key could let
// them in after all, that is a quarter of the proxy's places.
func proxyLimit(s *Server) *listen.Limit {
	most := ProxyConnections(OpenFiles())
	apart := min(maxRefused, most/4)
	if !s.Conf.Proxy.ClientKey.IsZero() {
		apart = most / 4
		most -= apart
	}
	limit := listen.NewLimit(most)
	limit.Apart(s.Users.proxy, apart, refusedCounter(s, &s.refusedConns.proxy, "proxy"))
	return limit
}

func consoleLimit(s *Server) *listen.Limit {
	return pagesLimit(s.Users.Console, refusedCounter(s, &s.refusedConns.console, "console"))
}

// pagesLimit is for all that shows pages to users.
func pagesLimit(users *peer.Users, closed func()) *listen.Limit {
	most := consoleConnections(OpenFiles())
	limit := listen.NewLimit(most)
	limit.Apart(users, min(maxRefused, most/4), closed)
	return limit
}

// maxTunnels is for tunnels to other hosts, each of which takes a file in addition to
// the client's, or over HTTP/2 the only one.
func maxTunnels(files int) int { return min(maxConnections, files) / 4 }

// limited counts the connections of several listeners together.
func limited(lns []net.Listener, limit *listen.Limit) []net.Listener {
	var all []net.Listener
	for _, ln := range lns {
		all = append(all, limit.Listener(ln))
	}
	return all
}

// serverHooks are what the pipeline has from those who listen for it.
type serverHooks struct {
	ownAddresses func() []net.Addr // addresses that the proxy must not dial
	// place counts a connection inside CONNECT that has none of its own below; ok is
	// false where there is no place.
	place func(net.Conn) (_ net.Conn, ok bool)
	// enter and tryEnter bound the requests under way; see [proxy.Handler].
	enter    func(*http.Request) (leave func(), ok bool)
	tryEnter func() (leave func(), ok bool)
	group    *h2.Group // of the HTTP/2 connections
	relays   bool      // their requests are relayed by streams
}

// boundEntry has requests enter only while there is memory for them.
func (h *serverHooks) boundEntry() {
	enter, tryEnter, group := h.enter, h.tryEnter, h.group
	h.enter = func(r *http.Request) (func(), bool) {
		if group.Full() {
			return nil, false
		}
		leave, ok := enter(r)
		if !ok {
			return nil, false
		}
		group.Hold(requestPrice)
		return func() { group.Hold(-requestPrice); leave() }, true
	}
	h.tryEnter = func() (func(), bool) {
		if group.Full() {
			return nil, false
		}
		return tryEnter()
	}
}

// newGroup is that of the HTTP/2 connections.
func (s *Server) newGroup() *h2.Group {
	return &h2.Group{Memory: s.Conf.Proxy.Memory, Relieved: func(n int) {
		s.refusals.warn("memory", "the memory for connections is full; those that held most of it were ended", "connections", n, "memory", s.Conf.Proxy.Memory,
			"hint", "their clients do not read what they asked for; more can be held with memory under [proxy]")
	}}
}

// A pacedLog prints what others can cause without end, in a [proxy.Pace].
type pacedLog struct {
	log  *slog.Logger
	pace proxy.Pace
}

// warn prints a line of a kind, or counts it for the next one. Where none comes, the
// count is printed by itself.
func (l *pacedLog) warn(kind, text string, args ...any) {
	if leftOut, ok := l.allows(kind); ok && leftOut > 0 {
		l.log.Warn(text, append(args, "left_out", leftOut)...)
	} else if ok {
		l.log.Warn(text, args...)
	}
}

// allows reports whether a line of a kind may be printed, and how many before it were left out.
func (l *pacedLog) allows(kind string) (leftOut int, ok bool) {
	leftOut, ok = l.pace.Allows(kind)
	if !ok && leftOut == 1 {
		time.AfterFunc(proxy.PaceEvery, func() { l.sum(kind) })
	}
	return leftOut, ok
}

func (l *pacedLog) sum(kind string) {
	if leftOut := l.pace.LeftOut(kind); leftOut > 0 {
		l.log.Warn("more of the same", "error", kind, "left_out", leftOut)
	}
}

// refusedConnections counts the connections of other users that were closed as they came, since
// all places that are kept for these were taken.
type refusedConnections struct{ proxy, console atomic.Int64 }

// refusedCounter counts the refused connections of one listener.
func refusedCounter(s *Server, count *atomic.Int64, door string) func() {
	return func() {
		s.refusals.warn(door+" closes", "other users hold all the places for connections that are refused; their further connections are closed", "door", door, "closed", count.Add(1))
	}
}

func (t *refusedConnections) counts() api.TurnedAway {
	return api.TurnedAway{Proxy: t.proxy.Load(), Console: t.console.Load()}
}
