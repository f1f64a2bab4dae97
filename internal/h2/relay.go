package h2

import (
	"io"
	"net/http"
	"sync"
	"time"
)

// maxKept is how many bytes of a request's body are kept until the head of its answer, for
// who takes the request over.
const maxKept = 64 << 10

// A Relay joins the stream of a request that came in to one of a client session in the same
// [Group]. Frames pass as they come: the borders of DATA, resets with their codes, ends.
type Relay struct {
	tap Tap
	in  *Stream
	out *Stream // nil = the relay has not started: what comes waits here

	kept     *queue // of the request's body; nil = nothing, or no more
	lost     bool   // some of it is not kept
	sentOn   int    // bytes of it that left for the upstream
	whole    bool   // all of the request has come
	trailer  Fields // of the request
	headed   bool   // the final head has passed
	answered bool   // all of the answer has come
	asked    bool   // the client was sent a 100
	over     bool   // Ended was called, or the relay was handed over
	priority string // that came before the start; empty = none did
	held     int    // of the upstream session's extra, for an answer that waits for its client
}

// keptBodies are for bodies that are kept.
var keptBodies = sync.Pool{New: func() any { return new(queue) }}

// Relay makes r the relay of the request; fin = it is whole. It is for who holds the group's
// lock, as all methods of relays are.
func (st *Stream) Relay(r *Relay, fin bool, tap Tap) {
	*r = Relay{tap: tap, in: st, whole: fin}
	st.SetEnd((*relayedRequest)(r))
	st.SetSource((*relayedAnswer)(r))
}

// Start sends the request on with these fields. noBody = its answer has no body, being to a
// HEAD. reserved = [Session.Reserve] has taken a place for it. An error is that of
// [Session.Open]; the relay has not started then.
func (r *Relay) Start(to *Session, fields Fields, noBody, reserved bool) error {
	if reserved {
		to.reserved--
	}
	out, err := to.Open(fields, r.whole && r.kept == nil && r.trailer == nil, (*relayedAnswer)(r), noBody)
	if err != nil {
		if reserved {
			to.reserved++
			to.release()
		}
		return err
	}
	r.out = out
	out.queue.own(r.in.s)
	out.SetSource((*relayedRequest)(r))
	if r.priority != "" {
		to.appendPriorityUpdate(out.id, r.priority)
	}
	if r.kept != nil {
		for p, last := range r.kept.frames() {
			out.SendData(p, last && r.whole && r.trailer == nil)
		}
	}
	if r.trailer != nil {
		out.sendEndWith(r.trailer)
	}
	return nil
}

// its stream is no larger.
func (r *Relay) keep(p []byte) {
	switch {
	case r.headed || r.lost || len(p) == 0:
		return
	case r.kept == nil && len(p) <= maxKept:
		r.kept = keptBodies.Get().(*queue)
		r.kept.own(r.in.s)
		r.kept.add(p)
	case r.kept != nil && r.kept.size+len(p) <= maxKept:
		r.kept.add(p)
	default:
		r.lost = true
		r.forget()
	}
}

// forget frees what was kept.
func (r *Relay) forget() {
	if r.kept != nil {
		r.kept.reset()
		keptBodies.Put(r.kept)
		r.kept = nil
	}
}

// passedCode is the code of a reset that passes on; otherwise is for what was none, and for
// NO_ERROR, which would make of a broken answer a whole one (RFC 9113 section 8.1).
func passedCode(err *ResetError, otherwise ErrCode) ErrCode {
	if err.Err != nil || err.ByUs || err.Code == NoError {
		return otherwise
	}
	return err.Code
}

// answerEnded ends the request with its answer (RFC 9113 section 8.1).
func (r *Relay) answerEnded() {
	r.answered = true
	if r.in.queue.size > 0 { // else the next stream could fill as much again
		r.held = r.out.limit - streamWindow
		r.out.s.extra += r.held
	}
	if !r.out.outEnded {
		r.out.Reset(NoError)
	}
	r.endIfSent()
}

func (r *Relay) endIfSent() {
	if r.answered && r.in.outEnded && !r.over {
		r.end(nil, false)
		r.in.Linger()
	}
}

func (r *Relay) end(err *ResetError, clientGone bool) {
	if r.over {
		return
	}
	r.over = true
	r.forget()
	if r.held > 0 {
		r.out.s.extra -= r.held
	}
	r.in.SetSource(nil)
	r.tap.Ended(err, clientGone)
}

// Free gives the streams back of a relay that has ended. Nobody may use it any more.
func (r *Relay) Free() {
	g := r.in.s.group
	for _, st := range [...]*Stream{r.in, r.out} {
		if st != nil && st.gone && !st.lingers && len(g.free) < maxFree {
			st.end, st.source = nil, nil
			g.free = append(g.free, st)
		}
	}
	*r = Relay{}
}

// SendContinue is [Stream.SendContinue].
func (r *Relay) SendContinue() {
	r.asked = true
	r.in.SendContinue()
}

// Locked calls f with the group's lock held, for who does not hold it.
func (r *Relay) Locked(f func()) { r.in.Locked(f) }

// Cancel gives the upstream's stream up.
func (r *Relay) Cancel() { r.out.Reset(Cancel) }

// Now is [Stream.Now].
func (r *Relay) Now() time.Time { return r.in.Now() }

// In reports whether the relay can start on sessions of the group.
func (r *Relay) In(g *Group) bool { return r.in.s.group == g }

// Over reports whether the relay has ended, or was handed over.
func (r *Relay) Over() bool { return r.over }

// UpstreamID is the number of the stream to the upstream.
func (r *Relay) UpstreamID() uint32 { return r.out.id }

// Later has t called soon without the lock: it may wait.
func (r *Relay) Later(t Reporter) { r.in.s.group.later(t) }

// Kept reports whether all of the request's body that has come is there for who takes the
// request over.
func (r *Relay) Kept() bool { return !r.lost }

// HandOver gives the request to a handler of net/http, which reads it from its first byte, as
// far as that is kept. Its head is request. answer is the head of an answer that has come,
// with fin as in [Tap.Answer]; nil = there is none. serve runs on a goroutine of its own.
func (r *Relay) HandOver(b *Bridge, request, answer *Head, fin bool, serve func(http.ResponseWriter, *http.Request, *http.Response)) {
	w, req, err := b.newAnswer(r.in, request, r.whole && r.kept == nil && r.trailer == nil)
	if err != nil { // net/http takes no such head
		r.in.Reset(InternalError)
		r.end(&ResetError{Code: InternalError, ByUs: true}, false)
		return
	}
	r.over, w.asked = true, r.asked
	if r.kept != nil {
		w.body.data, r.kept = *r.kept, nil
		w.body.credited = r.sentOn
	}
	if r.whole && w.body.err == nil {
		if len(r.trailer) > 0 {
			w.body.came = headerOf(r.trailer)
		}
		w.body.end(io.EOF)
	}
	resp := r.response(req, answer, fin)
	b.running.Go(func() { b.serve(w, func() { serve(w, req, resp) }, req) })
}

// response is the answer that has come, for net/http's callers.
func (r *Relay) response(req *http.Request, answer *Head, fin bool) *http.Response {
	if answer == nil {
		return nil
	}
	c := newCall(req)
	c.attach(r.out)
	c.uploaded, c.closed = true, true // by the relay; what is missing is not sent
	c.Head(answer, fin)
	return c.returned(req.Context())
}
