package capture

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// shortest is the length of the shortest secret that is looked for. What is
// shorter would be found everywhere.
const shortest = 4

// maxSpace bounds how far a pattern looks ahead over the space around a colon.
const maxSpace = 32

// names are those of parameters and members that hold credentials (RFC 6749, RFC 7521,
// RFC 7636 and RFC 8628). In URLs and forms paramNames do, too; in JSON they are many
// other things: AVS calls places in an audio stream "token", and errors have a "code".
var (
	names = []string{
		"access_token", "refresh_token", "id_token", "client_secret", "client_assertion", "assertion",
		"device_code", "code_verifier", "password", "accessToken", "refreshToken", "idToken", "clientSecret",
	}
	paramNames = []string{"code", "token"}
)

// tokenPrefixes begin Amazon's access and refresh tokens, however they are escaped.
var tokenPrefixes = []string{"|", "%7C", "%7c", `\u007c`, `\u007C`}

type kind int

const (
	literal kind = iota // a secret
	prefix              // of Amazon's tokens
	member              // a JSON member's name
	param               // a form's or query's parameter, with its "="
)

type pattern struct {
	kind kind
	text string
}

// patterns finds where something that has to be masked begins.
type patterns struct {
	number int             // those that are made later have a higher one, and know the secrets of before
	filter [1 << 12]uint64 // a bit for each hash of a pattern's first four bytes
	by     [256][]pattern  // by first byte, longest first
}

func newPatterns(secrets []string) *patterns {
	set := &patterns{}
	for _, letter := range []string{"a", "r"} {
		for _, end := range tokenPrefixes {
			set.add(pattern{prefix, "Atz" + letter + end})
		}
	}
	for _, name := range names {
		set.add(pattern{member, `"` + name + `"`})
	}
	for _, name := range slices.Concat(names, paramNames) {
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

// later is the later one of two, either of which may be nil.
func later(a, b *patterns) *patterns {
	if a == nil || b != nil && b.number > a.number {
		return b
	}
	return a
}

func (s *patterns) add(p pattern) {
	bit := hash(binary.LittleEndian.Uint32([]byte(p.text)))
	s.filter[bit>>6] |= 1 << (bit & 63)
	s.by[p.text[0]] = append(s.by[p.text[0]], p)
}

// hash spreads four bytes over the bits of a filter.
func hash(four uint32) uint32 { return four * 0x9E3779B1 >> (32 - 18) }

// spellings returns a secret as it may stand in texts, URLs, forms and JSON.
func spellings(secret string) []string {
	if len(secret) < shortest {
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

// find returns where in p a pattern may begin, or len(p). Next to all bytes are
// none, and have to be passed over quickly.
func (s *patterns) find(p []byte) int {
	var four uint32
	for i, c := range p {
		four = four>>8 | uint32(c)<<24
		bit := hash(four)
		if s.filter[bit>>6]&(1<<(bit&63)) != 0 && i >= 3 {
			return i - 3
		}
	}
	for i := max(0, len(p)-3); i < len(p); i++ {
		if len(s.by[p[i]]) > 0 {
			return i
		}
	}
	return len(p)
}

// isClean reports whether nothing in a whole text begins with the first four bytes of
// a pattern, as in next to all texts.
func (s *patterns) isClean(text string) bool {
	var four uint32
	for i := range len(text) {
		four = four>>8 | uint32(text[i])<<24
		bit := hash(four)
		if s.filter[bit>>6]&(1<<(bit&63)) != 0 && i >= 3 {
			return false
		}
	}
	return true
}

// A hit says what stands at the beginning of some bytes: keep of them are retold,
// the next eat are replaced by a mark, and what follows belongs to mode.
type hit struct {
	keep, eat int
	mode      mode
	wait      bool // more bytes are needed to tell
}

// match looks at the beginning of p, which before stands in front of. At the end of a
// whole text (final) there is nothing to wait for: what could be the beginning of a
// secret is none.
func (s *patterns) match(p []byte, before byte, final bool) (hit, bool) {
	for _, one := range s.by[p[0]] {
		if one.kind == param && isWordByte(before) {
			continue
		}
		if len(p) < len(one.text) {
			if !strings.HasPrefix(one.text, string(p)) {
				continue
			}
			if !final {
				return hit{wait: true}, true
			}
			continue
		}
		if string(p[:len(one.text)]) != one.text {
			continue
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
		return hit{eat: len(p.text)}, true
	case prefix:
		return hit{keep: len(p.text), mode: inToken}, true
	case param:
		return hit{keep: len(p.text), mode: inParam}, true
	}
	return p.memberHit(b, final)
}

// memberHit looks for the string behind a member's name.
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
	return hit{keep: i + 1, mode: inString}, true
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
