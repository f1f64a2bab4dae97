package proxy

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"avsproxy/internal/exchange"
	"avsproxy/internal/websocket"
)

// A takenDown is an [exchange.Recorder] for tests: each thing it was told is a line.
type takenDown struct {
	mu                sync.Mutex
	said              []string
	request, response strings.Builder
	soFar, last       exchange.Facts
	over              bool
}

func (d *takenDown) say(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.said = append(d.said, fmt.Sprintf(format, args...))
}

func (d *takenDown) RequestData(p []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.request.Write(p)
}

func (d *takenDown) RequestEnd(trailer exchange.FieldList, err error) {
	d.say("request ended%s, %v", shown(trailer), err)
}

func (d *takenDown) WithoutBodies() { d.say("without bodies") }

func (d *takenDown) Interim(status int, h exchange.FieldList) { d.say("%d%s", status, shown(h)) }

func (d *takenDown) Response(e exchange.Facts, h exchange.FieldList) {
	d.say("%d%s", e.Status, shown(h))
	d.mu.Lock()
	defer d.mu.Unlock()
	d.soFar = e
}

func (d *takenDown) ResponseData(p []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.response.Write(p)
}

func (d *takenDown) Message(fromClient bool, m websocket.Message) {
	who := "upstream"
	if fromClient {
		who = "client"
	}
	d.say("%s: %v %q", who, m.Opcode, m.Data)
}

func (d *takenDown) End(e exchange.Facts, trailer exchange.FieldList) {
	d.say("ended%s", shown(trailer))
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last, d.over = e, true
}

// shown leaves out what every answer has.
func shown(fields exchange.FieldList) string {
	text, h := "", http.Header{}
	if fields != nil {
		for name, value := range fields.Each {
			h.Add(name, value)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if !slices.Contains([]string{"Date", "Content-Type", "Content-Length", "Trailer"}, name) && h[name] != nil {
			text += fmt.Sprintf(" %s=%s", name, strings.Join(h[name], ","))
		}
	}
	return text
}

// A notebook has a takenDown for each request.
type notebook struct {
	mu   sync.Mutex
	kept []*takenDown
}

func (n *notebook) record(*exchange.Exchange) exchange.Recorder {
	n.mu.Lock()
	defer n.mu.Unlock()
	d := &takenDown{}
	n.kept = append(n.kept, d)
	return d
}

func (n *notebook) last() *takenDown {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.kept) == 0 {
		return &takenDown{}
	}
	return n.kept[len(n.kept)-1]
}

// bodies are what came by so far.
func (d *takenDown) bodies() (request, response string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.request.String(), d.response.String()
}

// ended is everything, once it is over.
func (d *takenDown) ended() (said string, e exchange.Facts, over bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.said, "\n"), d.last, d.over
}
