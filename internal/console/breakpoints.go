package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"avsproxy/internal/breakpoint"
	"avsproxy/internal/capture"
	"avsproxy/internal/filter"
	"avsproxy/internal/redact"
)

// HeldMessage is a request or an answer that waits for a page, without secrets.
type HeldMessage struct {
	ID       uint64          `json:"id"`
	Side     breakpoint.Side `json:"side"`
	Exchange uint64          `json:"exchange,omitempty"`
	Seconds  float64         `json:"seconds"` // until it goes on by itself
	Route    string          `json:"route"`
	Method   string          `json:"method"`
	Host     string          `json:"host"`
	Target   string          `json:"target"`
	Status   int             `json:"status,omitempty"`
	Headers  []capture.Field `json:"headers"`
	Masked   []int           `json:"headers_masked,omitempty"`
	Size     int             `json:"size"` // of the body, as far as it came
	Whole    bool            `json:"whole"`
	// Body is its text; absent where it has a secret in it, or is none.
	Body *string `json:"body,omitempty"`
}

// breakpoints holds what matches for as long as the page reads the events.
func (c *Console) breakpoints(w http.ResponseWriter, r *http.Request) error {
	if c.Points == nil {
		return refuse(http.StatusNotFound, "no_breakpoints", "this console cannot hold requests", "ask the console of 'avsproxy serve'")
	}
	shown, err := filter.Parse(r.URL.Query().Get("filter"))
	if err != nil {
		wrong, _ := errors.AsType[*filter.Error](err)
		return refuse(http.StatusBadRequest, "bad_filter", err.Error(), wrong.Hint)
	}
	side := breakpoint.Side(r.URL.Query().Get("side"))
	if side != breakpoint.Request && side != breakpoint.Answer {
		return refuse(http.StatusBadRequest, "bad_request", "side is neither request nor answer", "say what is to be held")
	}
	matches := func(about breakpoint.About) bool {
		if about.Early && shown.NeedsRecord() {
			return true
		}
		s := c.summaryOf(about)
		return shown.Shows(&s, func() *capture.Record {
			record, ok := c.Exchanges.Get(about.Exchange)
			if !ok {
				return nil
			}
			return &record
		})
	}
	return feed[breakpoint.Held]{
		open:  &c.holders,
		full:  refuse(http.StatusServiceUnavailable, "busy", "too many pages hold requests", "close some of them"),
		begin: ": what is held from now on\n\n",
		values: func(ctx context.Context) (<-chan breakpoint.Held, error) {
			return c.Points.Add(ctx, side, matches), nil
		},
		event: c.heldEvent,
	}.serve(w, r, c.Ended)
}

// summaryOf is what lists show of it: a filter must not find out what they hide.
func (c *Console) summaryOf(a breakpoint.About) capture.Summary {
	set := c.Exchanges.Secrets()
	return capture.Summary{ID: a.Exchange, Route: a.Route, Method: set.Text(a.Method), Scheme: a.Scheme, Host: set.Text(a.Host), Target: set.Text(a.Target), Proto: a.Proto, Status: a.Status, State: capture.StateActive}
}

func (c *Console) heldEvent(held breakpoint.Held) string {
	data, err := json.Marshal(c.describeHeld(held))
	if err != nil {
		return noEvent
	}
	return fmt.Sprintf("event: held\ndata: %s\n\n", data)
}

// describeHeld takes the secrets out.
func (c *Console) describeHeld(held breakpoint.Held) HeldMessage {
	set := c.Exchanges.Secrets()
	a := held.About
	m := HeldMessage{
		ID: held.ID, Side: held.Side, Exchange: a.Exchange, Seconds: breakpoint.Bound.Seconds(), Route: a.Route, Method: set.Text(a.Method), Host: set.Text(a.Host),
		Target: set.Text(a.Target), Status: a.Status, Headers: []capture.Field{}, Size: len(held.Body), Whole: held.Whole,
	}
	for name, values := range held.Header {
		for _, value := range values {
			shown, masked := set.Field(name, value)
			if masked {
				m.Masked = append(m.Masked, len(m.Headers))
			}
			m.Headers = append(m.Headers, capture.Field{Name: name, Value: shown})
		}
	}
	var mask redact.Masker
	out, _ := mask.Add(nil, held.Body, set)
	text := string(mask.End(out, set, true))
	if held.Whole && !mask.Masked() && capture.IsText(held.Body) && held.Header.Get("Content-Encoding") == "" {
		m.Body = &text
	}
	return m
}

// HeldDecision is the body of POST /api/held/ID.
type HeldDecision struct {
	Drop   bool                `json:"drop"`
	Method string              `json:"method"`
	Target string              `json:"target"`
	Status int                 `json:"status"`
	Set    map[string][]string `json:"set"` // fields by name
	Remove []string            `json:"remove"`
	Body   *string             `json:"body"`
}

// decide lets a message go on, changed or not, or drops it.
func (c *Console) decide(r *http.Request) (any, error) {
	id, _ := strconv.ParseUint(r.PathValue("id"), 10, 64)
	var asked HeldDecision
	decoder := json.NewDecoder(io.LimitReader(r.Body, 2*breakpoint.MaxBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&asked); err != nil && r.ContentLength != 0 {
		return nil, refuse(http.StatusBadRequest, "bad_request", "the decision cannot be read: "+err.Error(), "send {} to let it go on, or {\"drop\": true}")
	}
	request := ReplayRequest{Method: http.MethodGet, Target: "/"}
	if asked.Method != "" {
		request.Method = asked.Method
	}
	if asked.Target != "" {
		request.Target = asked.Target
	}
	for name, values := range asked.Set {
		if slices.ContainsFunc(hopByHop, func(own string) bool { return strings.EqualFold(own, name) }) {
			return nil, refuse(http.StatusBadRequest, "bad_request", "the field "+name+" is the proxy's to write", "leave it as it was; it waits on")
		}
		for _, value := range values {
			request.Header = append(request.Header, capture.Field{Name: name, Value: value})
		}
	}
	switch {
	case asked.Method == http.MethodHead:
		return nil, refuse(http.StatusBadRequest, "bad_request", "a request cannot be made a HEAD, whose answer has no body", "choose another method; it waits on")
	case strings.Contains(asked.Target, redact.Mask):
		return nil, refuse(http.StatusBadRequest, "bad_request", "the target has *** in the place of a secret", "leave the target as it was, or write all of it; it waits on")
	case asked.Status != 0 && (asked.Status < 200 || asked.Status > 599):
		return nil, refuse(http.StatusBadRequest, "bad_request", "the status is none of 200 to 599", "correct it; it waits on")
	}
	if err := request.check(); err != nil {
		return nil, refuse(http.StatusBadRequest, "bad_request", err.Error(), "correct it; it waits on")
	}
	decision := breakpoint.Decision{Drop: asked.Drop, Method: asked.Method, Target: asked.Target, Status: asked.Status, Set: asked.Set, Remove: asked.Remove}
	if asked.Body != nil {
		decision.Body = new([]byte(*asked.Body))
	}
	if c.Points == nil || !c.Points.Decide(id, decision) {
		return nil, refuse(http.StatusNotFound, "not_held", "nothing of this number is held", "it has gone on: it was held for a minute, or its client gave up")
	}
	return struct{}{}, nil
}
