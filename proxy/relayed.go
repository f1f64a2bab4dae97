package proxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"avsproxy/internal/exchange"
	"avsproxy/internal/h2"
	"avsproxy/internal/upstream"
)

// A relayer takes the requests of one HTTP/2 connection.
type relayer struct {
	handler *Handler
	conn    *exchange.Conn
	bridge  *h2.Bridge
	fields  h2.Fields // that are sent next
	templates
}

// Acceptor returns who takes the requests of one HTTP/2 connection. They are relayed stream
// by stream, where the upstream's connection is in the same group. Those that are answered
// here go to the bridge.
func (h *Handler) Acceptor(conn *exchange.Conn, bridge *h2.Bridge) h2.Acceptor {
	r := &relayer{handler: h, conn: conn, bridge: bridge}
	return func(st *h2.Stream, head *h2.Head, fin bool) {
		e := exchanges.Get().(*relayed)
		e.relayer, e.head, e.whole, e.began = r, *head, fin, st.Now()
		if !e.admit(streamOf(st, head)) {
			e.free()
			bridge.Accept(st, head, fin)
			return
		}
		e.begin(st, fin)
	}
}

// streamOf is the number of a stream of HTTP/2; 0 = it is none.
func streamOf(st *h2.Stream, head *h2.Head) uint32 {
	if head.Proto != "" {
		return 0
	}
	return st.ID()
}

// admit takes the steps of ServeHTTP up to the relay. false = the request is to be answered
// here, or not one that a stream can relay.
func (e *relayed) admit(stream uint32) bool {
	if e.head.Method == http.MethodConnect || e.head.Authority == "" || !isTarget(e.head.Path) {
		return false
	}
	e.setHead(stream)
	e.x.Init(e.conn, &e.request, e.began)
	if t := e.templates.find(&e.head, e.whole); t != nil {
		e.follow(t)
	} else if !e.judge() {
		return false
	}
	return e.route.Judge(&e.request).Action == Forward && !e.isHeld() && e.enter()
}

// judge does what does not depend on the path.
func (e *relayed) judge() bool {
	h := e.handler
	e.fields = append(e.fields[:0], e.head.Fields...)
	if refused, _ := h.Rules.Admit(e.conn, &e.request); refused != nil || e.fields.Has("Upgrade") && e.head.Proto != "" {
		return false
	}
	if e.expects = e.expectsContinue(); !e.expects && e.fields.Has("Expect") {
		return false
	}
	if h.Withhold != nil {
		h.Withhold(&e.fields)
	}
	authority, _ := e.conn.Authority(&e.request)
	index, known := h.Table.Choose(authority, e.conn.ListenerFor(&e.request))
	if !known {
		return false
	}
	index, p := h.Table.Account(index, &e.request)
	if p != nil {
		return false
	}
	e.route = h.Routes[index]
	if !e.decide() {
		return false
	}
	e.keepTemplate()
	return true
}

// exchanges are free for the next ones.
var exchanges = sync.Pool{New: func() any { return new(relayed) }}

// free gives the exchange back, of which nobody knows any more.
func (e *relayed) free() {
	*e = relayed{fields: e.fields[:0]}
	exchanges.Put(e)
}

// A relayed is an exchange whose streams are joined, and what hears and changes what passes.
type relayed struct {
	*relayer
	route   *Route
	x       exchange.Exchange
	request exchange.Head
	head    h2.Head
	fields  h2.Fields // of the request, after admission
	leave   func()    // nil = it did not enter
	relay   h2.Relay
	begun   begun
	began   time.Time

	cancel   context.CancelFunc // of what waits; nil = nothing does
	patience time.Duration      // with an answer's head, once the request has ended; zero = endless
	timer    *time.Timer        // of that; nil = none

	template    *template // nil = there is none
	decision    exchange.Decision
	injects     bool
	expects     bool // the client waits for a 100
	uploaded    int  // bytes of the request that have come
	whole       bool
	begunAnswer bool // a 1xx has come: the request is not sent again
	status      int
	written     int64
	trailer     h2.Fields // of the answer
}

func (e *relayed) setHead(stream uint32) {
	path, query := cutTarget(e.head.Path)
	e.request = exchange.Head{
		Method: e.head.Method, Authority: e.head.Authority, Path: path, Query: query, Target: e.head.Path,
		Proto: cmp.Or(e.head.Proto, "HTTP/2.0"), Stream: stream, Fields: &e.fields, NoBody: e.whole,
	}
	if e.head.Proto != "" {
		e.request.Scheme, e.request.HTTP10 = e.head.Scheme, e.head.Proto == "HTTP/1.0"
		e.request.Forward = e.head.Scheme != ""
	}
}

// expectsContinue reports whether the client holds its body back for a 100 (RFC 9110 section
// 10.1.1).
func (e *relayed) expectsContinue() bool {
	return !e.whole && !e.request.HTTP10 && strings.EqualFold(e.request.Get("Expect"), "100-continue")
}

func (e *relayed) decide() bool {
	decision, err := e.route.Credential.Decide(&e.fields)
	e.setDecision(decision)
	return err == nil
}

func (e *relayed) setDecision(decision exchange.Decision) {
	e.decision, e.injects = decision, decision == exchange.Injected
}

