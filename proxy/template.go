package proxy

import (
	"slices"

	"avsproxy/internal/exchange"
	"avsproxy/internal/h2"
)

// A template is what became of the heads of requests on one connection that are the same but for
// their paths. Whether a head is let in, which route and which credential it gets, and which
// fields go out do not depend on the path; what depends on it is asked each time. Programs send
// the same head again and again.
type template struct {
	method, scheme, authority string
	proto                     string
	whole, expects            bool
	came                      h2.Fields // as they came
	admitted                  h2.Fields // what admission left of them
	route                     *Route
	decision                  exchange.Decision
	sent                      h2.Fields // what goes out, but for the token; nil = not known yet
	cache                     exchange.HeadCache
}

// maxTemplate bounds the bytes of a head that a connection keeps.
const maxTemplate = 4 << 10

// templates are those of one connection.
type templates struct {
	last   *template
	before h2.Fields // of the head before, which may come again
}

// find returns the template of a head; nil = there is none.
func (t *templates) find(h *h2.Head, whole bool) *template {
	if last := t.last; last != nil && last.method == h.Method && last.scheme == h.Scheme && last.authority == h.Authority && last.proto == h.Proto && last.whole == whole && slices.Equal(last.came, h.Fields) {
		return last
	}
	return nil
}

// comesAgain reports whether the fields of a head are those of the one before: only then is a
// template worth its making.
func (t *templates) comesAgain(h *h2.Head) bool {
	size := 0
	for i := range h.Fields {
		size += len(h.Fields[i].Name) + len(h.Fields[i].Value) + 32
	}
	if size > maxTemplate {
		t.before = nil
		return false
	}
	if slices.Equal(t.before, h.Fields) {
		return true
	}
	t.before = append(t.before[:0], h.Fields...)
	return false
}

// follow takes from the template what was decided.
func (e *relayed) follow(t *template) {
	e.template, e.x.HeadCache = t, &t.cache
	e.fields = append(e.fields[:0], t.admitted...)
	e.route, e.expects = t.route, t.expects
	e.setDecision(t.decision)
}

// keepTemplate notes what was decided about a head that came before. Rules that look at the path
// of a request leave none.
func (e *relayed) keepTemplate() {
	rules := &e.handler.Rules
	if rules.Public != nil || rules.Browser != nil || !e.relayer.templates.comesAgain(&e.head) {
		return
	}
	e.template = &template{
		proto: e.head.Proto, whole: e.whole, expects: e.expects,
		method: e.head.Method, scheme: e.head.Scheme, authority: e.head.Authority,
		came: slices.Clone(e.head.Fields), admitted: slices.Clone(e.fields), route: e.route, decision: e.decision,
	}
	e.relayer.templates.last = e.template
}
