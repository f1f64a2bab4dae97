package messages

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"avsproxy/internal/testkit"

	"github.com/google/go-cmp/cmp"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// cut is a body in pieces of that size, each a millisecond after the one before.
func cut(body string, size int) iter.Seq[Piece] {
	return func(yield func(Piece) bool) {
		for at := 0; at < len(body); at += size {
			if !yield(Piece{new(float64(at / size)), []byte(body[at:min(at+size, len(body))])}) {
				return
			}
		}
	}
}

func TestEvents(t *testing.T) {
	const body = "\ufeffdata: one\n\nevent: add\r\ndata: a\r\ndata:b\r\nid: 7\r\n\r\n: alive\n\nretry: 100\n\ndata\n\nunknown: x\rdata: c:d\r\rdata: no end"
	want := []Event{
		{Type: "message", Data: "one"}, {Type: "add", Data: "a\nb", ID: "7"}, {Comment: "alive"}, {Retry: "100"},
		{Type: "message"}, {Type: "message", Data: "c:d"},
	}
	for _, size := range []int{1, 2, 3, 1000} {
		got, more := Events(cut(body, size))
		for i := range got {
			if got[i].AtMS == nil {
				t.Errorf("event %d has no time", i)
			}
			got[i].AtMS = nil
		}
		if diff := cmp.Diff(want, got); diff != "" || more {
			t.Errorf("pieces of %d: more %v\n%s", size, more, diff)
		}
	}
	if list, more := Events(cut(strings.Repeat("data: x\n\n", maxMessages+1), 100)); !more || len(list) != maxMessages {
		t.Errorf("%d, more %v", len(list), more)
	}
}

func framed(flag byte, message []byte) string {
	return string(append(binary.BigEndian.AppendUint32([]byte{flag}, uint32(len(message))), message...))
}

func TestCallsAreShownByFieldNumber(t *testing.T) {
	inner := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 150)
	message := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "hello")
	message = protowire.AppendVarint(protowire.AppendTag(message, 2, protowire.VarintType), math.MaxUint64)
	message = protowire.AppendBytes(protowire.AppendTag(message, 3, protowire.BytesType), inner)
	message = protowire.AppendFixed32(protowire.AppendTag(message, 4, protowire.Fixed32Type), math.Float32bits(1.5))
	message = protowire.AppendFixed64(protowire.AppendTag(message, 5, protowire.Fixed64Type), math.Float64bits(2.5))
	message = protowire.AppendBytes(protowire.AppendTag(message, 6, protowire.BytesType), []byte{0xff, 0xff})
	fields := []Field{
		{Number: 1, Kind: "text", Value: "hello"}, {Number: 2, Kind: "varint", Value: "18446744073709551615 or -1"},
		{Number: 3, Kind: "message", Fields: []Field{{Number: 1, Kind: "varint", Value: "150"}}},
		{Number: 4, Kind: "fixed32", Value: "1069547520 or 1.5"}, {Number: 5, Kind: "fixed64", Value: fmt.Sprint(math.Float64bits(2.5)) + " or 2.5"},
		{Number: 6, Kind: "bytes", Base64: []byte{0xff, 0xff}},
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	w.Write(message)
	w.Close()
	body := framed(0, message) + framed(1, packed.Bytes()) + framed(0, nil) + framed(0, []byte{0xff}) + framed(0, message)[:9]
	want := []Call{
		{Size: len(message), Fields: fields}, {Size: packed.Len(), Fields: fields}, {Fields: []Field{}}, {Size: 1, Base64: []byte{0xff}},
		{Size: len(message), Base64: message[:4], Cut: true},
	}
	for _, size := range []int{1, 4, 1000} {
		got, more := (Reader{Encoding: "gzip"}).Calls(cut(body, size))
		for i := range got {
			got[i].AtMS = nil
		}
		if diff := cmp.Diff(want, got); diff != "" || more {
			t.Errorf("pieces of %d: more %v\n%s", size, more, diff)
		}
	}
	if list, _ := (Reader{Encoding: "identity"}).Calls(cut(framed(1, packed.Bytes()), 100)); !list[0].Compressed || list[0].Base64 != nil {
		t.Errorf("%+v", list)
	}
}

func TestSecretsOfCallsAreMasked(t *testing.T) {
	inner := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "the secret")
	inner = protowire.AppendVarint(protowire.AppendTag(inner, 4, protowire.VarintType), 0)
	message := protowire.AppendBytes(protowire.AppendTag(inner, 2, protowire.BytesType), append([]byte{0xff}, "secret"...))
	message = protowire.AppendBytes(protowire.AppendTag(message, 3, protowire.BytesType), inner)
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	w.Write(message)
	w.Close()
	r := Reader{Encoding: "gzip", Mask: func(text string) string { return strings.ReplaceAll(text, "secret", "***") }}
	list, _ := r.Calls(cut(framed(1, packed.Bytes())+framed(0, []byte("\xffsecret"))+"\x00\x00\x00\x00\x09secret", 1000))
	want := []Call{
		{Size: packed.Len(), Fields: []Field{{Number: 1, Kind: "text", Value: "the ***"}, {Number: 4, Kind: "varint", Value: "0"}, {Number: 2, Kind: "bytes"}, {Number: 3, Kind: "message", Fields: []Field{{Number: 1, Kind: "text", Value: "the ***"}, {Number: 4, Kind: "varint", Value: "0"}}}}},
		{Size: 7}, {Size: 9, Cut: true},
	}
	for i := range list {
		list[i].AtMS = nil
	}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Error(diff)
	}
}

// Messages that are nested without end, or made of many fields, are bytes.
func TestHostileMessages(t *testing.T) {
	nested := []byte{0xff}
	for range 200 {
		nested = protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), nested)
	}
	many := bytes.Repeat([]byte{8, 1}, maxFields+1)
	list, _ := Reader{}.Calls(cut(framed(0, nested)+framed(0, many), 1000))
	if len(list) != 2 || list[1].Fields != nil || len(list[1].Base64) != len(many) {
		t.Errorf("%d", len(list))
	}
	bomb := bytes.Buffer{}
	w := gzip.NewWriter(&bomb)
	w.Write(make([]byte, 64<<20))
	w.Close()
	if list, _ := (Reader{Encoding: "gzip"}).Calls(cut(framed(1, bomb.Bytes()), 1000)); !list[0].Compressed {
		t.Error("64 MiB were unpacked")
	}
}

func FuzzMessages(f *testing.F) {
	f.Add("data: x\n\n", 3)
	f.Add(framed(0, []byte{8, 1}), 2)
	f.Fuzz(func(t *testing.T, body string, size int) {
		if size = min(max(size, 1), 100); len(body) > 1<<14 {
			return
		}
		for _, pieces := range []int{size, len(body) + 1} {
			Events(cut(body, pieces))
			Reader{Encoding: "gzip"}.Calls(cut(body, pieces))
		}
	})
}
