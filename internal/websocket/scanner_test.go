package websocket

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"avsproxy/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// frame is one as RFC 6455 section 5.2 draws it.
func frame(first byte, key []byte, payload string) []byte {
	out := []byte{first, 0}
	switch n := len(payload); {
	case n < 126:
		out[1] = byte(n)
	case n < 1<<16:
		out[1] = 126
		out = binary.BigEndian.AppendUint16(out, uint16(n))
	default:
		out[1] = 127
		out = binary.BigEndian.AppendUint64(out, uint64(n))
	}
	if key == nil {
		return append(out, payload...)
	}
	out[1] |= 0x80
	out = append(out, key...)
	for i := range len(payload) {
		out = append(out, payload[i]^key[i%4])
	}
	return out
}

var mask = []byte{0x37, 0xfa, 0x21, 0x3d}

type told struct {
	Opcode string
	Data   string
	Size   int64
	Cut    bool
}

// scan reads bytes cut into pieces of that size.
func scan(s *Scanner, wire []byte, piece int) (all []told) {
	s.Deliver = func(m Message) { all = append(all, told{m.Opcode.String(), string(m.Data), m.Size, m.Cut}) }
	for len(wire) > 0 {
		n := min(piece, len(wire))
		s.Write(wire[:n])
		wire = wire[n:]
	}
	return all
}

func equal(t *testing.T, got, want []told) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestMessagesHoweverTheyAreCut(t *testing.T) {
	long := strings.Repeat("long ", 20_000)
	wire := bytes.Join([][]byte{
		frame(0x81, nil, "Hello"), frame(0x81, mask, "Hello"),
		frame(0x01, mask, "Hel"), frame(0x89, mask, "are you there"), frame(0x80, mask, "lo"), // section 5.4: a ping in the midst
		frame(0x82, nil, ""), frame(0x82, mask, long), frame(0x8A, nil, "are you there"), frame(0x88, mask, "\x03\xe8bye"),
	}, nil)
	want := []told{
		{"text", "Hello", 5, false}, {"text", "Hello", 5, false}, {"ping", "are you there", 13, false}, {"text", "Hello", 5, false},
		{"binary", "", 0, false}, {"binary", long[:1000], int64(len(long)), true}, {"pong", "are you there", 13, false}, {"close", "\x03\xe8bye", 5, false},
	}
	for _, piece := range []int{1, 2, 3, 7, 1000, len(wire)} {
		s := &Scanner{Most: 1000}
		equal(t, scan(s, wire, piece), want)
		if !s.Between() {
			t.Errorf("pieces of %d: the end is not between two frames", piece)
		}
	}
}

func TestBetweenFrames(t *testing.T) {
	wire := frame(0x81, mask, "Hello")
	s := new(Scanner)
	for i, c := range wire {
		s.Write([]byte{c})
		if got, want := s.Between(), i == len(wire)-1; got != want {
			t.Errorf("after %d of %d bytes: %v", i+1, len(wire), got)
		}
	}
	for _, broken := range []string{"\x89\x7e\x00\xff", "\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff"} { // a long ping; a negative length
		s := new(Scanner)
		s.Write([]byte(broken))
		s.Write(wire)
		if s.Between() {
			t.Errorf("%q was read as frames", broken)
		}
	}
}

func TestGoingAwayIsAFrame(t *testing.T) {
	for _, masked := range []bool{false, true} {
		s := &Scanner{Most: 100}
		equal(t, scan(s, GoingAway(masked), 3), []told{{"close", "\x03\xe9the proxy ends", 16, false}})
	}
}

// deflated is a message as RFC 7692 section 7.2.1 makes it.
func deflated(w *flate.Writer, out *bytes.Buffer, text string) string {
	out.Reset()
	w.Write([]byte(text))
	w.Flush()
	return strings.TrimSuffix(out.String(), "\x00\x00\xff\xff")
}

func TestCompressedMessagesReferToThoseBefore(t *testing.T) {
	var out bytes.Buffer
	w, _ := flate.NewWriter(&out, flate.BestCompression)
	long := strings.Repeat("0123456789abcdef", 10_000)
	var wire []byte
	texts := []string{"Hello", "Hello", long, "Hello " + long[:100], ""}
	for _, text := range texts {
		wire = append(wire, frame(0xC1, mask, deflated(w, &out, text))...)
	}
	wire = append(wire, frame(0x81, mask, "not compressed")...)
	texts = append(texts, "not compressed")
	client, _ := Inflaters("permessage-deflate; client_max_window_bits=15")
	got := scan(&Scanner{Most: 1 << 20, Inflate: client}, wire, 11)
	for i, text := range texts {
		if got[i].Data != text || got[i].Cut {
			t.Errorf("message %d: %d bytes where there were %d, cut %v", i, len(got[i].Data), len(text), got[i].Cut)
		}
	}
	_, server := Inflaters("x-other, permessage-deflate; server_no_context_takeover")
	s := &Scanner{Most: 4, Inflate: server}
	equal(t, scan(s, frame(0xC1, nil, "\xf2\x48\xcd\xc9\xc9\x07\x00"), 2), []told{{"text", "Hell", 7, true}}) // RFC 7692 section 7.2.3.1
	if client, server := Inflaters("x-webkit-deflate-frame"); client != nil || server != nil {
		t.Error("an unknown extension was taken for permessage-deflate")
	}
}

func TestMessagesThatCannotBeUnpacked(t *testing.T) {
	_, server := Inflaters("permessage-deflate")
	s := &Scanner{Most: 100, Inflate: server}
	wire := append(frame(0xC2, nil, "\xff\xff\xff"), frame(0xC1, nil, "\xf2\x48\xcd\xc9\xc9\x07\x00")...)
	equal(t, scan(s, wire, 4), []told{{"binary", "", 3, true}, {"text", "", 7, true}})
	var out bytes.Buffer
	w, _ := flate.NewWriter(&out, flate.BestCompression)
	bomb := deflated(w, &out, strings.Repeat("x", 64<<20))
	_, server = Inflaters("permessage-deflate; server_no_context_takeover")
	got := scan(&Scanner{Most: 3, Inflate: server}, frame(0xC2, nil, bomb), 4096)
	equal(t, got, []told{{"binary", "xxx", int64(len(bomb)), true}})
}

func FuzzScanner(f *testing.F) {
	f.Add(frame(0x81, mask, "Hello"), 3)
	f.Add(append(frame(0x01, nil, "a"), frame(0x88, nil, "")...), 1)
	f.Fuzz(func(t *testing.T, wire []byte, piece int) {
		if piece = min(max(piece, 1), 1000); len(wire) > 1<<16 {
			return
		}
		whole, cut := &Scanner{Most: 50}, &Scanner{Most: 50}
		equal(t, scan(cut, wire, piece), scan(whole, wire, len(wire)))
		if whole.Between() != cut.Between() {
			t.Fatal("the pieces made a difference")
		}
	})
}
