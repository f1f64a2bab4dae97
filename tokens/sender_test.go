package tokens

import (
	"net/url"
	"strings"
	"testing"

	"avsproxy/internal/testkit"
)

// A hostile provider leads the browser on to an honest one, whose code comes back
// with the state of the login to the hostile one.
func TestPromise2_ACodeGoesToNoOtherProvider(t *testing.T) {
	for asked, good := range map[string]bool{
		redirectURL:                                 true,
		"https://127.0.0.1:9745/authresponse":       true, // this machine too
		"https://localhost:9745/authresponse/":      false,
		"https://localhost:9745/AuthResponse":       false,
		"https://localhost:9745/auth%72esponse":     false,
		"https://localhost:9745/":                   false,
		"https://localhost:9745":                    false,
		"https://localhost:9746/authresponse":       false,
		"https://localhost/authresponse":            false,
		"http://localhost:9745/authresponse":        false,
		"https://localhost:9745/authresponse/other": false,
	} {
		for _, query := range []url.Values{{"code": {"ANx"}}, {"error": {"access_denied"}}} {
			p, logins := newProvider(), Logins{}
			login := begin(t, &logins, &Source{Store: &MemoryStore{}}, p.client())
			query.Set("state", login.state)
			at := testkit.Must(url.Parse(asked))(t)
			at.RawQuery = query.Encode()
			_, err := logins.Callback(t.Context(), at)
			if sent := p.calls() == 1; sent != (good && query.Has("code")) {
				t.Errorf("%s: the code was sent: %v", asked, sent)
			}
			if told := err != nil && strings.Contains(err.Error(), "not this login's return URL"); told == good {
				t.Errorf("%s: %v", asked, err)
			}
		}
	}
}
