package proxy

import (
	"cmp"
	"net/http"

	"avsproxy/internal/breakpoint"
	"avsproxy/internal/exchange"
	"avsproxy/internal/httpexchange"
)

// numbered is what a [exchange.Recorder] may have besides.
type numbered interface{ ID() uint64 }

// about is an exchange as breakpoints know it.
func about(x *exchange.Exchange, route string, status int) breakpoint.About {
	head := x.Head
	scheme := cmp.Or(head.Scheme, "http")
	if head.Scheme == "" && x.Conn.TLS {
		scheme = "https"
	}
	a := breakpoint.About{Route: route, Method: head.Method, Scheme: scheme, Host: head.Authority, Target: head.Target, Proto: head.Proto, Status: status}
	if recorded, ok := x.Recorder.(numbered); ok {
		a.Exchange = recorded.ID()
	}
	return a
}

// holdRequest holds a request where a breakpoint wants it. What was changed is judged as any request of the route; the
// record is of what the client sent.
func (h *Handler) holdRequest(route *Route, r *http.Request, x *exchange.Exchange, verdict Verdict) (*http.Request, Verdict) {
	if !h.Points.Armed() {
		return r, verdict
	}
	if body, ok := r.Body.(*requestBody); ok {
		body.strip = route.Strip // before it is read
	}
	out, changed, err := h.Points.OnRequest(r.Context(), about(x, route.Name, 0), r)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if !changed {
		return out, verdict
	}
	head := httpexchange.Head(out)
	x.Head.Method, x.Head.Path, x.Head.Query, x.Head.Target, x.Head.Fields = head.Method, head.Path, head.Query, head.Target, head.Fields
	return out, route.Judge(x.Head)
}

// holdAnswer holds an upstream's answer where a breakpoint wants it.
func (to relay) holdAnswer(resp *http.Response) {
	points := to.answer.handler.Points
	if !points.Armed() {
		return
	}
	route := to.Facts().Route
	if points.OnAnswer(resp.Request.Context(), about(to.Exchange, route, resp.StatusCode), resp) != nil {
		panic(http.ErrAbortHandler)
	}
}

// isHeld reports whether a request may be held, which a relay cannot do.
func (e *relayed) isHeld() bool {
	points := e.handler.Points
	if !points.Armed() {
		return false
	}
	early := about(&e.x, e.route.Name, 0)
	early.Early = true
	return points.Wants(early)
}
