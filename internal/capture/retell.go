package capture

import (
	"cmp"
	"slices"
	"time"
)

func (e *Exchange) publish() {
	if !e.r.watch.any() {
		return
	}
	summary := e.summarize()
	e.r.watch.publish(Event{Kind: KindExchange, Summary: &summary})
}

func (e *Exchange) summary() Summary {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.summarize()
}

func (e *Exchange) summarize() Summary {
	s := Summary{
		ID: e.id, Route: e.ask.Route, Method: e.ask.Method, Scheme: e.ask.Scheme, Host: e.ask.Host, Target: e.ask.Target,
		Status: e.status, State: "active", Began: e.ask.Began, TookMS: ms(e.total()), Proto: e.ask.Proto,
		UpstreamProto: cmp.Or(e.facts.Upstream.Proto, e.proto), Decision: e.facts.Decision,
		Error: e.facts.Error, Ended: e.facts.Ended,
		RequestBytes: e.request.body.size, ResponseBytes: e.response.body.size,
		ContentType: e.response.contentType, AVS: e.event, Replayed: e.facts.Replayed, ReplayOf: e.ask.ReplayOf,
	}
	if e.done {
		s.State = "done"
	}
	return s
}

func (e *Exchange) total() time.Duration {
	if !e.done {
		return time.Since(e.ask.Began)
	}
	return cmp.Or(e.facts.Took, e.took)
}

// record masks the bodies once nobody has to wait for the exchange any more.
func (e *Exchange) record() Record {
	record, request, response := e.copied()
	now := e.r.secrets.now()
	record.Request.Body = request.retold(record.Request.coding, now)
	record.Response.Body = response.retold(record.Response.coding, now)
	return record
}

func (e *Exchange) copied() (_ Record, request, response raw) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f := e.facts
	return Record{
		Summary: e.summarize(), Arrived: e.ask.Arrived, Client: e.ask.Client, Upstream: f.Upstream, Tries: f.Tries,
		Token: Token{Credential: f.Credential, Decision: f.Decision, Age: seconds(f.TokenAge), Left: seconds(f.TokenLeft)},
		Timing: Timing{
			Guard: ms(f.Guard), Token: ms(f.Token), Connect: ms(f.Connect), TLS: ms(f.TLS),
			FirstByte: ms(cmp.Or(f.FirstByte, e.firstByte)), Total: ms(e.total()),
		},
		Request: e.request.message(), Interim: append([]Interim{}, e.interim...), Response: e.response.message(),
	}, e.request.body.raw(), e.response.body.raw()
}

// message shares the fields, which do not change once they are there.
func (s *side) message() Message {
	return Message{Header: orEmpty(s.header), Trailer: orEmpty(s.trailer), Cut: s.cut, coding: s.coding}
}

// raw is a copy of a body that nobody may see yet.
type raw struct {
	Body
	set   *patterns // what was secret when it was kept; nil = nothing was kept
	ended bool      // nothing follows, be it whole or not
}

func (b *body) raw() raw {
	return raw{Body{Size: b.size, Complete: b.ended && b.whole && !b.partial, Bytes: b.kept.bytes(), Marks: slices.Clone(b.marks)}, b.set, b.ended && !b.partial}
}

// retold takes out what was secret when the body was kept, and what is now. Nobody sees
// into a packed body: such a one is retold as it is, or not at all.
func (r raw) retold(coding string, now *patterns) Body {
	packed := r.Bytes
	for _, set := range slices.Compact([]*patterns{r.set, now}) {
		if len(packed) == 0 || set == nil {
			continue
		}
		r.Body = set.body(r.Body, r.ended)
		if coding != "" && (r.Masked || !set.harmless(coding, packed)) {
			return Body{Size: r.Size, Masked: true}
		}
	}
	r.Kept = int64(len(r.Bytes))
	return r.Body
}

func orEmpty(fields []Field) []Field {
	return append([]Field{}, fields...)
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func seconds(d time.Duration) *float64 {
	if d < 0 {
		return nil
	}
	s := d.Seconds()
	return &s
}
