package config

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// locator knows on which line each key of a file stands. Its keys are dotted
// as TOML writes them, with the index of array elements: route[1].hosts[0].
type locator map[string]int

// locate reads a file that is known to be valid TOML. The parser has the
// positions but does not hand them out. On other text it ends too, with
// positions that mean nothing.
func locate(text string) locator {
	s := &scanner{text: strings.TrimPrefix(text, "\ufeff"), line: 1, found: locator{}, lengths: map[string]int{}}
	var at string
	for s.blank(); s.pos < len(s.text); s.blank() {
		if s.next() == '[' {
			at = s.header()
		} else {
			s.pair(at)
		}
	}
	return s.found
}

// maxPath bounds the length of places. No setting is nested so deeply; what
// is counts as its outer part, or a small file could need a lot of memory.
const maxPath = 1000

func joined(at, key string) string {
	if len(at)+len(key) > maxPath {
		return at
	}
	key = toml.Key{key}.String()
	if at == "" {
		return key
	}
	return at + "." + key
}

func indexed(at string, i int) string {
	if len(at) > maxPath {
		return at
	}
	return fmt.Sprintf("%s[%d]", at, i)
}

type scanner struct {
	text    string
	pos     int
	line    int
	found   locator
	lengths map[string]int // of the [[arrays]] so far
}

// next is the byte at hand, 0 at the end.
func (s *scanner) next() byte {
	if s.pos >= len(s.text) {
		return 0
	}
	return s.text[s.pos]
}

func (s *scanner) advance(n int) {
	end := min(s.pos+n, len(s.text))
	s.line += strings.Count(s.text[s.pos:end], "\n")
	s.pos = end
}

// over moves past all the bytes at hand that are in set.
func (s *scanner) over(set string) {
	rest := s.text[s.pos:]
	s.advance(len(rest) - len(strings.TrimLeft(rest, set)))
}

// until moves to the first byte that is in set, or to the end.
func (s *scanner) until(set string) {
	if i := strings.IndexAny(s.text[s.pos:], set); i >= 0 {
		s.advance(i)
		return
	}
	s.advance(len(s.text))
}

// blank moves past space, newlines, commas and comments.
func (s *scanner) blank() {
	for s.over(" \t\r\n,"); s.next() == '#'; s.over(" \t\r\n,") {
		s.until("\n")
	}
}

// header reads [a.b] or [[a.b]] and gives the place that the pairs after it
// belong to.
func (s *scanner) header() string {
	line, array := s.line, strings.HasPrefix(s.text[s.pos:], "[[")
	s.over("[ \t")
	keys := s.keys()
	s.until("\n")
	at := ""
	for i, key := range keys {
		at = joined(at, key)
		last := i == len(keys)-1
		if last && array {
			s.note(at, line)
			s.lengths[at]++
		}
		if n := s.lengths[at]; n > 0 {
			at = indexed(at, n-1)
		}
		if last {
			s.found[at] = line
		}
		s.note(at, line)
	}
	return at
}

// note keeps the first line on which a place is seen.
func (s *scanner) note(at string, line int) {
	if _, seen := s.found[at]; !seen {
		s.found[at] = line
	}
}

// pair reads key = value.
func (s *scanner) pair(at string) {
	line := s.line
	for _, key := range s.keys() {
		at = joined(at, key)
		s.note(at, line)
	}
	s.over(" \t=")
	s.value(at)
}

// keys reads a.b."c d" up to what ends a key.
func (s *scanner) keys() []string {
	var keys []string
	for {
		s.over(" \t")
		keys = append(keys, s.key())
		s.over(" \t")
		if s.next() != '.' {
			return keys
		}
		s.advance(1)
	}
}

func (s *scanner) key() string {
	start := s.pos
	if c := s.next(); c != '"' && c != '\'' {
		s.until(" \t.=]\r\n\"'")
		return s.text[start:s.pos]
	}
	s.quoted()
	raw := s.text[start:s.pos]
	if plain, err := strconv.Unquote(raw); err == nil && raw[0] == '"' {
		return plain
	}
	return strings.Trim(raw, raw[:1])
}

func (s *scanner) value(at string) {
	switch s.next() {
	case '"', '\'':
		s.quoted()
	case '[':
		s.array(at)
	case '{':
		s.inline(at)
	default:
		start := s.pos
		s.until(",]}#\n")
		if s.pos == start {
			s.advance(1) // not TOML; go on
		}
	}
}

// quoted moves past any of the four kinds of strings.
func (s *scanner) quoted() {
	quote := s.text[s.pos : s.pos+1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(s.text[s.pos:], triple) {
		s.advance(3)
		s.past(triple)
		s.over(quote) // up to two quotes may stand before the three that end it
		return
	}
	s.advance(1)
	s.past(quote)
}

// past moves behind the end mark. Only strings in double quotes have escapes.
func (s *scanner) past(mark string) {
	for s.pos < len(s.text) && !strings.HasPrefix(s.text[s.pos:], mark) {
		if mark[0] == '"' && s.next() == '\\' {
			s.advance(1)
		}
		s.advance(1)
	}
	s.advance(len(mark))
}

func (s *scanner) array(at string) {
	s.advance(1)
	for i := 0; ; i++ {
		s.blank()
		if c := s.next(); c == ']' || c == 0 {
			break
		}
		s.note(indexed(at, i), s.line)
		s.value(indexed(at, i))
	}
	s.advance(1)
}

func (s *scanner) inline(at string) {
	s.advance(1)
	for s.blank(); s.next() != '}' && s.next() != 0; s.blank() {
		s.pair(at)
	}
	s.advance(1)
}
