package messages

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"iter"
	"math"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// A Call is a message of gRPC (its PROTOCOL-HTTP2, "Length-Prefixed-Message").
type Call struct {
	AtMS       *float64 `json:"at_ms,omitempty"` // when its last byte came; absent = unknown
	Size       int      `json:"size"`            // of the message as it was sent
	Compressed bool     `json:"compressed,omitempty"`
	// Fields are its fields by number: a schema would have their names. Absent where the bytes are no message of
	// protocol buffers.
	Fields []Field `json:"fields,omitempty"`
	Base64 []byte  `json:"base64,omitempty"` // its bytes, where there are no fields
	Cut    bool    `json:"cut,omitempty"`    // its end is missing
}

// A Field is a field of a message of protocol buffers, without its schema.
type Field struct {
	Number int32  `json:"number"`
	Kind   string `json:"kind"` // "varint", "fixed32", "fixed64", "text", "bytes", "message"
	// Value is what it can mean, in words: of a varint also its signed form, of fixed ones also as a floating-point
	// number.
	Value  string  `json:"value,omitempty"`
	Base64 []byte  `json:"base64,omitempty"`
	Fields []Field `json:"fields,omitempty"` // of a message within
}

const (
	maxUnpacked = 4 << 20  // of a compressed message
	maxAll      = 16 << 20 // of all of a body
	maxDepth    = 20       // of messages in messages
	maxFields   = 5000     // of a message, those within included
)

// A Reader reads the messages of gRPC.
type Reader struct {
	Encoding string              // of compressed ones, "grpc-encoding"
	Mask     func(string) string // takes the secrets out of a text; nil = there are none
	left     int                 // bytes that may be unpacked
}

// Calls cuts a body, which is not masked, into its messages. Bytes with a secret in them are left out.
func (r Reader) Calls(body iter.Seq[Piece]) (list []Call, more bool) {
	list = []Call{}
	r.left = maxAll
	if r.Mask == nil {
		r.Mask = func(text string) string { return text }
	}
	var waiting []byte
	for piece := range body {
		waiting = append(waiting, piece.Bytes...)
		for len(waiting) >= 5 {
			size := int(binary.BigEndian.Uint32(waiting[1:]))
			if len(waiting)-5 < size {
				break
			}
			if len(list) == maxMessages {
				return list, true
			}
			list = append(list, r.call(waiting[0], waiting[5:5+size], piece.AtMS))
			waiting = waiting[5+size:]
		}
	}
	if len(waiting) > 0 {
		call := Call{Cut: true, Compressed: waiting[0] == 1}
		if len(waiting) >= 5 {
			call.Size, call.Base64 = int(binary.BigEndian.Uint32(waiting[1:])), r.harmless(waiting[5:])
		}
		list = append(list, call)
	}
	return list, false
}

func (r *Reader) call(flag byte, message []byte, at *float64) Call {
	call := Call{AtMS: at, Size: len(message), Compressed: flag == 1}
	if call.Compressed && r.Encoding == "gzip" {
		if unpacked, ok := gunzip(message, min(maxUnpacked, r.left)); ok {
			r.left -= len(unpacked)
			message, call.Compressed = unpacked, false
		}
	}
	left := maxFields
	fields, ok := parseFields(message, 0, &left)
	if call.Compressed {
		return call // nobody knows what is in it
	}
	if !ok {
		call.Base64 = r.harmless(message)
		return call
	}
	r.mask(fields)
	call.Fields = fields
	return call
}

// harmless returns bytes without a secret; nil where there is one.
func (r *Reader) harmless(p []byte) []byte {
	if r.Mask(string(p)) != string(p) {
		return nil
	}
	return p
}

func (r *Reader) mask(fields []Field) {
	for i := range fields {
		f := &fields[i]
		f.Value, f.Base64 = r.Mask(f.Value), r.harmless(f.Base64)
		r.mask(f.Fields)
	}
}

func gunzip(packed []byte, most int) ([]byte, bool) {
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, false
	}
	text, err := io.ReadAll(io.LimitReader(reader, int64(most)+1))
	return text, err == nil && len(text) <= most
}

// parseFields reads a message; ok = its bytes are one.
func parseFields(p []byte, depth int, left *int) (list []Field, ok bool) {
	list = []Field{}
	for len(p) > 0 {
		number, kind, n := protowire.ConsumeTag(p)
		if *left--; n < 0 || *left < 0 {
			return nil, false
		}
		p = p[n:]
		field := Field{Number: int32(number)}
		switch kind {
		case protowire.VarintType:
			var v uint64
			v, n = protowire.ConsumeVarint(p)
			field.Kind, field.Value = "varint", varintText(v)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(p)
			field.Kind, field.Value = "fixed32", strconv.FormatUint(uint64(v), 10)+" or "+strconv.FormatFloat(float64(math.Float32frombits(v)), 'g', -1, 32)
		case protowire.Fixed64Type:
			var v uint64
			v, n = protowire.ConsumeFixed64(p)
			field.Kind, field.Value = "fixed64", strconv.FormatUint(v, 10)+" or "+strconv.FormatFloat(math.Float64frombits(v), 'g', -1, 64)
		case protowire.BytesType:
			var v []byte
			v, n = protowire.ConsumeBytes(p)
			if n >= 0 {
				field.setBytes(v, depth, left)
			}
		default: // groups, which proto3 has not
			return nil, false
		}
		if n < 0 {
			return nil, false
		}
		p = p[n:]
		list = append(list, field)
	}
	return list, true
}

// setBytes says what bytes with a length can be: text is text, else what reads as a message is one.
func (f *Field) setBytes(v []byte, depth int, left *int) {
	if isText(v) {
		f.Kind, f.Value = "text", string(v)
		return
	}
	if depth < maxDepth {
		if fields, ok := parseFields(v, depth+1, left); ok {
			f.Kind, f.Fields = "message", fields
			return
		}
	}
	f.Kind, f.Base64 = "bytes", v
}

// varintText adds the signed reading of what is probably a negative number.
func varintText(v uint64) string {
	text := strconv.FormatUint(v, 10)
	if v > math.MaxInt64 {
		return text + " or " + strconv.FormatInt(int64(v), 10)
	}
	return text
}
