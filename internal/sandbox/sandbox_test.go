package sandbox

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestSandboxRefusesToListenBeyondLoopback(t *testing.T) {
	for _, o := range []Options{
		{LWA: []net.Listener{listen(t, "127.0.0.1:0"), listen(t, "0.0.0.0:0")}},
		{AVS: []net.Listener{listen(t, ":0")}},
	} {
		if s, err := Start(o); err == nil || !strings.Contains(err.Error(), "loopback only") {
			t.Errorf("%v, %v", s, err)
		}
	}
	if _, err := Start(Options{TokenLife: -1}); err == nil {
		t.Error("a negative life was taken")
	}
}

func TestSandboxServesEveryListener(t *testing.T) {
	avs := []net.Listener{listen(t, "127.0.0.1:0"), listen(t, "127.0.0.1:0")}
	s := start(t, Options{AVS: avs})
	token := loggedIn(t, s).AccessToken
	for _, l := range avs {
		request, _ := http.NewRequestWithContext(within(t, time.Minute), "GET", "https://"+l.Addr().String()+"/ping", nil)
		request.Header.Set("Authorization", "Bearer "+token)
		if answer := send(t, client(t, s), request); answer.StatusCode != http.StatusNoContent {
			t.Error(answer.Status)
		}
	}
	if _, port, _ := net.SplitHostPort(avs[0].Addr().String()); s.AVS() != "https://localhost:"+port {
		t.Error(s.AVS())
	}
}

func TestConnectionsAreCounted(t *testing.T) {
	s := start(t, Options{})
	token := loggedIn(t, s).AccessToken
	one, two := client(t, s), client(t, s)
	for range 3 {
		send(t, one, ask(t, s, token, "GET", "/ping", nil))
	}
	send(t, two, ask(t, s, token, "GET", "/ping", nil))
	// one that stops before the handshake, and one that refuses the certificate
	stranger, err := net.Dial("tcp", strings.Replace(s.AVS(), "https://localhost", "127.0.0.1", 1))
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	tls.Dial("tcp", stranger.RemoteAddr().String(), &tls.Config{NextProtos: []string{"h2"}})

	if open, total := s.Connections(); open != 2 || total != 2 {
		t.Errorf("%d open of %d", open, total)
	}
	ids := map[int]int{}
	for _, arrival := range s.Ledger() {
		ids[arrival.ConnID]++
	}
	if len(ids) != 2 {
		t.Errorf("requests per connection: %v", ids)
	}
	two.CloseIdleConnections()
	for open, _ := s.Connections(); open != 1; open, _ = s.Connections() {
		time.Sleep(time.Millisecond)
	}
	if _, total := s.Connections(); total != 2 {
		t.Errorf("%d in total", total)
	}
}

func TestMaxConcurrentStreamsIsAnnounced(t *testing.T) {
	s := start(t, Options{MaxConcurrentStreams: 1})
	token := loggedIn(t, s).AccessToken
	c := client(t, s)
	c.Transport.(*http.Transport).HTTP2 = &http.HTTP2Config{StrictMaxConcurrentRequests: true}
	down, err := c.Do(ask(t, s, token, "GET", "/v20160207/directives", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer down.Body.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if _, err := c.Do(ask(t, s, token, "GET", "/ping", nil).WithContext(ctx)); err == nil {
		t.Error("a second stream was let in")
	}
}

func TestCloseLeavesNothingRunning(t *testing.T) {
	before := goleak.IgnoreCurrent()
	s, err := Start(Options{TokenDelay: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	c := client(t, s)
	token := loggedIn(t, s).AccessToken
	down, err := c.Do(ask(t, s, token, "GET", "/v20160207/directives", nil))
	if err != nil {
		t.Fatal(err)
	}
	answer, voice := speaking(t, s, token)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if open, _ := s.Connections(); open != 0 {
		t.Errorf("%d connections are open", open)
	}
	if err := s.Close(); err != nil {
		t.Errorf("the second time: %v", err)
	}
	if _, err := io.ReadAll(down.Body); err == nil {
		t.Error("the downchannel ended as if all was said")
	}
	down.Body.Close()
	answer.Body.Close()
	voice.Close()
	goleak.VerifyNone(t, before)
}

// Callers by the hundred must neither race nor open more than their share.
func TestManyCallersAtOnce(t *testing.T) {
	s := start(t, Options{})
	token := loggedIn(t, s).AccessToken
	c := client(t, s)
	send(t, c, ask(t, s, token, "GET", "/ping", nil))
	var callers sync.WaitGroup
	for range 100 {
		request := ask(t, s, token, "POST", "/sandbox/echo", Bytes(100_000))
		callers.Go(func() { send(t, c, request) })
	}
	for range 20 {
		s.Ledger()
		s.Connections()
		s.Direct("A", "B", nil)
	}
	callers.Wait()
	if n := len(s.Ledger()); n != 101 {
		t.Errorf("%d arrivals", n)
	}
}

func TestServicesNegotiateAsAmazonDoes(t *testing.T) {
	s := start(t, Options{})
	for base, want := range map[string]string{s.LWA(): "h2", s.AVS(): "h2"} {
		var protocol string
		trace := &httptrace.ClientTrace{TLSHandshakeDone: func(state tls.ConnectionState, _ error) { protocol = state.NegotiatedProtocol }}
		request, _ := http.NewRequestWithContext(httptrace.WithClientTrace(within(t, time.Minute), trace), "GET", base+"/", nil)
		send(t, client(t, s), request)
		if protocol != want {
			t.Errorf("%s: %q", base, protocol)
		}
	}
}
