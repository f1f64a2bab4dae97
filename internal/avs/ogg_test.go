package avs

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// spoken are the bare packets of examples/what-time-is-it.wav, made by libopus:
// 32 kbit/s, constant, 20 ms each.
func spoken(t *testing.T) []byte {
	t.Helper()
	return readFile(t, "testdata/what-time-is-it.opus")
}

// An oggPage is a page as the test reads it.
type oggPage struct {
	kind          byte
	position      uint64
	number, check uint32
	packets       [][]byte
}

func readPage(t *testing.T, text []byte) (page oggPage, rest []byte) {
	t.Helper()
	if len(text) < 27 || string(text[:5]) != "OggS\x00" {
		t.Fatalf("no page: %q", text[:min(len(text), 27)])
	}
	page.kind, page.position = text[5], binary.LittleEndian.Uint64(text[6:])
	page.number, page.check = binary.LittleEndian.Uint32(text[18:]), binary.LittleEndian.Uint32(text[22:])
	lengths := text[27 : 27+text[26]]
	rest = text[27+len(lengths):]
	for _, n := range lengths {
		page.packets, rest = append(page.packets, rest[:n]), rest[n:]
	}
	whole := bytes.Clone(text[:len(text)-len(rest)])
	clear(whole[22:26])
	if sum := oggChecksum(whole); sum != page.check {
		t.Errorf("page %d has the checksum %08x, want %08x", page.number, page.check, sum)
	}
	return page, rest
}

// The first page of a file that ffmpeg has written.
func TestOggChecksum(t *testing.T) {
	const first = "OggS\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x58\x5f\x1f\x68\x00\x00\x00\x00\xfa\x02\x46\xc9\x01\x13" +
		"OpusHead\x01\x01\x38\x01\x80\x3e\x00\x00\x00\x00\x00"
	if page, rest := readPage(t, []byte(first)); page.kind != pageBegins || len(page.packets) != 1 || len(rest) != 0 {
		t.Errorf("%+v", page)
	}
}

func TestOggOpus(t *testing.T) {
	bare := spoken(t)
	rest := OggOpus(append(bytes.Clone(bare), bare[:33]...)) // the last packet is cut
	var pages []oggPage
	for len(rest) > 0 {
		var page oggPage
		page, rest = readPage(t, rest)
		if int(page.number) != len(pages) {
			t.Errorf("page %d has the number %d", len(pages), page.number)
		}
		pages = append(pages, page)
	}
	if len(pages) != 4 { // the head, the tags, 50 packets, 7 packets
		t.Fatalf("%d pages", len(pages))
	}
	for i, want := range []oggPage{{kind: 2}, {}, {position: 48000}, {kind: 4, position: 57 * 960}} {
		if got := pages[i]; got.kind != want.kind || got.position != want.position {
			t.Errorf("page %d is of kind %d and ends at %d, want %d and %d", i, got.kind, got.position, want.kind, want.position)
		}
	}
	if head := string(pages[0].packets[0]); head != "OpusHead\x01\x01\x00\x00\x80\x3e\x00\x00\x00\x00\x00" {
		t.Errorf("%q", head)
	}
	if got := bytes.Join(append(pages[2].packets, pages[3].packets...), nil); !bytes.Equal(got, bare) {
		t.Error("the packets are others")
	}
	if info, ok := Audio("", "", OggOpus(bare)); !ok || info != (AudioInfo{"Opus", 16000, 1, 1.14}) {
		t.Errorf("%+v", info)
	}
	if OggOpus([]byte("no Opus at all")) != nil {
		t.Error("something was made of no Opus")
	}
}

func TestLengthOfOpusPackets(t *testing.T) {
	for first, want := range map[string]int{"\x48": 960, "\x49": 1920, "\x4a": 1920, "\x4b\x43": 3 * 960} {
		if got := opusSamples([]byte(first + "\x00")); got != want {
			t.Errorf("%x: %d samples, want %d", first, got, want)
		}
	}
	if opusChannels([]byte{0x4c}) != 2 || opusChannels([]byte{0x48}) != 1 {
		t.Error("mono and stereo are not told apart")
	}
}
