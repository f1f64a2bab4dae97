package proxy

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"avsproxy/internal/avs"
	"avsproxy/internal/avsroute"
	"avsproxy/internal/problem"
	"avsproxy/internal/sandbox"
	"avsproxy/internal/sandbox/faults"
	"avsproxy/internal/testkit"
	"avsproxy/internal/upstream"
	"avsproxy/tokens"
)

func TestAllClientsGetEveryDirectiveFromThenOn(t *testing.T) {
	l, s := toSandbox(t, sandbox.Options{}, plan{})
	d, news := keep(t, l, avsroute.DownchannelOptions{})
	testkit.Eventually(t, "the channel to open", func() bool { return news.count(avsroute.DownchannelOpened) > 0 })
	subscribed := d.Subscribe(t.Context())
	first := tune(t, h1Client(t), l.url)
	second := tune(t, h2cClient(t), l.url)
	direct(t, s, 0, 20)
	var want []scannedPart
	for i := range 20 {
		passing := <-subscribed
		if passing.Name == "ResetUserInactivity" {
			passing = <-subscribed
		}
		if !passing.Is("Test", fmt.Sprint(i)) {
			t.Fatalf("got %s", passing.Raw)
		}
		want = append(want, scannedPart{"Content-Type: " + avs.JSONType + "\r\n", string(passing.Raw)})
	}
	for _, client := range []*tuned{first, second} {
		for i := range want {
			if got := client.next(t); got != want[i] {
				t.Errorf("got %q, want %q", got, want[i])
			}
		}
	}
	third := tune(t, h1Client(t), l.url)
	direct(t, s, 20, 1)
	for _, client := range []*tuned{first, second, third} {
		if got := client.next(t); !strings.Contains(got.body, `"name":"20"`) {
			t.Errorf("got %q", got)
		}
	}
	if downchannels := arrived(s); downchannels != 1 || news.count(avsroute.DownchannelOpened) != 1 {
		t.Errorf("%d downchannels at the upstream", downchannels)
	}
}

func TestOtherRequestsAreNotForTheDownchannel(t *testing.T) {
	l, _ := toSandbox(t, sandbox.Options{}, plan{})
	keep(t, l, avsroute.DownchannelOptions{})
	for _, r := range []*http.Request{
		request(t, "HEAD", l.url+avs.PathDirectives, nil), request(t, "POST", l.url+avs.PathDirectives, nil), request(t, "GET", l.url+"/ping", nil),
	} {
		if a := do(t, h1Client(t), r); a.StatusCode != http.StatusTeapot {
			t.Errorf("%s %s: %s", r.Method, r.URL.Path, a.Status)
		}
	}
}

// What the upstream does to its stream is nothing that a client hears of.
func TestClientsHearNothingOfTheUpstreamsEnds(t *testing.T) {
	for _, fault := range []string{"", "rst@2", "cut-body=40@2", "403@2", "503@2", "goaway@2"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			set := new(faults.Set)
			testkit.NoError(t, set.Replace(fault))
			l, s := toSandbox(t, sandbox.Options{Faults: set}, plan{})
			_, news := keep(t, l, avsroute.DownchannelOptions{})
			testkit.Eventually(t, "the channel to open", func() bool { return news.count(avsroute.DownchannelOpened) > 0 })
			client := tune(t, h2cClient(t), l.url)
			hear(t, s, client, "before")
			l.dropAll() // as when the network goes
			testkit.Eventually(t, "the channel to be lost", func() bool { return news.count(avsroute.DownchannelLost) >= 1 })
			hear(t, s, client, "after")
		})
	}
}

// AVS ends each connection after an hour: new requests go over a new one, and the
// downchannel goes on.
func TestHourlyCloseIsInvisibleToClients(t *testing.T) {
	l, s := toSandbox(t, sandbox.Options{ConnLife: 200 * time.Millisecond, OneConnection: true}, plan{})
	_, news := keep(t, l, avsroute.DownchannelOptions{})
	testkit.Eventually(t, "the channel to open", func() bool { return news.count(avsroute.DownchannelOpened) > 0 })
	client := tune(t, h2cClient(t), l.url)
	testkit.Eventually(t, "a few connections", func() bool {
		resp := testkit.Must(l.route.RoundTrip(request(t, "GET", s.AVS()+avs.PathPing, nil)))(t)
		resp.Body.Close()
		_, total := s.Connections()
		return total > 3
	})
	hear(t, s, client, "after")
	if news.count(avsroute.DownchannelLost) > 0 {
		t.Errorf("told %v", news.list)
	}
}

