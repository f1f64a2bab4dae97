package proxy

import (
	"context"
	"errors"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"

	"avsproxy/internal/exchange"
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

	reverse *httputil.ReverseProxy
}

// An Answerer answers requests in an upstream's place. An error means that it wrote
// nothing; the route then answers with its problem.
type Answerer interface {
	Answer(w http.ResponseWriter, r *http.Request, x *exchange.Exchange) error
}

var errNotListed = errors.New("no rule in the route's allow list covers the request")

func (route *Route) serve(w *responseWriter, r *http.Request, x *exchange.Exchange) {
	var answerer Answerer
	verdict := route.Judge(x.Head)
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
		forward(route.reverse, w, r, x, route.Strip, func(h http.Header) { route.adapt(h, x) })
		return
	case AnswerToken:
		answerer = route.TokenEndpoint
	case ShareDownchannel:
		answerer = route.Downchannel
		if !r.ProtoAtLeast(1, 1) {
			defer abortResponse(w)
		}
	}
	x.Decide(verdict.Decision())
	if err := answerer.Answer(w, r, x); err != nil {
		route.fail(w, r, x, err)
	}
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
