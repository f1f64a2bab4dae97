package sandbox

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"
)

// pipes is a listener without a network, so that a bubble's clock can run on.
type pipes struct {
	ctx   context.Context
	conns chan net.Conn
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.ctx.Done():
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (p pipes) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	p.conns <- theirs
	return ours, nil
}

const pipeURL = "http://lwa.invalid"

// piped serves an LWA by pipes until the test ends.
func piped(t *testing.T, o Options) *http.Client {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	lwa, err := NewLWA(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	p := pipes{ctx, make(chan net.Conn)}
	server := &http.Server{Handler: lwa}
	go server.Serve(p)
	transport := &http.Transport{DialContext: p.dial}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		stop()
		server.Close()
	})
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// postTo posts a form to a path of LWA and reads what comes back as JSON.
func postTo(t *testing.T, c *http.Client, address string, form url.Values) tokenAnswer {
	t.Helper()
	response, err := c.PostForm(address, form)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	answer := tokenAnswer{status: response.StatusCode, header: response.Header}
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatalf("%s: %q", response.Status, text)
	}
	return answer
}

// deviceConfig is x/oauth2 as a device would set it up for LWA.
func deviceConfig(base string) *oauth2.Config {
	return &oauth2.Config{ClientID: ClientID, Scopes: []string{"alexa:all"}, Endpoint: oauth2.Endpoint{
		DeviceAuthURL: base + "/auth/O2/create/codepair",
		TokenURL:      base + "/auth/O2/token",
		AuthStyle:     oauth2.AuthStyleInParams,
	}}
}

// requestPair begins a device flow with the parameters that LWA wants besides.
func requestPair(ctx context.Context, t *testing.T, config *oauth2.Config) *oauth2.DeviceAuthResponse {
	t.Helper()
	pair, err := config.DeviceAuth(ctx, oauth2.SetAuthURLParam("response_type", "device_code"), oauth2.SetAuthURLParam("scope_data", scopeData))
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func awaitDevice(ctx context.Context, config *oauth2.Config, pair *oauth2.DeviceAuthResponse) (*oauth2.Token, error) {
	return config.DeviceAccessToken(ctx, pair, oauth2.SetAuthURLParam("grant_type", "device_code"), oauth2.SetAuthURLParam("user_code", pair.UserCode))
}

func pairForm(pairs ...string) url.Values {
	return with(url.Values{
		"response_type": {"device_code"},
		"client_id":     {ClientID},
		"scope":         {"alexa:all"},
		"scope_data":    {scopeData},
	}, pairs...)
}

func pollForm(deviceCode, userCode string, pairs ...string) url.Values {
	return with(url.Values{"grant_type": {"device_code"}, "device_code": {deviceCode}, "user_code": {userCode}}, pairs...)
}

func contains(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
}
