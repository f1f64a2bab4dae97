package capture

import (
	"strconv"
	"strings"
	"unsafe"
)

// What is kept of a head at most. Servers have larger limits, and we have more
// exchanges.
const (
	maxFields    = 200
	maxHeadBytes = 32 << 10
	maxTarget    = 8 << 10
	maxWord      = 512
	maxInterim   = 8
)

// overhead is the bookkeeping of an exchange: itself and its place in the map.
const overhead = int(unsafe.Sizeof(Exchange{})) + 128

// keepFields returns masked copies of as many fields as are kept, and what memory
// they take.
func keepFields(fields []Field, set *patterns) (kept []Field, cost int, cut bool) {
	if len(fields) == 0 {
		return nil, 0, false
	}
	kept = make([]Field, 0, min(len(fields), maxFields))
	room := maxHeadBytes
	for _, f := range fields {
		if len(kept) == maxFields || room <= 0 {
			cut = true
			break
		}
		one := Field{Name: cutAt(set.text(f.Name), min(room, maxWord)), Value: set.field(f.Name, f.Value)}
		cut = cut || len(one.Value) > room
		one.Value = cutAt(one.Value, room)
		kept = append(kept, one)
		room -= len(one.Name) + len(one.Value)
	}
	gather(kept, maxHeadBytes-room)
	return kept, maxHeadBytes - room + cap(kept)*int(unsafe.Sizeof(Field{})), cut
}

// gather copies all texts into one: they may be pieces of a whole head, which
// would be kept for them.
func gather(fields []Field, size int) {
	var all strings.Builder
	all.Grow(size)
	for _, f := range fields {
		all.WriteString(f.Name)
		all.WriteString(f.Value)
	}
	rest := all.String()
	for i, f := range fields {
		name, value := len(f.Name), len(f.Name)+len(f.Value)
		fields[i] = Field{Name: rest[:name], Value: rest[name:value]}
		rest = rest[value:]
	}
}

// clip returns a copy of at most about n bytes.
func clip(text string, n int) string { return strings.Clone(cutAt(text, n)) }

func cutAt(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return text[:n] + "…"
}

func value(fields []Field, name string) string {
	for _, f := range fields {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// lengthOf is the declared length of a body (RFC 9110 section 8.6), 0 where it is not
// known.
func lengthOf(header []Field) int64 {
	n, err := strconv.ParseInt(value(header, "Content-Length"), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// bounded copies what came with the request alone; the rest are texts of the program's
// own, which many exchanges share.
func (q Request) bounded(set *patterns) Request {
	q.Method, q.Host = clip(set.text(q.Method), maxWord), clip(set.text(q.Host), maxWord)
	q.Target, q.Proto = clip(set.text(q.Target), maxTarget), clip(q.Proto, maxWord)
	return q
}

func (q Request) cost() int {
	return len(q.Route) + len(q.Method) + len(q.Scheme) + len(q.Host) + len(q.Target) + len(q.Proto) + q.Client.cost()
}

func (l Leg) cost() int { return len(l.Proto) + len(l.Address) }

func (f Facts) bounded(set *patterns) Facts {
	f.Ended, f.Error = clip(set.text(f.Ended), maxWord), clip(f.Error, maxWord)
	return f
}

func (f Facts) cost() int {
	return f.Upstream.cost() + len(f.Decision) + len(f.Credential) + len(f.Ended) + len(f.Error)
}
