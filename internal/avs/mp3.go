package avs

import "encoding/binary"

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
	info, frames, at := AudioInfo{Format: "MP3"}, 0, 0
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
