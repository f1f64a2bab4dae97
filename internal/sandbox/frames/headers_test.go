package frames

import (
	"testing"

	"golang.org/x/net/http2/hpack"
)

func TestCheckRequest(t *testing.T) {
	get := []string{":method", "GET", ":scheme", "https", ":path", "/"}
	with := func(pairs ...string) []string { return append(get[:len(get):len(get)], pairs...) }
	for _, test := range []struct {
		pairs  []string
		length int64
		good   bool
	}{
		{get, -1, true},
		{with(":authority", "localhost", "te", "trailers", "content-length", "12"), 12, true},
		{with("content-length", "1", "content-length", "1"), 1, true},
		{with("x-empty", ""), -1, true},
		{[]string{":method", "CONNECT", ":authority", "localhost:1"}, -1, true},
		{[]string{":method", "OPTIONS", ":scheme", "https", ":path", "*"}, -1, true},

		{pairs: nil},
		{pairs: get[2:]},
		{pairs: get[:4]},
		{pairs: with("a", "b", ":authority", "localhost")},
		{pairs: with(":path", "/")},
		{pairs: with(":status", "200")},
		{pairs: with(":protocol", "websocket")},
		{pairs: with(":authority", "a\nb")},
		{pairs: []string{":method", "CONNECT", ":authority", "localhost:1", ":path", "/"}},
		{pairs: []string{":method", "CONNECT"}},
		{pairs: []string{":method", "G T", ":scheme", "https", ":path", "/"}},
		{pairs: []string{":method", "GET", ":scheme", "https", ":path", ""}},
		{pairs: []string{":method", "GET", ":scheme", "https", ":path", "*"}},
		{pairs: []string{":method", "GET", ":scheme", "https", ":path", "http://a/"}},
		{pairs: with("", "empty name")},
		{pairs: with("a b", "")},
		{pairs: with("Upper", "")},
		{pairs: with("a", "b\r\nc")},
		{pairs: with("a", "b\x00")},
		{pairs: with("a", " b")},
		{pairs: with("a", "b\t")},
		{pairs: with("transfer-encoding", "chunked")},
		{pairs: with("te", "gzip")},
		{pairs: with("content-length", "-1")},
		{pairs: with("content-length", "+1")},
		{pairs: with("content-length", "")},
		{pairs: with("content-length", "1", "content-length", "2")},
		{pairs: with("content-length", "99999999999999999999")},
	} {
		var fields []hpack.HeaderField
		for i := 0; i < len(test.pairs); i += 2 {
			fields = append(fields, hpack.HeaderField{Name: test.pairs[i], Value: test.pairs[i+1]})
		}
		length, err := checkRequest(fields)
		if (err == nil) != test.good || test.good && length != test.length {
			t.Errorf("%q: %d, %v", test.pairs, length, err)
		}
	}
}
