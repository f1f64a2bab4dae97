package capture

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"avsproxy/internal/exchange"
	"avsproxy/internal/redact"
)

// Bodies are shown unchanged for all sizes of pieces and all declared lengths, also when
// slabs are used again.
func TestBodiesAreShownAsTheyCame(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	r := New(Options{Total: 512 << 10})
	for range 300 {
		text := make([]byte, random.IntN(80<<10))
		for i := range text {
			text[i] = 'a' + byte(random.IntN(20))
		}
		declared := []int{0, len(text), len(text) / 2, 1 << 30}[random.IntN(4)]
		e := r.Begin(Request{Header: []Field{{Name: "Content-Length", Value: fmt.Sprint(declared)}}})
		for rest := text; len(rest) > 0; {
			n := 1 + random.IntN(min(len(rest), 1+random.IntN(20<<10)))
			e.RequestData(rest[:n])
			rest = rest[n:]
		}
		e.RequestEnd(nil, nil)
		e.End(exchange.Facts{}, nil)
		want := text[:min(len(text), defaultBody)]
		if got := get(t, r, e).Request.Body; !bytes.Equal(got.Bytes, want) || got.Complete != (len(want) == len(text)) {
			t.Fatalf("%d bytes, %d declared: shown %d", len(text), declared, len(got.Bytes))
		}
	}
}

// A follower sees the bytes after those in the record.
func TestLateWatchersSeeTheRestOfABody(t *testing.T) {
	const secret = "s3cr3t/token"
	text := strings.Repeat("x", 3*slabSize-6) + secret + "\n" + strings.Repeat("y", slabSize) + secret + strings.Repeat("z", 100)
	want := strings.ReplaceAll(text, secret, redact.Mask)
	for from := 0; from <= len(text); from += 397 {
		r := New(Options{Secrets: live(secret)})
		e := post(r)
		e.ResponseData([]byte(text[:from]))
		watched := watch(t, r, e.ID())
		shown := get(t, r, e).Response.Body.Bytes
		for rest := []byte(text[from:]); len(rest) > 0; rest = rest[min(len(rest), 5000):] {
			e.ResponseData(rest[:min(len(rest), 5000)])
		}
		e.End(exchange.Facts{}, nil)
		for _, event := range watched() {
			if event.Chunk == nil {
				continue
			}
			if event.Chunk.Offset != int64(len(shown)) {
				t.Fatalf("followed from %d: a piece for %d comes at %d", from, event.Chunk.Offset, len(shown))
			}
			shown = append(slices.Clip(shown), event.Chunk.Bytes...)
		}
		if string(shown) != want {
			t.Fatalf("followed from %d: shown %d bytes of %d", from, len(shown), len(want))
		}
	}
}

// A body is masked when it is shown: for the secrets when it came, however long ago, and
// for the present ones.
func TestBodiesAreMaskedForPastAndPresentSecrets(t *testing.T) {
	token := "the-first-token"
	r := New(Options{Secrets: func() []string { return []string{token} }})
	e := post(r)
	e.Response(head(200, ""), nil)
	e.ResponseData([]byte("the-first-token, the-last-token"))
	e.End(exchange.Facts{}, nil)
	for i := range 2 * redact.MaxPast {
		token = fmt.Sprint("token-number-", i)
		post(r)
	}
	token = "the-last-token"
	if got := get(t, r, e).Response.Body; string(got.Bytes) != "***, ***" || !got.Masked || got.Kept != 8 {
		t.Errorf("%q, %+v", got.Bytes, got)
	}
}

// Requests and responses overlap, so either body may have the later secrets.
func TestBothBodiesAreMaskedForTheLaterSecrets(t *testing.T) {
	for _, answerFirst := range []bool{true, false} {
		token := "the-first-token"
		r := New(Options{Secrets: func() []string { return []string{token} }})
		e := post(r)
		e.Response(head(200, ""), nil)
		early, late := e.RequestData, e.ResponseData
		if answerFirst {
			early, late = late, early
		}
		early([]byte("the-first-token"))
		token = "the-second-token"
		r.SecretsChanged()
		late([]byte("the-second-token"))
		e.End(exchange.Facts{}, nil)
		for i := range 2 * redact.MaxPast {
			token = fmt.Sprint("token-number-", i)
			post(r)
		}
		record := get(t, r, e)
		if got := string(record.Request.Body.Bytes) + string(record.Response.Body.Bytes); got != "******" {
			t.Errorf("answer first %v: %q", answerFirst, got)
		}
	}
}
