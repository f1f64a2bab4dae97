package charset

import (
	"encoding/binary"
	"testing"
	"unicode/utf16"

	"avsproxy/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func encode(text string, order binary.AppendByteOrder) string {
	var out []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		out = order.AppendUint16(out, unit)
	}
	return string(out)
}

func TestTextOfEachEncodingIsReadAsUTF8(t *testing.T) {
	const want = `{"a":"ü€"}`
	for name, text := range map[string]string{
		"UTF-8":                     want,
		"byte order mark":           "\ufeff" + want,
		"NUL behind":                want + "\x00",
		"NULs around":               "\x00" + want + "\x00\x00",
		"UTF-16LE, mark":            encode("\ufeff"+want, binary.LittleEndian),
		"UTF-16BE, mark":            encode("\ufeff"+want, binary.BigEndian),
		"UTF-16LE":                  encode(want, binary.LittleEndian),
		"UTF-16BE":                  encode(want, binary.BigEndian),
		"UTF-16LE, NUL behind":      encode(want+"\x00", binary.LittleEndian),
		"UTF-16LE, cut in a letter": encode(want, binary.LittleEndian) + "x",
	} {
		if got := string(UTF8([]byte(text))); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	for _, text := range []string{"", "a", "\xff\xfe", "plain text", "caf\xe9"} {
		if got := string(UTF8([]byte(text))); got != text && got != "" {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func FuzzUTF8(f *testing.F) {
	f.Add([]byte("\xff\xfea\x00b\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		once := UTF8(text)
		if len(once) > 3*len(text) {
			t.Errorf("%d bytes became %d", len(text), len(once))
		}
	})
}
