package proxy

import (
	"avsproxy/internal/exchange"
	"avsproxy/internal/h2"
	"avsproxy/internal/upstream"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// The methods by which a relay tells of what passes.

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
	e.endRequest(nilWithout(&trailer))
	return trailer
}

// RequestReset implements [h2.Tap].
func (e *relayed) RequestReset(err *h2.ResetError) {
	e.whole = true
	if e.x.Recorder != nil {
		e.x.Recorder.RequestEnd(nil, err)
	}
}

// RequestBroken implements [h2.Tap].
func (e *relayed) RequestBroken(err *h2.ResetError) {
	e.relay.HandOver(e.bridge, e.kept(), nil, false, func(w http.ResponseWriter, r *http.Request, _ *http.Response) {
		e.resume(w, r, uploadError{err})
	})
}

// endBodiless is for a request that ended with its head, which the recorder knows.
func (e *relayed) endBodiless() {
	e.whole = true
	e.boundAnswer()
}

func (e *relayed) endRequest(trailer exchange.FieldList) {
	e.whole = true
	if e.x.Recorder != nil {
		e.x.Recorder.RequestEnd(trailer, nil)
	}
	e.boundAnswer()
}

func nilWithout(trailer *h2.Fields) exchange.FieldList {
	if len(*trailer) == 0 {
		return nil
	}
	return trailer
}

// Interim implements [h2.Tap].
func (e *relayed) Interim(h *h2.Head) h2.Fields {
	e.begunAnswer = true
	fields := e.answerFields(h)
	e.route.adapt(fields, &e.x)
	if e.x.Recorder != nil {
		e.x.Recorder.Interim(h.Status, fields)
	}
	return withStatus(h.Status, fields)
}

// answerFields are the fields of an answer, behind room for its status.
func (e *relayed) answerFields(h *h2.Head) *h2.Fields {
	e.relayer.fields = append(e.relayer.fields[:0], h.Fields...)
	fields := &e.relayer.fields
	dropHopByHop(fields)
	dropOurs(fields)
	if fields.Has("Trailer") {
		dropOursAnnounced(fields)
	}
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
	e.handler.noteAnswer(&e.x, e.relay.Now(), h.Status, fields)
	return withStatus(h.Status, fields), true
}

// withStatus puts the status before the fields.
func withStatus(status int, fields *h2.Fields) h2.Fields {
	*fields = slices.Insert(*fields, 0, h2.Field{Name: ":status", Value: statusText(status)})
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
	var facts exchange.Facts
	e.x.Note(func(f *exchange.Facts) {
		if f.Status, f.Written = e.status, e.written; e.status == 0 {
			f.Status = statusClientGone
		}
		e.handler.noteEnd(f, e.relay.Now(), err == nil && !clientGone, clientGone)
		facts = *f
	})
	if e.x.Recorder != nil {
		e.x.Recorder.End(facts, nilWithout(&e.trailer))
	}
	e.relay.Later(e)
}

func (e *relayed) noteFault(err error) {
	e.x.Note(func(f *exchange.Facts) { f.Fault = upstream.Cause(err) })
}

// Report implements [h2.Reporter].
func (e *relayed) Report() {
	e.handler.tell(&e.x)
	e.exit()
}

// Release implements [h2.Reporter].
func (e *relayed) Release() {
	if e.cancel == nil && e.timer == nil { // else somebody may still look at it
		e.relay.Free()
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
	kept := e.relay.Kept() && !e.begunAnswer
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
