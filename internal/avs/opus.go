package avs

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
)

// opusEvidence is how many bytes are needed to detect bare packets.
const opusEvidence = 10 * 160

// opusSizes are the packet sizes that the service accepts: 20 ms at a constant 32 or
// 64 kbit/s.
var opusSizes = []int{80, 160}

func isOpusFormat(contentType, format string) bool {
	return strings.EqualFold(format, "OPUS") || format == "" && strings.HasPrefix(strings.ToLower(contentType), "audio/opus")
}

// OpusPackets splits bare Opus, as devices send it, into its packets, which all have
// the same size. It returns nil for other data. It leaves out a packet that is cut off.
//
// It detects the size by the first bytes of the packets (RFC 6716 section 3.1), which are
// equal: frames of 20 ms. Data of one repeated byte is silence in L16.
func OpusPackets(data []byte) [][]byte {
	if len(data) == 0 || !is20ms(data[0]>>3) || len(bytes.Trim(data, string(data[:1]))) == 0 {
		return nil
	}
	startsOtherwise := func(packet []byte) bool { return packet[0]>>2 != data[0]>>2 }
	for _, size := range opusSizes {
		packets := slices.Collect(slices.Chunk(data, size))
		if len(data) >= size && !slices.ContainsFunc(packets, startsOtherwise) {
			return packets[:len(data)/size]
		}
	}
	return nil
}

func bareOpus(data []byte) (AudioInfo, bool) {
	packets := OpusPackets(data)
	if packets == nil {
		return AudioInfo{}, false
	}
	var samples int64
	for _, packet := range packets {
		samples += int64(opusSamples(packet))
	}
	return AudioInfo{Format: FormatOpus, Rate: SpeechRate, Channels: opusChannels(packets[0]), Seconds: float64(samples) / 48000}, true
}

func opusChannels(packet []byte) int { return 1 + int(packet[0]>>2&1) }

// opusSamples is the duration of a packet of 20 ms frames, in samples at the 48 kHz
// that Opus counts in (RFC 6716 section 3.2).
func opusSamples(packet []byte) int {
	frames := 1
	switch packet[0] & 3 {
	case 1, 2:
		frames = 2
	case 3:
		frames = int(packet[1] & 63)
	}
	return frames * 960
}

// is20ms decodes the configuration number (RFC 6716 table 2).
func is20ms(config byte) bool {
	switch {
	case config < 12:
		return config&3 == 1
	case config < 16:
		return config&1 == 1
	}
	return config&3 == 3
}

// oggOpus parses the head of the first page and the position of the last (RFC 7845).
// Opus always decodes to 48 kHz; Rate is that of the original input.
func oggOpus(data []byte) (AudioInfo, bool) {
	at := bytes.Index(data[:min(len(data), 512)], []byte("OpusHead"))
	if at < 0 || len(data) < at+16 {
		return AudioInfo{}, false
	}
	head := data[at:]
	info := AudioInfo{Format: FormatOpus, Channels: int(head[9]), Rate: littleInt(head[12:])}
	skip := int64(binary.LittleEndian.Uint16(head[10:]))
	if last := bytes.LastIndex(data, []byte("OggS")); len(data) >= last+14 {
		if position := int64(binary.LittleEndian.Uint64(data[last+6:])); position > skip {
			info.Seconds = float64(position-skip) / 48000
		}
	}
	return info, true
}

// pagePackets is how many packets a page of Ogg has: one second of 20 ms each.
const pagePackets = 50

// Kinds of pages (RFC 3533 section 6).
const (
	pageBegins = 2
	pageEnds   = 4
)

// OggOpus puts bare Opus into a container that players support (RFC 7845). It returns
// nil for data that is not bare Opus, see [OpusPackets]. It sets no samples to skip,
// because the delay of the encoder is unknown.
func OggOpus(data []byte) []byte {
	packets := OpusPackets(data)
	if packets == nil {
		return nil
	}
	w := oggWriter{text: make([]byte, 0, len(data)+len(data)/50+256)}
	w.page(pageBegins, opusHead(packets[0]))
	w.page(0, []byte("OpusTags\x08\x00\x00\x00avsproxy\x00\x00\x00\x00")) // the vendor, and no comments
	for ; len(packets) > pagePackets; packets = packets[pagePackets:] {
		w.sound(0, packets[:pagePackets])
	}
	w.sound(pageEnds, packets)
	return w.text
}

// opusHead is the identification header of RFC 7845 section 5.1.
func opusHead(packet []byte) []byte {
	head := append([]byte("OpusHead"), 1, byte(opusChannels(packet)))
	head = binary.LittleEndian.AppendUint16(head, 0) // samples to skip
	head = binary.LittleEndian.AppendUint32(head, SpeechRate)
	return append(head, 0, 0, 0) // no gain, and the usual order of channels
}

// An oggWriter writes one logical stream.
type oggWriter struct {
	text     []byte
	pages    uint32
	position uint64 // in samples at 48 kHz, at the end of the last packet
}

func (w *oggWriter) sound(kind byte, packets [][]byte) {
	for _, packet := range packets {
		w.position += uint64(opusSamples(packet))
	}
	w.page(kind, packets...)
}

// page writes a page with these packets. Each must be shorter than 255 bytes, so that
// its length takes one byte.
func (w *oggWriter) page(kind byte, packets ...[]byte) {
	begin := len(w.text)
	w.text = append(w.text, "OggS\x00"...)
	w.text = append(w.text, kind)
	w.text = binary.LittleEndian.AppendUint64(w.text, w.position)
	w.text = append(w.text, "avsp"...) // an arbitrary stream number
	w.text = binary.LittleEndian.AppendUint32(w.text, w.pages)
	w.text = append(w.text, 0, 0, 0, 0) // the checksum, counted as zeros
	w.text = append(w.text, byte(len(packets)))
	for _, packet := range packets {
		w.text = append(w.text, byte(len(packet)))
	}
	for _, packet := range packets {
		w.text = append(w.text, packet...)
	}
	w.pages++
	binary.LittleEndian.PutUint32(w.text[begin+22:], oggChecksum(w.text[begin:]))
}

// oggChecksum is a CRC-32 without reflected bits. hash/crc32 has only reflected ones.
func oggChecksum(page []byte) (crc uint32) {
	for _, b := range page {
		crc ^= uint32(b) << 24
		for range 8 {
			carry := crc >> 31
			crc = crc<<1 ^ carry*0x04c11db7
		}
	}
	return crc
}
