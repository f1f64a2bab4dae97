package cli

import (
	"strings"
	"testing"
)

func TestAPastedAddressIsUnderstood(t *testing.T) {
	const redirect = "https://localhost:9745/authresponse"
	const query = "code=ANx%2Fy&scope=alexa%3Aall&state=ABC"
	whole := redirect + "?" + query
	for _, text := range []string{
		whole, "  " + whole + "\r\n", `"` + whole + `"`, "'" + whole + "'", "<" + whole + ">", "(" + whole + ")", "`" + whole + "`",
		whole[:40] + "\n" + whole[40:] + "\n", whole[:70] + "\r\n  " + whole[70:], strings.Join(strings.SplitAfter(whole, "&"), "\n"),
		"?" + query, query, "localhost:9745/authresponse?" + query, "/authresponse?" + query,
	} {
		asked, err := pastedCallback(text, redirect)
		if err != nil || asked.String() != whole {
			t.Errorf("%q: %v, %v", text, asked, err)
		}
	}
	for text, say := range map[string]string{
		"hello": "no state", "https://example.com/": "no state", "https://%zz/": "can be read", redirect: "no state",
		redirect + "?state=ABC": "neither a code nor an error",
	} {
		if asked, err := pastedCallback(text, redirect); err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("%q: %v, %v", text, asked, err)
		}
	}
	other, err := pastedCallback("https://localhost:9746/other?"+query, redirect) // whose it is, the login decides
	if err != nil || other.Port() != "9746" || other.Path != "/other" {
		t.Error(other, err)
	}
}

func TestKeysOfEditingCount(t *testing.T) {
	if got := string(applyKeys([]byte("ab"), []byte("\x7f\x7f\x7fcd\x08e\x04"))); got != "ce" {
		t.Errorf("%q", got)
	}
}
