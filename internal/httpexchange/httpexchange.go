// Package httpexchange reads an [exchange.Conn] and an [exchange.Head] from a request
// of net/http, and puts the gate before handlers of net/http.
package httpexchange

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strings"

	"avsproxy/internal/exchange"
	"avsproxy/internal/gate"
	"avsproxy/internal/h2"
	"avsproxy/internal/problem"
)

// Guard lets through to next what the rules admit. Each refusal is answered with its
// problem and reported to refused, which may be nil.
func Guard(rules gate.Rules, refused func(*exchange.Head, problem.Problem), next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := Head(r)
		p, guest := rules.Admit(Conn(r), head)
		if guest {
			w.Header().Set("Connection", "close") // frees the place for permitted users
		}
		if p == nil {
			next.ServeHTTP(w, r)
			return
		}
		if refused != nil {
			refused(head, *p)
		}
		p.Write(w)
	})
}

type connKey struct{}

// connNotes are what connKey leads to.
type connNotes struct {
	known *exchange.Conn
	below net.Conn
}

// WithConn notes a connection and what is known of it before its first request, for
// [http.Server.ConnContext], which is how net/http tells handlers about connections. below may be nil.
func WithConn(ctx context.Context, known *exchange.Conn, below net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, connNotes{known, below})
}

// ConnOf returns what WithConn has noted; the zero value = nothing.
func ConnOf(ctx context.Context) exchange.Conn {
	if notes, ok := ctx.Value(connKey{}).(connNotes); ok {
		return *notes.known
	}
	return exchange.Conn{}
}

// Below is the connection that WithConn has noted; nil = none.
func Below(ctx context.Context) net.Conn {
	notes, _ := ctx.Value(connKey{}).(connNotes)
	return notes.below
}

// Conn is the connection of a request.
func Conn(r *http.Request) *exchange.Conn {
	return ConnIn(r.Context(), r.TLS)
}

// ConnIn is the connection whose requests have the context ctx; secure = it has TLS.
func ConnIn(ctx context.Context, secure *tls.ConnectionState) *exchange.Conn {
	c := ConnOf(ctx)
	addr, _ := ctx.Value(http.LocalAddrContextKey).(net.Addr)
	c.Listener, c.Address = exchange.ListenerAt(addr, secure != nil), addressOf(addr)
	if secure != nil {
		c.TLS, c.TLSName = true, secure.ServerName
	}
	return &c
}

func addressOf(addr net.Addr) string {
	switch {
	case addr == nil:
		return ""
	case addr.Network() == "unix":
		return "unix:" + addr.String()
	}
	return "http://" + addr.String()
}

// Exchange is that of a request and its answer.
func Exchange(w http.ResponseWriter, r *http.Request) *exchange.Exchange {
	x := exchange.New(Conn(r), Head(r))
	x.Head.Stream = h2.StreamID(w)
	return x
}

// Head is the head of a request. Its fields are those of r, not a copy.
func Head(r *http.Request) *exchange.Head {
	target := Target(r)
	path, query, _ := strings.Cut(target, "?")
	if r.Method == http.MethodConnect {
		path = ""
	}
	return &exchange.Head{
		Method: r.Method, Scheme: r.URL.Scheme, Authority: r.Host,
		Path: path, Query: query, Target: target, Proto: r.Proto,
		Forward: isForward(r), HTTP10: !r.ProtoAtLeast(1, 1), Fields: Fields(r.Header),
		NoBody: r.Method != http.MethodConnect && (r.ContentLength == 0 || r.Body == nil),
	}
}

// Target is path and query as they were sent, but for a CONNECT, which has neither.
func Target(r *http.Request) string {
	switch {
	case r.Method == http.MethodConnect:
		return r.Host
	case r.RequestURI == "":
		return r.URL.RequestURI()
	case r.URL.Host == "": // no absolute form
		return r.RequestURI
	}
	_, rest, _ := strings.Cut(r.RequestURI, "://")
	path := strings.IndexAny(rest, "/?")
	switch {
	case path < 0:
		return "/"
	case rest[path] == '?':
		return "/" + rest[path:]
	}
	return rest[path:]
}

// isForward reports whether the client uses us as its forward proxy: it sent a
// CONNECT or the absolute form (RFC 9112 section 3.2), whose host is then the
// request's. Over HTTP/2 a :path may hold another host, which means nothing.
func isForward(r *http.Request) bool { return r.URL.Host != "" && r.URL.Host == r.Host }
