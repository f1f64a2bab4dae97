package avs

import (
	"encoding/binary"
	"math"
)

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
	wav := wavFile{AudioInfo: AudioInfo{Format: "WAV"}}
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
