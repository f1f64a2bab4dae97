package capture

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"strings"
)

// unpackedMost bounds what a body is unpacked to: a few bytes can become gigabytes.
const unpackedMost = 1 << 20

// undecidedMost is how much of what might be a secret may stand where a body was cut.
const undecidedMost = 8

// codingOf is the Content-Encoding (RFC 9110 section 8.4), "" for none.
func codingOf(header []Field) string {
	var codings []string
	for _, field := range header {
		if strings.EqualFold(field.Name, "Content-Encoding") {
			codings = append(codings, strings.ToLower(strings.TrimSpace(field.Value)))
		}
	}
	if coding := strings.Join(codings, ","); coding != "identity" {
		return coding
	}
	return ""
}

// Plain is the body without the coding it travelled in. whole is false where the end
// is missing.
func (m Message) Plain() (text []byte, whole bool) {
	if m.coding == "" || len(m.Body.Bytes) == 0 {
		return m.Body.Bytes, m.Body.Complete
	}
	text, err := unpack(m.coding, m.Body.Bytes)
	return text, m.Body.Complete && err == nil
}

var errUnknownCoding = errors.New("the coding is not known")

// unpack returns what could be unpacked also where it fails: with
// [io.ErrUnexpectedEOF] where packed was cut.
func unpack(coding string, packed []byte) (text []byte, err error) {
	var unpacked io.Reader
	stream := bytes.NewReader(packed)
	switch coding {
	case "gzip", "x-gzip":
		unpacked, err = gzip.NewReader(stream)
	case "deflate":
		unpacked, err = zlib.NewReader(stream)
	default:
		return nil, errUnknownCoding
	}
	if err != nil {
		return nil, err
	}
	text, err = io.ReadAll(io.LimitReader(unpacked, unpackedMost+1))
	if len(text) > unpackedMost {
		return text[:unpackedMost], errors.New("it unpacks to too much")
	}
	if err == nil && stream.Len() > 0 {
		err = errors.New("something follows what it unpacks to")
	}
	return text, err
}

// harmless looks into a body that travelled packed. It reports whether all of it can
// be looked through and has no secret.
func (s *patterns) harmless(coding string, packed []byte) bool {
	text, err := unpack(coding, packed)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false
	}
	var look masker
	look.add(nil, text, s)
	if err == nil {
		look.end(nil, s, true)
	}
	return !look.masked && len(look.held) < undecidedMost
}
