package capture

import (
	"encoding/base64"
	"fmt"
	"html"
	"html/template"
	"strings"
	"testing"

	"avsproxy/internal/exchange"
	"avsproxy/internal/redact"
)

// An upstream echoes a secret in the encoding of its own tools.
func TestSecretsAreMaskedAsToolsWriteThem(t *testing.T) {
	const secret = `a/b+c-d_e.f~g=&'h"i<j>k\lé` + "==0123456789"
	percent := func(keep string) string {
		var out strings.Builder
		for _, c := range []byte(secret) {
			if strings.IndexByte("abcdefghijklmnopqrstuvwxyz0123456789"+keep, c) >= 0 {
				out.WriteByte(c)
			} else {
				fmt.Fprintf(&out, "%%%02X", c)
			}
		}
		return out.String()
	}
	for tool, text := range map[string]string{
		"Python's quote":              percent("/-_.~"),
		"JavaScript's component":      percent("-_.~!'()*"),
		"JavaScript's encodeURI":      percent("-_.~!'()*;/?:@&=+$,#"),
		"Swift's alphanumerics":       percent(""),
		"Swift's, in small letters":   strings.ToLower(percent("")),
		"Python's json":               `a/b+c-d_e.f~g=&'h\"i<j>k\\l\u00e9==0123456789`,
		"PHP's json":                  `a\/b+c-d_e.f~g=&'h\"i<j>k\\l\u00e9==0123456789`,
		"Gson":                        `a/b+c-d_e.f~g\u003d\u0026\u0027h\"i\u003cj\u003ek\\lé\u003d\u003d0123456789`,
		".NET's json":                 `a/b\u002Bc-d_e.f~g=\u0026\u0027h\u0022i\u003Cj\u003Ek\\l\u00E9==0123456789`,
		"Go's html":                   html.EscapeString(secret),
		"Go's templates":              template.HTMLEscapeString(secret),
		"Go's templates, with pluses": strings.ReplaceAll(template.HTMLEscapeString(secret), "+", "&#43;"),
		"XML":                         strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&apos;").Replace(secret),
	} {
		r := New(Options{Secrets: live(secret)})
		e := post(r, Field{Name: "X-Echo", Value: text})
		e.RequestData([]byte("<" + text + ">"))
		e.RequestEnd(nil, nil)
		if got := string(get(t, r, e).Request.Body.Bytes); got != "<"+redact.Mask+">" {
			t.Errorf("%s: %s is shown as %s", tool, text, got)
		}
		e.End(exchange.Facts{}, nil)
	}
}

// In base64 a secret looks different depending on the bytes around it.
func TestSecretsAreMaskedInBase64(t *testing.T) {
	const secret = "s3cr3t/token-of-the-test???>>>~"
	r := New(Options{Secrets: live(secret)})
	for before := range 5 {
		for after := range 5 {
			text := []byte("Bearer "[:before] + secret + ", and more"[:after])
			for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
				coded := encoding.EncodeToString(text)
				e := post(r, Field{Name: "X-Echo", Value: coded})
				shown := get(t, r, e).Request.Header[0].Value
				if !strings.Contains(shown, redact.Mask) || len(shown) > len(redact.Mask)+before*4/3+after*4/3+8 {
					t.Errorf("%s is shown as %s", coded, shown)
				}
				e.End(exchange.Facts{}, nil)
			}
		}
	}
}
