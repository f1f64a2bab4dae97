package h2

import (
	"errors"
	"hash/maphash"
	"math/rand/v2"
)

// A decoder reads blocks of fields (RFC 7541). What an entry of a table is checked for is found
// out once, not each time it is named. A text that comes again without an entry, as many paths
// do, is the same string again.
type decoder struct {
	table  []Field        // the dynamic one; the newest entry is the last
	size   int            // of it, as section 4.1 counts
	most   int            // that the other side uses
	text   []byte         // that is read
	recent [32]recentText // each text has two places
}

func newDecoder() *decoder { return &decoder{most: maxTable} }

var errCompression = errors.New("h2: not a block of fields (RFC 7541)")

// errBomb says that a block stands for much more than it is: a byte may name an entry of 4 KiB.
var errBomb = errors.New("h2: a block of fields that becomes too large")

// maxBomb is how many times as much as may be in a block is counted before the rest is not read
// any more.
const maxBomb = 16

var recentSeed = maphash.MakeSeed()

// maxRecent bounds the texts that are remembered.
const maxRecent = 256

// block appends the fields of a whole block to fields, as far as they fit into most bytes. size
// is that of all of them (RFC 9113 section 6.5.2).
func (d *decoder) block(fields []Field, block []byte, most int) (_ []Field, size int, err error) {
	begins := true
	for len(block) > 0 {
		if block[0]&0xe0 == 0x20 { // section 6.3
			var n int
			if n, block, err = readInteger(block, 5); err != nil || !begins || n > maxTable {
				return fields, size, errCompression
			}
			d.most = n
			d.evict(0)
			continue
		}
		begins = false
		fields = append(fields, Field{})
		f := &fields[len(fields)-1]
		if block, err = d.field(f, block); err != nil {
			return fields, size, err
		}
		if size += f.size(); size > most {
			fields = fields[:len(fields)-1]
			if size > maxBomb*most {
				return fields, size, errBomb
			}
		}
	}
	return fields, size, nil
}

// field reads one field into f.
func (d *decoder) field(f *Field, p []byte) (rest []byte, err error) {
	var n int
	switch first := p[0]; {
	case first&0x80 != 0: // section 6.1
		if n, rest, err = readInteger(p, 7); err == nil {
			err = d.entry(f, n)
		}
		return rest, err
	case first&0x40 != 0: // section 6.2.1
		if rest, err = d.literal(f, p, 6); err == nil {
			f.check()
			d.add(*f)
		}
		return rest, err
	default: // sections 6.2.2 and 6.2.3
		rest, err = d.literal(f, p, 4)
		f.Sensitive = p[0]&0x10 != 0
		return rest, err
	}
}

// entry copies an entry of the tables (section 2.3.3) to f.
func (d *decoder) entry(f *Field, n int) error {
	switch at := len(d.table) - (n - len(staticFields)); {
	case n < 1 || at < 0:
		return errCompression
	case n <= len(staticFields):
		*f = staticFields[n-1]
	default:
		*f = d.table[at]
	}
	return nil
}

func (d *decoder) literal(f *Field, p []byte, bits int) (rest []byte, err error) {
	n, rest, err := readInteger(p, bits)
	switch {
	case err != nil:
	case n == 0:
		f.Name, rest, err = d.string(rest)
	default:
		err = d.entry(f, n)
		f.Sensitive, f.valid = false, false
	}
	if err == nil {
		f.Value, rest, err = d.string(rest)
	}
	return rest, err
}

// string reads a text (section 5.2).
func (d *decoder) string(p []byte) (text string, rest []byte, err error) {
	if len(p) == 0 {
		return "", p, errCompression
	}
	coded := p[0]&0x80 != 0
	n, p, err := readInteger(p, 7)
	if err != nil || n > len(p) {
		return "", p, errCompression
	}
	plain, rest := p[:n], p[n:]
	if coded {
		var ok bool
		if d.text, ok = decodeHuffman(d.text[:0], plain); !ok {
			return "", rest, errCompression
		}
		plain = d.text
	}
	return d.textOf(plain), rest, nil
}

func (d *decoder) textOf(p []byte) string {
	if len(p) == 0 || len(p) > maxRecent {
		return string(p)
	}
	hash := maphash.Bytes(recentSeed, p)
	first, second := &d.recent[hash%uint64(len(d.recent))], &d.recent[hash>>32%uint64(len(d.recent))]
	for _, place := range [...]*recentText{first, second} {
		if place.text == string(p) {
			place.again = true
			return place.text
		}
	}
	place := first
	if first.again == second.again && rand.Uint32()&1 == 0 || first.again && !second.again {
		place = second
	}
	first.again, second.again = false, false // so that what does not come again makes room
	*place = recentText{text: string(p)}
	return place.text
}

// A recentText is one that may come again.
type recentText struct {
	text  string
	again bool // it did
}

// add is section 4.4.
func (d *decoder) add(f Field) {
	d.evict(f.size())
	if f.size() <= d.most {
		d.table = append(d.table, f)
		d.size += f.size()
	}
}

// evict makes room for n more bytes (section 4.3).
func (d *decoder) evict(n int) {
	gone := 0
	for d.size+n > d.most && gone < len(d.table) {
		d.size -= d.table[gone].size()
		gone++
	}
	clear(d.table[:gone])
	d.table = d.table[gone:]
}

// readInteger is section 5.1.
func readInteger(p []byte, bits int) (n int, rest []byte, err error) {
	limit := 1<<bits - 1
	n, p = int(p[0])&limit, p[1:]
	if n < limit {
		return n, p, nil
	}
	for shift := 0; len(p) > 0 && shift <= 21; shift += 7 { // nothing here is near 2^28
		b := p[0]
		n, p = n+int(b&0x7f)<<shift, p[1:]
		if b < 0x80 {
			return n, p, nil
		}
	}
	return 0, p, errCompression
}
