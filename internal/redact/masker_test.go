package redact

import (
	"strings"
	"testing"

	"avsproxy/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

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
		set := NewPatterns(nil)
		if got := set.Text(c.text); got != c.want {
			t.Errorf("%q is told as %q, want %q", c.text, got, c.want)
		}
		for cut := range len(c.text) {
			if got := inPieces(set, c.text[:cut], c.text[cut:]); got != c.want {
				t.Errorf("%q cut at %d is told as %q, want %q", c.text, cut, got, c.want)
			}
		}
	}
}

func inPieces(set *Patterns, pieces ...string) string {
	var m Masker
	var out []byte
	for _, p := range pieces {
		out, _ = m.Add(out, []byte(p), set)
	}
	return string(m.End(out, set, true))
}

func TestFieldsThatHoldSecretsAreMasked(t *testing.T) {
	set := NewPatterns([]string{"s3cr3t"})
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
		if got, masked := set.Field(c.name, c.value); got != c.want || masked != (got != c.value) {
			t.Errorf("%s: %s is told as %q, want %q", c.name, c.value, got, c.want)
		}
	}
}

func TestSpellingsOfSecretsAreMasked(t *testing.T) {
	set := NewPatterns([]string{`a/b+c&"d é`, "xyz"})
	for _, text := range []string{`a/b+c&"d é`, `a%2Fb%2Bc%26%22d+%C3%A9`, `a%2fb%2bc%26%22d+%c3%a9`, `a/b+c\u0026\"d é`} {
		if got := set.Text("<" + text + ">"); got != "<"+Mask+">" {
			t.Errorf("%s is told as %s", text, got)
		}
	}
	if got := set.Text("xyz"); got != "xyz" {
		t.Errorf("a secret of 3 bytes is looked for: %s", got)
	}
}

// However a body comes in pieces, the same is told of it.
func FuzzPieces(f *testing.F) {
	f.Add([]byte(`{"access_token":"Atza|x","password" : "X_Y"}`), 3, 9)
	f.Add([]byte("token=s3cr3t s3cr3s3cr3t-longer"), 8, 20)
	f.Add([]byte(`{"password":    "`+strings.Repeat("A", 90)+`"`), 20, 60)
	set := NewPatterns([]string{"s3cr3t", "s3cr3t-longer", "aaaab"})
	f.Fuzz(func(t *testing.T, body []byte, a, b int) {
		a, b = min(max(a, 0), len(body)), min(max(b, 0), len(body))
		a, b = min(a, b), max(a, b)
		text := string(body)
		whole, pieces := inPieces(set, text), inPieces(set, text[:a], text[a:b], text[b:])
		if whole != pieces || whole != set.Text(text) {
			t.Errorf("%q in pieces at %d, %d: %q, whole %q", text, a, b, pieces, whole)
		}
		if strings.Contains(whole, "s3cr3t") {
			t.Errorf("%q is told as %q", text, whole)
		}
	})
}
