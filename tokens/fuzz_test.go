package tokens

import (
	"errors"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"avsproxy/internal/testkit"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func FuzzTokenAnswer(f *testing.F) {
	for _, body := range []string{
		"", "null", "[]", "{}", `{"access_token":"a","refresh_token":"r","expires_in":3600,"scope":"x y"}`,
		`{"access_token":"a","expires_in":"3600"}`, `{"access_token":"a","expires_in":1e99}`, `{"access_token":"a","expires_in":-9223372036854775808}`,
		`{"access_token":"a\n"}`, `{"access_token":7}`, `{"error":"invalid_grant","error_description":"c4n4ry"}`, `{"error":"c4n4ry"}`,
		"access_token=a&expires_in=60", "access_token=%zz", "error=invalid_client", "<h1>c4n4ry",
	} {
		for _, status := range []int{200, 400, 503} {
			f.Add(status, jsonType, body)
			f.Add(status, "text/plain", body)
		}
	}
	f.Fuzz(func(t *testing.T, status int, contentType, body string) {
		p := newProvider()
		p.now(answering(200+(status&0x7fff)%400, contentType, body))
		grant, err := p.client().Refresh(t.Context(), stored(0))
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Message == "" || e.Hint == "" || len(e.Error()) > 400 {
				t.Fatalf("%#v", err)
			}
			checkSilent(t, e)
			return
		}
		life := grant.Expiry.Sub(grant.Renewed)
		if grant.Access.IsZero() || grant.Refresh.IsZero() || life <= 0 || life > lifeMost || !grant.live(wallNow()) && life > time.Minute {
			t.Fatalf("lives %v", life)
		}
		req, _ := http.NewRequest("GET", "http://x", nil)
		req.Header.Set("Authorization", "Bearer "+grant.Access.Reveal())
		testkit.NoError(t, req.Write(&strings.Builder{}))
	})
}

func FuzzDeviceAnswer(f *testing.F) {
	for _, body := range []string{
		"", "null", "{}", pairAnswer, `{"device_code":"d","user_code":"u","verification_url":"https://x","verification_uri_complete":"javascript:x","expires_in":-1,"interval":-1}`,
		`{"device_code":"d","user_code":"\u001b[31m","verification_uri":"https://x"}`, `{"device_code":"d","user_code":"u","verification_uri":"http://x"}`,
		`{"device_code":"d","user_code":"u","verification_uri":"https://x","expires_in":9223372036854775807,"interval":9223372036854775807}`,
		`{"error":"invalid_scope"}`, `{"error":7}`, "<h1>c4n4ry",
	} {
		f.Add(200, body)
		f.Add(400, body)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		p := newProvider()
		p.now(answering(200+(status&0x7fff)%400, jsonType, body))
		device, err := p.client().deviceCode(t.Context())
		if err != nil {
			e := asError(err)
			if e.Message == "" || e.Hint == "" || len(e.Error()) > 400 {
				t.Fatalf("%#v", err)
			}
			checkSilent(t, e)
			return
		}
		life := time.Until(device.Expires)
		if life > deviceLifeMost || life < -time.Minute || device.Interval < pollLeast || device.Interval > time.Hour || device.secret == "" || device.UserCode == "" {
			t.Fatalf("%+v", device)
		}
		if !safeURL(device.VerificationURL) || device.CompleteURL != "" && !safeURL(device.CompleteURL) {
			t.Fatalf("%+v", device)
		}
	})
}

func FuzzCommandOutput(f *testing.F) {
	for _, text := range []string{
		"", "a-token\n", "two words", "a\nb", "{}", `{"access_token":"a","expires_in":60}`, `{"token":"a","expires_in":"1e999"}`, `{"token":"a","expires_in":-1}`,
		`{"kind":"ExecCredential","status":{"token":"a","expirationTimestamp":"2030-01-01T00:00:00Z"}}`, `{"token":"a","expiry":"soon"}`, `{"token":"a\n"}`, `[]`,
		`"a"`, "\xff\xfea\x00", `{"accessToken":"a","expiresOn":"2030-01-02 03:04:05.000000","expires_on":1893553445}`, "Bearer a",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		now := wallNow()
		token, expiry, err := parseCommandOutput(text, now)
		if err != nil {
			if checkSilent(t, err); err.Action != ActionConfig {
				t.Fatal(err)
			}
			return
		}
		req, _ := http.NewRequest("GET", "http://x", nil)
		req.Header.Set("Authorization", "Bearer "+token.Reveal())
		if err := req.Write(&strings.Builder{}); err != nil || token.IsZero() {
			t.Fatal(err)
		}
		testkit.Must(expiry.MarshalText())(t) // the store could not keep it
	})
}

func FuzzCallback(f *testing.F) {
	for _, query := range []string{
		"", "state=STATE&code=ANx", "state=STATE&error=access_denied&error_description=c4n4ry", "state=STATE", "code=ANx",
		"state=x", "state=x&state=STATE", "STATE", "state=STATE%00&code=x", "state=STATE&error=%1b[31m",
	} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, logins := newProvider(), &Logins{}
		login := begin(t, logins, &Source{Name: "alexa", Store: &MemoryStore{}}, p.client())
		query, _ := url.ParseQuery(strings.ReplaceAll(text, "STATE", login.state))
		got, err := logins.Callback(t.Context(), calledBack(query))
		over, _ := login.Done()
		if query.Get("state") != login.state {
			if over || got != nil || !errors.Is(err, ErrUnknownState) || p.calls() != 0 {
				t.Fatalf("a stranger came as far as %v, %v", over, err)
			}
			return
		}
		wanted := query.Get("error") == "" && query.Get("code") != ""
		if !over || got != login || (err == nil) != wanted || (p.calls() == 1) != wanted {
			t.Fatalf("over %v, %v, %d calls", over, err, p.calls())
		}
		if err != nil && (len(err.Error()) > 400 || strings.ContainsFunc(err.Error(), func(r rune) bool { return r < 0x20 })) {
			t.Fatalf("%q", err)
		}
	})
}

func FuzzStoredGrant(f *testing.F) {
	store := FileStore{Dir: f.TempDir()}
	testkit.NoError(f, store.Save("alexa", stored(time.Hour)))
	whole := testkit.Must(os.ReadFile(store.Path("alexa")))(f)
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	for _, text := range []string{"", "null", "{}", `{"version":2}`, `{"version":1,"credential":"alexa"}`, `{"version":1,"credential":"c4n4ry"}`, `{"version":1,"expiry":"c4n4ry"}`, `{"version":1e3}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		grant, err := parseGrant("/x/alexa.grant.json", "alexa", text)
		if err != nil {
			var unusable *UnusableError
			if !errors.As(err, &unusable) || unusable.Hint == "" || len(err.Error()) > 500 {
				t.Fatalf("%#v", err)
			}
			return
		}
		store := FileStore{Dir: t.TempDir()}
		if store.Save("alexa", grant) != nil {
			return // such as a year that JSON has no form for
		}
		again, err := store.Load("alexa")
		if diff := cmp.Diff(grant, again, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Fatal(err, diff)
		}
	})
}
