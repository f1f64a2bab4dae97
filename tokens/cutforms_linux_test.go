package tokens

import (
	"net/http"
	"net/url"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/testkit"
)

// A form is cut in the middle of the refresh token, at a provider that does not rotate: the old one is still
// good, and the login is lost all the same.
func TestFormCutCostsALogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, store := newProvider(), FileStore{Dir: t.TempDir()}
		testkit.NoError(t, store.Save("alexa", stored(-time.Second)))
		p.now(func(call int, form url.Values) (*http.Response, error) {
			if call == 1 {
				return cutAs("application/x-www-form-urlencoded", "access_token=access-1&expires_in=3600&refresh_token=refresh-")(call, form)
			}
			if form.Get("refresh_token") != "refresh-0" {
				return reply(400, jsonType, `{"error":"invalid_grant"}`), nil
			}
			return reply(200, jsonType, `{"access_token":"access-2","refresh_token":"refresh-0","expires_in":3600}`), nil
		})
		s := open(t, p, store)
		s.Token(t.Context())
		time.Sleep(2 * time.Hour)
		if _, err := s.Token(t.Context()); err != nil {
			t.Errorf("sent %q: %v", p.last().Get("refresh_token"), err)
		}
	})
}

// The import's answer is lost, or not understood; then the script runs again at the next boot.
func TestImportOfASpentTokenIsRepeated(t *testing.T) {
	p, store := newProvider(), FileStore{Dir: t.TempDir()}
	p.now(answering(200, jsonType, `{"data":{"refresh_token":"refresh-1"}}`))
	for range 3 {
		source, client := importer(p, store)
		err := source.Import(t.Context(), client.Imported("mine"))
		kept, _ := os.ReadFile(store.unread("alexa").paths()[0])
		t.Logf("calls %d, kept %d, %v / %s", p.calls(), len(kept), err, asError(err).Hint)
	}
	if p.calls() > 1 {
		t.Errorf("the token that may be spent was sent %d times, beside the kept answer", p.calls())
	}
}
