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
	summary := e.whole().summarize(e.id)
	e.r.watch.publish(Event{Kind: KindExchange, Summary: &summary})
}

func (e *Exchange) summary() Summary {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.whole().summarize(e.id)
}

func (s *story) summarize(id uint64) Summary {
	told := Summary{
		ID: id, Route: s.ask.Route, Method: s.ask.Method, Scheme: s.ask.Scheme, Host: s.ask.Host, Target: s.ask.Target,
		Status: s.status, State: "active", Began: s.ask.Began, TookMS: ms(s.total()), Proto: s.ask.Proto,
		UpstreamProto: cmp.Or(s.facts.Upstream.Proto, s.proto), Decision: s.facts.Decision,
		Error: s.facts.Error, Ended: s.facts.Ended,
		RequestBytes: s.request.body.size, ResponseBytes: s.response.body.size,
		ContentType: s.response.contentType, AVS: s.event, Replayed: s.facts.Replayed, ReplayOf: s.ask.ReplayOf,
	}
	if s.done {
		told.State = "done"
	}
	return told
}

func (s *story) total() time.Duration {
	if !s.done {
		return time.Since(s.ask.Began)
	}
	return cmp.Or(s.facts.Took, s.took)
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
	s := e.whole()
	f := s.facts
	return Record{
		Summary: s.summarize(e.id), Arrived: s.ask.Arrived, Client: s.ask.Client, Upstream: f.Upstream, Tries: f.Tries,
		Token: Token{Credential: f.Credential, Decision: f.Decision, Age: seconds(f.TokenAge), Left: seconds(f.TokenLeft)},
		Timing: Timing{
			Guard: ms(f.Guard), Token: ms(f.Token), Connect: ms(f.Connect), TLS: ms(f.TLS),
			FirstByte: ms(cmp.Or(f.FirstByte, s.firstByte)), Total: ms(s.total()),
		},
		Request: s.request.message(), Interim: append([]Interim{}, s.interim...), Response: s.response.message(),
	}, s.request.body.raw(), s.response.body.raw()
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
