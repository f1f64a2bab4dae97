package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/net/http2/hpack"

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
}

// Acceptor returns who takes the requests of one HTTP/2 connection. They are relayed stream
// by stream, where the upstream's connection is in the same group. Those that are answered
// here go to the bridge.
func (h *Handler) Acceptor(conn *exchange.Conn, bridge *h2.Bridge) h2.Acceptor {
	r := &relayer{handler: h, conn: conn, bridge: bridge}
	return func(st *h2.Stream, head *h2.Head, fin bool) {
		e := exchanges.Get().(*relayed)
		e.relayer, e.head, e.whole, e.began = r, *head, fin, st.Now()
		if !e.admit(st.ID()) {
			e.free()
			bridge.Accept(st, head, fin)
			return
		}
		e.begin(st, fin)
	}
}

// admit takes the steps of ServeHTTP up to the relay. false = the request is to be answered
// here, or not one that a stream can relay.
func (e *relayed) admit(stream uint32) bool {
	h, conn := e.handler, e.conn
	if e.head.Method == http.MethodConnect || e.head.Authority == "" || !isPlainTarget(e.head.Path) {
		return false
	}
	e.fields = append(e.fields[:0], e.head.Fields...)
	e.setHead(stream)
	e.x.Init(conn, &e.request, e.began)
	if p, _ := h.Rules.Admit(conn, &e.request); p != nil || e.fields.Has("Expect") {
		return false
	}
	if h.Withhold != nil {
		h.Withhold(&e.fields)
	}
	authority, _ := conn.Authority(&e.request)
	index, known := h.Table.Choose(authority, conn.ListenerFor(&e.request))
	if !known {
		return false
	}
	e.route = h.Routes[index]
	return e.route.Judge(&e.request).Action == Forward && e.decide() && e.enter()
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

	injects  bool
	uploaded int // bytes of the request that have come
	whole    bool
	status   int
	written  int64
	trailer  h2.Fields // of the answer
}

func (e *relayed) setHead(stream uint32) {
	path, query := cutTarget(e.head.Path)
	e.request = exchange.Head{
		Method: e.head.Method, Authority: e.head.Authority, Path: path, Query: query, Target: e.head.Path,
		Proto: "HTTP/2.0", Stream: stream, Fields: &e.fields,
	}
}

