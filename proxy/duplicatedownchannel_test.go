package proxy

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"avsproxy/internal/avs"
	"avsproxy/internal/avsroute"
	"avsproxy/internal/exchange"
	"avsproxy/internal/sandbox"
	"avsproxy/internal/testkit"
	"avsproxy/internal/upstream"
)

// openDownchannel opens one and reads its first line.
func openDownchannel(t testing.TB, client *http.Client, l *line) (*http.Response, *bufio.Reader) {
	t.Helper()
	resp := testkit.Must(client.Do(request(t, "GET", l.url+avs.PathDirectives, nil)))(t)
	t.Cleanup(func() { resp.Body.Close() })
	reader := bufio.NewReader(resp.Body)
	if line, err := reader.ReadString('\n'); err != nil || !strings.HasPrefix(line, "--------") {
		t.Fatalf("%s %q %v", resp.Status, line, err)
	}
	return resp, reader
}

func TestSecondDownchannelIsReported(t *testing.T) {
	over(t, func(t *testing.T, client *http.Client) {
		var told atomic.Int64
		l, s := toSandbox(t, sandbox.Options{}, plan{rules: func(route *Route, _ *upstream.Upstream) {
			route.Stages = []exchange.Stage{&avsroute.DuplicateDownchannel{Second: func() { told.Add(1) }}}
		}})
		first, _ := openDownchannel(t, client, l)
		second, reader := openDownchannel(t, client, l)
		if got := first.Header.Values(exchange.NoticeHeader); len(got) != 0 || told.Load() != 1 {
			t.Errorf("the first was told %q; %d calls", got, told.Load())
		}
		if got := second.Header.Get(exchange.NoticeHeader); !strings.Contains(got, "another downchannel") || strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("the second was told %q", got)
		}
		if a := get(t, client, l.url+"/ping"); a.Header.Get(exchange.NoticeHeader) != "" {
			t.Error("a ping was told")
		}
		s.Direct("Test", "Marker", nil)
		for line := ""; !strings.Contains(line, "Marker"); {
			var err error
			if line, err = reader.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
		}
		first.Body.Close()
		second.Body.Close()
		l.ended(t, 3) // both, and the ping
		third, _ := openDownchannel(t, client, l)
		if got := third.Header.Get(exchange.NoticeHeader); got != "" || told.Load() != 1 {
			t.Errorf("one by itself was told %q; %d calls", got, told.Load())
		}
	})
}

// An end that the client has seen is known here: it may come again at once.
func TestDownchannelThatEndedIsNotCounted(t *testing.T) {
	origin, roots := upstreamTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(exchange.NoticeHeader, "the upstream's own")
		w.(http.Flusher).Flush() // an end of its own, no length
		io.WriteString(w, "over")
	}))
	l := build(t, origin, roots, plan{source: static(), rules: func(route *Route, _ *upstream.Upstream) {
		route.Stages = []exchange.Stage{&avsroute.DuplicateDownchannel{Second: func() { t.Error("two at a time") }}}
	}})
	over(t, func(t *testing.T, client *http.Client) {
		for range 50 {
			if a := get(t, client, l.url+avs.PathDirectives); a.Header.Get(exchange.NoticeHeader) != "" || string(a.body) != "over" {
				t.Fatalf("%v %s", a.Header, a.body)
			}
		}
	})
}
