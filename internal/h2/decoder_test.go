package h2

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"
)

// The decoder reads what x/net's encoder writes, whatever the table's size becomes.
func TestDecoderAgreesWithTheEncoderOfXNet(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var block bytes.Buffer
	e, d := hpack.NewEncoder(&block), newDecoder()
	names := []string{":path", ":status", "cookie", "authorization", "x-a", "x-b", "content-type", "x-" + strings.Repeat("n", 300)}
	values := []string{"", "200", "GET", "/", "gzip, deflate", "v", "\x00\xff", strings.Repeat("t", 1000), strings.Repeat("u", 5000), "/%41?x=y"}
	for range 20_000 {
		if r.IntN(50) == 0 {
			e.SetMaxDynamicTableSize(uint32(r.IntN(maxTable + 1)))
		}
		block.Reset()
		var sent []hpack.HeaderField
		for range 1 + r.IntN(6) {
			f := hpack.HeaderField{Name: names[r.IntN(len(names))], Value: values[r.IntN(len(values))], Sensitive: r.IntN(8) == 0}
			_ = e.WriteField(f)
			sent = append(sent, f)
		}
		got, _, err := d.block(nil, block.Bytes(), 1<<20)
		if err != nil || !sameFields(sent, got) {
			t.Fatalf("%q: %v, %v", sent, got, err)
		}
		for i := range got {
			if got[i].valid {
				if f := (Field{Name: got[i].Name, Value: got[i].Value}); !f.isPseudo() && checkField(&f) != nil {
					t.Fatalf("%v passes for valid", f)
				}
			}
		}
		size := 0
		for i := range d.table {
			size += d.table[i].size()
		}
		if size != d.size || size > d.most {
			t.Fatalf("the table has %d bytes, counted are %d of %d", size, d.size, d.most)
		}
	}
}

// What is too much is counted, and the table stays that of the other side.
func TestDecoderCountsWhatIsTooMuch(t *testing.T) {
	e, d := newEncoder(), newDecoder()
	sent := []Field{{Name: "a", Value: "1"}, {Name: "b", Value: strings.Repeat("2", 500)}, {Name: "c", Value: "3"}}
	got, size, err := d.block(nil, e.block(nil, sent), 100)
	if err != nil || size != 34+533+34 || len(got) != 1 {
		t.Errorf("%v, %d, %v", got, size, err)
	}
	if got, _, err := d.block(nil, e.block(nil, sent[2:]), 100); err != nil || len(got) != 1 || got[0].Value != "3" {
		t.Errorf("%v, %v", got, err)
	}
}

// A path that comes again costs no memory.
func TestDecoderAllocatesNothingForWhatItKnows(t *testing.T) {
	e, d := newEncoder(), newDecoder()
	block := e.block(nil, []Field{{Name: ":path", Value: "/v20160207/events"}, {Name: ":method", Value: "GET"}})
	var fields []Field
	if n := testing.AllocsPerRun(100, func() { fields, _, _ = d.block(fields[:0], block, 1000) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzDecoder compares the decoder with x/net's, over two blocks of any bytes.
func FuzzDecoder(f *testing.F) {
	f.Add([]byte("\x82\x84\x41\x8a\xa0\xe4\x1d\x13\x9d\x09\xb8\xf0\x1e\x07\x53\x03*/*"), []byte("\xbe\x84"))
	f.Add([]byte("\x3f\xe1\x1f\x40\x01a\x01b"), []byte("\x20\xbe"))
	f.Add([]byte("\x00\x81\xff\x00"), []byte("\x1f\xff\xff\xff\xff\x0f\x00"))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		d, judge := newDecoder(), hpack.NewDecoder(maxTable, nil)
		for _, block := range [][]byte{first, second} {
			got, _, err := d.block(nil, block, 1<<30)
			want, wrong := judge.DecodeFull(block)
			if (err == nil) != (wrong == nil) {
				if bytes.ContainsFunc(block, func(r rune) bool { return r&0xe0 == 0x20 }) {
					return // x/net takes one change of the table's size before the fields, or any in an empty one
				}
				t.Fatalf("%x: %v, x/net: %v", block, err, wrong)
			}
			if err != nil {
				return
			}
			if !sameFields(want, got) {
				t.Fatalf("%x: %v, x/net: %q", block, got, want)
			}
		}
	})
}
