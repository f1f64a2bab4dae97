package avs

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// SpeechRate is the rate of the speech that the service accepts, in samples per
// second; it has one channel of 16 bits.
const SpeechRate = 16000

// An AudioFormat is how audio is encoded.
type AudioFormat string

// The formats that [Audio] detects. L16 is bare samples of 16 bits.
const (
	FormatL16  AudioFormat = "L16"
	FormatMP3  AudioFormat = "MP3"
	FormatOpus AudioFormat = "Opus"
	FormatWAV  AudioFormat = "WAV"
)

// AudioInfo describes a piece of audio. Rate is in samples per second. Zeros mean
// unknown. Seconds counts only the data that is present.
type AudioInfo struct {
	Format   AudioFormat `json:"format"`
	Rate     int         `json:"rate"`
	Channels int         `json:"channels"`
	Seconds  float64     `json:"seconds"`
}

// Audio detects the audio format of a part. It detects containers and frames by their
// bytes, bare samples (L16) and bare Opus packets by contentType and format, which is
// the format in the event's payload, or else by a statistical test. contentType and
// format may be empty. It reports false for other data.
func Audio(contentType, format string, data []byte) (AudioInfo, bool) {
	switch {
	case isWAV(data):
		wav := parseWAV(data)
		return wav.AudioInfo, wav.Rate > 0
	case bytes.HasPrefix(data, []byte("OggS")):
		return oggOpus(data)
	}
	if info, ok := mp3(data); ok {
		return info, true
	}
	return bareAudio(contentType, format, data)
}

func bareAudio(contentType, format string, data []byte) (AudioInfo, bool) {
	rate, channels, declared := declaredL16(contentType, format)
	switch {
	case len(data) == 0:
		return AudioInfo{}, false
	case declared:
		return l16(data, rate, channels), true
	case isOpusFormat(contentType, format):
		return bareOpus(data)
	case !isOctets(contentType) || format != "":
		return AudioInfo{}, false
	}
	if info, ok := bareOpus(data); ok && len(data) >= opusEvidence {
		return info, true
	}
	return l16(data, SpeechRate, 1), looksLikeSamples(data, binary.LittleEndian)
}

// isOctets reports whether a content type leaves the audio format open.
func isOctets(contentType string) bool {
	kind, _ := mediaType(contentType)
	return kind == "" || kind == AudioType || strings.HasPrefix(kind, "audio/")
}

// declaredL16 parses the service's name of the format (AUDIO_L16_RATE_16000_CHANNELS_1)
// and the media type of RFC 2586 (audio/L16; rate=16000; channels=1).
func declaredL16(contentType, format string) (rate, channels int, ok bool) {
	words := strings.Split(strings.ToUpper(format), "_")
	if len(words) > 1 && words[0] == "AUDIO" && words[1] == "L16" {
		params := strings.NewReplacer("RATE_", "RATE=", "CHANNELS_", "CHANNELS=", "_", ";").Replace(strings.ToUpper(format))
		return positive(params, "rate", SpeechRate), positive(params, "channels", 1), true
	}
	kind, params := mediaType(contentType)
	if format != "" || kind != "audio/l16" {
		return 0, 0, false
	}
	return positive(params, "rate", SpeechRate), positive(params, "channels", 1), true
}

// positive returns a parameter that is a positive number, or else a default.
func positive(params, name string, otherwise int) int {
	if n, err := strconv.Atoi(paramOf(params, name)); err == nil && n > 0 {
		return n
	}
	return otherwise
}

func l16(data []byte, rate, channels int) AudioInfo {
	return AudioInfo{Format: FormatL16, Rate: rate, Channels: channels, Seconds: float64(len(data)/2/channels) / float64(rate)}
}

// sampleEvidence is how many bytes are needed to detect samples: 20 ms.
const sampleEvidence = 640

// looksLikeSamples reports whether neighbouring samples differ little. Those of a sound
// do; those of noise and compressed data do not.
func looksLikeSamples(data []byte, order binary.ByteOrder) bool {
	data = data[:min(len(data), 32<<10)&^1]
	if len(data) < sampleEvidence || isPrintable(data) {
		return false
	}
	var loud, steps int64 // sums of up to 16384 samples; loud*9 needs more than 32 bits
	before := 0
	for i := 0; i < len(data); i += 2 {
		sample := int(int16(order.Uint16(data[i:])))
		loud += int64(abs(sample))
		steps += int64(abs(sample - before))
		before = sample
	}
	return loud > 0 && steps < loud*9/10
}

// isPrintable reports whether data is text. Its last character may be cut off.
func isPrintable(data []byte) bool {
	end := len(data)
	for i := 1; i < utf8.UTFMax && i <= end && !utf8.Valid(data[:end]); i++ {
		data = data[:end-i]
	}
	return utf8.Valid(data) && !bytes.ContainsFunc(data, func(c rune) bool { return c < ' ' && c != '\n' && c != '\r' && c != '\t' })
}

func abs(n int) int { return max(n, -n) }

// Bit rates of MPEG audio layer III in kbit/s (ISO 11172-3 and 13818-3), of
// version 1 and of 2 and 2.5.
var mp3Rates = [2][16]int{
	{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320},
	{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},
}