func (e *relayed) enter() (ok bool) {
	if e.handler.TryEnter == nil {
		return true
	}
	e.leave, ok = e.handler.TryEnter()
	return ok
}

// begin begins to relay, which may have to wait.
func (e *relayed) begin(st *h2.Stream, fin bool) {
	e.x.Note(func(f *exchange.Facts) { f.Route, f.Began, f.Decision = e.route.Name, e.began, e.decision })
	if began := e.handler.Observer.Began; began != nil {
		began(e.route.Name)
	}
	if record := e.handler.Observer.Record; record != nil {
		e.x.Recorder = record(&e.x)
	}
	st.Relay(&e.relay, fin, e)
	if fin {
		e.endBodiless()
	}
	if !e.startNow() {
		e.template = nil // who is waited for may change the fields
		ctx, cancel := context.WithCancel(context.Background())
		e.cancel = cancel
		go e.wait(ctx)
	}
}

// startNow starts the relay where nothing has to be waited for. false = nothing was done.
func (e *relayed) startNow() bool {
	if slices.ContainsFunc(e.route.Stages, func(s exchange.Stage) bool { return s.Concerns(&e.x) }) {
		return false
	}
	if e.injects && !e.hasToken(e.began) {
		return false
	}
	to, follower := e.route.Upstream()
	sender, ok := to.(*upstream.Upstream)
	if !ok || !e.startAtOnce(sender) {
		if follower != nil {
			follower.End(nil) // another one is asked for later
		}
		return false
	}
	e.begun.to = sender
	e.begun.follow(follower)
	return true
}

func (e *relayed) startAtOnce(to *upstream.Upstream) bool {
	if !to.CanRelay(&e.relay) {
		return false
	}
	place, ok := to.Place(e.began)
	if !ok {
		return false
	}
	out, err := e.outgoing(to.Origin())
	if err != nil || e.start(to, place, out) != nil {
		place.GiveBack()
		return false
	}
	return true
}

// hasToken gets the token that lives now.
func (e *relayed) hasToken(now time.Time) bool {
	source := e.route.Credential.Source
	token, ok := source.Live(now)
	if !ok {
		var err error
		if token, err = source.Token(waitsForNothing); err != nil {
			return false
		}
	}
	e.begun.used = token
	e.x.Note(func(f *exchange.Facts) { noteToken(f, source.Name, token, now) })
	return true
}

// start sends the request on.
func (e *relayed) start(to *upstream.Upstream, place upstream.Place, out h2.Fields) error {
	if err := place.Start(&e.x, &e.relay, out, e.head.Method == http.MethodHead); err != nil {
		return err
	}
	if e.expects {
		e.relay.SendContinue()
	}
	e.patience = to.HeaderTimeout()
	e.boundAnswer()
	return nil
}

// wait gets what the request needs, and starts the relay.
func (e *relayed) wait(ctx context.Context) {
	var b begun
	err := e.route.begin(ctx, &e.x, &b)
	sender, ok := b.to.(*upstream.Upstream)
	switch {
	case err != nil:
	case ok && sender.CanRelay(&e.relay):
		err = e.startWhenReady(ctx, sender, &b)
	default:
		err = errNotRelayed
	}
	if err == nil {
		return
	}
	over := false
	e.relay.Locked(func() {
		if over = e.relay.Over(); !over {
			e.begun.to, e.begun.followers = b.to, b.followers
			e.handBack(err)
		}
	})
	if over {
		b.followers.end(err)
	}
}

// errNotRelayed says that the request has to go another way.
var errNotRelayed = errors.New("the upstream cannot be relayed to")

func (e *relayed) startWhenReady(ctx context.Context, to *upstream.Upstream, b *begun) (err error) {
	for range maxStale {
		if e.injects {
			i := injection{&e.route.Credential, &e.x, b}
			if _, err = i.token(ctx); err != nil {
				return fmt.Errorf("getting the token: %w", err)
			}
		}
		var place upstream.Place
		place, err = to.AwaitPlace(ctx, &e.x)
		if upstream.IsNotHTTP2(err) {
			return errNotRelayed
		}
		if err != nil {
			return err
		}
		switch err = e.startAt(to, place, b); err {
		case upstream.ErrStale:
			err = staleError()
		case h2.ErrGone, h2.ErrFull: // since the place was reserved
		default:
			return err
		}
	}
	return err
}

// startAt starts the relay at a place that was reserved.
func (e *relayed) startAt(to *upstream.Upstream, place upstream.Place, b *begun) (err error) {
	started := false
	e.relay.Locked(func() {
		if e.relay.Over() {
			err = context.Canceled
			return
		}
		if e.injects && !e.hasToken(time.Now()) {
			err = upstream.ErrStale
			return
		}
		var out h2.Fields
		if out, err = e.outgoing(to.Origin()); err != nil {
			return
		}
		started = true
		if err = e.start(to, place, out); err == nil {
			e.begun.to, e.begun.followers = b.to, b.followers
		}
	})
	if !started {
		place.Release()
	}
	return err
}

// handBack has the exchange go on without the relay, because of err.
func (e *relayed) handBack(err error) {
	e.relay.HandOver(e.bridge, e.kept(), nil, false, func(w http.ResponseWriter, r *http.Request, _ *http.Response) {
		if err == errNotRelayed {
			err = nil
		}
		e.resume(w, r, err)
	})
}
