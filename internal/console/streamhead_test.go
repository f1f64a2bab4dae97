package console

import (
	"context"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/avs"
	"avsproxy/internal/capture"
)

// HEAD asks for the head of a stream and has nothing to read: a handler that went on
// would hold the connection, on which the client's next request waits, and a place.
func TestTheHeadOfAStreamIsNoStream(t *testing.T) {
	for _, path := range []string{"/api/events", "/api/directives"} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			c := &Console{Exchanges: capture.New(capture.Options{}), Directives: func(context.Context, string) <-chan avs.ReceivedDirective { return make(chan avs.ReceivedDirective) }}
			began, w := time.Now(), httptest.NewRecorder()
			c.handler().ServeHTTP(w, httptest.NewRequestWithContext(ctx, "HEAD", path, nil))
			if took := time.Since(began); took > 0 || w.Code != 200 || w.Header().Get("Content-Type") != "text/event-stream" || c.watchers.Load() != 0 {
				t.Errorf("%s: %d %v after %v", path, w.Code, w.Header(), took)
			}
		})
	}
}
