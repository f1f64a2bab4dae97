package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"

	"avsproxy/internal/exchange"
	"avsproxy/internal/h1"
	"avsproxy/internal/h2"
)

// http1Conns are the HTTP/1.1 connections to an upstream, each for one request at a time. A
// request that finds none free dials its own.
type http1Conns struct {
	dial    func(ctx context.Context) (*pooledConn, error)
	group   *h2.Group
	timeout time.Duration // bounds a dial
	header  time.Duration // bounds the wait for an answer's head; 0 = it does not

	mu   sync.Mutex
	free []*pooledConn // the one that was used last is the last
}

// place takes a free connection; nil = there is none. It is for who holds the lock of the
// group.
func (c *http1Conns) place(now time.Time) *pooledConn {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.free) > 0 {
		l := c.free[len(c.free)-1]
		c.free = c.free[:len(c.free)-1]
		if l.session.Ready(now, idleTimeout) {
			return l
		}
		l.session.Leave()
	}
	return nil
}

// setFree takes a connection back that has no request. It is for who holds the lock of the
// group.
func (c *http1Conns) setFree(l *pooledConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.free) >= idleMost {
		l.session.Leave()
		return
	}
	c.free = append(c.free, l)
}

// most implements places.
func (c *http1Conns) most() time.Duration {
	if c.header > 0 {
		return min(c.timeout, c.header)
	}
	return c.timeout
}

// connection implements places.
func (c *http1Conns) connection(ctx context.Context, x *exchange.Exchange, address string) (*pooledConn, error) {
	began := time.Now()
	l, err := c.get(ctx)
	waited := time.Since(began)
	if err != nil {
		x.Note(func(f *exchange.Facts) { f.Connect += waited })
		return nil, err
	}
	noteConn(x, address, l.base, l.used.Swap(true), waited)
	x.SendContinue()
	return l, nil
}

// get reserves a free connection, or dials one.
func (c *http1Conns) get(ctx context.Context) (*pooledConn, error) {
	for {
		var l *pooledConn
		c.group.Locked(func() { l = c.place(time.Now()) })
		if l == nil {
			return c.connect(ctx)
		}
		if l.session.Reserve() == nil {
			return l, nil
		}
	}
}

// connect dials. A dial whose request has gone meanwhile serves the next one.
func (c *http1Conns) connect(ctx context.Context) (*pooledConn, error) {
	type result struct {
		conn *pooledConn
		err  error
	}
	done := make(chan result, 1)
	go func() {
		dialCtx, cancel := context.WithTimeout(context.Background(), c.timeout)
		defer cancel()
		l, err := c.dial(dialCtx)
		if err == nil && l.session.Reserve() != nil {
			err = connectError{net.ErrClosed}
		}
		done <- result{l, err}
	}()
	select {
	case r := <-done:
		return r.conn, r.err
	case <-ctx.Done():
		go func() {
			if r := <-done; r.err == nil {
				r.conn.session.Release() // which sets it free
			}
		}()
		return nil, ctx.Err()
	}
}

// errHTTP2 is what http1Conns answers where the upstream speaks HTTP/2 by now; the request was
// not sent.
var errHTTP2 = errors.New("the upstream speaks HTTP/2")

// dialHTTP1 makes a connection of HTTP/1.1.
func (u *Upstream) dialHTTP1(ctx context.Context) (*pooledConn, error) {
	conn, err := u.dialTLS(ctx, "tcp", AddressOf(u.options.Origin), u.tls)
	if err != nil {
		return nil, err
	}
	if conn.ConnectionState().NegotiatedProtocol == "h2" {
		u.http1.Store(false)
		conn.Close()
		return nil, errHTTP2
	}
	return u.newHTTP1(conn), nil
}

// newHTTP1 speaks HTTP/1.1 on a connection.
func (u *Upstream) newHTTP1(conn *tls.Conn) *pooledConn {
	l := &pooledConn{header: u.options.HeaderTimeout, base: upstreamConnOf(conn), http1: u.conns}
	l.session = h1.Client(u.group, detectTruncation(conn), h2.Config{
		MaxHeader: headMost, IdleTimeout: idleTimeout,
		Idle: func(idle bool) {
			if idle {
				u.conns.setFree(l)
			}
		},
	})
	go u.serve(l.session)
	return l
}

// keepHTTP1 keeps a connection that was dialed for HTTP/2, for the request that will want it.
func (u *Upstream) keepHTTP1(conn *tls.Conn) {
	if u.options.Standard {
		conn.Close()
		return
	}
	if l := u.newHTTP1(conn); l.session.Reserve() == nil {
		l.session.Release() // which sets it free
	}
}
