package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"avsproxy/internal/exchange"
	"avsproxy/internal/h2"
	"avsproxy/internal/testkit"
	"avsproxy/internal/upstream"
	"avsproxy/tokens"
)

// echoTrailer answers with what it was sent, and with its trailer.
func echoTrailer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Trailer", "Sum")
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("X-Method", r.Method)
	w.Write(body)
	w.Header().Set("Sum", r.Trailer.Get("Sum"))
}

// What can be relayed is, from the first request on, which waits for the connection.
func TestRequestsOverHTTP2AreRelayed(t *testing.T) {
	origin, roots := upstreamTLS(t, http.HandlerFunc(echoTrailer))
	l := build(t, origin, roots, plan{source: static()})
	client := h2cClient(t)
	for i, c := range []struct {
		method  string
		size    int
		path    string
		relayed bool
	}{
		{"GET", 0, "/", true}, {"HEAD", 0, "/x?y=%20&z", true}, {"POST", 1, "/a;b/(c)", true}, {"PUT", 300 << 10, "/%c3%bc", true},
		{"DELETE", 0, "//double", true}, {"GET", 0, "/\u00fc", true}, {"GET", 0, "/a b", false},
	} {
		before := l.bridged.Load()
		body := bytes.Repeat([]byte("0123456789abcdef"), c.size/16+1)[:c.size]
		req := request(t, c.method, l.url, bytes.NewReader(body))
		req.URL.Opaque = "//" + l.addr + c.path
		if c.size > 0 {
			req.Trailer = http.Header{"Sum": {"12"}}
			req.ContentLength = -1
		}
		a := do(t, client, req)
		if a.StatusCode != 200 || c.method != "HEAD" && (!bytes.Equal(a.body, body) || a.Header.Get("X-Method") != c.method) || c.size > 0 && a.Trailer.Get("Sum") != "12" {
			t.Errorf("%s %s: %s, %d bytes, %v", c.method, c.path, a.Status, len(a.body), a.Trailer)
		}
		if relayed := l.bridged.Load() == before; relayed != c.relayed && !isStandard() {
			t.Errorf("%s %s: relayed: %t", c.method, c.path, relayed)
		}
		e := l.ended(t, i+1)
		if e.Status != 200 || e.Decision != exchange.Injected || e.Upstream.Stream == 0 || e.Upstream.Proto != "HTTP/2.0" || e.Ended != "" || c.method != "HEAD" && e.Written != int64(c.size) {
			t.Errorf("%s %s: %+v", c.method, c.path, e)
		}
	}
}

// A client that leaves while its request waits for a token leaves nothing behind.
func TestAClientThatLeavesWhileItsRequestWaits(t *testing.T) {
	asked := make(chan struct{}, 1)
	source := renewing(func() error {
		asked <- struct{}{}
		<-t.Context().Done()
		return errors.New("too late")
	})
	origin, roots := upstreamTLS(t, http.HandlerFunc(echoTrailer))
	var entered atomic.Int64
	l := build(t, origin, roots, plan{source: source})
	source.Reject(testkit.Must(source.Token(t.Context()))(t))
	l.handler.(*Handler).TryEnter = func() (func(), bool) {
		entered.Add(1)
		return func() { entered.Add(-1) }, true
	}
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := h2cClient(t).Do(request(t, "POST", l.url, strings.NewReader("x")).WithContext(ctx))
		failed <- err
	}()
	<-asked
	cancel()
	if err := <-failed; err == nil {
		t.Error("it was answered")
	}
	if e := l.ended(t, 1); e.Status != statusClientGone || e.Ended != clientHungUp {
		t.Errorf("%+v", e)
	}
	testkit.Eventually(t, "the place to be free", func() bool { return entered.Load() == 0 })
}

func TestHeaderTimeoutBoundsRelays(t *testing.T) {
	origin, roots := upstreamTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/never" {
			<-r.Context().Done()
		}
	}))
	l := build(t, origin, roots, plan{source: static(), options: upstream.Options{HeaderTimeout: 200 * time.Millisecond}})
	over(t, func(t *testing.T, client *http.Client) {
		if a := do(t, client, request(t, "GET", l.url+"/", nil)); a.StatusCode != 200 {
			t.Error(a.Status)
		}
		if a := do(t, client, request(t, "GET", l.url+"/never", nil)); a.StatusCode != 504 || a.Header.Get("Avsproxy-Error") != "upstream_timeout" {
			t.Errorf("%s: %s", a.Status, a.body)
		}
	})
}

// A route of another group of sessions is served all the same.
func TestStreamsOfOtherGroupsAreNotJoined(t *testing.T) {
	origin, roots := upstreamTLS(t, http.HandlerFunc(echoTrailer))
	l := build(t, origin, roots, plan{source: static()})
	other := upstream.New(upstream.Options{Origin: l.route.Origin, Roots: roots, Group: new(h2.Group)})
	defer other.Close()
	l.route.Upstream = func() (upstream.Sender, exchange.Follower) { return other, nil }
	if a := do(t, h2cClient(t), request(t, "POST", l.url, strings.NewReader("body"))); string(a.body) != "body" {
		t.Errorf("%s: %s", a.Status, a.body)
	}
}

// The token is what lives when the request can go, not when it came.
func TestRelaysTakeTheTokenOfTheMoment(t *testing.T) {
	var seen atomic.Value
	origin, roots := upstreamTLS(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen.Store(r.Header.Get("Authorization")) }))
	source := static()
	token := tokens.Secret("first")
	source.Seed = func() (tokens.Grant, error) {
		return tokens.Grant{Kind: "static", Access: token, Recheck: time.Now()}, nil
	}
	l := build(t, origin, roots, plan{source: source})
	client := h2cClient(t)
	for _, token = range []tokens.Secret{"first", "second", "third"} {
		testkit.Eventually(t, "the token to be sent", func() bool {
			do(t, client, request(t, "GET", l.url, nil))
			return seen.Load() == "Bearer "+token.Reveal()
		})
	}
}

// What net/http refuses is refused before anything is done: a TAB would be found when the
// request is handed over, in a query too.
func TestTargetsThatNetHTTPRefusesAreNotRelayed(t *testing.T) {
	for _, target := range []string{"/a?b\tc", "/a\tb", "/a?b c", "/a?\x7f", "/%4", "/%zz", "a", "", "/a#b", "/a b"} {
		if isTarget(target) {
			t.Errorf("%q", target)
		}
	}
	for _, target := range []string{"/", "/a?b#c", "/a?%zz", "/?", "/%2f;x=1", "*", "/\x80", "/a|b%2F\"<>[]^`{}"} {
		if _, err := url.ParseRequestURI(target); !isTarget(target) || err != nil {
			t.Errorf("%q: %v", target, err)
		}
	}
}
