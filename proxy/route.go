package proxy

import (
	"context"
	"errors"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"

	"avsproxy/internal/exchange"
	"avsproxy/internal/h2"
	"avsproxy/internal/httpexchange"
	"avsproxy/internal/problem"
	"avsproxy/internal/upstream"
)

// A Route is what becomes of the requests for one upstream.
type Route struct {
	Policy
	Credential Credential
	// Origin is the upstream's, as configured; a path in it is put before those of the
	// requests.
	Origin *url.URL
	// Upstream chooses where a request goes, and may follow the answer.
	Upstream func() (upstream.Sender, exchange.Follower)
	// Stages follow the exchanges, the first one outermost.
	Stages []exchange.Stage
	// TokenEndpoint and Downchannel answer requests in the upstream's place, where the
	// policy says so.
	TokenEndpoint, Downchannel Answerer
	// RewriteLocation lets a Location that leads to Origin lead to the address by which
	// the client came, where that is not Origin's own.
	RewriteLocation bool
	// LoginURL is where a person can log in to the credential.
	LoginURL string
	// ErrorLog gets what net/http has to say; nil = log's default.
	ErrorLog *log.Logger

	forwarder forwarder
}

// An Answerer answers requests in an upstream's place. An error means that it wrote
// nothing; the route then answers with its problem.
type Answerer interface {
	Answer(w http.ResponseWriter, r *http.Request, x *exchange.Exchange) error
}

var errNotListed = errors.New("no rule in the route's allow list covers the request")

// serve does what the route's policy has said of an exchange.
func (route *Route) serve(w *responseWriter, r *http.Request, x *exchange.Exchange, verdict Verdict) {
	var answerer Answerer
	switch verdict.Action {
	case Refuse:
		x.Note(func(f *exchange.Facts) { f.Decision, f.Fault = verdict.Decision(), errNotListed })
		notListed(verdict.Why).Write(w)
		return
	case Forward:
		if r.Method == http.MethodConnect {
			route.fail(w, r, x, errConnect)
			return
		}
		route.forward(w, r, x, nil)
		return
	case AnswerToken:
		answerer = route.TokenEndpoint
	case ShareDownchannel:
		answerer = route.Downchannel
		if !r.ProtoAtLeast(1, 1) && !h2.Serves(w) {
			defer abortResponse(w)
		}
	}
	x.Decide(verdict.Decision())
	if err := answerer.Answer(w, r, x); err != nil {
		route.fail(w, r, x, err)
	}
}

// forward relays an exchange, of which something may have been done before.
func (route *Route) forward(w *responseWriter, r *http.Request, x *exchange.Exchange, before *begun) {
	route.forwarder.forward(w, r, x, before, route.Strip, func(h http.Header) { route.adapt(httpexchange.Fields(h), x) })
}

// fail answers in the upstream's place.
func (route *Route) fail(w http.ResponseWriter, r *http.Request, x *exchange.Exchange, err error) {
	answerProblem(w, r, x, err, explain(err, route.Origin, route.LoginURL))
}

// answerProblem writes a problem, unless the client is gone: cutting the connection is all
// that can still be said then.
func answerProblem(w http.ResponseWriter, r *http.Request, x *exchange.Exchange, err error, p problem.Problem) {
	if r.Context().Err() == context.Canceled {
		panic(http.ErrAbortHandler)
	}
	if p.Code == problem.BadRequest && r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close") // where the next request begins is not known
	}
	x.Note(func(f *exchange.Facts) {
		f.Fault = upstream.Cause(err)
		switch p.Code {
		case problem.LoginRequired:
			f.Decision = exchange.LoginMissing
		case problem.TokenRefreshFailed:
			f.Decision = exchange.RefreshFailed
		case problem.NotAllowed:
			f.Decision = exchange.Refused
		}
	})
	p.Write(w)
}

// Start makes the route ready to serve. Its fields stay as they are from then on.
func (route *Route) Start() *Route {
	route.Credential.ready = route.Credential.prepared()
	route.forwarder = forwarder{rewrite: route.rewrite, send: route.send, fail: route.fail, errorLog: route.ErrorLog}
	return route
}

func (route *Route) rewrite(pr *httputil.ProxyRequest) {
	pr.Out.URL = TargetURL(route.Origin, pr.In.URL)
	keepTarget(pr.Out.URL, route.Origin, pr.In)
	pr.Out.Host = "" // the upstream's own name is sent
	dropTrailers(pr.In.Trailer, route.Strip)
	pr.Out.Trailer = pr.In.Trailer // the same map: it is filled in when the body ends
	websocket := route.WebSocket && opensWebSocket(pr.In)
	keepForwarded(httpexchange.Fields(pr.Out.Header), httpexchange.Fields(pr.In.Header))
	route.setFields(httpexchange.Fields(pr.Out.Header), websocket)
}

// adapt changes the head of an upstream's answer for a client that has us in the
// upstream's place.
func (route *Route) adapt(h exchange.Fields, x *exchange.Exchange) {
	h.Del("Alt-Svc") // leads past us (RFC 7838)
	if !route.RewriteLocation || len(h.Values("Location")) == 0 {
		return
	}
	if d, ok := doorOf(x, route.Origin); ok {
		exchange.Replace(h, "Location", d.rewrite)
	}
}
