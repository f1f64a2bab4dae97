package avs

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tone returns L16 samples of a low tone.
func tone(samples int) []byte {
	pcm := make([]byte, 0, 2*samples)
	for i := range samples {
		pcm = binary.LittleEndian.AppendUint16(pcm, uint16(int16(9000*math.Sin(float64(i)/10))))
	}
	return pcm
}

func swapped(pcm []byte) []byte {
	out := bytes.Clone(pcm)
	for i := 0; i+1 < len(out); i += 2 {
		out[i], out[i+1] = out[i+1], out[i]
	}
	return out
}

func noise(n int) []byte {
	random, out := rand.New(rand.NewPCG(1, 2)), make([]byte, n)
	for i := range out {
		out[i] = byte(random.Uint32())
	}
	return out
}

// bareOpusOf returns packets of wide-band speech with random insides.
func bareOpusOf(packets, size int) []byte {
	out := noise(packets * size)
	for at := 0; at < len(out); at += size {
		out[at] = 9 << 3
	}
	return out
}

// oggOf returns the first page and the head of the last of a second of Opus.
func oggOf(seconds int) []byte {
	head := append([]byte("OpusHead\x01\x02"), 0x38, 0x01) // two channels, 312 samples to skip
	head = binary.LittleEndian.AppendUint32(head, 16000)
	page := append(append([]byte("OggS\x00\x02"), make([]byte, 21)...), 1)
	last := binary.LittleEndian.AppendUint64([]byte("OggS\x00\x04"), uint64(48000*seconds+312))
	return append(append(append(page, head...), 0, 0, 0), last...)
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestAudioIsKnown(t *testing.T) {
	const l16 = "AUDIO_L16_RATE_16000_CHANNELS_1"
	mp3 := readFile(t, "testdata/tone.mp3")
	tagged := append([]byte("ID3\x04\x00\x00\x00\x00\x00\x05hello"), mp3...)
	stereo := WAV(tone(44100), 44100, 2)
	streamed := bytes.Clone(stereo)
	binary.LittleEndian.PutUint32(streamed[40:], 0xFFFFFFFF)
	for _, c := range []struct {
		name, contentType, format string
		data                      []byte
		want                      AudioInfo
	}{
		{"samples by the payload", AudioType, l16, tone(16000), AudioInfo{"L16", 16000, 1, 1}},
		{"samples of another rate", "", "AUDIO_L16_RATE_8000_CHANNELS_2", tone(16000), AudioInfo{"L16", 8000, 2, 1}},
		{"samples by the type", `audio/L16; rate="22050"; channels=1`, "", tone(22050), AudioInfo{"L16", 22050, 1, 1}},
		{"samples by their look", AudioType, "", tone(8000), AudioInfo{"L16", 16000, 1, 0.5}},
		{"silence by the payload", AudioType, l16, make([]byte, 320), AudioInfo{"L16", 16000, 1, 0.01}},
		{"WAV", AudioType, l16, stereo, AudioInfo{"WAV", 44100, 2, 0.5}},
		{"WAV of a stream", "", "", streamed, AudioInfo{"WAV", 44100, 2, 0.5}},
		{"WAV cut off", "", "", stereo[:44+44100], AudioInfo{"WAV", 44100, 2, 0.25}},
		{"WAV of 8 bits with a list", "", "", []byte("RIFF\x00\x00\x00\x00WAVELIST\x03\x00\x00\x00abc\x00fmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x40\x1f\x00\x00\x01\x00\x08\x00data\x04\x00\x00\x001234"), AudioInfo{"WAV", 8000, 1, 0.0005}},
		{"the example", "", "", readFile(t, "../../examples/what-time-is-it.wav"), AudioInfo{"WAV", 16000, 1, 0}},
		{"MP3", AudioType, "AUDIO_MPEG", mp3, AudioInfo{"MP3", 24000, 1, 0}},
		{"MP3 with a tag", AudioType, "", tagged, AudioInfo{"MP3", 24000, 1, 0}},
		{"MP3 of version 1", "", "", bytes.Repeat(append([]byte{0xFF, 0xFB, 0x90, 0x00}, make([]byte, 413)...), 2), AudioInfo{"MP3", 44100, 2, 2304. / 44100}},
		{"packets by the payload", AudioType, "OPUS", bareOpusOf(50, 80), AudioInfo{"Opus", 16000, 1, 1}},
		{"packets by the type", "audio/opus", "", bareOpusOf(1, 160), AudioInfo{"Opus", 16000, 1, 0.02}},
		{"packets by their look", AudioType, "", bareOpusOf(50, 160), AudioInfo{"Opus", 16000, 1, 1}},
		{"Ogg", "", "", oggOf(3), AudioInfo{"Opus", 16000, 2, 3}},
	} {
		got, ok := Audio(c.contentType, c.format, c.data)
		if c.want.Seconds == 0 && got.Seconds > 0.1 {
			c.want.Seconds = got.Seconds
		}
		if diff := cmp.Diff(c.want, got); !ok || diff != "" {
			t.Errorf("%s: %v %s", c.name, ok, diff)
		}
	}
}

func TestWhatIsNoAudio(t *testing.T) {
	for _, c := range []struct {
		name, contentType string
		data              []byte
	}{
		{"nothing", AudioType, nil},
		{"JSON", JSONType, tone(1000)},
		{"text", AudioType, []byte(strings.Repeat("Grüße! ", 1000))[:5000]},
		{"noise", AudioType, noise(5000)},
		{"silence, by nothing", AudioType, make([]byte, 5000)},
		{"an image", "image/png", noise(1000)},
		{"Ogg without Opus", "", []byte("OggS\x00\x02 vorbis")},
		{"a WAV without format", "", []byte("RIFF\x00\x00\x00\x00WAVEdata\x04\x00\x00\x001234")},
		{"one frame's head", "", []byte{0xFF, 0xFB, 0x90, 0x00, 1, 2}},
	} {
		if info, ok := Audio(c.contentType, "", c.data); ok {
			t.Errorf("%s is taken for %+v", c.name, info)
		}
	}
}

func TestWAVIsWhatItWasMadeOf(t *testing.T) {
	pcm := tone(1600)
	file := WAV(pcm, 0, 0)
	wav := parseWAV(file)
	if want := (AudioInfo{"WAV", 16000, 1, 0.1}); wav.AudioInfo != want || wav.coding != 1 || wav.bits != 16 || !bytes.Equal(wav.samples, pcm) {
		t.Errorf("%+v", wav.AudioInfo)
	}
	if size := binary.LittleEndian.Uint32(file[4:]); int(size) != len(file)-8 {
		t.Errorf("the file says %d of %d bytes", size, len(file))
	}
}

func TestOpusPackets(t *testing.T) {
	if got := OpusPackets(bareOpusOf(3, 80)[:200]); len(got) != 2 || len(got[1]) != 80 {
		t.Errorf("%d packets", len(got))
	}
	if got := OpusPackets(make([]byte, 800)); got != nil {
		t.Errorf("silence is %d packets", len(got))
	}
}

func FuzzAudio(f *testing.F) {
	f.Add("", "", WAV(tone(10), 8000, 2))
	f.Add("audio/L16; rate=0; channels=-1", "AUDIO_L16_RATE_0_CHANNELS_", []byte("x"))
	f.Add("", "OPUS", bareOpusOf(2, 80))
	f.Add("", "", oggOf(1))
	f.Add("", "", []byte("ID3\x04\x00\x00\x7f\x7f\x7f\x7f\xff\xfb\x90\x00"))
	f.Fuzz(func(t *testing.T, contentType, format string, data []byte) {
		info, ok := Audio(contentType, format, data)
		if ok && (info.Seconds < 0 || math.IsNaN(info.Seconds) || math.IsInf(info.Seconds, 0)) {
			t.Errorf("%+v", info)
		}
		Lint("multipart/form-data; boundary=B", data, true)
		Lint(contentType, data, false)
	})
}
