package httpserver

import (
	"context"
	"crypto/tls"
	"maps"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"sync"

	"avsproxy/internal/h1"
	"avsproxy/internal/h2"
	"avsproxy/internal/httpexchange"
	"avsproxy/internal/listen"
	"avsproxy/internal/peer"
	"avsproxy/internal/problem"
)

// serveSession serves a connection until it ends.
func (s *Server) serveSession(conn net.Conn, isHTTP2, prefaceRead bool) {
	defer s.recoverPanic(conn)
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), http.ServerContextKey, s.Server))
	defer cancel()
	ctx = s.ConnContext(context.WithValue(ctx, http.LocalAddrContextKey, conn.LocalAddr()), conn)
	bridge := &h2.Bridge{Handler: s.handler, Context: func(*h2.Session) context.Context { return ctx }, ErrorLog: s.ErrorLog}
	accept := bridge.Accept
	if s.Relay != nil {
		accept = s.Relay(httpexchange.ConnIn(ctx, stateOf(conn)), bridge)
	}
	config := h2.Config{
		Accept: accept, MaxStreams: maxStreams, MaxHeader: maxHeader, FirstTimeout: HeaderTimeout,
		IdleTimeout: idleTimeout, Idle: func(idle bool) { listen.SetIdle(conn, idle) }, PrefaceRead: prefaceRead, ExtendedConnect: s.WebSockets, Refuse: s.refuse, PeerGone: func() bool { return peer.Gone(conn) },
	}
	begin := h1.Server
	if isHTTP2 {
		begin = (*h2.Group).Server
	}
	session := begin(s.Group, conn, config)
	if !s.addSession(session) {
		conn.Close()
		return
	}
	remove := sync.OnceFunc(func() { s.removeSession(session) })
	defer remove()
	defer session.Close()                  // also behind a panic
	if session.Serve() == h2.ErrHijacked { // of other errors the client knows why
		remove()
		bridge.Wait()
	}
}

// refuse answers a request that cannot be taken.
func (s *Server) refuse(st *h2.Stream, why error) {
	p := problem.Problem{
		Code: problem.BadRequest, Title: "the request is broken", Detail: why.Error(),
		Hint: "mend the client; nothing was sent to the upstream",
	}
	if why == h2.ErrHeadTooLarge {
		p = problem.Problem{
			Code: problem.HeadTooLarge, Title: "the head of the request is too large",
			Detail: "its fields are more than 64 KiB", Hint: "send fewer or shorter ones; cookies are the longest, as a rule",
		}
	}
	bridge := &h2.Bridge{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if s.Unread != nil {
			s.Unread(p)
		}
		p.Write(w)
	})}
	bridge.Accept(st, &h2.Head{Method: "GET", Scheme: "http", Authority: "-", Path: "/", Length: -1}, st.InEnded())
}

// stateOf is that of TLS; nil = the connection has none.
func stateOf(conn net.Conn) *tls.ConnectionState {
	if secure, ok := conn.(interface{ ConnectionState() tls.ConnectionState }); ok {
		state := secure.ConnectionState()
		return &state
	}
	return nil
}

// recoverPanic keeps a fault of ours in one connection, as net/http does.
func (s *Server) recoverPanic(conn net.Conn) {
	if fault := recover(); fault != nil {
		s.ErrorLog.Printf("http2: panic serving %s: %v\n%s", conn.RemoteAddr(), fault, debug.Stack())
		conn.Close()
	}
}

// addSession notes a session that begins; false = the server takes none any more.
func (s *Server) addSession(session *h2.Session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	if s.sessions == nil {
		s.sessions = map[*h2.Session]bool{}
	}
	s.sessions[session] = true
	s.serving.Add(1)
	return true
}

func (s *Server) removeSession(session *h2.Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, session)
	s.serving.Done()
}

// endSessions calls end for all sessions; there will be no others.
func (s *Server) endSessions(end func(*h2.Session)) {
	s.mu.Lock()
	s.ended = true
	all := slices.Collect(maps.Keys(s.sessions))
	s.mu.Unlock()
	for _, session := range all {
		end(session)
	}
}

// Shutdown is that of [http.Server]. Clients of HTTP/2 get a GOAWAY.
func (s *Server) Shutdown(ctx context.Context) error {
	s.endSessions((*h2.Session).Shutdown)
	if err := s.Server.Shutdown(ctx); err != nil {
		return err
	}
	return awaitAll(ctx, &s.serving)
}

// Close is that of [http.Server].
func (s *Server) Close() error {
	err := s.Server.Close()
	s.endSessions((*h2.Session).Close)
	return err
}
