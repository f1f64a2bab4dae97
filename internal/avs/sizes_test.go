package avs

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"
)

// wavOf returns a mono WAV file with these numbers in its chunks.
func wavOf(rate, dataSize uint32, samples []byte) []byte {
	wav := WAV(samples, SpeechRate, 1)
	binary.LittleEndian.PutUint32(wav[24:], rate)
	binary.LittleEndian.PutUint32(wav[40:], dataSize)
	return wav
}

// An int may have 32 bits, so none of these sizes may become negative.
func TestWAVOfAnySizeIsParsed(t *testing.T) {
	samples := tone(8000)
	for _, size := range []uint32{0, 1, 16000, math.MaxInt32, math.MaxInt32 + 1, math.MaxUint32 - 1, math.MaxUint32} {
		wav := parseWAV(wavOf(SpeechRate, size, samples))
		if size != 1 && (!bytes.Equal(wav.samples, samples) || wav.Seconds != 0.5) {
			t.Errorf("data size %d: %d bytes, %v s", size, len(wav.samples), wav.Seconds)
		}
		other := wavOf(SpeechRate, size, samples)
		copy(other[36:], "junk") // the chunk before the data
		parseWAV(other)
		Lint(formB, []byte(crlf("--B", `Content-Disposition: form-data; name="metadata"`, "", l16JSON, "--B", `Content-Disposition: form-data; name="audio"`, "", string(other), "--B--")), true)
	}
	info, ok := Audio("", "", wavOf(math.MaxUint32, math.MaxUint32, samples))
	if !ok || info.Rate <= 0 || info.Seconds <= 0 {
		t.Errorf("the highest rate: %+v, %v", info, ok)
	}
}

func TestOggOfAnyRateIsParsed(t *testing.T) {
	ogg := oggOf(1)
	at := bytes.Index(ogg, []byte("OpusHead"))
	binary.LittleEndian.PutUint32(ogg[at+12:], math.MaxUint32)
	if info, ok := Audio("", "", ogg); !ok || info.Rate <= 0 {
		t.Errorf("%+v, %v", info, ok)
	}
}

func TestLoudSamplesLookLikeSamples(t *testing.T) {
	pcm := make([]byte, 0, 64<<10)
	for i := range 32 << 10 {
		value := int16(math.MaxInt16)
		if i/4096%2 == 1 {
			value = math.MinInt16
		}
		pcm = binary.LittleEndian.AppendUint16(pcm, uint16(value))
	}
	if !looksLikeSamples(pcm, binary.LittleEndian) {
		t.Error("they look like noise")
	}
}
