// Package redact finds secrets in texts, header fields and bodies and replaces them. It
// knows which names of fields, parameters and JSON members hold secrets, and looks for
// the values that are secret now in all the encodings that tools use.
package redact

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Mask replaces a secret.
const Mask = "***"

// MinLength is the length of the shortest secret that is searched for. A shorter one
// would be found everywhere.
const MinLength = 4

// maxSpace bounds the white space around a colon that is skipped.
const maxSpace = 32

// tokenPrefixes begin Amazon's access and refresh tokens, behind "Atza" and "Atzr", in
// all encodings.
var tokenPrefixes = []string{"|", "%7C", "%7c", `\u007c`, `\u007C`}

type kind int

const (
	literal kind = iota // a secret
	prefix              // of an Amazon token
	member              // the name of a JSON member
	param               // the name of a parameter in a form or query, with "="
)

type pattern struct {
	kind kind
	text string
}

// Patterns finds the beginnings of secrets.
type Patterns struct {
	number int             // later sets have higher numbers and contain the earlier secrets
	filter [1 << 12]uint64 // one bit for each hash of a pattern's first four bytes
	by     [256][]pattern  // by first byte, longest first
}

// NewPatterns returns patterns for these secrets, and for tokens and the values of
// secret parameters and JSON members.
func NewPatterns(secrets []string) *Patterns {
	set := &Patterns{}
	for _, letter := range []string{"a", "r"} {
		for _, end := range tokenPrefixes {
			set.add(pattern{prefix, "Atz" + letter + end})
		}
	}
	for _, name := range secretMembers {
		set.add(pattern{member, `"` + name + `"`})
	}
	for _, name := range slices.Concat(secretMembers, secretParams) {
		set.add(pattern{param, name + "="})
	}
	for _, secret := range secrets {
		for _, text := range spellings(secret) {
			set.add(pattern{literal, text})
		}
	}
	for i := range set.by {
		slices.SortFunc(set.by[i], func(a, b pattern) int { return cmp.Compare(len(b.text), len(a.text)) })
	}
	return set
}

// Later returns the later of two sets. Either may be nil.
func Later(a, b *Patterns) *Patterns {
	if a == nil || b != nil && b.number > a.number {
		return b
	}
	return a
}

func (s *Patterns) add(p pattern) {
	bit := hash(binary.LittleEndian.Uint32([]byte(p.text)))
	s.filter[bit>>6] |= 1 << (bit & 63)
	s.by[p.text[0]] = append(s.by[p.text[0]], p)
}

// hash spreads four bytes over the bits of a filter.
func hash(four uint32) uint32 { return four * 0x9E3779B1 >> (32 - 18) }

// spellings returns a secret in the usual encodings of texts, URLs, forms and JSON.
func spellings(secret string) []string {
	if len(secret) < MinLength {
		return nil
	}
	quoted, _ := json.Marshal(secret)
	inJSON := string(quoted[1 : len(quoted)-1])
	all := []string{
		secret, inJSON, strings.ReplaceAll(secret, "/", `\/`),
		url.QueryEscape(secret), url.PathEscape(secret), lowerEscapes(url.QueryEscape(secret)),
	}
	slices.Sort(all)
	return slices.Compact(all)
}

var escape = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

func lowerEscapes(text string) string { return escape.ReplaceAllStringFunc(text, strings.ToLower) }

// find returns the offset in p where a pattern may begin, or len(p).
func (s *Patterns) find(p []byte) int {
	if i := findFour(s, p); i >= 0 {
		return i
	}
	for i := max(0, len(p)-3); i < len(p); i++ {
		if len(s.by[p[i]]) > 0 {
			return i
		}
	}
	return len(p)
}

// findFour returns the offset where the first four bytes of a pattern may be, or -1.
// They are almost nowhere, so this loop must be fast.
func findFour[T string | []byte](s *Patterns, text T) int {
	var four uint32
	for i := range len(text) {
		four = four>>8 | uint32(text[i])<<24
		bit := hash(four)
		if s.filter[bit>>6]&(1<<(bit&63)) != 0 && i >= 3 {
			return i - 3
		}
	}
	return -1
}

// A hit says how to treat the bytes where a pattern was found: show some, replace the
// next ones, and continue in mode.
type hit struct {
	show, replace int
	mode          mode
	wait          bool // more bytes are needed to decide
}

// match looks for a pattern at the beginning of p. before is the byte in front of p. At
// the end of a whole text (final) it never waits: the beginning of a secret alone is no
// secret.
func (s *Patterns) match(p []byte, before byte, final bool) (hit, bool) {
	for _, one := range s.by[p[0]] {
		if one.kind == param && isWordByte(before) {
			continue
		}
		n := min(len(p), len(one.text))
		if string(p[:n]) != one.text[:n] || n < len(one.text) && final {
			continue
		}
		if n < len(one.text) {
			return hit{wait: true}, true
		}
		if found, ok := one.hit(p, final); ok {
			return found, true
		}
	}
	return hit{}, false
}

func (p pattern) hit(b []byte, final bool) (hit, bool) {
	switch p.kind {
	case literal:
		return hit{replace: len(p.text)}, true
	case prefix:
		return hit{show: len(p.text), mode: inToken}, true
	case param:
		return hit{show: len(p.text), mode: inParam}, true
	}
	return p.memberHit(b, final)
}

// memberHit looks for the string value behind the name of a member.
func (p pattern) memberHit(b []byte, final bool) (hit, bool) {
	wait, limit := hit{wait: true}, len(p.text)+maxSpace
	i := skipSpace(b, len(p.text))
	if i < len(b) && b[i] == ':' {
		i = skipSpace(b, i+1)
	} else if i < len(b) {
		return hit{}, false
	}
	if i >= limit || i == len(b) {
		return wait, i < limit && !final
	}
	if b[i] != '"' {
		return hit{}, false
	}
	return hit{show: i + 1, mode: inString}, true
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\r' || b[i] == '\n') {
		i++
	}
	return i
}

func isWordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}
