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

func (e *Exchange) record() Record {
	e.mu.Lock()
	defer e.mu.Unlock()
	f := e.facts
	return Record{
		Summary: e.summarize(), Arrived: e.ask.Arrived, Client: e.ask.Client, Upstream: f.Upstream, Tries: f.Tries,
		Token: Token{Credential: f.Credential, Decision: f.Decision, Age: seconds(f.TokenAge), Left: seconds(f.TokenLeft)},
		Timing: Timing{
			Guard: ms(f.Guard), Token: ms(f.Token), Connect: ms(f.Connect),
			FirstByte: ms(cmp.Or(f.FirstByte, e.firstByte)), Total: ms(e.total()),
		},
		Request: e.request.message(), Interim: append([]Interim{}, e.interim...), Response: e.response.message(),
	}
}

// message shares the fields, which do not change once they are there, and copies
// the body, which grows.
func (s *side) message() Message {
	b := &s.body
	return Message{
		Header: orEmpty(s.header), Trailer: orEmpty(s.trailer), Cut: s.cut, coding: s.coding,
		Body: Body{
			Size: b.size, Kept: int64(len(b.kept)), Complete: b.ended && b.whole && !b.partial,
			Masked: b.mask.masked, Bytes: slices.Clone(b.kept),
		},
	}
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
