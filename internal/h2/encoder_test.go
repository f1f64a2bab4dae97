package h2

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"
)

// x/net's decoder reads what the encoder writes, whatever the table's size becomes.
func TestEncoderAgreesWithTheDecoderOfXNet(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	e, d := newEncoder(), hpack.NewDecoder(maxTable, nil)
	names := []string{":path", ":status", ":method", "cookie", "authorization", "x-a", "x-b", "", "content-type", "date", "x-" + strings.Repeat("n", 300)}
	values := []string{"", "200", "404", "GET", "/", "gzip, deflate", "v", "\x00\xff", strings.Repeat("t", 1000), strings.Repeat("u", 5000), "/%41?x=y"}
	for range 20_000 {
		if r.IntN(50) == 0 {
			for range 1 + r.IntN(3) {
				e.setMax(r.IntN(5000))
			}
		}
		var fields []Field
		for range r.IntN(6) {
			fields = append(fields, Field{Name: names[r.IntN(len(names))], Value: values[r.IntN(len(values))], Sensitive: r.IntN(8) == 0})
		}
		got, err := d.DecodeFull(e.block(nil, fields))
		if err != nil || !sameFields(got, fields) {
			t.Fatalf("%v: %q, %v", fields, got, err)
		}
		size := 0
		for i := range e.table {
			size += e.table[i].size()
		}
		if size != e.size || size > e.most {
			t.Fatalf("the table has %d bytes, counted are %d of %d", size, e.size, e.most)
		}
	}
}

// sameFields compares what x/net has read with what we have.
func sameFields(got []hpack.HeaderField, want []Field) bool {
	return slices.EqualFunc(got, want, func(g hpack.HeaderField, w Field) bool {
		return g == hpack.HeaderField{Name: w.Name, Value: w.Value, Sensitive: w.Sensitive}
	})
}

// A token that was sent once costs a byte or two.
func TestEncoderIndexesTheToken(t *testing.T) {
	e := newEncoder()
	fields := []Field{{Name: ":path", Value: "/a"}, {Name: "authorization", Value: "Bearer " + strings.Repeat("t", 1000)}}
	e.block(nil, fields)
	for i := range 100 {
		fields[0].Value = "/" + strings.Repeat("b", i)
		if n := len(e.block(nil, fields)); n > 4+i {
			t.Fatalf("%d bytes", n)
		}
	}
}

func FuzzEncoder(f *testing.F) {
	f.Add("a", "b", "c", "d", 100)
	f.Fuzz(func(t *testing.T, a, b, c, d string, most int) {
		e, decoder := newEncoder(), hpack.NewDecoder(maxTable, nil)
		e.setMax(max(0, most))
		fields := []Field{{Name: a, Value: b}, {Name: c, Value: d}, {Name: a, Value: b}, {Name: c, Value: b, Sensitive: true}}
		for range 3 {
			if got, err := decoder.DecodeFull(e.block(nil, fields)); err != nil || !sameFields(got, fields) {
				t.Fatalf("%v: %q, %v", fields, got, err)
			}
		}
	})
}
