package proxy

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// A takenDown is a [Recording] for tests: each thing it was told is a line.
type takenDown struct {
	mu                sync.Mutex
	said              []string
	request, response strings.Builder
	soFar, last       Exchange
	over              bool
}

func (d *takenDown) say(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.said = append(d.said, fmt.Sprintf(format, args...))
}

func (d *takenDown) RequestBody(p []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.request.Write(p)
}

func (d *takenDown) RequestEnd(trailer http.Header, err error) {
	d.say("request ended%s, %v", shown(trailer), err)
}

func (d *takenDown) WithoutBodies() { d.say("without bodies") }

func (d *takenDown) Interim(status int, h http.Header) { d.say("%d%s", status, shown(h)) }

func (d *takenDown) Response(e Exchange, h http.Header) {
	d.say("%d%s", e.Status, shown(h))
	d.mu.Lock()
	defer d.mu.Unlock()
	d.soFar = e
}

func (d *takenDown) ResponseBody(p []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.response.Write(p)
}

func (d *takenDown) End(e Exchange, trailer http.Header) {
	d.say("ended%s", shown(trailer))
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last, d.over = e, true
}

// shown leaves out what every answer has.
func shown(h http.Header) string {
	text := ""
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

func (n *notebook) record(*http.Request, Exchange) Recording {
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
func (d *takenDown) ended() (said string, e Exchange, over bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.said, "\n"), d.last, d.over
}
