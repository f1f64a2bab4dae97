package sandbox

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
)

// lifeOf reads until the connection ends, and says when GOAWAY came.
func lifeOf(r *raw, begun time.Time) (goAway, end time.Duration, why string) {
	for {
		f, err := r.ReadFrame()
		if err != nil {
			return goAway, time.Since(begun), why
		}
		if f, ok := f.(*http2.GoAwayFrame); ok {
			goAway, why = time.Since(begun), string(f.DebugData())
		}
	}
}

func TestSilentConnectionsAreClosedAfterFiveMinutes(t *testing.T) {
	for name, c := range map[string]struct {
		options Options
		want    time.Duration
	}{
		"as Amazon": {Options{}, 5 * time.Minute},
		"scaled":    {Options{TimeScale: 60}, 5 * time.Second},
		"set":       {Options{IdleTimeout: time.Minute}, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, connect, token := bubbled(t, c.options)
				begun := time.Now()
				r := connect()
				r.get(1, "/v20160207/directives", token) // a downchannel keeps nothing alive
				if goAway, end, why := lifeOf(r, begun); goAway != c.want || end != c.want || !strings.Contains(why, "silent") {
					t.Errorf("GOAWAY after %v, the end after %v: %s", goAway, end, why)
				}
			})
		})
	}
}

// Either a PING frame or GET /ping will do.
func TestPingsKeepAConnectionForAnHour(t *testing.T) {
	for name, ping := range map[string]func(r *raw, i int, token string){
		"PING":      func(r *raw, i int, _ string) { r.WritePing(false, [8]byte{byte(i)}) },
		"GET /ping": func(r *raw, i int, token string) { r.get(uint32(2*i+3), "/ping", token) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, connect, token := bubbled(t, Options{})
				begun := time.Now()
				r := connect()
				r.get(1, "/ping", token)
				go func() {
					for i := range 14 {
						time.Sleep(4 * time.Minute)
						ping(r, i, token)
					}
				}()
				if goAway, _, why := lifeOf(r, begun); goAway != time.Hour || !strings.Contains(why, "long enough") {
					t.Errorf("GOAWAY after %v: %s", goAway, why)
				}
			})
		})
	}
}

func TestStreamsFinishAfterTheConnectionsLifetime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, connect, token := bubbled(t, Options{IdleTimeout: 3 * time.Hour})
		begun := time.Now()
		r := connect()
		r.get(1, "/sandbox/slow-multipart?n=2&gap=90m", token)
		if goAway, end, _ := lifeOf(r, begun); goAway != time.Hour || end < 90*time.Minute || end > 91*time.Minute {
			t.Errorf("GOAWAY after %v, the end after %v", goAway, end)
		}
	})
}

// tokenFor logs a device in.
func tokenFor(t *testing.T, s *Sandbox, serial string) string {
	t.Helper()
	data := strings.Replace(scopeData, `"deviceSerialNumber":"1"`, `"deviceSerialNumber":"`+serial+`"`, 1)
	answer := postToken(t, s, exchangeForm(consentTo(t, s, authorizeQuery("scope_data", data)).Get("code")))
	return answer.AccessToken
}

func downchannel(t *testing.T, c *http.Client, s *Sandbox, token string) *http.Response {
	t.Helper()
	down, err := c.Do(ask(t, s, token, "GET", "/v20160207/directives", nil))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { down.Body.Close() })
	return down
}

func TestSecondConnectionOfADeviceClosesTheFirst(t *testing.T) {
	s := start(t, Options{OneConnection: true})
	older, newer, stranger := client(t, s), client(t, s), client(t, s)
	down := downchannel(t, older, s, tokenFor(t, s, "1"))
	other := downchannel(t, stranger, s, tokenFor(t, s, "2"))
	send(t, newer, ask(t, s, "none", "GET", "/ping", nil)) // no token, no device
	if open, _ := s.Connections(); open != 3 {
		t.Fatalf("%d connections", open)
	}
	// a renewed token, or a new login: it is the device that counts
	token := tokenFor(t, s, "1")
	for range 2 {
		if answer := send(t, newer, ask(t, s, token, "GET", "/ping", nil)); answer.StatusCode != http.StatusNoContent {
			t.Fatal(answer.Status)
		}
	}
	_, err := io.ReadAll(down.Body)
	if err == nil || !strings.Contains(err.Error(), "GOAWAY") {
		t.Errorf("the older downchannel: %v", err)
	}
	for s.Direct("Speaker", "SetVolume", nil) != 1 { // its handler may need a moment
		time.Sleep(time.Millisecond)
	}
	if text := readSome(t, other); !strings.Contains(text, "SetVolume") {
		t.Errorf("the other device: %q", text)
	}
}

func readSome(t *testing.T, response *http.Response) (text string) {
	t.Helper()
	chunk := make([]byte, 4096)
	for !strings.Contains(text, "SetVolume") {
		n, err := response.Body.Read(chunk)
		text += string(chunk[:n])
		if err != nil {
			t.Fatalf("%v after %q", err, text)
		}
	}
	return text
}

func TestDevicesMayHaveManyConnectionsByDefault(t *testing.T) {
	s := start(t, Options{})
	token := loggedIn(t, s).AccessToken
	down := downchannel(t, client(t, s), s, token)
	send(t, client(t, s), ask(t, s, token, "GET", "/ping", nil))
	s.Direct("Speaker", "SetVolume", nil)
	readSome(t, down)
}

// A client that obeys GOAWAY opens a second connection before the streams of the
// first have finished, which is no offence.
func TestClosingConnectionMayFinish(t *testing.T) {
	s := start(t, Options{OneConnection: true})
	token := loggedIn(t, s).AccessToken
	c := client(t, s)
	down := downchannel(t, c, s, token)
	setFaults(t, s.Faults(), "goaway x1")
	for range 3 {
		send(t, c, ask(t, s, token, "GET", "/ping", nil))
	}
	if _, total := s.Connections(); total != 2 {
		t.Fatalf("%d connections", total)
	}
	s.Direct("Speaker", "SetVolume", nil)
	readSome(t, down)
}

func TestRefreshedTokensAreOfTheSameDevice(t *testing.T) {
	s := start(t, Options{OneConnection: true})
	tokens := loggedIn(t, s)
	down := downchannel(t, client(t, s), s, tokens.AccessToken)
	fresh := postToken(t, s, refreshForm(tokens.RefreshToken)).AccessToken
	send(t, client(t, s), ask(t, s, fresh, "GET", "/ping", nil))
	if _, err := io.ReadAll(down.Body); err == nil {
		t.Error("the older downchannel ended well")
	}
}

func TestTokensOfCodePairsHaveADevice(t *testing.T) {
	s := start(t, Options{})
	asked := url.Values{"response_type": {"device_code"}, "client_id": {ClientID}, "scope": {"alexa:all"}, "scope_data": {scopeData}}
	answer := do(t, client(t, s), "POST", s.LWA()+"/auth/o2/create/codepair", "application/x-www-form-urlencoded", strings.NewReader(asked.Encode()))
	var pair map[string]any
	if err := json.Unmarshal(answer.body, &pair); err != nil {
		t.Fatal(err)
	}
	got := postToken(t, s, url.Values{"grant_type": {"device_code"}, "device_code": {pair["device_code"].(string)}, "user_code": {pair["user_code"].(string)}})
	if found, ok := s.login.grants.lookup(got.AccessToken); !ok || found.device != deviceID(scopeData) || deviceID(scopeData) == "" {
		t.Errorf("%+v", found)
	}
}