// An mp3Frame is the header of a frame.
type mp3Frame struct{ size, samples, rate, channels int }

// mp3 detects MP3 by an ID3 tag, by two frames in a row, or by one frame without more
// data.
func mp3(data []byte) (AudioInfo, bool) {
	tagged := len(data) >= 10 && string(data[:3]) == "ID3"
	if tagged {
		data = data[min(id3Size(data), len(data)):]
	}
	info, frames, at := AudioInfo{Format: FormatMP3}, 0, 0
	for at+4 <= len(data) {
		frame, ok := parseMP3(data[at:])
		if !ok || frames > 0 && frame.rate != info.Rate {
			break
		}
		info.Rate, info.Channels = frame.rate, frame.channels
		info.Seconds += float64(frame.samples) / float64(frame.rate)
		frames, at = frames+1, at+frame.size
	}
	return info, tagged || frames > 1 || frames == 1 && at == len(data)
}

// id3Size is the size of an ID3v2 tag, whose length has seven bits in each byte.
func id3Size(data []byte) int {
	return 10 + int(data[6]&0x7F)<<21 + int(data[7]&0x7F)<<14 + int(data[8]&0x7F)<<7 + int(data[9]&0x7F)
}

func parseMP3(data []byte) (mp3Frame, bool) {
	head := binary.BigEndian.Uint32(data)
	version, layer := head>>19&3, head>>17&3
	kbits, rate := head>>12&15, head>>10&3
	if head>>21 != 0x7FF || version == 1 || layer != 1 || kbits == 0 || kbits == 15 || rate == 3 {
		return mp3Frame{}, false
	}
	frame := mp3Frame{samples: 1152, rate: [...]int{44100, 48000, 32000}[rate], channels: 2}
	row := 0
	if version != 3 { // 2 and 2.5 have half and a quarter of the rate
		row, frame.samples = 1, 576
		frame.rate >>= 1 + (version^2)>>1
	}
	if head>>6&3 == 3 {
		frame.channels = 1
	}
	frame.size = frame.samples/8*mp3Rates[row][kbits]*1000/frame.rate + int(head>>9&1)
	return frame, true
}

// WAV returns 16-bit little-endian PCM in the container that browsers play. A rate
// or number of channels that is not positive means 16000 and 1.
func WAV(pcm []byte, rate, channels int) []byte {
	if rate <= 0 {
		rate = SpeechRate
	}
	if channels <= 0 {
		channels = 1
	}
	le := binary.LittleEndian
	out := make([]byte, 0, 44+len(pcm))
	out = le.AppendUint32(append(out, "RIFF"...), uint32(36+len(pcm)))
	out = le.AppendUint32(append(out, "WAVEfmt "...), 16)
	out = le.AppendUint16(le.AppendUint16(out, 1), uint16(channels)) // 1: PCM
	out = le.AppendUint32(le.AppendUint32(out, uint32(rate)), uint32(rate*channels*2))
	out = le.AppendUint16(le.AppendUint16(out, uint16(channels*2)), 16)
	out = le.AppendUint32(append(out, "data"...), uint32(len(pcm)))
	return append(out, pcm...)
}

func isWAV(data []byte) bool {
	return len(data) >= 12 && string(data[:4]) == "RIFF" && string(data[8:12]) == "WAVE"
}

// A wavFile holds the chunks of a WAV file. coding is 1 for PCM; samples is the
// content of the data chunk, which may be cut off.
type wavFile struct {
	AudioInfo
	coding, bits int
	samples      []byte
}

// parseWAV trusts no chunk size: streams write 0 or 0xFFFFFFFF, and a recorded body
// may be cut off.
func parseWAV(data []byte) wavFile {
	wav := wavFile{AudioInfo: AudioInfo{Format: FormatWAV}}
	for rest := data[12:]; len(rest) >= 8; {
		name, size := string(rest[:4]), littleInt(rest[4:])
		rest = rest[8:]
		content := rest[:min(size, len(rest))]
		switch {
		case name == "fmt " && len(content) >= 16:
			wav.parseFormat(content)
		case name == "data":
			if size == 0 {
				content = rest
			}
			wav.setSamples(content)
			return wav
		}
		rest = rest[min(len(content)+size&1, len(rest)):] // chunks begin at even offsets
	}
	return wav
}

// littleInt reads a 32-bit unsigned number. An int may have 32 bits, so a larger
// number than it holds becomes the largest.
func littleInt(b []byte) int { return int(min(binary.LittleEndian.Uint32(b), math.MaxInt32)) }

func (w *wavFile) parseFormat(format []byte) {
	le := binary.LittleEndian
	w.coding, w.Channels = int(le.Uint16(format)), int(le.Uint16(format[2:]))
	w.Rate, w.bits = littleInt(format[4:]), int(le.Uint16(format[14:]))
}

func (w *wavFile) setSamples(samples []byte) {
	w.samples = samples
	// The product of the three numbers may not fit into an int.
	if second := float64(w.Rate) * float64(w.Channels) * float64(w.bits) / 8; second > 0 {
		w.Seconds = float64(len(samples)) / second
	}
}
