package proxy

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"avsproxy/internal/avs"
	"avsproxy/internal/avsroute"
	"avsproxy/internal/sandbox"
	"avsproxy/internal/testkit"
	"avsproxy/internal/upstream"
)

// A newsList collects what a downchannel tells.
type newsList struct {
	mu   sync.Mutex
	list []avsroute.DownchannelEvent
}

func (n *newsList) tell(news avsroute.DownchannelEvent, _ error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list = append(n.list, news)
}

func (n *newsList) count(news avsroute.DownchannelEvent) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	count := 0
	for _, one := range n.list {
		if one == news {
			count++
		}
	}
	return count
}

// keep runs a downchannel in front of a line's proxy until the test ends.
func keep(t testing.TB, l *line, options avsroute.DownchannelOptions) (*avsroute.Downchannel, *newsList) {
	t.Helper()
	news := &newsList{}
	options.Send, options.Origin, options.OnEvent = l.route.Send, l.route.Origin, news.tell
	d := avsroute.NewDownchannel(options)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { d.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	route := routeTo(fakeSender{l.route.Origin, func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusTeapot, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
	}}, Credential{})
	route.Policy, route.Downchannel, route.LoginURL = Policy{Name: "avs", KeepsDownchannel: true}, d, loginURL
	l.serve(t, nil, l.handlerOf(t, route, Observer{}))
	return d, news
}

// A tuned is a client of the downchannel.
type tuned struct {
	resp  *http.Response
	parts chan scannedPart // closed at its end
	err   error            // of the end
}

type scannedPart struct{ head, body string }

func tune(t testing.TB, client *http.Client, url string) *tuned {
	t.Helper()
	resp := testkit.Must(client.Do(request(t, "GET", url+avs.PathDirectives, nil)))(t)
	t.Cleanup(func() { resp.Body.Close() })
	if kind := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || !strings.HasPrefix(kind, "multipart/related; boundary=------") || !strings.HasSuffix(kind, "; type=application/json") {
		t.Fatalf("%s %s", resp.Status, kind)
	}
	l := &tuned{resp: resp, parts: make(chan scannedPart, 1000)}
	scanner := avs.NewPartScanner(resp.Header.Get("Content-Type"), l.handler())
	first := make([]byte, len("--------")+26+len("\r\n")) // the boundary's line comes without waiting
	testkit.Must(io.ReadFull(resp.Body, first))(t)
	scanner.Write(first)
	go func() {
		defer close(l.parts)
		_, l.err = io.Copy(scanner, resp.Body)
	}()
	return l
}

func (l *tuned) handler() avs.PartHandler {
	var part scannedPart
	return avs.PartHandler{
		Begin: func(head avs.PartHead) { part = scannedPart{head: string(head.Raw)} },
		Data:  func(p []byte) { part.body += string(p) },
		End: func(bool) {
			if !strings.Contains(part.body, "ResetUserInactivity") { // what the sandbox begins with
				l.parts <- part
			}
		},
	}
}

func (l *tuned) next(t testing.TB) scannedPart {
	t.Helper()
	part := testkit.Receive(t, "a part", l.parts)
	if part == (scannedPart{}) {
		t.Fatalf("the stream has ended: %v", l.err)
	}
	return part
}

// cut waits for the end, which must be no clean one.
func (l *tuned) cut(t testing.TB) {
	t.Helper()
	for range l.parts {
	}
	if l.err == nil {
		t.Error("the stream ended as if it were whole")
	}
}

// direct sends numbered directives on the sandbox's one open downchannel.
func direct(t testing.TB, s *sandbox.Sandbox, from, n int) {
	t.Helper()
	for i := from; i < from+n; i++ {
		payload := map[string]string{"text": "\u2028 <&> ", "long": strings.Repeat("x", i*100)}
		testkit.Eventually(t, "a downchannel", func() bool { return s.Direct("Test", fmt.Sprint(i), payload) > 0 })
	}
}

func arrived(s *sandbox.Sandbox) int {
	n := 0
	for _, arrival := range s.Ledger() {
		if arrival.Path == avs.PathDirectives {
			n++
		}
	}
	return n
}

// hear sends a directive until it has come: it may go into a channel that is about
// to be cut.
func hear(t testing.TB, s *sandbox.Sandbox, client *tuned, name string) {
	t.Helper()
	testkit.Eventually(t, "the directive "+name, func() bool {
		s.Direct("Test", name, nil)
		select {
		case part, more := <-client.parts:
			if !more {
				t.Fatalf("the stream has ended: %v", client.err)
			}
			return strings.Contains(part.body, `"name":"`+name+`"`)
		default:
			return false
		}
	})
}

// A channel of a test's own, on which the test speaks.
type channel struct{ opened chan *io.PipeWriter }

func (c channel) RoundTrip(r *http.Request) (*http.Response, error) {
	body, speak := io.Pipe()
	context.AfterFunc(r.Context(), func() { speak.CloseWithError(r.Context().Err()) })
	c.opened <- speak
	return channelAnswer(body), nil
}

func channelAnswer(body io.ReadCloser) *http.Response {
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"multipart/related; boundary=B; type=application/json"}}, Body: body}
}

// spoken starts a downchannel on which the test speaks.
func spoken(t testing.TB, options avsroute.DownchannelOptions) (*line, *avsroute.Downchannel, *io.PipeWriter, *newsList) {
	t.Helper()
	origin, _ := url.Parse("https://upstream.example")
	own := channel{make(chan *io.PipeWriter, 1)}
	l := &line{upstream: upstream.New(upstream.Options{Origin: origin}), route: routeTo(fakeSender{origin, own.RoundTrip}, Credential{}), opened: own.opened}
	d, news := keep(t, l, options)
	speak := <-own.opened
	io.WriteString(speak, "--B\r\n")
	return l, d, speak, news
}
