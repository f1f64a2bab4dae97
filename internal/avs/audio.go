package avs

// AudioInfo is what a piece of audio says of itself. Format is "L16", "MP3",
// "Opus" or "WAV"; Rate is in samples per second. Zeros mean unknown.
type AudioInfo struct {
	Format   string  `json:"format"`
	Rate     int     `json:"rate"`
	Channels int     `json:"channels"`
	Seconds  float64 `json:"seconds"`
}

// Audio says what a part is, by its bytes, its Content-Type and the format that
// the event's payload names, which may be empty. It reports false for a part that
// is no audio.
func Audio(contentType, format string, data []byte) (AudioInfo, bool) { return AudioInfo{}, false }

// WAV returns 16-bit little-endian PCM in the container that browsers play.
func WAV(pcm []byte, rate, channels int) []byte { return nil }
