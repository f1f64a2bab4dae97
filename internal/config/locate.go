package config

import (
	"bytes"

	"github.com/BurntSushi/toml"
	"github.com/pelletier/go-toml/v2/unstable"
)

// A place is where a key or a value is in the file, with the places inside it.
type place struct {
	line    int
	members map[string]*place // of a table
	items   []*place          // of an array
}

// member returns the place of a key in the table, in the last one of an array of
// tables. It is new if the key was not seen before.
func (p *place) member(key string, line int) *place {
	if n := len(p.items); n > 0 {
		p = p.items[n-1]
	}
	if p.members == nil {
		p.members = map[string]*place{}
	}
	if p.members[key] == nil {
		p.members[key] = &place{line: line}
	}
	return p.members[key]
}

// add adds an element to the array.
func (p *place) add(line int) *place {
	item := &place{line: line}
	p.items = append(p.items, item)
	return item
}

// locate finds the places of a file that is valid TOML. The parser that reads the
// values keeps its positions private, and has one for all tables of an array. Where
// the two parsers disagree about what is valid, the places end.
func locate(text []byte) *place {
	l := &locator{text: bytes.TrimPrefix(text, []byte("\ufeff")), line: 1}
	l.parser.Reset(l.text)
	root := &place{line: 1}
	for table := root; l.parser.NextExpression(); {
		switch e := l.parser.Expression(); e.Kind {
		case unstable.Table:
			table = l.keys(root, e)
			table.line = l.line
		case unstable.ArrayTable:
			table = l.keys(root, e).add(l.line)
		case unstable.KeyValue:
			l.value(l.keys(table, e), e.Value())
		}
	}
	return root
}

// A locator visits the nodes in the order of the text, so that it counts each line
// once.
type locator struct {
	parser unstable.Parser
	text   []byte
	offset int // of the node visited last
	line   int // of it
}

// visit returns the line of a node. Arrays do not have a position, so it takes that of
// the first element.
func (l *locator) visit(n *unstable.Node) int {
	for n.Kind == unstable.Array && n.Child().Valid() {
		n = n.Child()
	}
	if offset := int(n.Raw.Offset); offset > l.offset {
		l.line += bytes.Count(l.text[l.offset:offset], []byte("\n"))
		l.offset = offset
	}
	return l.line
}

// keys follows the keys of a header or a pair from a table on.
func (l *locator) keys(at *place, e *unstable.Node) *place {
	for keys := e.Key(); keys.Next(); {
		line := l.visit(keys.Node())
		at = at.member(string(keys.Node().Data), line)
	}
	return at
}

// value notes the places inside an array or an inline table.
func (l *locator) value(at *place, value *unstable.Node) {
	for inner := value.Children(); inner.Next(); {
		n := inner.Node()
		if n.Kind == unstable.KeyValue {
			l.value(l.keys(at, n), n.Value())
		} else {
			l.value(at.add(l.visit(n)), n)
		}
	}
}

// A position is a place with its name in messages: dotted, without indexes.
type position struct {
	*place
	name string
}

// key is the position of a key in the table at p. A key that is not in the file has
// the line of its table.
func (p position) key(key string) position {
	return p.moved(p.members[key], joined(p.name, key))
}

// item is the position of an element of the array at p.
func (p position) item(i int) position {
	if i >= len(p.items) {
		return p
	}
	return p.moved(p.items[i], p.name)
}

func (p position) moved(to *place, name string) position {
	if to == nil {
		to = &place{line: p.line}
	}
	return position{to, name}
}

// maxName bounds the length of a name. Settings are not nested so deeply; a deeper key
// counts as its outer part.
const maxName = 1000

func joined(name, key string) string {
	if len(name)+len(key) > maxName {
		return name
	}
	key = toml.Key{key}.String()
	if name == "" {
		return key
	}
	return name + "." + key
}
