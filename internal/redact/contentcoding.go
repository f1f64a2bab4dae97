package redact

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
)

// maxDecoded bounds the decoded size of a body: a few bytes can become gigabytes.
const maxDecoded = 1 << 20

// maxUndecided is how many bytes of a possible secret may end a body that was cut off.
const maxUndecided = 8

var errUnknownCoding = errors.New("unknown content coding")

// Decode removes a content coding (RFC 9110 section 8.4). With an error it returns what
// could be decoded; the error is [io.ErrUnexpectedEOF] if coded was cut off.
func Decode(coding string, coded []byte) (text []byte, err error) {
	var decoded io.Reader
	stream := bytes.NewReader(coded)
	switch coding {
	case "gzip", "x-gzip":
		decoded, err = gzip.NewReader(stream)
	case "deflate":
		decoded, err = zlib.NewReader(stream)
	default:
		return nil, errUnknownCoding
	}
	if err != nil {
		return nil, err
	}
	text, err = io.ReadAll(io.LimitReader(decoded, maxDecoded+1))
	if len(text) > maxDecoded {
		return text[:maxDecoded], errors.New("the decoded body is too large")
	}
	if err == nil && stream.Len() > 0 {
		err = errors.New("data follows the coded body")
	}
	return text, err
}

// IsHarmless reports whether a coded body can be decoded completely and contains no
// secret.
func (s *Patterns) IsHarmless(coding string, coded []byte) bool {
	text, err := Decode(coding, coded)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false
	}
	var m Masker
	m.Add(nil, text, s)
	if err == nil {
		m.End(nil, s, true)
	}
	return !m.masked && len(m.pending) < maxUndecided
}
