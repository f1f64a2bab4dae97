package tokens

import "testing"

func TestFormatPutsTheTokenInItsPlace(t *testing.T) {
	token := Token{Access: "user:pass word"}
	for format, want := range map[string]string{
		"{token}": "user:pass word", "Bearer {token}": "Bearer user:pass word",
		"Basic {base64}": "Basic dXNlcjpwYXNzIHdvcmQ=", "key": "key",
	} {
		if got := token.Fill(format); got != want {
			t.Errorf("%s: %q", format, got)
		}
	}
	if got := (Token{Access: "{base64}"}).Fill("Bearer {token}"); got != "Bearer {base64}" {
		t.Errorf("a token that looks like a format was taken for one: %q", got)
	}
}
