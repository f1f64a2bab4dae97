// Package httpexchange reads an [exchange.Conn] and an [exchange.Head] from a request
// of net/http, and puts the gate before handlers of net/http.
package httpexchange

import (
	"context"
	"iter"
	"net"
	"net/http"
	"slices"

	"avsproxy/internal/exchange"
	"avsproxy/internal/gate"
	"avsproxy/internal/peer"
	"avsproxy/internal/problem"
)

// Guard lets through to next what the rules admit. Each refusal is answered with its
// problem and reported to refused, which may be nil.
func Guard(rules gate.Rules, refused func(*http.Request, problem.Problem), next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, guest := rules.Admit(Conn(r), Head(r))
		if guest {
			w.Header().Set("Connection", "close") // frees the place for permitted users
		}
		if p == nil {
			next.ServeHTTP(w, r)
			return
		}
		if refused != nil {
			refused(r, *p)
		}
		p.Write(w)
	})
}

// Conn is the connection of a request.
func Conn(r *http.Request) *exchange.Conn {
	addr, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	c := &exchange.Conn{Peer: peer.FromContext(r.Context()), Listener: exchange.ListenerAt(addr, r.TLS != nil)}
	if r.TLS != nil {
		c.TLSName = r.TLS.ServerName
	}
	if target, inside := TunnelTarget(r.Context()); inside {
		c.Tunnel = &target
	}
	return c
}

// Head is the head of a request. Its fields are those of r, not a copy.
func Head(r *http.Request) *exchange.Head {
	return &exchange.Head{
		Method: r.Method, Scheme: r.URL.Scheme, Authority: r.Host,
		Path: r.URL.EscapedPath(), Query: r.URL.RawQuery,
		Forward: IsForward(r), HTTP10: !r.ProtoAtLeast(1, 1), Fields: Fields(r.Header),
	}
}

// Authority is [exchange.Conn.Authority] of a request.
func Authority(r *http.Request) (authority exchange.Authority, ok bool) {
	return Conn(r).Authority(Head(r))
}

// Listener is [exchange.Conn.ListenerFor] of a request.
func Listener(r *http.Request) exchange.Listener { return Conn(r).ListenerFor(Head(r)) }

// IsForward reports whether the client uses us as its forward proxy: it sent a
// CONNECT or the absolute form (RFC 9112 section 3.2), whose host is then the
// request's. Over HTTP/2 a :path may hold another host, which means nothing.
func IsForward(r *http.Request) bool { return r.URL.Host != "" && r.URL.Host == r.Host }

// Fields implements [exchange.Fields] by net/http's header.
type Fields http.Header

// Values implements [exchange.Fields].
func (f Fields) Values(name string) []string { return http.Header(f).Values(name) }

// All implements [exchange.Fields]. The fields come in no order.
func (f Fields) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for name, values := range f {
			for _, value := range values {
				if !yield(name, value) {
					return
				}
			}
		}
	}
}

// DeleteFunc implements [exchange.Fields].
func (f Fields) DeleteFunc(del func(name, value string) bool) {
	for name, values := range f {
		kept := slices.DeleteFunc(values, func(value string) bool { return del(name, value) })
		if len(kept) == 0 {
			delete(f, name)
		} else {
			f[name] = kept
		}
	}
}

type tunnelKey struct{}

// WithTunnelTarget returns a context for the requests inside a CONNECT to target. They
// may name no other authority, and need not show the client key again: use it only for
// what comes from a CONNECT that was admitted.
func WithTunnelTarget(ctx context.Context, target exchange.Authority) context.Context {
	return context.WithValue(ctx, tunnelKey{}, target)
}

// TunnelTarget returns the target of the CONNECT that a request came inside; ok is
// false where it did not.
func TunnelTarget(ctx context.Context) (target exchange.Authority, ok bool) {
	target, ok = ctx.Value(tunnelKey{}).(exchange.Authority)
	return target, ok
}
