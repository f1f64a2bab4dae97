package upstream

import (
	"context"
	"time"

	"avsproxy/internal/exchange"
	"avsproxy/internal/h2"
)

// A Place is room for one request on a connection.
type Place struct {
	conn     *pooledConn // HTTP/1.1 connections are taken from the free ones, too
	reserved bool
	address  string // of the upstream; empty = the exchange knows its connection
}

// Place finds room for a request that nothing has to wait for. It is for who holds the lock
// of the upstream's [h2.Group], and says what is so at this moment. false = there is none, or
// something is to be done first: [Upstream.AwaitPlace] does that.
func (u *Upstream) Place(now time.Time) (Place, bool) {
	if u.relaysHTTP1() {
		l := u.conns.place(now)
		return Place{conn: l, address: u.address}, l != nil
	}
	open := u.pool.ready.Load()
	if open == nil {
		return Place{}, false
	}
	for _, l := range *open {
		if !l.retired() && l.waiting.Load() == 0 && l.session.Ready(now, staleAfter) {
			return Place{conn: l, address: u.address}, true
		}
	}
	return Place{}, false
}

// AwaitPlace waits for room, and reserves it. Its error is one of [Upstream.Send]; see also
// [IsNotHTTP2].
func (u *Upstream) AwaitPlace(ctx context.Context, x *exchange.Exchange) (Place, error) {
	for range 3 { // an upstream may change what it speaks
		if u.http1.Load() && u.options.Standard {
			return Place{}, errNotHTTP2
		}
		from := places(u.pool)
		if u.http1.Load() {
			from = u.conns
		}
		l, err := from.connection(ctx, x, u.address)
		if err == nil || err != errHTTP2 && err != errNotHTTP2 {
			return Place{conn: l, reserved: true}, err
		}
	}
	return Place{}, errNotHTTP2
}

// relaysHTTP1 reports whether the upstream speaks HTTP/1.1, on sessions.
func (u *Upstream) relaysHTTP1() bool { return u.http1.Load() && !u.options.Standard }

// GiveBack gives a place back that was not reserved. It is for who holds the lock of the
// group.
func (p Place) GiveBack() {
	if p.conn.http1 != nil {
		p.conn.http1.setFree(p.conn)
	}
}

// IsNotHTTP2 reports whether requests for the upstream are not relayed, by an error of
// [Upstream.AwaitPlace]. [Upstream.Send] sends the request all the same.
func IsNotHTTP2(err error) bool { return err == errNotHTTP2 }

// CanRelay reports whether the streams of a relay and of the upstream can be joined: they are
// in the same [h2.Group].
func (u *Upstream) CanRelay(relay *h2.Relay) bool { return relay.In(u.group) }

// Release gives a place back that was reserved.
func (p Place) Release() { p.conn.release() }

// Start sends the request of a relay; see [h2.Relay.Start].
func (p Place) Start(x *exchange.Exchange, relay *h2.Relay, fields h2.Fields, noBody bool) error {
	if err := relay.Start(p.conn.session, fields, noBody, p.reserved); err != nil {
		return err
	}
	sent := sentOn{relay.UpstreamID(), "HTTP/2.0"}
	if p.conn.http1 != nil {
		sent = sentOn{proto: "HTTP/1.1"}
	}
	if p.address != "" {
		noteSent(x, p.address, p.conn.base, p.conn.used.Swap(true), 0, sent)
	} else {
		x.Note(func(f *exchange.Facts) { f.Upstream.Stream, f.Upstream.Proto = sent.stream, sent.proto })
	}
	return nil
}

// HeaderTimeout bounds the wait for the head of an answer, from the end of the request. Zero =
// it is not bounded.
func (u *Upstream) HeaderTimeout() time.Duration { return u.options.HeaderTimeout }
