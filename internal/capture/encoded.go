package capture

import (
	"bytes"

	"avsproxy/internal/redact"
)

// encoded is the state of an ended exchange in one slice of bytes. All recorded
// exchanges are live memory, and the garbage collector would visit each text of a state
// again and again: that would cost a quarter of the throughput.
type encoded struct {
	data    []byte           // all but large bodies, written by a codec
	set     *redact.Patterns // what was secret when the bodies were kept
	bodies  *[2]stored       // large bodies, by side; nil if both are in data
	dropped bool             // the bodies were dropped
}

// encode replaces the state by its encoded form. The caller holds mu.
func (e *recording) encode() {
	buffer := scratch.Get().(*[]byte)
	defer scratch.Put(buffer)
	c := &codec{out: (*buffer)[:0]}
	e.state.code(c)
	cost := overhead
	e.encoded.set = redact.Later(e.request.body.set, e.response.body.set)
	for i, side := range e.sides() {
		b := &side.body
		if b.kept.size <= maxSmall {
			c.bytes(b.kept.pieces...)
			b.kept.drop()
			continue
		}
		c.bytes()
		if e.encoded.bodies == nil {
			e.encoded.bodies = new([2]stored)
		}
		e.encoded.bodies[i] = b.kept
		cost += b.kept.cost()
	}
	e.encoded.data = bytes.Clone(c.out)
	e.state, *buffer = nil, c.out[:0]
	e.spend(cost + len(e.encoded.data) - int(e.cost.Load()))
}

// decoded returns the state, after End a copy that shares only large bodies. The caller
// holds mu.
func (e *recording) decoded() *state {
	if e.state != nil {
		return e.state
	}
	s, c := &state{}, &codec{in: string(e.encoded.data), reading: true}
	s.code(c)
	for i, side := range s.sides() {
		b := &side.body
		b.set = e.encoded.set
		if text := c.rest(); len(text) > 0 {
			b.kept = stored{[][]byte{text}, len(text)}
		} else if e.encoded.bodies != nil {
			b.kept = e.encoded.bodies[i]
		}
		if e.encoded.dropped {
			b.kept, b.arrivals, b.partial = stored{}, nil, b.partial || b.size > 0
		}
	}
	return s
}

// dropBodies returns the memory freed. Bodies in data stay there but are not shown.
func (s *encoded) dropBodies() (gain int) {
	s.dropped = true
	if s.bodies != nil {
		gain = s.bodies[0].drop() + s.bodies[1].drop()
	}
	return gain
}
