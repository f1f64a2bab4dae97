package capture

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

// randomSecret is made of what tokens are made of, and of what is escaped.
func randomSecret(random *rand.Rand) string {
	const letters = "ABCdef0189-_|.+/=~%&\"\\<é"
	secret := make([]byte, 8+random.IntN(40))
	for i := range secret {
		secret[i] = letters[random.IntN(len(letters))]
	}
	return string(secret)
}

// around has nothing that a secret of randomSecret begins with, but decoys.
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
			checkCut(t, secret, body, cut, before+mark+after)
		}
	}
}

// checkCut sends body in two pieces, and looks at what is told after each.
func checkCut(t *testing.T, secret, body string, cut int, want string) {
	t.Helper()
	r := New(Options{Secrets: live("another secret", secret)})
	e := post(r, Field{"X-Echo", "a " + secret + " b"})
	watched := watch(t, r, e.ID())
	e.Response(200, "HTTP/2.0", nil)
	var all strings.Builder
	for _, p := range []string{body[:cut], body[cut:]} {
		e.RequestBody([]byte(p))
		e.ResponseBody([]byte(p))
		all.WriteString(everything(t, r))
	}
	e.RequestEnd(nil, nil)
	e.End(Facts{Ended: "it said " + secret}, []Field{{"X-Trailer", secret}})
	all.WriteString(everything(t, r))
	followed := map[string]string{}
	for _, event := range watched() {
		all.WriteString(asJSON(t, event))
		if event.Chunk != nil {
			followed[event.Chunk.Side] += string(event.Chunk.Bytes)
		}
	}
	record := get(t, r, e)
	for _, got := range []string{string(record.Request.Body.Bytes), string(record.Response.Body.Bytes), followed["request"], followed["response"]} {
		if got != want {
			t.Fatalf("%q cut at %d: told as %q", body, cut, got)
		}
	}
	if strings.Contains(all.String()+followed["request"], secret[:shortest]) {
		t.Fatalf("%q cut at %d shows the beginning of %q", body, cut, secret)
	}
}

