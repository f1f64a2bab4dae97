package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"avsproxy/internal/avs"
	"avsproxy/internal/avsroute"
	"avsproxy/internal/exchange"
	"avsproxy/internal/sandbox"
	"avsproxy/internal/testkit"
	"avsproxy/internal/upstream"
)

// A signal is a stage that says when an event comes to it.
type signal chan struct{}

func (s signal) Concerns(*exchange.Exchange) bool { return true }

func (s signal) Follow(_ context.Context, x *exchange.Exchange) (exchange.Follower, error) {
	if x.Head.Method == http.MethodPost {
		s <- struct{}{}
	}
	return nil, nil
}

// eventOf is a whole event for a line.
func eventOf(t testing.TB, l *line) *http.Request {
	contentType, body := avs.SynchronizeState("client")
	r := request(t, "POST", l.url+avs.PathEvents, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	return r
}

func atPath(s *sandbox.Sandbox, path string) []sandbox.Arrival {
	return slices.DeleteFunc(s.Ledger(), func(a sandbox.Arrival) bool { return a.Path != path })
}

// An event whose metadata does not come has no answer yet: what does the next one do?
func TestEventsLeaveOneAfterAnother(t *testing.T) {
	for _, serialized := range []bool{true, false} {
		entered := make(signal, 8)
		l, s := toSandbox(t, sandbox.Options{}, plan{rules: func(route *Route, _ *upstream.Upstream) {
			route.Stages = []exchange.Stage{entered}
			if serialized {
				route.Stages = append(route.Stages, avsroute.NewSerializer())
			}
		}})
		over(t, func(t *testing.T, client *http.Client) {
			s.ClearLedger()
			upload, send := io.Pipe()
			first := eventOf(t, l)
			body, _ := io.ReadAll(first.Body)
			first.Body, first.ContentLength = upload, -1
			status := make(chan int, 2)
			go func() { status <- statusOf(client, first) }()
			testkit.Eventually(t, "the first event", func() bool { return len(atPath(s, avs.PathEvents)) == 1 })
			<-entered
			go func() { status <- statusOf(client, eventOf(t, l)) }()
			<-entered
			if !serialized {
				if got := <-status; got != http.StatusNoContent {
					t.Fatalf("the second event: %d", got)
				}
				status <- http.StatusNoContent
			}
			together(t, 20, func(int) { wantPing(t, client, l) }) // other requests do not wait
			if n := len(atPath(s, avs.PathEvents)); serialized != (n == 1) {
				t.Errorf("serialized %v: %d events arrived", serialized, n)
			}
			send.Write(body)
			send.Close()
			if a, b := <-status, <-status; a != http.StatusNoContent || b != http.StatusNoContent {
				t.Fatal(a, b)
			}
			events := atPath(s, avs.PathEvents)
			if overlap := events[1].Time.Before(events[0].Ended); overlap == serialized {
				t.Errorf("serialized %v: the second arrived at %v, the first was answered at %v", serialized, events[1].Time, events[0].Ended)
			}
		})
	}
}

func statusOf(client *http.Client, r *http.Request) int {
	resp, err := client.Do(r)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

func TestSerializedEventsKeepTheirOrderAndTheirContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent []string
		head := make(chan error)
		origin := &url.URL{Scheme: "https", Host: "h"}
		send := routeTo(fakeSender{origin, func(r *http.Request) (*http.Response, error) {
			sent = append(sent, r.URL.RawQuery)
			return nil, <-head
		}}, Credential{}, avsroute.NewSerializer())
		contexts, ended := map[string]context.CancelFunc{}, map[string]error{}
		for _, name := range []string{"a", "b", "c", "d"} {
			ctx, cancel := context.WithCancel(t.Context())
			contexts[name] = cancel
			go func() {
				_, err := send.RoundTrip(httptest.NewRequest("POST", "https://h/v20160207/events?"+name, strings.NewReader("x")).WithContext(ctx))
				ended[name] = err
			}()
			synctest.Wait()
		}
		contexts["b"]()
		synctest.Wait()
		if !errors.Is(ended["b"], context.Canceled) || len(ended) != 1 || !slices.Equal(sent, []string{"a"}) {
			t.Fatal(ended, sent)
		}
		for range 3 { // a failure lets the next one go, too
			head <- errors.New("no")
			synctest.Wait()
		}
		if want := []string{"a", "c", "d"}; !slices.Equal(sent, want) || len(ended) != 4 {
			t.Error(sent, ended)
		}
		for _, cancel := range contexts {
			cancel()
		}
	})
}
