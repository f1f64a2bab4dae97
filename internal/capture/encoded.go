package capture

import (
	"bytes"
	"encoding/binary"
	"math"
	"sync"
	"time"
)

// A shelved story is one that has ended, in next to no pieces: all that is remembered
// is live, and the garbage collector would go through each text of it, again and
// again. That would cost a quarter of the throughput.
type shelved struct {
	text   []byte     // all but long bodies, as a codec writes it
	set    *patterns  // what was secret when the bodies were kept
	bodies *[2]stored // by side; nil = they are in text
	lost   bool       // they have made room
}

// shelve puts the story on the shelf. The caller holds mu.
func (e *Exchange) shelve() {
	buffer := scratch.Get().(*[]byte)
	defer scratch.Put(buffer)
	c := &codec{out: (*buffer)[:0]}
	e.story.code(c)
	cost := overhead
	e.shelved.set = later(e.request.body.set, e.response.body.set)
	for i := range 2 {
		b := &e.side(i).body
		if b.kept.size <= smallMost {
			c.bytes(b.kept.pieces...)
			b.kept.drop(&e.r.spare)
			continue
		}
		c.bytes()
		if e.shelved.bodies == nil {
			e.shelved.bodies = new([2]stored)
		}
		e.shelved.bodies[i] = b.kept
		cost += b.kept.cost()
	}
	e.shelved.text = e.r.shelf.place(c.out)
	e.story, *buffer = nil, c.out[:0]
	e.spend(cost + len(e.shelved.text) - int(e.cost.Load()))
}

// whole is the story, from the shelf where it is there: then it is a copy but for the
// bodies. The caller holds mu.
func (e *Exchange) whole() *story {
	if e.story != nil {
		return e.story
	}
	s, c := &story{}, &codec{in: string(e.shelved.text), reading: true}
	s.code(c)
	for i := range 2 {
		b := &s.side(i).body
		b.set = e.shelved.set
		if text := c.rest(); len(text) > 0 {
			b.kept = stored{[][]byte{text}, len(text)}
		} else if e.shelved.bodies != nil {
			b.kept = e.shelved.bodies[i]
		}
		if e.shelved.lost {
			b.kept, b.marks, b.partial = stored{}, nil, b.partial || b.size > 0
		}
	}
	return s
}

// dropBodies returns what memory that gave back: what is in text stays there, untold.
func (s *shelved) dropBodies(spare *slabs) (gain int) {
	s.lost = true
	if s.bodies != nil {
		gain = s.bodies[0].drop(spare) + s.bodies[1].drop(spare)
	}
	return gain
}

// boardSize is that of the boards of a shelf.
const boardSize = 64 << 10

// A shelf has many texts on each board. They are forgotten in the order in which they
// came, and with its last text a board is free.
type shelf struct {
	mu    sync.Mutex
	board []byte // the one with room
}

// place returns a copy.
func (s *shelf) place(text []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	from, to := len(s.board), len(s.board)+len(text)
	if to > cap(s.board) {
		if len(text) > boardSize/8 {
			return bytes.Clone(text)
		}
		s.board, from, to = make([]byte, 0, boardSize), 0, len(text)
	}
	s.board = append(s.board, text...)
	return s.board[from:to:to]
}

// code visits all fields, to write or to read them.
func (s *story) code(c *codec) {
	q, f := &s.ask, &s.facts
	c.time(&q.Began)
	c.time(&q.Arrived)
	for _, text := range []*string{
		&q.Route, &q.Method, &q.Scheme, &q.Host, &q.Target, &q.Proto, &s.proto, &s.event, &f.Decision, &f.Credential, &f.Ended, &f.Error,
	} {
		c.text(text)
	}
	for _, d := range []*time.Duration{&s.firstByte, &s.took, &f.TokenAge, &f.TokenLeft, &f.Guard, &f.Token, &f.Connect, &f.TLS, &f.FirstByte, &f.Took} {
		number(c, d)
	}
	number(c, &q.ReplayOf)
	number(c, &s.status)
	number(c, &f.Tries)
	number(c, &f.Sent)
	number(c, &f.Written)
	c.flags(&s.done, &f.Replayed)
	q.Client.code(c)
	f.Upstream.code(c)
	s.request.code(c)
	s.response.code(c)
	list(c, &s.interim, func(i *Interim) {
		number(c, &i.Status)
		fields(c, &i.Header)
	})
}

func (l *Leg) code(c *codec) {
	c.text(&l.Proto)
	c.text(&l.Address)
	number(c, &l.Conn)
	number(c, &l.Stream)
	c.flags(&l.TLS, &l.Reused)
}

func (s *side) code(c *codec) {
	fields(c, &s.header)
	fields(c, &s.trailer)
	c.text(&s.contentType)
	c.text(&s.coding)
	number(c, &s.body.size)
	list(c, &s.body.marks, func(m *Mark) {
		number(c, &m.Offset)
		number(c, &m.At)
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

// time keeps no monotonic clock; the zero time stays zero.
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
	})
}
