package capture

import (
	"encoding/binary"
	"math"
	"time"

	"avsproxy/internal/exchange"
)

// code visits all fields, to write them or to read them.
func (s *state) code(c *codec) {
	codeRequest(c, &s.head)
	c.text(&s.event)
	number(c, &s.status)
	c.flags(&s.done)
	codeFacts(c, &s.facts)
	s.request.code(c)
	s.response.code(c)
	list(c, &s.interim, func(i *Interim) {
		number(c, &i.Status)
		fields(c, &i.Header)
	})
}

// codeRequest visits a head but for its fields.
func codeRequest(c *codec, q *Request) {
	codeOwn(c, q)
	codeShared(c, q)
}

// codeOwn visits what differs in heads of one connection that are the same else.
func codeOwn(c *codec, q *Request) {
	c.time(&q.Began)
	c.time(&q.Arrived)
	c.text(&q.Target)
	number(c, &q.Client.Stream)
	c.flags(&q.targetMasked, &q.targetCut, &q.NoBody)
}

// codeShared visits the rest.
func codeShared(c *codec, q *Request) {
	c.text(&q.Route)
	c.text(&q.Method)
	c.text(&q.Scheme)
	c.text(&q.Host)
	c.text(&q.Proto)
	number(c, &q.ReplayOf)
	c.text(&q.Own)
	c.text(&q.Client.Proto)
	c.text(&q.Client.Address)
	number(c, &q.Client.Conn)
	c.flags(&q.methodMasked, &q.Client.TLS, &q.Client.Reused)
}

// codeFacts visits what is kept of the facts.
func codeFacts(c *codec, f *exchange.Facts) {
	codeEnd(c, f)
	codeWay(c, f)
}

// codeEnd visits what is known at the end alone.
func codeEnd(c *codec, f *exchange.Facts) {
	c.text(&f.Ended)
	c.text(&f.Error)
	number(c, &f.Took)
	number(c, &f.Sent)
	number(c, &f.Written)
}

// codeWay visits what a [way] has.
func codeWay(c *codec, f *exchange.Facts) {
	c.text((*string)(&f.Decision))
	c.text(&f.Credential)
	number(c, &f.TokenAge)
	number(c, &f.TokenLeft)
	number(c, &f.Token)
	number(c, &f.Connect)
	number(c, &f.TLS)
	number(c, &f.FirstByte)
	number(c, &f.Tries)
	c.flags(&f.Replayed, &f.Lasts)
	connInfo(c, &f.Upstream)
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
	c.flags(&s.cut, &s.body.dropped, &s.body.partial, &s.body.ended, &s.body.whole, &s.body.messages)
}

// A codec writes values one after the other, or reads them in the same order.
type codec struct {
	out     []byte
	in      string
	reading bool
	wide    bool // numbers have all their bytes, which is faster, and takes more room
}

func number[T ~int | ~int64 | ~uint64 | ~uint32](c *codec, n *T) {
	if c.reading {
		*n = T(c.readNumber())
	} else {
		c.writeNumber(int64(*n))
	}
}

func (c *codec) writeNumber(n int64) {
	if c.wide {
		c.out = binary.LittleEndian.AppendUint64(c.out, uint64(n))
	} else {
		c.out = binary.AppendVarint(c.out, n)
	}
}

const wideNumber = 8 // bytes

// readNumber reads nothing behind what was cut off.
func (c *codec) readNumber() (n int64) {
	size := min(len(c.in), binary.MaxVarintLen64)
	if c.wide {
		var all [wideNumber]byte
		size = copy(all[:], c.in)
		n = int64(binary.LittleEndian.Uint64(all[:]))
	} else if value, used := binary.Varint([]byte(c.in[:size])); used > 0 {
		n, size = value, used
	} else {
		size = len(c.in)
	}
	c.in = c.in[size:]
	return n
}

func (c *codec) text(text *string) {
	if c.reading {
		n := int(max(0, min(c.readNumber(), int64(len(c.in))))) // what was written is whole; a reader must not end the program
		*text, c.in = c.in[:n], c.in[n:]
		return
	}
	c.writeNumber(int64(len(*text)))
	c.out = append(c.out, *text...)
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
	if c.reading {
		c.readFlags(flags)
		return
	}
	bits := byte(0)
	for i, flag := range flags {
		if *flag {
			bits |= 1 << i
		}
	}
	c.out = append(c.out, bits)
}

func (c *codec) readFlags(flags []*bool) {
	if len(c.in) == 0 {
		return
	}
	bits := c.in[0]
	c.in = c.in[1:]
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
