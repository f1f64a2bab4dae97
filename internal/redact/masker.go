package capture

import (
	"bytes"
	"strings"
)

// mark stands for what was taken out.
const mark = "***"

// A mode is what the next bytes belong to.
type mode int

const (
	plain    mode = iota
	inToken       // behind the prefix of one
	inString      // of JSON
	inParam       // the value of one
)

// A masker takes the secrets out of a stream of bytes. What may be the beginning
// of one it holds until more is known.
type masker struct {
	mode    mode
	before  byte // what was read before held
	marked  bool // a mark was written for this mode
	escaped bool // inString: the next byte is
	lost    bool // bytes were passed over
	masked  bool // something was taken out
	held    []byte
}

// add appends to out what may be retold of p and of what was held. skipped bytes
// are never retold: after a gap, nobody can tell whether p begins within a secret,
// but no secret goes over the end of a line.
func (m *masker) add(out, p []byte, set *patterns) (_ []byte, skipped int) {
	if m.lost {
		skipped = bytes.IndexByte(p, '\n') + 1
		if skipped == 0 {
			return out, len(p)
		}
		*m = masker{masked: m.masked, before: '\n'}
	}
	return m.join(out, p[skipped:], set, false), skipped
}

// lose passes over n bytes, and returns how many are lost with those that were
// held.
func (m *masker) lose(n int) int {
	n += len(m.held)
	*m = masker{masked: m.masked, lost: true}
	return n
}

// end appends what was held at the end of a body. Of one that was cut (not whole) that
// may be the beginning of a secret, and is told only if it is too short to be one.
func (m *masker) end(out []byte, set *patterns, whole bool) []byte {
	if whole {
		out = m.join(out, nil, set, true)
	} else if len(m.held) < shortest {
		out = append(out, m.held...)
	}
	m.held = nil
	return out
}

// join scans what was held together with p.
func (m *masker) join(out, p []byte, set *patterns, final bool) []byte {
	if len(m.held) == 0 {
		out, rest := m.scan(out, p, set, final)
		m.held = append(m.held, rest...)
		return out
	}
	buffer := scratch.Get().(*[]byte)
	defer scratch.Put(buffer)
	*buffer = append(append((*buffer)[:0], m.held...), p...)
	out, rest := m.scan(out, *buffer, set, final)
	m.held = append(m.held[:0], rest...)
	return out
}

// body returns what may be told of a body, or of its beginning (not ended).
func (s *patterns) body(b Body, ended bool) Body {
	var m masker
	out, at := make([]byte, 0, len(b.Bytes)), int64(0)
	for i, mark := range b.Marks {
		out, _ = m.add(out, b.Bytes[at:mark.Offset], s)
		at, b.Marks[i].Offset = mark.Offset, int64(len(out))
	}
	out, _ = m.add(out, b.Bytes[at:], s)
	if ended {
		out = m.end(out, s, b.Complete)
	}
	b.Bytes, b.Masked = out, b.Masked || m.masked
	return b
}

// scan appends to out what may be retold of p, and returns the rest, which is
// undecided.
func (m *masker) scan(out, p []byte, set *patterns, final bool) (_, rest []byte) {
	for len(p) > 0 {
		if m.mode != plain {
			out, p = m.swallow(out, p)
			continue
		}
		out, p = m.tell(out, p, set.find(p))
		if len(p) == 0 {
			break
		}
		found, ok := set.match(p, m.before, final)
		switch {
		case !ok:
			out, p = m.tell(out, p, 1)
		case found.wait:
			return out, p
		default:
			out, p = m.tell(out, p, found.keep)
			out, p = m.take(out, p, found.eat)
			m.mode, m.marked, m.escaped = found.mode, false, false
		}
	}
	return out, nil
}

// tell retells the first n bytes of p.
func (m *masker) tell(out, p []byte, n int) (_, rest []byte) {
	if n > 0 {
		m.before = p[n-1]
	}
	return append(out, p[:n]...), p[n:]
}

// take takes the first n bytes of p out.
func (m *masker) take(out, p []byte, n int) (_, rest []byte) {
	if n == 0 {
		return out, p
	}
	m.before, m.masked = p[n-1], true
	return append(out, mark...), p[n:]
}

// swallow takes out what belongs to the mode, which one mark stands for however
// many pieces it comes in.
func (m *masker) swallow(out, p []byte) (_, rest []byte) {
	n := 0
	for n < len(p) && m.continues(p[n]) {
		n++
	}
	if n > 0 && !m.marked {
		m.marked, m.masked = true, true
		out = append(out, mark...)
	}
	if n < len(p) {
		m.mode = plain
	}
	return out, p[n:]
}

func (m *masker) continues(c byte) bool {
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
