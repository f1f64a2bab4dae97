package capture

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"avsproxy/internal/exchange"
	"avsproxy/internal/redact"
	"avsproxy/internal/testkit"
)

// randomSecret has characters of tokens, and some that are escaped.
func randomSecret(random *rand.Rand) string {
	const letters = "ABCdef0189-_|.+/=~%&\"\\<é"
	secret := make([]byte, 8+random.IntN(40))
	for i := range secret {
		secret[i] = letters[random.IntN(len(letters))]
	}
	return string(secret)
}

// around has no beginning of a secret of randomSecret, except decoys.
func around(random *rand.Rand, secret string) string {
	var text strings.Builder
	for range 5 + random.IntN(20) {
		text.WriteString([]string{"x", "yz", "\n", " {", "}", ",\r\n", secret[:1] + "x", secret[:3] + "y", "\x00"}[random.IntN(9)])
	}
	return text.String()
}

func TestSecretsAreMaskedWhereverTheyAreCut(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 12 {
		secret := randomSecret(random)
		before, after := around(random, secret), around(random, secret)
		body := before + secret + after
		for cut := range len(body) + 1 {
			checkCut(t, secret, body, cut, before+redact.Mask+after)
		}
	}
}

// checkCut sends body in two pieces, and checks what is shown after each.
func checkCut(t *testing.T, secret, body string, cut int, want string) {
	t.Helper()
	r := New(Options{Secrets: live("another secret", secret)})
	e := post(r, Field{Name: "X-Echo", Value: "a " + secret + " b"})
	watched := watch(t, r, e.ID())
	e.Response(head(200, "HTTP/2.0"), nil)
	var all strings.Builder
	for _, p := range []string{body[:cut], body[cut:]} {
		e.RequestData([]byte(p))
		e.ResponseData([]byte(p))
		all.WriteString(everything(t, r))
	}
	e.RequestEnd(nil, nil)
	e.End(exchange.Facts{Ended: "it said " + secret}, testkit.Fields("X-Trailer", secret))
	all.WriteString(everything(t, r))
	followed := map[Side]string{}
	for _, event := range watched() {
		all.WriteString(asJSON(t, event))
		if event.Chunk != nil {
			followed[event.Chunk.Side] += string(event.Chunk.Bytes)
		}
	}
	record := get(t, r, e)
	for _, got := range []string{string(record.Request.Body.Bytes), string(record.Response.Body.Bytes), followed[RequestSide], followed[ResponseSide]} {
		if got != want {
			t.Fatalf("%q cut at %d: shown as %q", body, cut, got)
		}
	}
	if strings.Contains(all.String()+followed[RequestSide], secret[:redact.MinLength]) {
		t.Fatalf("%q cut at %d shows the beginning of %q", body, cut, secret)
	}
}

// The beginning of a secret at the end of a body is shown only if the body is whole.
func TestABodyThatIsCutWithinASecretDoesNotShowIt(t *testing.T) {
	const secret = "s3cr3t/token"
	for cut := range len(secret) {
		r := New(Options{Secrets: live(secret)})
		cutShort, whole := post(r), post(r)
		for _, e := range []*Exchange{cutShort, whole} {
			e.RequestData([]byte("text " + secret[:cut]))
			if kept := string(get(t, r, e).Request.Body.Bytes); kept != "text " {
				t.Errorf("%q is shown before it is decided", kept)
			}
		}
		whole.RequestEnd(nil, nil)
		whole.End(exchange.Facts{}, nil)
		cutShort.End(exchange.Facts{}, nil)
		want := "text "
		if cut < redact.MinLength {
			want += secret[:cut]
		}
		if kept := string(get(t, r, cutShort).Request.Body.Bytes); kept != want {
			t.Errorf("cut after %q: %q", secret[:cut], kept)
		}
		if kept := string(get(t, r, whole).Request.Body.Bytes); kept != "text "+secret[:cut] {
			t.Errorf("whole with %q: %q", secret[:cut], kept)
		}
	}
}

// Wherever the size limit cuts a body, neither the kept part nor the chunks after it show
// a part of a secret.
func TestLimitsCutNoSecret(t *testing.T) {
	const secret, text = "s3cr3t/token", "before\n" + "s3cr3t/token" + "\nafter\n" + "s3cr3t/token" + "."
	for limit := 1; limit <= len(text); limit++ {
		for from := range len(text) {
			r := New(Options{Body: int64(limit), Secrets: live(secret)})
			e := post(r)
			bytewise(e, text[:from])
			watched := watch(t, r, e.ID())
			bytewise(e, text[from:])
			e.End(exchange.Facts{}, nil)
			shown := get(t, r, e).Response.Body.Bytes
			for _, event := range watched() {
				if event.Chunk != nil {
					shown = append(shown, event.Chunk.Bytes...)
				}
			}
			for i := range len(secret) - 3 {
				if bytes.Contains(shown, []byte(secret[i:i+4])) {
					t.Fatalf("limit %d, followed from %d: %q", limit, from, shown)
				}
			}
		}
	}
}

func bytewise(e *Exchange, text string) {
	for i := range len(text) {
		e.ResponseData([]byte(text[i : i+1]))
	}
}

// After a renewal during a response, the new token and the old one are masked.
func TestSecretsAreThoseThatAreLiveWhenBytesCome(t *testing.T) {
	token := "first-token"
	r := New(Options{Secrets: func() []string { return []string{token} }})
	e := post(r)
	token = "second-token"
	r.SecretsChanged()
	e.Response(head(200, "HTTP/2.0"), testkit.Fields("X-Echo", "first-token second-token"))
	e.ResponseData([]byte("first-token second-token"))
	record := get(t, r, e)
	if body := string(record.Response.Body.Bytes); body != "*** ***" || record.Response.Header[0].Value != "*** ***" {
		t.Errorf("%q, %v", body, record.Response.Header)
	}
	token = "third-token"
	r.SecretsChanged()
	if next := get(t, r, post(r, Field{Name: "X-Echo", Value: token})); next.Request.Header[0].Value != redact.Mask {
		t.Errorf("the next request: %v", next.Request.Header)
	}
	if !record.Response.Body.Masked || record.Request.Body.Masked {
		t.Error("which body was changed is not reported")
	}
}

func BenchmarkMask(b *testing.B) {
	set := redact.NewPatterns([]string{"Atza|IwEBIJx" + strings.Repeat("k", 400), "client-secret-of-64-bytes"})
	for name, unit := range map[string]string{"json": `{"name":"value","count":12,"text":"to recognize a code"},`, "audio": "\x01\x80\x10\xff\x00\x00\x31"} {
		body := []byte(strings.Repeat(unit, defaultBody/len(unit)))
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				maskBody(Body{Bytes: body, Complete: true}, set, true)
			}
		})
	}
}
