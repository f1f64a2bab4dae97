package console

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"avsproxy/internal/avs"
	"avsproxy/internal/capture"
	"avsproxy/internal/charset"
)

const (
	// maxWatchers bounds the streams of a feed, each of which has a queue.
	maxWatchers = 64
	// heartbeat is how often a stream without events shows that it lives.
	heartbeat = 15 * time.Second
	// eventTimeout bounds the wait for a client to take an event.
	eventTimeout = 10 * time.Second
	// noEvent is a comment, which clients ignore.
	noEvent = ":\n\n"
)

// A feed is a kind of streams of server-sent events (WHATWG HTML, section 9.2).
type feed[T any] struct {
	open   *atomic.Int32 // streams
	full   error         // answers those beyond maxWatchers
	begin  string
	values func(context.Context) (<-chan T, error)
	event  func(T) string
}

// events serves the exchanges from now on. A client that reads too slowly is cut off;
// browsers then connect and list again.
func (c *Console) events(w http.ResponseWriter, r *http.Request) error {
	var follow uint64
	if text := r.URL.Query().Get("follow"); text != "" {
		var err error
		if follow, err = strconv.ParseUint(text, 10, 64); err != nil {
			return refuse(http.StatusBadRequest, "bad_request", "follow is no ID of an exchange", "leave it out, or take an ID from /api/exchanges")
		}
	}
	shown, err := parseFilter(r)
	if err != nil {
		return err
	}
	return feed[capture.Event]{
		open:   &c.watchers,
		full:   refuse(http.StatusServiceUnavailable, "too_many_watchers", "too many pages and programs watch the exchanges", "close some of them"),
		begin:  "retry: 1000\n: the exchanges from now on\n\n",
		values: func(ctx context.Context) (<-chan capture.Event, error) { return c.Exchanges.Watch(ctx, follow), nil },
		event: func(event capture.Event) string {
			if event.Summary != nil && !shown.Shows(*event.Summary, c.Exchanges.Get) {
				return ""
			}
			return exchangeEvent(event)
		},
	}.serve(w, r, c.Ended)
}

// directives serves the directives of a downchannel that the proxy keeps.
func (c *Console) directives(w http.ResponseWriter, r *http.Request) error {
	return feed[avs.ReceivedDirective]{
		open:  &c.listeners,
		full:  refuse(http.StatusServiceUnavailable, "busy", "too many pages and programs listen for directives", "close some of them"),
		begin: ": the directives from now on\n\n",
		values: func(ctx context.Context) (list <-chan avs.ReceivedDirective, err error) {
			if c.Directives != nil {
				list = c.Directives(ctx, r.URL.Query().Get("route"))
			}
			if list == nil {
				err = refuse(http.StatusNotFound, "", "no such route keeps its downchannel", `set downchannel = "keep" in the route, in config.toml`)
			}
			return list, err
		},
		event: directiveEvent,
	}.serve(w, r, c.Ended)
}

// serve sends the values until there are no more, the client or ended ends it.
func (f feed[T]) serve(w http.ResponseWriter, r *http.Request, ended <-chan struct{}) error {
	defer f.open.Add(-1)
	if f.open.Add(1) > maxWatchers {
		return f.full
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	values, err := f.values(ctx)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/event-stream")
	if r.Method == http.MethodHead {
		return nil // it has nothing to read, and the connection's next request waits for us
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for err := send(w, f.begin); err == nil; {
		select {
		case value, more := <-values:
			if !more {
				return nil
			}
			err = send(w, f.event(value))
		case <-beat.C:
			err = send(w, noEvent)
		case <-ended:
			return nil
		}
	}
	return nil
}

// send sends an event; "" is none.
func send(w http.ResponseWriter, event string) error {
	if event == "" {
		return nil
	}
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Now().Add(eventTimeout)) // not every writer has deadlines
	defer control.SetWriteDeadline(time.Time{})                // over HTTP/2 it would end a stream that is quiet
	if _, err := w.Write([]byte(event)); err != nil {
		return err
	}
	return control.Flush()
}

// exchangeEvent has its data on one line: JSON has no line ends in its texts.
func exchangeEvent(event capture.Event) string {
	data, err := json.Marshal(event)
	if err != nil {
		return noEvent
	}
	return fmt.Sprintf("event: %s\ndata: %s\n\n", event.Kind, data)
}

// directiveEvent has its data on one line. The service chose the id, which must not
// begin a line of its own.
func directiveEvent(directive avs.ReceivedDirective) string {
	var data bytes.Buffer
	if err := json.Compact(&data, directive.Raw); err != nil {
		return noEvent // not JSON, and so no directive
	}
	return fmt.Sprintf("event: directive\nid: %s\ndata: %s\n\n", charset.Printable(directive.MessageID), data.Bytes())
}
