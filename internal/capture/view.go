package capture

import (
	"slices"
	"time"

	"avsproxy/internal/redact"
)

func (e *recording) publish() {
	if !e.r.watch.any() {
		return
	}
	summary := e.decoded().summary(e.id)
	e.r.watch.publish(Event{Kind: KindExchange, Summary: &summary})
}

func (e *recording) summary() Summary {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.decoded().summary(e.id)
}

func (s *state) summary(id uint64) Summary {
	summary := Summary{
		ID: id, Route: s.head.Route, Method: s.head.Method, Scheme: s.head.Scheme, Host: s.head.Host, Target: s.head.Target,
		Status: s.status, State: StateActive, Began: s.head.Began, TookMS: ms(s.total()), Proto: s.head.Proto,
		UpstreamProto: s.facts.Upstream.Proto, Decision: s.facts.Decision, Error: s.facts.Error, Ended: s.facts.Ended,
		RequestBytes: s.request.body.size, ResponseBytes: s.response.body.size,
		ContentType: s.response.contentType, AVS: s.event, Lasts: s.facts.Lasts, Replayed: s.facts.Replayed, ReplayOf: s.head.ReplayOf,
		ClientConn: s.head.Client.Conn, UpstreamConn: s.facts.Upstream.Conn, Credential: s.facts.Credential, Own: s.head.Own,
	}
	if s.done {
		summary.State = StateDone
	}
	return summary
}

func (s *state) total() time.Duration {
	if !s.done {
		return time.Since(s.head.Began)
	}
	return s.facts.Took
}

// guard is how long admission took, the wait for a place included.
func (q *Request) guard() time.Duration {
	if q.Arrived.IsZero() {
		return 0
	}
	return q.Began.Sub(q.Arrived)
}

// record masks the bodies after the exchange is unlocked.
func (e *recording) record() Record {
	record, request, response := e.copy()
	now := e.r.secrets.Now()
	record.Request.Body = request.masked(record.Request.coding, now)
	record.Response.Body = response.masked(record.Response.coding, now)
	return record
}

func (e *recording) copy() (_ Record, request, response rawBody) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.decoded()
	return Record{
		Summary: s.summary(e.id), Arrived: s.head.Arrived, Client: s.head.Client, Upstream: s.facts.Upstream, Tries: s.facts.Tries,
		MethodMasked: s.head.methodMasked, TargetMasked: s.head.targetMasked, TargetCut: s.head.targetCut,
		Token: Token{Credential: s.facts.Credential, Decision: s.facts.Decision, Age: seconds(s.facts.TokenAge), Left: seconds(s.facts.TokenLeft)},
		Timing: Timing{
			Guard: ms(s.head.guard()), Token: ms(s.facts.Token), Connect: ms(s.facts.Connect), TLS: ms(s.facts.TLS),
			FirstByte: ms(s.facts.FirstByte), Total: ms(s.total()),
		},
		Request: s.request.message(), Interim: append([]Interim{}, s.interim...), Response: s.response.message(),
	}, s.request.body.raw(), s.response.body.raw()
}

// message shares the fields, which never change.
func (s *side) message() Message {
	return Message{Header: orEmpty(s.header), Trailer: orEmpty(s.trailer), Cut: s.cut, coding: s.coding}
}

// A rawBody is a copy of a body that is not masked yet.
type rawBody struct {
	Body
	set   *redact.Patterns // what was secret when the body was kept; nil if nothing was
	ended bool             // nothing follows

	messages bool // see body
}

func (b *body) raw() rawBody {
	return rawBody{Body{Size: b.size, Complete: b.ended && b.whole && !b.partial, Bytes: b.kept.bytes(), Arrivals: slices.Clone(b.arrivals)}, b.set, b.ended && !b.partial, b.messages}
}

// masked replaces what was secret when the body was kept, and what is secret now. A
// coded body is shown unchanged or not at all.
func (r rawBody) masked(coding string, now *redact.Patterns) Body {
	coded := r.Bytes
	for _, set := range slices.Compact([]*redact.Patterns{r.set, now}) {
		if len(coded) == 0 || set == nil {
			continue
		}
		if r.messages {
			out, masked := maskMessages(r.Bytes, set)
			r.Bytes, r.Masked = out, r.Masked || masked
			continue
		}
		r.Body = maskBody(r.Body, set, r.ended)
		if coding != "" && (r.Masked || !set.IsHarmless(coding, coded)) {
			return Body{Size: r.Size, Masked: true}
		}
	}
	r.Kept = int64(len(r.Bytes))
	return r.Body
}

// maskBody masks a body, or its beginning if it has not ended.
func maskBody(b Body, set *redact.Patterns, ended bool) Body {
	var m redact.Masker
	out, at := make([]byte, 0, len(b.Bytes)), int64(0)
	for i, arrival := range b.Arrivals {
		out, _ = m.Add(out, b.Bytes[at:arrival.Offset], set)
		at, b.Arrivals[i].Offset = arrival.Offset, int64(len(out))
	}
	out, _ = m.Add(out, b.Bytes[at:], set)
	if ended {
		out = m.End(out, set, b.Complete)
	}
	b.Bytes, b.Masked = out, b.Masked || m.Masked()
	return b
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