func (e *relayed) decide() bool {
	decision, err := e.route.Credential.Decide(&e.fields)
	e.injects = decision == exchange.Injected
	e.x.Decide(decision)
	return err == nil
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
	e.x.Note(func(f *exchange.Facts) { f.Route, f.Began = e.route.Name, e.began })
	if began := e.handler.Observer.Began; began != nil {
		began(e.route.Name)
	}
	if record := e.handler.Observer.Record; record != nil {
		e.x.Recorder = record(&e.x)
	}
	st.Relay(&e.relay, fin, e)
	if fin {
		e.endRequest(nil)
	}
	if !e.startNow() {
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
	if e.injects && !e.hasToken() {
		return false
	}
	to, follower := e.route.Upstream()
	sender, ok := to.(*upstream.Upstream)
	if !ok || !sender.CanRelay(&e.relay) {
		return false
	}
	place, ok := sender.Place(&e.x, e.began)
	if !ok {
		return false
	}
	if err := e.start(sender, place); err != nil {
		return false
	}
	e.begun.to = sender
	e.begun.follow(follower)
	return true
}

// hasToken gets the token that lives now.
func (e *relayed) hasToken() bool {
	token, err := e.route.Credential.Source.Token(waitsForNothing)
	if e.begun.used = token; err != nil {
		return false
	}
	e.x.Note(func(f *exchange.Facts) { noteToken(f, e.route.Credential.Source.Name, token, e.began) })
	return true
}

// start sends the request on.
func (e *relayed) start(to *upstream.Upstream, place upstream.Place) error {
	out, err := e.outgoing(to.Origin())
	if err != nil {
		return err
	}
	if err := place.Start(&e.x, &e.relay, out, e.head.Method == http.MethodHead); err != nil {
		return err
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

func (e *relayed) startWhenReady(ctx context.Context, to *upstream.Upstream, b *begun) error {
	for range maxStale {
		if e.injects {
			i := injection{&e.route.Credential, &e.x, b}
			if _, err := i.token(ctx); err != nil {
				return fmt.Errorf("getting the token: %w", err)
			}
		}
		place, err := to.AwaitPlace(ctx, &e.x)
		if upstream.IsNotHTTP2(err) {
			return errNotRelayed
		}
		if err != nil {
			return err
		}
		if err = e.startAt(to, place, b); err != upstream.ErrStale && err != h2.ErrGone {
			return err
		}
	}
	return staleError()
}

// startAt starts the relay at a place that was reserved.
func (e *relayed) startAt(to *upstream.Upstream, place upstream.Place, b *begun) (err error) {
	started := false
	e.relay.Locked(func() {
		switch {
		case e.relay.Over():
			err = context.Canceled
		case e.injects && !e.hasToken():
			err = upstream.ErrStale
		default:
			started = true
			if err = e.start(to, place); err == nil {
				e.begun.to, e.begun.followers = b.to, b.followers
			}
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

// outgoing are the fields of the request as they go out. The origin is checked last.
func (e *relayed) outgoing(origin *url.URL) (h2.Fields, error) {
	path := e.head.Path
	if base := e.route.Origin.EscapedPath(); base != "" && base != "/" {
		target, err := url.ParseRequestURI(path)
		if err != nil {
			return nil, err
		}
		path = TargetURL(e.route.Origin, target).RequestURI()
	}
	e.relayer.fields = append(e.relayer.fields[:0],
		hpack.HeaderField{Name: ":authority", Value: origin.Host}, hpack.HeaderField{Name: ":method", Value: e.head.Method},
		hpack.HeaderField{Name: ":path", Value: path}, hpack.HeaderField{Name: ":scheme", Value: origin.Scheme})
	e.relayer.fields = append(e.relayer.fields, e.fields...)
	out := &e.relayer.fields
	dropHopByHop(out)
	e.route.setFields(out, false)
	if e.injects {
		e.route.Credential.Apply(out, e.begun.used)
	}
	if e.route.Credential.Source == nil {
		return *out, nil
	}
	return *out, checkOrigin((*out)[3].Value, (*out)[0].Value, origin)
}

// dropHopByHop removes the fields of HTTP/2 that go no further (RFC 9110 section 7.6.1), and
// the one that says what a pseudo-header field says.
func dropHopByHop(fields *h2.Fields) {
	for _, name := range []string{"proxy-authorization", "proxy-authenticate", "host"} {
		fields.Del(name)
	}
}

// RequestData implements [h2.Tap].
func (e *relayed) RequestData(p []byte) {
	e.uploaded += len(p)
	if e.x.Recorder != nil && len(p) > 0 {
		e.x.Recorder.RequestData(p)
	}
}

// RequestEnd implements [h2.Tap].
func (e *relayed) RequestEnd(trailer h2.Fields) h2.Fields {
	if len(trailer) == 0 {
		e.endRequest(nil)
		return nil
	}
	return e.endWithTrailer(trailer)
}

func (e *relayed) endWithTrailer(trailer h2.Fields) h2.Fields {
	trailer.DeleteFunc(func(name, _ string) bool { return !isTrailer(name, e.route.Strip) })
	e.endRequest(nilWithout(trailer))
	return trailer
}

// RequestReset implements [h2.Tap].
func (e *relayed) RequestReset(err *h2.ResetError) {
	e.whole = true
	if e.x.Recorder != nil {
		e.x.Recorder.RequestEnd(nil, err)
	}
}

func (e *relayed) endRequest(trailer exchange.FieldSeq) {
	e.whole = true
	if e.x.Recorder != nil {
		e.x.Recorder.RequestEnd(trailer, nil)
	}
	e.boundAnswer()
}

func nilWithout(trailer h2.Fields) exchange.FieldSeq {
	if len(trailer) == 0 {
		return nil
	}
	return exchange.FieldSeq(trailer.All())
}

// Interim implements [h2.Tap].
func (e *relayed) Interim(h *h2.Head) h2.Fields {
	fields := e.answerFields(h)
	e.route.adapt(fields, &e.x)
	if e.x.Recorder != nil {
		e.x.Recorder.Interim(h.Status, fields.All())
	}
	return withStatus(h.Status, fields)
}

// answerFields are the fields of an answer, behind room for its status.
func (e *relayed) answerFields(h *h2.Head) *h2.Fields {
	e.relayer.fields = append(e.relayer.fields[:0], h.Fields...)
	fields := &e.relayer.fields
	dropHopByHop(fields)
	dropOurs(fields)
	return fields
}

// Answer implements [h2.Tap].
func (e *relayed) Answer(h *h2.Head, fin bool) (h2.Fields, bool) {
	if e.injects && slices.Contains(e.route.Credential.HealOn, h.Status) && e.heal(h, fin) {
		return nil, false
	}
	fields := e.answerFields(h)
	for _, f := range e.begun.followers {
		f.Head(h.Status, fields)
	}
	e.route.adapt(fields, &e.x)
	e.status = h.Status
	noteAnswer(&e.x, e.relay.Now(), h.Status, fields, e.handler.Observer.DecisionHeader)
	return withStatus(h.Status, fields), true
}

// withStatus puts the status before the fields.
func withStatus(status int, fields *h2.Fields) h2.Fields {
	*fields = slices.Insert(*fields, 0, hpack.HeaderField{Name: ":status", Value: statusText(status)})
	return *fields
}

func statusText(status int) string {
	if status == http.StatusOK {
		return "200"
	}
	return strconv.Itoa(status)
}

// AnswerData implements [h2.Tap].
func (e *relayed) AnswerData(p []byte) {
	e.written += int64(len(p))
	for _, f := range e.begun.followers {
		f.Data(p)
	}
	if e.x.Recorder != nil && len(p) > 0 {
		e.x.Recorder.ResponseData(p)
	}
}

// AnswerEnd implements [h2.Tap].
func (e *relayed) AnswerEnd(trailer h2.Fields) h2.Fields {
	e.begun.followers.end(nil)
	e.begun.followers = nil
	if len(trailer) == 0 {
		return nil
	}
	return e.keepTrailer(trailer)
}

func (e *relayed) keepTrailer(trailer h2.Fields) h2.Fields {
	dropOurs(&trailer)
	e.trailer = slices.Clone(trailer)
	return trailer
}

// boundAnswer begins to wait for the head of the answer.
func (e *relayed) boundAnswer() {
	if e.patience > 0 && e.whole && e.status == 0 {
		e.timer = time.AfterFunc(e.patience, func() { e.relay.Locked(e.endPatience) })
	}
}

func (e *relayed) endPatience() {
	if e.status == 0 && !e.relay.Over() {
		e.relay.Cancel()
		e.handBack(h2.ErrHeadTimeout)
	}
}

// Ended implements [h2.Tap].
func (e *relayed) Ended(err *h2.ResetError, clientGone bool) {
	e.stop()
	e.begun.followers.end(nil)
	if err != nil {
		e.noteFault(err)
	}
	e.x.Note(func(f *exchange.Facts) {
		if f.Status, f.Written = e.status, e.written; e.status == 0 {
			f.Status = statusClientGone
		}
	})
	e.handler.finish(&e.x, time.Now(), err == nil && !clientGone, clientGone, nilWithout(e.trailer))
	e.relay.Later(e)
}

func (e *relayed) noteFault(err error) {
	e.x.Note(func(f *exchange.Facts) { f.Fault = upstream.Cause(err) })
}

// Tell implements [h2.Teller].
func (e *relayed) Tell() {
	e.handler.tell(&e.x)
	e.exit()
	if e.cancel == nil && e.timer == nil { // else somebody may still look at it
		e.free()
	}
}

// stop ends what waits.
func (e *relayed) stop() {
	if e.cancel != nil {
		e.cancel()
	}
	if e.timer != nil {
		e.timer.Stop()
	}
}

func (e *relayed) exit() {
	if e.leave != nil {
		e.leave()
	}
}

// heal has a request sent again whose token the upstream refused, if that may be. The
// refusal is the answer where no other token is to be had.
func (e *relayed) heal(h *h2.Head, fin bool) bool {
	e.route.Credential.Source.Reject(e.begun.used)
	streamed := e.head.Length < 0 && !(e.whole && e.uploaded == 0)
	if !e.relay.Kept() || streamed && isMultipart(e.request.Get("Content-Type")) {
		return false
	}
	e.begun.kept = e.uploaded
	e.relay.HandOver(e.bridge, e.kept(), h, fin, func(w http.ResponseWriter, r *http.Request, refusal *http.Response) {
		e.begun.answer = refusal
		e.resume(w, r, nil)
	})
	return true
}

// Failed implements [h2.Tap].
func (e *relayed) Failed(err *h2.ResetError) {
	kept := e.relay.Kept()
	e.relay.HandOver(e.bridge, e.kept(), nil, false, func(w http.ResponseWriter, r *http.Request, _ *http.Response) {
		if kept {
			e.begun.failed = err
			e.resume(w, r, nil)
			return
		}
		e.resume(w, r, upstream.Failure(r, err))
	})
}

// kept is the head of the request after admission.
func (e *relayed) kept() *h2.Head {
	head := e.head
	head.Fields = e.fields
	return &head
}

// resume goes on with an exchange on a goroutine, as ServeHTTP does with those that were not
// relayed; or answers it with what is wrong.
func (e *relayed) resume(w http.ResponseWriter, r *http.Request, wrong error) {
	defer e.exit()
	defer e.stop()
	e.handler.watch(w, withRestOfBody(r, &e.x, e.uploaded, e.whole), &e.x, func(w *responseWriter, r *http.Request, x *exchange.Exchange) {
		if wrong != nil {
			e.begun.followers.end(wrong)
			e.route.fail(w, r, x, wrong)
			return
		}
		var before *begun
		if e.begun.to != nil {
			before = &e.begun
		}
		e.route.forward(w, r, x, before)
	})
}
