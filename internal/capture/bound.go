package capture

import (
	"strconv"
	"strings"
	"unsafe"

	"avsproxy/internal/exchange"
	"avsproxy/internal/redact"
)

// Limits of what is kept of a head. They are lower than those of servers, because many
// exchanges are kept.
const (
	maxFields    = 200
	maxHeadBytes = 32 << 10
	maxTarget    = 8 << 10
	maxWord      = 512
	maxInterim   = 8
)

// overhead is the memory of an exchange itself and of its map entry.
const overhead = int(unsafe.Sizeof(recording{})) + 128

// keepFields returns masked copies of the fields, up to the limits.
func keepFields(fields []Field, set *redact.Patterns) (kept []Field, cut bool) {
	if len(fields) == 0 {
		return nil, false
	}
	kept = make([]Field, 0, min(len(fields), maxFields))
	room := maxHeadBytes
	for _, f := range fields {
		if len(kept) == maxFields || room <= 0 {
			cut = true
			break
		}
		name := set.Text(f.Name)
		value, masked := set.Field(f.Name, f.Value)
		one := Field{Name: truncate(name, min(room, maxWord)), Value: truncate(value, room), Masked: f.Masked || masked || name != f.Name}
		one.Cut = f.Cut || len(one.Name) != len(name) || len(one.Value) != len(value)
		cut = cut || len(value) > room
		kept = append(kept, one)
		room -= len(one.Name) + len(one.Value)
	}
	compact(kept, maxHeadBytes-room)
	return kept, cut
}

// compact copies all texts into one. They may be substrings of a whole head, which they
// would keep in memory.
func compact(fields []Field, size int) {
	var all strings.Builder
	all.Grow(size)
	for _, f := range fields {
		all.WriteString(f.Name)
		all.WriteString(f.Value)
	}
	rest := all.String()
	for i, f := range fields {
		name, value := len(f.Name), len(f.Name)+len(f.Value)
		fields[i].Name, fields[i].Value = rest[:name], rest[name:value]
		rest = rest[value:]
	}
}

// clip returns a copy of at most about n bytes.
func clip(text string, n int) string { return strings.Clone(truncate(text, n)) }

func truncate(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return text[:n] + "…"
}

// lengthOf returns the Content-Length (RFC 9110 section 8.6), 0 if unknown.
func lengthOf(header []Field) int64 {
	n, err := strconv.ParseInt(FieldValue(header, "Content-Length"), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// costOf is the memory of fields that are kept.
func costOf(fields []Field) int {
	cost := cap(fields) * int(unsafe.Sizeof(Field{}))
	for _, f := range fields {
		cost += len(f.Name) + len(f.Value)
	}
	return cost
}

// setRequest copies the texts that came with the request. The others are shared by many
// exchanges.
func (s *state) setRequest(q Request, set *redact.Patterns) {
	q.bound(set)
	q.Header = nil
	s.head = q
}

// bound masks and clips the texts.
func (q *Request) bound(set *redact.Patterns) {
	method, target := set.Text(q.Method), set.Text(q.Target)
	q.methodMasked, q.targetMasked = q.methodMasked || method != q.Method, q.targetMasked || target != q.Target
	q.targetCut = q.targetCut || len(target) > maxTarget
	q.Method, q.Target = clip(method, maxWord), clip(target, maxTarget)
	q.Host, q.Proto = clip(set.Text(q.Host), maxWord), clip(q.Proto, maxWord)
}

func (q Request) cost() int {
	return len(q.Route) + len(q.Own) + len(q.Method) + len(q.Scheme) + len(q.Host) + len(q.Target) + len(q.Proto) + costOfConn(q.Client)
}

func costOfConn(c exchange.ConnInfo) int { return len(c.Proto) + len(c.Address) }

// boundFacts drops Fault, which may hold much.
func boundFacts(f exchange.Facts, set *redact.Patterns) exchange.Facts {
	f.Ended, f.Error, f.Fault = clip(set.Text(f.Ended), maxWord), clip(f.Error, maxWord), nil
	f.Upstream.Proto = clip(f.Upstream.Proto, maxWord)
	return f
}

func costOfFacts(f exchange.Facts) int {
	return costOfConn(f.Upstream) + len(f.Decision) + len(f.Credential) + len(f.Ended) + len(f.Error)
}
