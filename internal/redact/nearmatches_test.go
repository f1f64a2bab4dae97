package capture

import (
	"strings"
	"testing"
)

// The name of a cookie is as good a place for a secret as its value.
func TestNamesOfCookiesAreMasked(t *testing.T) {
	const secret = "canary-of-the-test"
	set := newPatterns([]string{secret})
	for name, value := range map[string]string{"Cookie": "a=1; " + secret + "=1", "Set-Cookie": secret + "=1; Path=/"} {
		if got := set.field(name, value); strings.Contains(got, secret) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// A text that was not cut does not end within a secret: what looks like the beginning
// of one, and nothing follows, is none. A client_key that begins with the name of a
// path would else have that path, and every host and value that ends so, never shown.
func TestWholeTextsEndInNoSecret(t *testing.T) {
	r := New(Options{Secrets: live("recognize-device-key-0123")})
	e := r.Begin(Request{Method: "GET", Host: "device.recognize", Target: "/v1/recognize", Header: []Field{{"X-Say", "to recognize"}}})
	e.RequestBody([]byte("they recognize"))
	e.RequestEnd(nil, nil)
	e.End(Facts{}, nil)
	record := get(t, r, e)
	if record.Target != "/v1/recognize" || record.Host != "device.recognize" || record.Request.Header[0].Value != "to recognize" {
		t.Errorf("%s%s %v", record.Host, record.Target, record.Request.Header)
	}
	if body := record.Request.Body; string(body.Bytes) != "they recognize" || body.Masked {
		t.Errorf("a whole body is told as %q", body.Bytes)
	}
}

// BenchmarkNearMatches is what a body costs that is made of what secrets begin with: of
// tokens that all begin as JWTs do, and comes byte by byte or at once.
func BenchmarkNearMatches(b *testing.B) {
	const jwt = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9."
	var secrets []string
	for i := range 14 {
		secrets = append(secrets, jwt+strings.Repeat(string(rune('A'+i)), 1000))
	}
	set := newPatterns(secrets)
	for name, unit := range map[string]string{"beginnings": "eyJh", "heads": jwt, "almost": secrets[0][:len(secrets[0])-1], "names": `"access_token"   "access_token" `} {
		for pieces, n := range map[string]int{"bytewise": 1, "at once": slabSize} {
			body := []byte(strings.Repeat(unit, slabSize/len(unit)))
			b.Run(name+" "+pieces, func(b *testing.B) {
				b.SetBytes(int64(len(body)))
				for b.Loop() {
					var m masker
					for at := 0; at < len(body); at += n {
						m.add(nil, body[at:min(at+n, len(body))], set)
					}
				}
			})
		}
	}
}
