package console

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/avs"
	"avsproxy/internal/testkit"
)

func TestDirectivesAreEvents(t *testing.T) {
	d := start(t, setup{})
	sent := make(chan avs.ReceivedDirective, 1)
	asked := make(chan context.Context, 1)
	d.Directives = func(ctx context.Context, route string) <-chan avs.ReceivedDirective {
		if route != "" && route != "avs" {
			return nil
		}
		asked <- ctx
		return sent
	}
	resp := testkit.Must(d.browser.Get(d.url + "/api/directives"))(t)
	defer resp.Body.Close()
	if h := resp.Header; resp.StatusCode != 200 || h.Get("Content-Type") != "text/event-stream" || h.Get("Cache-Control") != "no-store" {
		t.Errorf("%s %v", resp.Status, h)
	}
	sent <- avs.ReceivedDirective{Header: avs.Header{MessageID: "m\n\nevent: x"}, Raw: []byte("{ \"directive\":\n\t{\"a\":\"b c\"} }")}
	lines := bufio.NewScanner(resp.Body)
	for _, want := range []string{": the directives from now on", "", "event: directive", "id: m??event: x", `data: {"directive":{"a":"b c"}}`, ""} {
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("got %q, want %q", lines.Text(), want)
		}
	}
	close(sent) // the reader was too slow, or serve ends
	if lines.Scan() {
		t.Error("the stream goes on")
	}
	<-(<-asked).Done()
	resp = testkit.Must(d.browser.Get(d.url + "/api/directives?route=plain"))(t)
	if text := testkit.Body(t, resp); resp.StatusCode != http.StatusNotFound || !strings.Contains(text, `downchannel = \"keep\"`) {
		t.Errorf("%s %s", resp.Status, text)
	}
}

func TestDirectivesShowThatTheyLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute+heartbeat/2)
		defer cancel()
		c := &Console{Directives: func(ctx context.Context, _ string) <-chan avs.ReceivedDirective {
			sent := make(chan avs.ReceivedDirective)
			context.AfterFunc(ctx, func() { close(sent) })
			return sent
		}}
		w := httptest.NewRecorder()
		c.directives(w, httptest.NewRequestWithContext(ctx, "GET", "/api/directives", nil))
		if beats := strings.Count(w.Body.String(), "\n:\n"); beats != 4 || !w.Flushed {
			t.Errorf("%q", w.Body)
		}
	})
}
