package capture

import (
	"encoding/binary"
	"math"
	"time"

	"avsproxy/internal/exchange"
)

// code visits all fields, to write them or to read them.
func (s *state) code(c *codec) {
	c.time(&s.head.Began)
	c.time(&s.head.Arrived)
	for _, text := range []*string{
		&s.head.Route, &s.head.Method, &s.head.Scheme, &s.head.Host, &s.head.Target, &s.head.Proto, &s.event, (*string)(&s.facts.Decision), &s.facts.Credential, &s.facts.Ended, &s.facts.Error,
	} {
		c.text(text)
	}
	for _, d := range []*time.Duration{&s.facts.TokenAge, &s.facts.TokenLeft, &s.facts.Token, &s.facts.Connect, &s.facts.TLS, &s.facts.FirstByte, &s.facts.Took} {
		number(c, d)
	}
	number(c, &s.head.ReplayOf)
	number(c, &s.status)
	number(c, &s.facts.Tries)
	number(c, &s.facts.Sent)
	number(c, &s.facts.Written)
	c.flags(&s.done, &s.facts.Replayed, &s.methodMasked, &s.targetMasked, &s.targetCut)
	connInfo(c, &s.head.Client)
	connInfo(c, &s.facts.Upstream)
	s.request.code(c)
	s.response.code(c)
	list(c, &s.interim, func(i *Interim) {
		number(c, &i.Status)
		fields(c, &i.Header)
	})
}

func connInfo(c *codec, i *exchange.ConnInfo) {
	c.text(&i.Proto)
	c.text(&i.Address)
	number(c, &i.Conn)
	number(c, &i.Stream)
	c.flags(&i.TLS, &i.Reused)
}

func (s *side) code(c *codec) {
	fields(c, &s.header)
	fields(c, &s.trailer)
	c.text(&s.contentType)
	c.text(&s.coding)
	number(c, &s.body.size)
	list(c, &s.body.arrivals, func(a *Arrival) {
		number(c, &a.Offset)
		number(c, &a.At)
	})
	c.flags(&s.cut, &s.body.dropped, &s.body.partial, &s.body.ended, &s.body.whole)
}

// A codec writes values one after the other, or reads them in the same order.
type codec struct {
	out     []byte
	in      string
	reading bool
}

func number[T ~int | ~int64 | ~uint64 | ~uint32](c *codec, n *T) {
	if !c.reading {
		c.out = binary.AppendVarint(c.out, int64(*n))
		return
	}
	value, size := binary.Varint([]byte(c.in[:min(len(c.in), binary.MaxVarintLen64)]))
	*n, c.in = T(value), c.in[size:]
}

func (c *codec) text(text *string) {
	n := len(*text)
	number(c, &n)
	if !c.reading {
		c.out = append(c.out, *text...)
		return
	}
	*text, c.in = c.in[:n], c.in[n:]
}

func (c *codec) bytes(pieces ...[]byte) {
	n := 0
	for _, p := range pieces {
		n += len(p)
	}
	number(c, &n)
	for _, p := range pieces {
		c.out = append(c.out, p...)
	}
}

// rest reads what bytes wrote.
func (c *codec) rest() []byte {
	var text string
	c.text(&text)
	return []byte(text)
}

// time drops the monotonic clock reading. The zero time stays zero.
func (c *codec) time(at *time.Time) {
	nanoseconds := int64(math.MinInt64)
	if !at.IsZero() {
		nanoseconds = at.UnixNano()
	}
	if number(c, &nanoseconds); c.reading && nanoseconds != math.MinInt64 {
		*at = time.Unix(0, nanoseconds)
	}
}

func (c *codec) flags(flags ...*bool) {
	bits := 0
	for i, flag := range flags {
		if *flag {
			bits |= 1 << i
		}
	}
	number(c, &bits)
	for i, flag := range flags {
		*flag = bits>>i&1 == 1
	}
}

func list[T any](c *codec, all *[]T, code func(*T)) {
	n := len(*all)
	if number(c, &n); c.reading && n > 0 {
		*all = make([]T, n)
	}
	for i := range *all {
		code(&(*all)[i])
	}
}

func fields(c *codec, all *[]Field) {
	list(c, all, func(f *Field) {
		c.text(&f.Name)
		c.text(&f.Value)
		c.flags(&f.Masked, &f.Cut)
	})
}
