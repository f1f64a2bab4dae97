package proxy

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"avsproxy/internal/avs"
	"avsproxy/internal/exchange"
)

// A Lasting counts the exchanges whose answers end only when somebody ends them: WebSockets, event
// streams and downchannels. Who shuts down need not wait for those. Tunnels are not counted. The zero value is ready.
type Lasting struct {
	count atomic.Int64

	mu      sync.Mutex
	sockets map[*switched]struct{}
}

// Count is how many are under way.
func (l *Lasting) Count() int { return int(l.count.Load()) }

// WebSockets is how many of them are WebSockets.
func (l *Lasting) WebSockets() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.sockets)
}

// EndWebSockets ends the WebSockets, and says why to both sides where they may be told (RFC 6455
// section 7.4.1: 1001, going away). It does not wait.
func (l *Lasting) EndWebSockets() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for socket := range l.sockets {
		go socket.goAway()
	}
}

func (l *Lasting) add(s *switched) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sockets == nil {
		l.sockets = map[*switched]struct{}{}
	}
	l.sockets[s] = struct{}{}
}

func (l *Lasting) remove(s *switched) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.sockets, s)
}

// lasts reports whether an answer has no end of its own.
func lasts(request *exchange.Head, status int, h exchange.Fields) bool {
	switch {
	case status == http.StatusSwitchingProtocols:
		return true
	case status != http.StatusOK || h.Has("Content-Length"):
		return false
	case request.Method != http.MethodGet: // as the streamed answers of language models
		return false
	}
	kind := strings.ToLower(strings.Join(h.Values("Content-Type"), ""))
	return strings.HasPrefix(kind, "text/event-stream") ||
		strings.HasPrefix(kind, "multipart/") && strings.HasSuffix(request.Path, avs.PathDirectives)
}
