package sandbox

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestCurlPings(t *testing.T) {
	s := start(t, Options{})
	token := loggedIn(t, s).AccessToken
	out := curl(t, s, "-i", "--http2", "-H", "Authorization: Bearer "+token, s.AVS()+"/ping")
	if !strings.HasPrefix(out, "HTTP/2 204") || !strings.Contains(out, "x-amzn-requestid: ") || !strings.Contains(out, "x-avsproxy-sandbox: 1") {
		t.Error(out)
	}
}

// Some clients send two spaces after Bearer, or a lower-case scheme.
func TestTokenIsFoundInLooseHeaders(t *testing.T) {
	s := start(t, Options{})
	token := loggedIn(t, s).AccessToken
	for _, value := range []string{"Bearer  " + token, "bearer " + token} {
		request := ask(t, s, "", "GET", "/ping", nil)
		request.Header.Set("Authorization", value)
		if answer := send(t, client(t, s), request); answer.StatusCode != http.StatusNoContent {
			t.Errorf("%.10s: %s", value, answer.Status)
		}
	}
}

func TestBadTokensAreForbidden(t *testing.T) {
	s := start(t, Options{})
	good := "Bearer " + loggedIn(t, s).AccessToken
	const exception, missing, v1 = `"name":"Exception"`, `{"error":{"code":"UNAUTHORIZED_REQUEST_EXCEPTION"`, "InvalidAccessTokenException"
	for _, c := range []struct {
		name, path string
		values     []string
		want       string
	}{
		{"none", "/ping", nil, missing},
		{"empty", "/v20160207/directives", []string{""}, exception},
		{"unknown", "/v20160207/events", []string{"Bearer Atza|x"}, exception},
		{"refresh token", "/ping", []string{"Bearer Atzr|x"}, exception},
		{"two", "/ping", []string{good, good}, exception},
		{"Basic", "/ping", []string{strings.Replace(good, "Bearer", "Basic", 1)}, exception},
		{"v1", "/v1/avs/speechrecognizer/recognize", []string{"Bearer x"}, v1},
		{"probe", "/sandbox/bytes?n=1", nil, missing},
		{"unknown path", "/x", nil, missing},
	} {
		request := ask(t, s, "", "GET", c.path, nil)
		request.Header["Authorization"] = c.values
		answer := send(t, client(t, s), request)
		if answer.StatusCode != http.StatusForbidden || !strings.Contains(string(answer.body), c.want) || answer.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %s %s", c.name, answer.Status, answer.body)
		}
		if answer.Header.Get("x-amzn-requestid") == "" || answer.Header.Get(SandboxHeader) != "1" {
			t.Errorf("%s: headers %v", c.name, answer.Header)
		}
	}
}

func TestTokensExpire(t *testing.T) {
	s := start(t, Options{TokenLife: 50 * time.Millisecond})
	tokens := loggedIn(t, s)
	if tokens.ExpiresIn != 1 {
		t.Errorf("expires_in %d", tokens.ExpiresIn)
	}
	for _, ok := s.login.grants.lookup(tokens.AccessToken); ok; _, ok = s.login.grants.lookup(tokens.AccessToken) {
		time.Sleep(time.Millisecond)
	}
	if answer := send(t, client(t, s), ask(t, s, tokens.AccessToken, "GET", "/ping", nil)); answer.StatusCode != http.StatusForbidden {
		t.Error(answer.Status)
	}
}

func TestExpireTokens(t *testing.T) {
	s := start(t, Options{})
	old := loggedIn(t, s)
	s.ExpireTokens()
	fresh := postToken(t, s, refreshForm(old.RefreshToken))
	for token, want := range map[string]int{old.AccessToken: http.StatusForbidden, fresh.AccessToken: http.StatusNoContent} {
		if answer := send(t, client(t, s), ask(t, s, token, "GET", "/ping", nil)); answer.StatusCode != want {
			t.Errorf("got %s, want %d", answer.Status, want)
		}
	}
}

func TestUnknownPathsAreNotFound(t *testing.T) {
	s := start(t, Options{})
	token := loggedIn(t, s).AccessToken
	for _, path := range []string{"/", "/ping/", "//ping", "/v20160207/capabilities"} {
		answer := send(t, client(t, s), ask(t, s, token, "GET", path, nil))
		if answer.StatusCode != http.StatusNotFound || !strings.HasPrefix(string(answer.body), "{") {
			t.Errorf("%s: %s %s", path, answer.Status, answer.body)
		}
	}
}

func TestClientWithoutHTTP2GetsNothing(t *testing.T) {
	s := start(t, Options{})
	token := loggedIn(t, s).AccessToken
	cmd := curlCommand(t, s, "--http1.1", "-H", "Authorization: Bearer "+token, s.AVS()+"/ping")
	if out, err := cmd.CombinedOutput(); err == nil {
		t.Errorf("answered: %s", out)
	}
	if len(s.Ledger()) != 0 {
		t.Error("it arrived")
	}
}

func TestHTTP1OptionOffersNoHTTP2(t *testing.T) {
	s := start(t, Options{HTTP1: true})
	token := loggedIn(t, s).AccessToken
	out := curl(t, s, "-i", "--http2", "-H", "Authorization: Bearer "+token, s.AVS()+"/ping")
	if !strings.HasPrefix(out, "HTTP/1.1 204") {
		t.Error(out)
	}
}

func TestCurlWatchesTheDownchannel(t *testing.T) {
	s := start(t, Options{})
	token := loggedIn(t, s).AccessToken
	cmd := curlCommand(t, s, "-i", "-N", "--http2", "-H", "Authorization: Bearer "+token, s.AVS()+"/v20160207/directives")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	head := readUntil(t, lines, "ResetUserInactivity")
	if !strings.Contains(head, "; type=application/json\r\n") || !strings.Contains(head, "\r\n\r\n--------") {
		t.Error(head)
	}
	if n := s.Direct("Speaker", "SetVolume", map[string]int{"volume": 7}); n != 1 {
		t.Errorf("%d downchannels took it", n)
	}
	if next := readUntil(t, lines, "SetVolume"); !strings.Contains(next, `"payload":{"volume":7}`) {
		t.Error(next)
	}
	s.Close()
	cmd.Wait() // curl is of two minds on whether a stream that is cut off is an error
}

func readUntil(t *testing.T, r *bufio.Reader, word string) (read string) {
	t.Helper()
	for !strings.Contains(read, word) {
		line, err := r.ReadString('\n')
		read += line
		if err != nil {
			t.Fatalf("%v after %q", err, read)
		}
	}
	return read
}

func TestDirectIgnoresPayloadsWithoutJSON(t *testing.T) {
	s := start(t, Options{})
	response, err := client(t, s).Do(ask(t, s, loggedIn(t, s).AccessToken, "GET", "/v20160207/directives", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if n := s.Direct("X", "Y", func() {}); n != 0 {
		t.Errorf("%d downchannels took it", n)
	}
}

func TestDirectWithoutDownchannelsReturnsZero(t *testing.T) {
	if n := start(t, Options{}).Direct("Speaker", "SetVolume", nil); n != 0 {
		t.Error(n)
	}
}