// What may begin a secret is not told of a body that was cut there, and is of a whole one.
func TestABodyThatIsCutWithinASecretHidesIt(t *testing.T) {
	const secret = "s3cr3t/token"
	for cut := range len(secret) {
		r := New(Options{Secrets: live(secret)})
		cutShort, whole := post(r), post(r)
		for _, e := range []*Exchange{cutShort, whole} {
			e.RequestBody([]byte("text " + secret[:cut]))
			if kept := string(get(t, r, e).Request.Body.Bytes); kept != "text " {
				t.Errorf("%q is told before it is decided", kept)
			}
		}
		whole.RequestEnd(nil, nil)
		whole.End(Facts{}, nil)
		cutShort.End(Facts{}, nil)
		want := "text "
		if cut < shortest {
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

// Wherever the limit of a body falls, nothing of a secret is on its near side,
// and whoever begins to follow behind it sees nothing either.
func TestLimitsCutNoSecret(t *testing.T) {
	const secret, text = "s3cr3t/token", "before\n" + "s3cr3t/token" + "\nafter\n" + "s3cr3t/token" + "."
	for limit := 1; limit <= len(text); limit++ {
		for from := range len(text) {
			r := New(Options{Body: int64(limit), Secrets: live(secret)})
			e := post(r)
			bytewise(e, text[:from])
			watched := watch(t, r, e.ID())
			bytewise(e, text[from:])
			e.End(Facts{}, nil)
			told := get(t, r, e).Response.Body.Bytes
			for _, event := range watched() {
				if event.Chunk != nil {
					told = append(told, event.Chunk.Bytes...)
				}
			}
			for i := range len(secret) - 3 {
				if bytes.Contains(told, []byte(secret[i:i+4])) {
					t.Fatalf("limit %d, followed from %d: %q", limit, from, told)
				}
			}
		}
	}
}

func bytewise(e *Exchange, text string) {
	for i := range len(text) {
		e.ResponseBody([]byte(text[i : i+1]))
	}
}

func TestMembersParametersAndTokensAreMasked(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"nothing", "nothing"},
		{"a Atza|IwEB_x-y.z= b", "a Atza|*** b"},
		{`{"t":"Atzr|IwEB\/x"}`, `{"t":"Atzr|***"}`},
		{"x=Atza%7CIwEB%2Fx&y=1", "x=Atza%7C***&y=1"},
		{"Atza|", "Atza|"},
		{`{"access_token" : "a\"b", "x":1}`, `{"access_token" : "***", "x":1}`},
		{`{"refresh_token":"","id_token":null,"client_secret":"x"}`, `{"refresh_token":"","id_token":null,"client_secret":"***"}`},
		{`{"accessToken":"a","tokens":"b"}`, `{"accessToken":"***","tokens":"b"}`},
		{"/cb?code=ANdNAV&state=1", "/cb?code=***&state=1"},
		{"grant_type=x&refresh_token=a%20b&client_secret=c", "grant_type=x&refresh_token=***&client_secret=***"},
		{"barcode=1&my_token=2&token=", "barcode=1&my_token=2&token="},
		{`{"payload":{"code":"INVALID_REQUEST_EXCEPTION"}}`, `{"payload":{"code":"INVALID_REQUEST_EXCEPTION"}}`},
		{`{"playerActivity":"PLAYING","token":"part 3 of the stream"}`, `{"playerActivity":"PLAYING","token":"part 3 of the stream"}`},
	} {
		set := newPatterns(nil)
		if got := set.text(c.text); got != c.want {
			t.Errorf("%q is told as %q, want %q", c.text, got, c.want)
		}
		for cut := range len(c.text) {
			if got := inPieces(set, c.text[:cut], c.text[cut:]); got != c.want {
				t.Errorf("%q cut at %d is told as %q, want %q", c.text, cut, got, c.want)
			}
		}
	}
}

func inPieces(set *patterns, pieces ...string) string {
	var m masker
	var out []byte
	for _, p := range pieces {
		out, _ = m.add(out, []byte(p), set)
	}
	return string(m.end(out, set, true))
}

func TestFieldsThatHoldSecretsAreMasked(t *testing.T) {
	set := newPatterns([]string{"s3cr3t"})
	for _, c := range []struct{ name, value, want string }{
		{"Accept", "*/*", "*/*"},
		{"Authorization", "Bearer  abc", "Bearer ***"},
		{"authorization", "abc def", "***"},
		{"Proxy-Authorization", "Basic dTpw", "Basic ***"},
		{"Cookie", "a=1; b=2; c", "a=***; b=***;***"},
		{"Set-Cookie", "a=1; Path=/; Secure", "a=***; Path=/; Secure"},
		{"X-Amz-Access-Token", "Atza|x", "***"},
		{"AVSPROXY-KEY", "k", "***"},
		{"X-Api-Key", "k", "***"},
		{"Sec-WebSocket-Key", "dGhl", "dGhl"},
		{"Location", "https://x/?code=abc&state=s", "https://x/?code=***&state=s"},
		{"X-Echo", "you said s3cr3t!", "you said ***!"},
		{"X-Api-Key", "", ""},
	} {
		if got := set.field(c.name, c.value); got != c.want {
			t.Errorf("%s: %s is told as %q, want %q", c.name, c.value, got, c.want)
		}
	}
}

// A token that is renewed while an answer is under way is masked from then on,
// and the old one still is.
func TestSecretsAreThoseThatAreLiveWhenBytesCome(t *testing.T) {
	token := "first-token"
	r := New(Options{Secrets: func() []string { return []string{token} }})
	e := post(r)
	token = "second-token"
	e.Response(200, "HTTP/2.0", []Field{{"X-Echo", "first-token second-token"}})
	e.ResponseBody([]byte("first-token second-token"))
	record := get(t, r, e)
	if body := string(record.Response.Body.Bytes); body != "*** ***" || record.Response.Header[0].Value != "*** ***" {
		t.Errorf("%q, %v", body, record.Response.Header)
	}
	token = "third-token"
	if next := get(t, r, post(r, Field{"X-Echo", token})); next.Request.Header[0].Value != mark {
		t.Errorf("the next request: %v", next.Request.Header)
	}
	if !record.Response.Body.Masked || record.Request.Body.Masked {
		t.Error("which body was changed is not told")
	}
}

func TestSpellingsOfSecretsAreMasked(t *testing.T) {
	set := newPatterns([]string{`a/b+c&"d é`, "xyz"})
	for _, text := range []string{`a/b+c&"d é`, `a%2Fb%2Bc%26%22d+%C3%A9`, `a%2fb%2bc%26%22d+%c3%a9`, `a/b+c\u0026\"d é`} {
		if got := set.text("<" + text + ">"); got != "<"+mark+">" {
			t.Errorf("%s is told as %s", text, got)
		}
	}
	if got := set.text("xyz"); got != "xyz" {
		t.Errorf("a secret of 3 bytes is looked for: %s", got)
	}
}

// However a body comes in pieces, the same is told of it.
func FuzzPieces(f *testing.F) {
	f.Add([]byte(`{"access_token":"Atza|x","password" : "X_Y"}`), 3, 9)
	f.Add([]byte("token=s3cr3t s3cr3s3cr3t-longer"), 8, 20)
	f.Add([]byte(`{"password":    "`+strings.Repeat("A", 90)+`"`), 20, 60)
	set := newPatterns([]string{"s3cr3t", "s3cr3t-longer", "aaaab"})
	f.Fuzz(func(t *testing.T, body []byte, a, b int) {
		a, b = min(max(a, 0), len(body)), min(max(b, 0), len(body))
		a, b = min(a, b), max(a, b)
		text := string(body)
		whole, pieces := inPieces(set, text), inPieces(set, text[:a], text[a:b], text[b:])
		if whole != pieces || whole != set.text(text) {
			t.Errorf("%q in pieces at %d, %d: %q, whole %q", text, a, b, pieces, whole)
		}
		if strings.Contains(whole, "s3cr3t") {
			t.Errorf("%q is told as %q", text, whole)
		}
	})
}

func BenchmarkMask(b *testing.B) {
	set := newPatterns([]string{"Atza|IwEBIJx" + strings.Repeat("k", 400), "client-secret-of-64-bytes"})
	for name, unit := range map[string]string{"json": `{"name":"value","count":12,"text":"to recognize a code"},`, "audio": "\x01\x80\x10\xff\x00\x00\x31"} {
		body := []byte(strings.Repeat(unit, defaultBody/len(unit)))
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				set.body(Body{Bytes: body, Complete: true}, true)
			}
		})
	}
}
