package proxy

import (
	"net/http"
	"time"

	"avsproxy/internal/breakpoint"
	"avsproxy/internal/exchange"
	"avsproxy/internal/gate"
	"avsproxy/internal/httpexchange"
	"avsproxy/internal/problem"
)

// A Handler is the way of every request by the standard engine. It calls in this order
// what decides about requests: admit, choose, permit, record, authorize, send. The first
// two are here, the others are the route's.
type Handler struct {
	Rules  gate.Rules
	Table  *gate.Table
	Routes []*Route // in the order of the table
	// Unrouted serves forward requests for hosts without a route; nil = there are none.
	Unrouted *Unrouted
	// Intercept takes over the connection of a CONNECT to a route's host, whose inside
	// comes back as requests; false = there is no place for it.
	Intercept func(http.ResponseWriter, *http.Request, *exchange.Exchange) bool
	// Enter waits for a place among the requests under way; false = too many wait. Nil =
	// there is no bound.
	Enter func(*http.Request) (leave func(), ok bool)
	// TryEnter takes a place that is free; nil = there is no bound.
	TryEnter func() (leave func(), ok bool)
	// Withhold takes out of a request what is for other servers of ours; nil = nothing.
	Withhold func(exchange.Fields)
	Observer Observer
	// Points are where requests and answers are held; nil = nowhere.
	Points *breakpoint.Points
	// Lasting are the exchanges under way that do not end by themselves.
	Lasting Lasting

	refusals Pace
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := httpexchange.Exchange(w, r)
	p, guest := h.Rules.Admit(x.Conn, x.Head)
	if guest {
		w.Header().Set("Connection", "close") // frees the place for permitted users
	}
	if p != nil {
		h.refuse(w, r, x, *p)
		return
	}
	if h.Enter != nil {
		leave, ok := h.Enter(r)
		if !ok {
			h.refuse(w, r, x, busy("20,000 requests are under way and more wait, or the memory for them is full"))
			return
		}
		defer leave()
	}
	if h.Withhold != nil {
		h.Withhold(x.Head.Fields)
	}
	h.dispatch(w, r, x)
}

// dispatch parts what a forward proxy is asked for from what goes to the routes.
func (h *Handler) dispatch(w http.ResponseWriter, r *http.Request, x *exchange.Exchange) {
	authority, _ := x.Conn.Authority(x.Head) // the rules let only authorities in
	index, known := h.Table.Choose(authority, x.Conn.ListenerFor(x.Head))
	switch {
	case !known:
		h.observe(w, r, x, "", h.Unrouted.serve)
	case r.Method != http.MethodConnect:
		account, p := h.Table.Account(index, x.Head)
		if p != nil {
			h.refuse(w, r, x, *p)
			return
		}
		h.Serve(account, w, r, x)
	case !h.Intercept(w, r, x):
		h.refuse(w, r, x, busy("connection limit reached"))
	}
}

// Serve answers an exchange, which was admitted, by the route of that index.
func (h *Handler) Serve(index int, w http.ResponseWriter, r *http.Request, x *exchange.Exchange) {
	route := h.Routes[index]
	verdict := route.Judge(x.Head)
	h.observe(w, r, x, route.Name, func(w *responseWriter, r *http.Request, x *exchange.Exchange) {
		r, verdict := h.holdRequest(route, r, x, verdict)
		route.serve(w, r, x, verdict)
	})
}

// refuse answers a request that is not let in, and tells of it.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, x *exchange.Exchange, p problem.Problem) {
	h.recordRefusal(x, p)
	if h.Observer.Refused != nil {
		h.Observer.Refused(x.Head, p)
	}
	p.Write(w)
}

// recordRefusal writes down refusals in a [Pace]. What the request would have sent is not
// looked at.
func (h *Handler) recordRefusal(x *exchange.Exchange, p problem.Problem) {
	if h.Observer.Record == nil {
		return
	}
	if _, ok := h.refusals.Allows(string(p.Code)); !ok {
		return
	}
	x.Note(func(f *exchange.Facts) {
		f.Began, f.Decision, f.Status = time.Now(), exchange.Refused, p.Code.Status()
		f.Error, f.Ended = string(p.Code), p.Title+": "+p.Detail
	})
	recorder := h.Observer.Record(x)
	if recorder == nil {
		return
	}
	w := &recordedAnswer{header: http.Header{}}
	p.Write(w)
	facts := x.Facts()
	facts.Written = int64(len(w.body))
	recorder.Response(facts, httpexchange.Fields(w.header))
	recorder.ResponseData(w.body)
	recorder.End(facts, nil)
}

// A recordedAnswer is an [http.ResponseWriter] that keeps what is written.
type recordedAnswer struct {
	header http.Header
	body   []byte
}

func (w *recordedAnswer) Header() http.Header { return w.header }
func (w *recordedAnswer) WriteHeader(int)     {}
func (w *recordedAnswer) Write(p []byte) (int, error) {
	w.body = append(w.body, p...)
	return len(p), nil
}

func busy(detail string) problem.Problem {
	return problem.Problem{
		Code: problem.Busy, Title: "too much is under way", Detail: detail,
		Hint: "try again; 'avsproxy tail' shows what is under way", RetryAfter: time.Second,
	}
}
