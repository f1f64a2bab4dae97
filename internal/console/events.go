package console

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"avsproxy/internal/capture"
)

// maxWatchers bounds the streams of events, and those of directives, each of which has
// a queue.
const maxWatchers = 64

// events are the server-sent events (WHATWG HTML, section 9.2) of the exchanges from
// now on. Who reads too slowly is cut off; browsers then come again, and list anew.
func (c *Console) events(w http.ResponseWriter, r *http.Request) {
	var follow uint64
	if text := r.URL.Query().Get("follow"); text != "" {
		var err error
		if follow, err = strconv.ParseUint(text, 10, 64); err != nil {
			refuse(w, http.StatusBadRequest, "bad_request", "follow is no ID of an exchange", "leave it out, or take an ID from /api/exchanges")
			return
		}
	}
	if c.watchers.Add(1) > maxWatchers {
		c.watchers.Add(-1)
		tooMany(w, "too_many_watchers", "too many pages and programs watch the exchanges")
		return
	}
	defer c.watchers.Add(-1)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	happened := c.Exchanges.Watch(ctx, follow)
	w.Header().Set("Content-Type", "text/event-stream")
	if r.Method == http.MethodHead {
		return // it has nothing to read, and the connection's next request waits for us
	}
	c.tell(w, happened)
}

// tooMany answers what a bound leaves no room for.
func tooMany(w http.ResponseWriter, code, detail string) {
	w.Header().Set("Retry-After", "1")
	refuse(w, http.StatusServiceUnavailable, code, detail, "close some of them")
}

func (c *Console) tell(w http.ResponseWriter, happened <-chan capture.Event) {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for err := sendEvent(w, "retry: 1000\n: the exchanges from now on\n\n"); err == nil; {
		select {
		case event, more := <-happened:
			if !more {
				return
			}
			err = sendEvent(w, lineOf(event))
		case <-beat.C:
			err = sendEvent(w, ": \n\n")
		case <-c.Ended:
			return
		}
	}
}

// lineOf writes an event's data on one line: JSON has no line ends in its texts.
func lineOf(event capture.Event) string {
	data, err := json.Marshal(event)
	if err != nil {
		return ": \n\n"
	}
	return fmt.Sprintf("event: %s\ndata: %s\n\n", event.Kind, data)
}
