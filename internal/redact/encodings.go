package redact

import (
	"encoding/base64"
	"fmt"
	"html"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// minBase64 is the length of the shortest secret that is searched for in base64. Of a
// shorter one, too few letters do not depend on the bytes around it.
const minBase64 = 8

// encoded returns the secrets, and each in the encodings of tools that escape more or
// less than necessary. Without special characters a secret changes only in base64.
func encoded(secrets []string) []string {
	list := slices.Clone(secrets)
	for _, secret := range secrets {
		list = append(list, inURLs(secret)...)
		list = append(list, inTexts(secret)...)
		list = append(list, inBase64(secret)...)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// inURLs returns forms in percent-encoding (RFC 3986 section 2.1). They differ in what
// they do not encode: all that a path or a query allows, or only letters and digits.
func inURLs(secret string) (forms []string) {
	for _, keep := range []string{"-_.~/", "-_.~!'()*", "-_.~!'()*;/?:@&=+$,#", ""} {
		form := escaped(secret, func(c rune) string {
			if isAlphanumeric(c) || strings.ContainsRune(keep, c) {
				return ""
			}
			return "%" + strings.ReplaceAll(fmt.Sprintf("% X", string(c)), " ", "%")
		})
		forms = append(forms, form, lowerEscapes(form))
	}
	return forms
}

// inTexts returns forms in JSON, by tools that escape non-ASCII characters or those
// that are special in HTML, and forms in HTML and XML.
func inTexts(secret string) []string {
	ascii := inJSON(secret, `\u%04x`, "", unicode.MaxASCII)
	return []string{
		ascii, strings.ReplaceAll(ascii, "/", `\/`),
		inJSON(secret, `\u%04x`, "<>&='", utf8.MaxRune),        // Gson
		inJSON(secret, `\u%04X`, "<>&'+\"`", unicode.MaxASCII), // .NET
		html.EscapeString(secret), strings.ReplaceAll(html.EscapeString(secret), "+", "&#43;"),
		strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&apos;").Replace(secret),
	}
}

// inJSON writes special characters, and those above most, in the format.
func inJSON(secret, format, special string, most rune) string {
	return escaped(secret, func(c rune) string {
		switch {
		case strings.ContainsRune(special, c) || c > most:
			return fmt.Sprintf(format, c)
		case c == '"' || c == '\\':
			return `\` + string(c)
		}
		return ""
	})
}

// inBase64 returns the letters of a secret in base64 (RFC 4648) that do not depend on
// the bytes before and after it. Three bytes become four letters, so a secret has three
// alignments.
func inBase64(secret string) (forms []string) {
	if len(secret) < minBase64 {
		return nil
	}
	for before := range 3 {
		coded := base64.StdEncoding.EncodeToString([]byte("\x00\x00"[:before] + secret))
		own := coded[(before*8+5)/6 : (before+len(secret))*8/6]
		forms = append(forms, own, strings.NewReplacer("+", "-", "/", "_").Replace(own))
	}
	return forms
}

// escaped replaces each character by what escape returns, unless that is empty.
func escaped(text string, escape func(rune) string) string {
	var out strings.Builder
	for _, c := range text {
		if form := escape(c); form != "" {
			out.WriteString(form)
		} else {
			out.WriteRune(c)
		}
	}
	return out.String()
}

func isAlphanumeric(c rune) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}
