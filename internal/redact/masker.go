package redact

import (
	"bytes"
	"strings"
	"sync"
)

// A mode says what the next bytes belong to.
type mode int

const (
	plain    mode = iota
	inToken       // behind the prefix of a token
	inString      // in a JSON string
	inParam       // in the value of a parameter
)

// A Masker replaces the secrets in a stream of bytes. It holds back bytes that may be
// the beginning of a secret until more bytes decide. The zero value is ready.
type Masker struct {
	mode     mode
	before   byte // the byte before pending
	replaced bool // the mask for this mode was written
	escaped  bool // inString: the next byte is escaped
	skipping bool // bytes are missing
	masked   bool // something was replaced
	pending  []byte
}

// Masked reports whether something was replaced.
func (m *Masker) Masked() bool { return m.masked }

// Add appends to out what is safe to show of the pending bytes and of p. skipped counts
// the bytes at the beginning of p that are never shown: after a gap, p may begin within
// a secret. No secret contains a line end, so output continues after the next one.
func (m *Masker) Add(out, p []byte, set *Patterns) (_ []byte, skipped int) {
	if m.skipping {
		skipped = bytes.IndexByte(p, '\n') + 1
		if skipped == 0 {
			return out, len(p)
		}
		*m = Masker{masked: m.masked, before: '\n'}
	}
	return m.join(out, p[skipped:], set, false), skipped
}

// Skip says that n bytes of the stream are missing. It returns the number of bytes that
// are never shown: those and the pending ones.
func (m *Masker) Skip(n int64) int64 {
	n += int64(len(m.pending))
	*m = Masker{masked: m.masked, skipping: true}
	return n
}

// End appends the pending bytes at the end of a body. If the body was cut off (whole is
// false), they may be the beginning of a secret, and are shown only if they are too
// short for that.
func (m *Masker) End(out []byte, set *Patterns, whole bool) []byte {
	if whole {
		out = m.join(out, nil, set, true)
	} else if len(m.pending) < MinLength {
		out = append(out, m.pending...)
	}
	m.pending = nil
	return out
}

var buffers = sync.Pool{New: func() any { return new([]byte) }}

// join scans the pending bytes together with p.
func (m *Masker) join(out, p []byte, set *Patterns, final bool) []byte {
	if len(m.pending) == 0 {
		out, rest := m.scan(out, p, set, final)
		m.pending = append(m.pending, rest...)
		return out
	}
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	*buffer = append(append((*buffer)[:0], m.pending...), p...)
	out, rest := m.scan(out, *buffer, set, final)
	m.pending = append(m.pending[:0], rest...)
	return out
}

// scan appends to out what is safe to show of p. It returns the rest, which is
// undecided.
func (m *Masker) scan(out, p []byte, set *Patterns, final bool) (_, rest []byte) {
	for len(p) > 0 {
		if m.mode != plain {
			out, p = m.replaceValue(out, p)
			continue
		}
		out, p = m.show(out, p, set.find(p))
		if len(p) == 0 {
			break
		}
		found, ok := set.match(p, m.before, final)
		switch {
		case !ok:
			out, p = m.show(out, p, 1)
		case found.wait:
			return out, p
		default:
			out, p = m.show(out, p, found.show)
			out, p = m.replace(out, p, found.replace)
			m.mode, m.replaced, m.escaped = found.mode, false, false
		}
	}
	return out, nil
}

// show copies the first n bytes of p.
func (m *Masker) show(out, p []byte, n int) (_, rest []byte) {
	if n > 0 {
		m.before = p[n-1]
	}
	return append(out, p[:n]...), p[n:]
}

// replace replaces the first n bytes of p.
func (m *Masker) replace(out, p []byte, n int) (_, rest []byte) {
	if n == 0 {
		return out, p
	}
	m.before, m.masked = p[n-1], true
	return append(out, Mask...), p[n:]
}

// replaceValue replaces the bytes that belong to the mode by one mask, in however many
// pieces they are added.
func (m *Masker) replaceValue(out, p []byte) (_, rest []byte) {
	n := 0
	for n < len(p) && m.continues(p[n]) {
		n++
	}
	if n > 0 && !m.replaced {
		m.replaced, m.masked = true, true
		out = append(out, Mask...)
	}
	if n < len(p) {
		m.mode = plain
	}
	return out, p[n:]
}

func (m *Masker) continues(c byte) bool {
	switch m.mode {
	case inToken:
		return isWordByte(c) || strings.IndexByte(`|.+/=~%\`, c) >= 0
	case inParam:
		return c > ' ' && strings.IndexByte("&\"'<>#", c) < 0
	}
	if m.escaped {
		m.escaped = false
		return c != '\n'
	}
	m.escaped = c == '\\'
	return c != '"' && c != '\n'
}
