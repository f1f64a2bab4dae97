package avs

import "encoding/binary"

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
