package h2

import (
	"golang.org/x/net/http2/hpack"
)

// An encoder writes blocks of fields (RFC 7541 section 6). x/net's own hashes name and value of
// each field for its index, which for a token of 1,000 bytes takes longer than all else; here
// fields are compared, and the same text is one look. Fields that change with each request are
// not indexed, so that the table keeps the others.
type encoder struct {
	table   []Field // the dynamic one; the newest entry is the last
	size    int     // of it, as section 4.1 counts
	most    int     // that we may use
	changed bool    // most has, since the last block
	added   int     // how many entries ever came into the table
	guesses [16]int // numbers of the entries that stood for the fields of the last block; see find
}

func newEncoder() *encoder { return &encoder{most: maxTable} }

// setMax takes the other side's bound of the table (section 4.2). Of several bounds before a
// block the smallest holds, so that one update tells all: x/net's decoder takes no second one.
func (e *encoder) setMax(most int) {
	most = min(most, maxTable)
	if most == e.most || e.changed && most > e.most {
		return
	}
	e.most, e.changed = most, true
	e.evict(0)
}

// evict makes room for n more bytes.
func (e *encoder) evict(n int) {
	gone := 0
	for e.size+n > e.most && gone < len(e.table) {
		e.size -= e.table[gone].size()
		gone++
	}
	if gone > 0 {
		kept := copy(e.table, e.table[gone:])
		clear(e.table[kept:])
		e.table = e.table[:kept]
	}
}

// begin appends what changed about the table (section 6.3).
func (e *encoder) begin(out []byte) []byte {
	if !e.changed {
		return out
	}
	e.changed = false
	return appendInteger(out, 0x20, 5, uint64(e.most))
}

// block appends a whole block.
func (e *encoder) block(out []byte, fields []Field) []byte {
	out = e.begin(out)
	for i := range fields {
		out = e.append(out, &fields[i], &e.guesses[i%len(e.guesses)])
	}
	return out
}

// append appends a field. What stood for the one in its place in the block before is tried
// first.
func (e *encoder) append(out []byte, f *Field, guess *int) []byte {
	if known, index := e.entry(*guess); index > 0 && known.Name == f.Name && !f.Sensitive {
		switch {
		case known.Value == f.Value:
			return appendInteger(out, 0x80, 7, uint64(index))
		case isFleeting(f.Name):
			return appendLiteral(out, 0, 4, index, f)
		}
	}
	name, same := e.find(f) // numbers
	if *guess = name; same {
		_, index := e.entry(name)
		return appendInteger(out, 0x80, 7, uint64(index))
	}
	_, index := e.entry(name)
	switch {
	case f.Sensitive: // section 7.1.3
		return appendLiteral(out, 0x10, 4, index, f)
	case isFleeting(f.Name) || f.size() > e.most:
		return appendLiteral(out, 0, 4, index, f)
	}
	out = appendLiteral(out, 0x40, 6, index, f)
	e.evict(f.size())
	e.table = append(e.table, Field{Name: f.Name, Value: f.Value})
	e.size += f.size()
	e.added++
	*guess = e.added
	return out
}

// find returns the number of an entry with the field's name, and whether its value is the
// same; 0 = there is none. Numbers of the static table are negative; others count the entries
// of the dynamic one since its begin.
func (e *encoder) find(f *Field) (number int, same bool) {
	for i := len(e.table) - 1; i >= 0 && !f.Sensitive; i-- {
		if known := &e.table[i]; known.Name == f.Name {
			number = e.added - (len(e.table) - 1 - i)
			if known.Value == f.Value {
				return number, true
			}
		}
	}
	first := staticNames[f.Name]
	if first == 0 {
		return number, false
	}
	for i := first; !f.Sensitive && i <= len(staticFields) && staticFields[i-1].Name == f.Name; i++ {
		if staticFields[i-1].Value == f.Value {
			return -i, true
		}
	}
	return -first, false
}

// entry returns the entry of that number, and its index now (section 2.3.3); 0 = it has gone.
func (e *encoder) entry(number int) (known *Field, index int) {
	if number < 0 {
		return &staticFields[-number-1], -number
	}
	back := e.added - number // entries that came behind it
	if number == 0 || back >= len(e.table) {
		return nil, 0
	}
	return &e.table[len(e.table)-1-back], len(staticFields) + 1 + back
}

// appendLiteral is sections 6.2.1 to 6.2.3; first holds the bits before the index of the name,
// which is 0 for one that is in no table.
func appendLiteral(out []byte, first byte, bits, name int, f *Field) []byte {
	if out = appendInteger(out, first, bits, uint64(name)); name == 0 {
		out = appendText(out, f.Name)
	}
	return appendText(out, f.Value)
}

// isFleeting reports whether the values of a field differ from message to message.
func isFleeting(name string) bool {
	switch name {
	case ":path", "content-length", "date", "etag", "last-modified", "expires", "age", "location", "if-none-match", "if-modified-since", "set-cookie":
		return true
	}
	return false
}

// appendInteger is section 5.1; first holds the bits before it.
func appendInteger(out []byte, first byte, bits int, n uint64) []byte {
	limit := uint64(1)<<bits - 1
	if n < limit {
		return append(out, first|byte(n))
	}
	out = append(out, first|byte(limit))
	for n -= limit; n >= 0x80; n >>= 7 {
		out = append(out, byte(n)|0x80)
	}
	return append(out, byte(n))
}

// appendText is section 5.2: whichever form is shorter.
func appendText(out []byte, text string) []byte {
	if n := hpack.HuffmanEncodeLength(text); n < uint64(len(text)) {
		return hpack.AppendHuffmanString(appendInteger(out, 0x80, 7, n), text)
	}
	return append(appendInteger(out, 0, 7, uint64(len(text))), text...)
}

// staticFields is the table of RFC 7541 Appendix A, as x/net reads it.
var staticFields = func() (all []Field) {
	for i := byte(1); i <= 61; i++ {
		one, err := hpack.NewDecoder(0, nil).DecodeFull([]byte{0x80 | i})
		if err != nil {
			panic(err)
		}
		f := Field{Name: one[0].Name, Value: one[0].Value}
		f.check()
		all = append(all, f)
	}
	return all
}()

// staticNames are the first entries of each name.
var staticNames = func() map[string]int {
	names := map[string]int{}
	for i, f := range staticFields {
		if names[f.Name] == 0 {
			names[f.Name] = i + 1
		}
	}
	return names
}()
