package config

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// keyLines has the line of each key of a file. Keys are dotted as TOML writes
// them, with the index of array elements: route[1].hosts[0].
type keyLines map[string]int

// locate finds the lines of a file that is valid TOML. The parser keeps its
// positions private, and one for all tables of an array. On any other text
// locate ends too, with lines that mean nothing.
func locate(text string) keyLines {
	l := &locator{tokens: tokenize(strings.TrimPrefix(text, "\ufeff")), lines: keyLines{}, lengths: map[string]int{}}
	table := ""
	for l.skip("\n", ","); len(l.tokens) > 0; l.skip("\n", ",") {
		if l.peek().text == "[" {
			table = l.header()
		} else {
			l.pair(table)
		}
	}
	return l.lines
}

// maxPath bounds the length of a path. Settings are not nested so deeply; a
// deeper key counts as its outer part, or a small file could need much memory.
const maxPath = 1000

func joined(path, key string) string {
	if len(path)+len(key) > maxPath {
		return path
	}
	key = toml.Key{key}.String()
	if path == "" {
		return key
	}
	return path + "." + key
}

func indexed(path string, i int) string {
	if len(path) > maxPath {
		return path
	}
	return fmt.Sprintf("%s[%d]", path, i)
}

type token struct {
	text string
	line int
}

// tokenPattern matches a comment, a string of each of the four kinds, the end of a
// line, a bare word (part of a key, a number or a date) or one other character.
const tokenPattern = `(?s)#[^\n]*|"""(?:\\.|[^\\])*?"{3,5}|'''.*?'{3,5}|"(?:\\.|[^"\\\n])*"|'[^'\n]*'|\n|[^\s#"'\[\]{}=.,]+|\S`

func tokenize(text string) (tokens []token) {
	line := 1
	for _, found := range regexp.MustCompile(tokenPattern).FindAllString(text, -1) {
		if found[0] != '#' {
			tokens = append(tokens, token{found, line})
		}
		line += strings.Count(found, "\n")
	}
	return tokens
}

type locator struct {
	tokens  []token // not read yet
	lines   keyLines
	lengths map[string]int // of the [[arrays]] so far
}

// peek is the next token, the zero value at the end.
func (l *locator) peek() token {
	if len(l.tokens) == 0 {
		return token{}
	}
	return l.tokens[0]
}

func (l *locator) next() token {
	t := l.peek()
	l.tokens = l.tokens[min(1, len(l.tokens)):]
	return t
}

func (l *locator) skip(texts ...string) {
	for slices.Contains(texts, l.peek().text) {
		l.next()
	}
}

func (l *locator) skipTo(texts ...string) {
	for len(l.tokens) > 0 && !slices.Contains(texts, l.peek().text) {
		l.next()
	}
}

// record notes the first line of a key.
func (l *locator) record(path string, line int) {
	if _, seen := l.lines[path]; !seen {
		l.lines[path] = line
	}
}

// header reads [a.b] or [[a.b]] and returns the path of the keys that follow it.
func (l *locator) header() (path string) {
	line := l.next().line
	array := l.peek().text == "["
	l.skip("[")
	keys := l.keys()
	l.skipTo("\n")
	for i, key := range keys {
		path = joined(path, key)
		last := i == len(keys)-1
		if last && array {
			l.record(path, line)
			l.lengths[path]++
		}
		if n := l.lengths[path]; n > 0 {
			path = indexed(path, n-1)
		}
		if last {
			l.lines[path] = line
		}
		l.record(path, line)
	}
	return path
}

// pair reads key = value.
func (l *locator) pair(path string) {
	line := l.peek().line
	for _, key := range l.keys() {
		path = joined(path, key)
		l.record(path, line)
	}
	l.skip("=")
	l.value(path)
}

// keys reads a.b."c d".
func (l *locator) keys() (keys []string) {
	for {
		keys = append(keys, unquoted(l.next().text))
		if l.peek().text != "." {
			return keys
		}
		l.next()
	}
}

func unquoted(key string) string {
	if literal, ok := strings.CutPrefix(key, "'"); ok {
		return strings.TrimSuffix(literal, "'")
	}
	if plain, err := strconv.Unquote(key); err == nil {
		return plain
	}
	return strings.Trim(key, `"`) // a bare key, or one with an escape that Go does not have
}

func (l *locator) value(path string) {
	switch l.next().text {
	case "[":
		l.array(path)
	case "{":
		l.inlineTable(path)
	default:
		l.skipTo("\n", ",", "]", "}") // the rest of a number or a date
	}
}

func (l *locator) array(path string) {
	for i := 0; ; i++ {
		l.skip("\n", ",")
		if t := l.peek(); t.text == "]" || t.text == "" {
			break
		}
		item := indexed(path, i)
		l.record(item, l.peek().line)
		l.value(item)
	}
	l.next()
}

func (l *locator) inlineTable(path string) {
	for l.skip("\n", ","); l.peek().text != "}" && l.peek().text != ""; l.skip("\n", ",") {
		l.pair(path)
	}
	l.next()
}
