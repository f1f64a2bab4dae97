package capture

import (
	"encoding/base64"
	"fmt"
	"html"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// base64Least is from which length on a secret is looked for in base64. Of a shorter
// one too little is left that does not depend on what stands around it.
const base64Least = 8

// disguised returns the secrets, and each as tools write it that escape more or less
// than is needed. A secret without special characters has no disguise but base64.
func disguised(secrets []string) []string {
	list := slices.Clone(secrets)
	for _, secret := range secrets {
		list = append(list, inURLs(secret)...)
		list = append(list, inTexts(secret)...)
		list = append(list, inBase64(secret)...)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// inURLs are forms in percent-encoding (RFC 3986 section 2.1) by what they leave as it
// is: everything that may stand in a path, or a query, and letters and digits alone.
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

// inTexts are forms in JSON, of tools that escape what is not ASCII, or what means
// something in HTML; and forms in HTML and XML.
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

// inJSON writes special characters, and those beyond most, with the format.
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

// inBase64 is what of a secret is the same in base64 (RFC 4648) whatever stands before
// and behind it: three bytes become four letters, so there are three ways to begin.
func inBase64(secret string) (forms []string) {
	if len(secret) < base64Least {
		return nil
	}
	for before := range 3 {
		coded := base64.StdEncoding.EncodeToString([]byte("\x00\x00"[:before] + secret))
		own := coded[(before*8+5)/6 : (before+len(secret))*8/6]
		forms = append(forms, own, strings.NewReplacer("+", "-", "/", "_").Replace(own))
	}
	return forms
}

// escaped puts what escape returns in the place of a character, unless that is "".
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