// Header blocks and bodies pass as they came, whatever the pieces they came in.
func TestPartsPassAsTheyCame(t *testing.T) {
	want := []scannedPart{
		{"content-type:application/json\r\nX-Other:  y \r\n", `{ "directive":{"header":{"namespace":"N","name":"n","messageId":"m"}}}`},
		{"Content-ID: <sound>\nContent-Type: audio/mpeg\n", "ID3\x00\r\n--not B\r\n" + strings.Repeat("\n\r", 4<<10) + strings.Repeat("x", 100<<10)},
		{"X: y\r\n", ""},
	}
	l, _, speak, news := spoken(t, avsroute.DownchannelOptions{})
	over(t, func(t *testing.T, http *http.Client) {
		client := tune(t, http, l.url)
		for _, part := range want {
			for _, piece := range []string{part.head[:5], part.head[5:], "\r\n", part.body, "\r\n--", "B\r\n"} {
				io.WriteString(speak, piece)
			}
			if got := client.next(t); got != part {
				t.Errorf("got %.200q, want %.200q", got, part)
			}
		}
		io.WriteString(speak, "X: large\r\n\r\n"+strings.Repeat("x", partMost+1)+"\r\n--B\r\nX: small\r\n\r\n\r\n--B\r\n")
		if got := client.next(t); got.head != "X: small\r\n" {
			t.Errorf("got %.200q", got)
		}
	})
	if news.count(avsroute.DownchannelSkipped) != 2 {
		t.Error("nothing was told of the large parts")
	}
}

// Nobody could be told that it was cut.
func TestPartThatIsCutGoesToNobody(t *testing.T) {
	l, _, speak, _ := spoken(t, avsroute.DownchannelOptions{})
	client := tune(t, h1Client(t), l.url)
	io.WriteString(speak, "X: cut\r\n\r\n{}")
	speak.Close()
	io.WriteString(<-l.opened, "--B\r\nX: whole\r\n\r\n{}\r\n--B\r\n")
	if got := client.next(t); got != (scannedPart{"X: whole\r\n", "{}"}) {
		t.Errorf("got %q", got)
	}
}

func TestDownchannelWithoutALogin(t *testing.T) {
	s := start(t, sandbox.Options{})
	source := loggedOut()
	l := build(t, s.AVS(), s.Pool(), plan{source: source})
	_, news := keep(t, l, avsroute.DownchannelOptions{})
	over(t, func(t *testing.T, client *http.Client) {
		if p := problemOf(t, get(t, client, l.url+avs.PathDirectives), problem.LoginRequired); p.LoginURL != loginURL {
			t.Errorf("%+v", p)
		}
	})
	if news.count(avsroute.DownchannelWaits) != 1 || news.count(avsroute.DownchannelLost) != 0 {
		t.Errorf("told %v", news.list)
	}
	token := testkit.Must(login(t, s).Token(t.Context()))(t)
	testkit.NoError(t, source.SetGrant(t.Context(), tokens.Grant{Kind: source.Kind, Access: token.Access, Expiry: time.Now().Add(time.Hour), Refresh: "r"}))
	tune(t, h1Client(t), l.url) // its request finds the login, which nobody has told of
	testkit.Eventually(t, "the news that it is open", func() bool { return news.count(avsroute.DownchannelOpened) == 1 })
}

func TestDownchannelThatDoesNotOpen(t *testing.T) {
	for name, c := range map[string]struct {
		send func(*http.Request) (*http.Response, error)
		want problem.Code
		text string
	}{
		"refused": {func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 429, Body: http.NoBody}, nil
		}, problem.UpstreamUnreachable, "429 Too Many Requests"},
		"no parts": {func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
		}, problem.UpstreamUnreachable, ""},
		"no answer": {func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() }, problem.UpstreamTimeout, "no connection"},
	} {
		t.Run(name, func(t *testing.T) {
			origin, _ := url.Parse("https://upstream.example")
			l := &line{upstream: upstream.New(upstream.Options{Origin: origin}), route: routeTo(fakeSender{origin, c.send}, Credential{})}
			keep(t, l, avsroute.DownchannelOptions{Patience: 100 * time.Millisecond})
			p := problemOf(t, get(t, h1Client(t), l.url+avs.PathDirectives), c.want)
			if !strings.Contains(p.Detail, c.text) {
				t.Errorf("%+v", p)
			}
		})
	}
}

// The hooks see what happens: each opening, and each directive before the clients.
func TestDownchannelHooks(t *testing.T) {
	opened, closed := make(chan struct{}, 1), make(chan struct{}, 1)
	directives := make(chan avs.ReceivedDirective, 1)
	_, _, speak, _ := spoken(t, avsroute.DownchannelOptions{
		Opened:    func(ctx context.Context) { opened <- struct{}{}; <-ctx.Done(); closed <- struct{}{} },
		Directive: func(p avs.ReceivedDirective) { directives <- p },
	})
	text := `{"directive":{"header":{"namespace":"System","name":"SetEndpoint","messageId":"m"},"payload":{"endpoint":"e"}}}`
	fmt.Fprintf(speak, "Content-Type: application/json\r\n\r\n%s\r\n--B\r\n", text)
	<-opened
	if p := <-directives; !p.Is("System", "SetEndpoint") || string(p.Raw) != text || !json.Valid(p.Payload) {
		t.Errorf("%+v", p)
	}
	speak.Close()
	<-closed
}
