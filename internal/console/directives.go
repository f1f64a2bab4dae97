package console

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"avsproxy/internal/api"
	"avsproxy/internal/avs"
	"avsproxy/internal/charset"
	"avsproxy/tokens"
)

const (
	// heartbeat is how often a stream without directives shows that it lives.
	heartbeat = 15 * time.Second
	// eventTimeout bounds the wait for a client to take an event.
	eventTimeout = 10 * time.Second
)

// directives are the server-sent events (WHATWG HTML, section 9.2) of a downchannel
// that is kept.
func (c *Console) directives(w http.ResponseWriter, r *http.Request) {
	if c.listeners.Add(1) > maxWatchers {
		c.listeners.Add(-1)
		tooMany(w, "busy", "too many pages and programs listen for directives")
		return
	}
	defer c.listeners.Add(-1)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	var directives <-chan avs.ReceivedDirective
	if c.Directives != nil {
		directives = c.Directives(ctx, r.URL.Query().Get("route"))
	}
	if directives == nil {
		writeJSON(w, http.StatusNotFound, api.Error{Action: tokens.ActionConfig, Message: "no such route keeps its downchannel", Hint: `set downchannel = "keep" in the route, in config.toml`})
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	if r.Method == http.MethodHead {
		return // it has nothing to read, and the connection's next request waits for us
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for err := sendEvent(w, ": the directives from now on\n\n"); err == nil; {
		select {
		case directive, more := <-directives:
			if !more {
				return
			}
			err = sendEvent(w, eventOf(directive))
		case <-beat.C:
			err = sendEvent(w, ":\n\n")
		}
	}
}

// eventOf puts a directive on one line. Its id is the service's word, which must
// not begin a line of its own.
func eventOf(directive avs.ReceivedDirective) string {
	var data bytes.Buffer
	if err := json.Compact(&data, directive.Raw); err != nil {
		return ":\n\n" // not JSON, and so no directive
	}
	return fmt.Sprintf("event: directive\nid: %s\ndata: %s\n\n", charset.Printable(directive.MessageID), data.Bytes())
}

func sendEvent(w http.ResponseWriter, event string) error {
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Now().Add(eventTimeout)) // not every writer has deadlines
	defer control.SetWriteDeadline(time.Time{})                // over HTTP/2 it would end a stream that is quiet
	if _, err := w.Write([]byte(event)); err != nil {
		return err
	}
	return control.Flush()
}
