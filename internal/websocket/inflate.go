package websocket

import (
	"bytes"
	"compress/flate"
	"io"
	"strings"
)

const (
	// maxPacked is how many bytes of a compressed message are kept for unpacking.
	maxPacked = 1 << 20
	// maxUnpacked is how far a message is unpacked. The next ones may refer to its last bytes.
	maxUnpacked = 16 << 20
	window      = 32 << 10 // that messages can refer to
)

// tail ends the DEFLATE data of a message: the empty block that was left out (RFC 7692 section
// 7.2.2), and a last one.
const tail = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"

// An Inflater unpacks the messages of one side that are compressed by permessage-deflate (RFC
// 7692).
type Inflater struct {
	alone  bool   // each message refers to itself only
	before []byte // the last bytes of the messages so far
	lost   bool   // some of these are missing: nothing that follows can be unpacked
	reader io.ReadCloser
}

// Inflaters reads what the server's answer says of extensions, Sec-WebSocket-Extensions. Both are
// nil where messages are not compressed.
func Inflaters(extensions string) (client, server *Inflater) {
	for offer := range strings.SplitSeq(extensions, ",") {
		name, parameters, _ := strings.Cut(offer, ";")
		if !strings.EqualFold(strings.TrimSpace(name), "permessage-deflate") {
			continue
		}
		client, server = new(Inflater), new(Inflater)
		for p := range strings.SplitSeq(parameters, ";") {
			switch strings.ToLower(strings.TrimSpace(p)) {
			case "client_no_context_takeover":
				client.alone = true
			case "server_no_context_takeover":
				server.alone = true
			}
		}
		return client, server
	}
	return nil, nil
}

// message unpacks a message, and returns its first bytes, most of them at most. cut = packed is not
// all of it.
func (f *Inflater) message(packed []byte, cut bool, most int) (data []byte, isCut bool) {
	if f.lost {
		return nil, true
	}
	in := io.MultiReader(bytes.NewReader(packed), strings.NewReader(tail))
	if f.reader == nil {
		f.reader = flate.NewReaderDict(in, f.before)
	} else {
		_ = f.reader.(flate.Resetter).Reset(in, f.before) // never fails
	}
	out := &head{most: most, last: f.before}
	n, err := io.Copy(out, io.LimitReader(f.reader, maxUnpacked+1))
	whole := err == nil && !cut && n <= maxUnpacked
	if f.before = out.last; f.alone {
		f.before = nil
	}
	f.lost = !whole && !f.alone
	return out.first, !whole || n > int64(len(out.first))
}

// A head keeps the first bytes that are written to it, and the last ones.
type head struct {
	most  int
	first []byte
	last  []byte
}

// Write implements [io.Writer].
func (h *head) Write(p []byte) (int, error) {
	h.first = append(h.first, p[:min(len(p), max(0, h.most-len(h.first)))]...)
	if h.last = append(h.last, p...); len(h.last) > window {
		h.last = append([]byte(nil), h.last[len(h.last)-window:]...)
	}
	return len(p), nil
}
