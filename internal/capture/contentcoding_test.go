package capture

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"avsproxy/internal/exchange"
	"avsproxy/internal/testkit"
)

func pack(t *testing.T, coding, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&b)
	if coding == "deflate" {
		w = zlib.NewWriter(&b)
	}
	io.WriteString(w, text)
	testkit.NoError(t, w.Close())
	return b.Bytes()
}

// noise compresses badly, so cutting its coded form cuts its text.
func noise(n int) string {
	text, random := make([]byte, n), rand.New(rand.NewPCG(1, 2))
	for i := range text {
		text[i] = 'a' + byte(random.IntN(26))
	}
	return string(text)
}

// An upstream may echo the token in a coded body.
func TestC26_PackedBodiesShowNoSecret(t *testing.T) {
	const token = "live-secret-of-the-test"
	clean := noise(4000)
	echo := clean[:2000] + token + clean[2000:]
	for name, c := range map[string]struct {
		coding string
		body   []byte
		shown  bool
	}{
		"clean gzip":        {"gzip", pack(t, "gzip", clean), true},
		"clean deflate":     {"Deflate", pack(t, "deflate", clean), true},
		"echo in gzip":      {"gzip", pack(t, "gzip", echo), false},
		"echo in x-gzip":    {"X-GZip", pack(t, "gzip", echo), false},
		"echo in deflate":   {"deflate", pack(t, "deflate", echo), false},
		"echo, then cut":    {"gzip", pack(t, "gzip", echo)[:2000], false},
		"cut before":        {"gzip", pack(t, "gzip", echo)[:1000], true},
		"Amazon's token":    {"gzip", pack(t, "gzip", "Atza|"+noise(100)), false},
		"a member's":        {"gzip", pack(t, "gzip", `{"refresh_token": "x"}`), false},
		"packed twice":      {"gzip, gzip", pack(t, "gzip", string(pack(t, "gzip", echo))), false},
		"an unknown coding": {"br", []byte(noise(100)), false},
		"no gzip at all":    {"gzip", []byte(noise(100)), false},
		"a second member":   {"gzip", append(pack(t, "gzip", clean), pack(t, "gzip", echo)...), false},
		"a second stream":   {"deflate", append(pack(t, "deflate", clean), pack(t, "deflate", echo)...), false},
		"a bomb":            {"gzip", pack(t, "gzip", strings.Repeat("x", 8<<20)), false},
		"no coding":         {"identity", []byte(clean), true},
		"nothing in it":     {"gzip", nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := New(Options{Secrets: func() []string { return []string{token} }})
			follower := r.Watch(t.Context(), 1)
			e := r.Begin(Request{Header: []Field{{Name: "Content-Encoding", Value: c.coding}}})
			e.RequestData(c.body)
			e.RequestEnd(nil, nil)
			e.Response(head(200, ""), testkit.Fields("content-encoding", c.coding))
			e.ResponseData(c.body)
			e.End(exchange.Facts{}, nil)
			record, _ := r.Get(1)
			for _, m := range []Message{record.Request, record.Response} {
				if shown := bytes.Equal(m.Body.Bytes, c.body); shown != c.shown || m.Body.Masked == shown || int(m.Body.Kept) != len(m.Body.Bytes) || int(m.Body.Size) != len(c.body) {
					t.Errorf("%d bytes shown: %+v", len(m.Body.Bytes), m.Body)
				}
				if text, _ := m.Plain(); bytes.Contains(text, []byte(token)) {
					t.Error("the token is in it")
				}
			}
			for range len(follower) {
				if event := <-follower; event.Kind == KindChunk && c.coding != "identity" {
					t.Errorf("%q was shown to a follower", event.Chunk.Bytes)
				}
			}
		})
	}
}
