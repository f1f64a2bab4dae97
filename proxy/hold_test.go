package proxy

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"avsproxy/internal/breakpoint"
	"avsproxy/internal/problem"
	"avsproxy/internal/testkit"
)

// echoing answers with what arrived.
func echoing(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("X-Answer", "first")
	fmt.Fprintf(w, "%s %s %s %q", r.Method, r.RequestURI, r.Header.Get("X-Field"), body)
}

func (l *line) points() *breakpoint.Points { return l.handler.(*Handler).Points }

// holding adds a breakpoint for paths that begin with /held; what it holds gets this decision.
func (l *line) holding(t *testing.T, side breakpoint.Side, decision breakpoint.Decision) (seen <-chan breakpoint.Held, leave func()) {
	ctx, cancel := context.WithCancel(t.Context())
	held := l.points().Add(ctx, side, func(a breakpoint.About) bool { return strings.HasPrefix(a.Target, "/held") })
	all := make(chan breakpoint.Held, 9)
	go func() {
		for one := range held {
			all <- one
			l.points().Decide(one.ID, decision)
		}
	}()
	return all, cancel
}

func TestHeldRequestsGoOnChanged(t *testing.T) {
	origin, roots := upstreamTLS(t, http.HandlerFunc(echoing))
	over(t, func(t *testing.T, client *http.Client) {
		l := build(t, origin, roots, plan{source: static()})
		body := []byte("changed")
		seen, leave := l.holding(t, breakpoint.Request, breakpoint.Decision{Method: "PUT", Target: "/other?x=1", Set: map[string][]string{"X-Field": {"new"}}, Remove: []string{"X-Gone"}, Body: &body})
		defer leave()
		r := request(t, "POST", l.url+"/held", strings.NewReader("as sent"))
		r.Header.Set("X-Field", "old")
		if a := do(t, client, r); string(a.body) != `PUT /other?x=1 new "changed"` {
			t.Errorf("%s", a.body)
		}
		if held := <-seen; string(held.Body) != "as sent" || !held.Whole || held.Header.Get("X-Field") != "old" || held.Header.Get("Authorization") != "" {
			t.Errorf("%+v", held)
		}
		if a := get(t, client, l.url+"/free"); string(a.body) != `GET /free  ""` {
			t.Errorf("%s", a.body)
		}
	})
}

func TestHeldAnswersGoOnChanged(t *testing.T) {
	origin, roots := upstreamTLS(t, http.HandlerFunc(echoing))
	over(t, func(t *testing.T, client *http.Client) {
		l := build(t, origin, roots, plan{source: static()})
		body := []byte("changed")
		seen, leave := l.holding(t, breakpoint.Answer, breakpoint.Decision{Status: 418, Set: map[string][]string{"X-Answer": {"second"}}, Body: &body})
		a := get(t, client, l.url+"/held")
		if a.StatusCode != 418 || a.Header.Get("X-Answer") != "second" || string(a.body) != "changed" {
			t.Errorf("%s %v %s", a.Status, a.Header, a.body)
		}
		if held := <-seen; held.About.Status != 200 || string(held.Body) != `GET /held  ""` || !held.Whole {
			t.Errorf("%+v", held)
		}
		leave()
		if a := get(t, client, l.url+"/held"); a.StatusCode != 200 || a.Header.Get("X-Answer") != "first" {
			t.Errorf("%s %v", a.Status, a.Header)
		}
	})
}

func TestDroppedMessagesGoNoFurther(t *testing.T) {
	for _, side := range []breakpoint.Side{breakpoint.Request, breakpoint.Answer} {
		origin, roots := upstreamTLS(t, http.HandlerFunc(echoing))
		over(t, func(t *testing.T, client *http.Client) {
			l := build(t, origin, roots, plan{source: static()})
			_, leave := l.holding(t, side, breakpoint.Decision{Drop: true})
			defer leave()
			if resp, err := client.Do(request(t, "POST", l.url+"/held", strings.NewReader("x"))); err == nil {
				t.Errorf("%s: it is answered with %s", side, resp.Status)
			}
		})
	}
}

// What a page holds goes on when it leaves.
func TestHeldRequestsGoOnWhenThePageLeaves(t *testing.T) {
	origin, roots := upstreamTLS(t, http.HandlerFunc(echoing))
	l := build(t, origin, roots, plan{source: static()})
	ctx, leave := context.WithCancel(t.Context())
	held := l.points().Add(ctx, breakpoint.Request, func(breakpoint.About) bool { return true })
	answered := make(chan string)
	go func() { answered <- string(get(t, h1Client(t), l.url+"/x").body) }()
	<-held
	leave()
	if got := <-answered; got != `GET /x  ""` {
		t.Error(got)
	}
}

// What is changed is judged again, and a body that does not end is not waited for.
func TestHeldRequestsKeepTheRules(t *testing.T) {
	origin, roots := upstreamTLS(t, http.HandlerFunc(echoing))
	l := build(t, origin, roots, plan{source: static(), policy: Policy{Allow: []string{"GET /held/*", "POST /held/*"}}})
	_, leave := l.holding(t, breakpoint.Request, breakpoint.Decision{Target: "/forbidden"})
	problemOf(t, get(t, h1Client(t), l.url+"/held/a"), problem.NotAllowed)
	leave()
	seen, leave := l.holding(t, breakpoint.Request, breakpoint.Decision{})
	defer leave()
	body, feed := io.Pipe()
	answered := make(chan string)
	go func() {
		answered <- string(do(t, h1Client(t), request(t, "POST", l.url+"/held/b", unsized{body})).body)
	}()
	io.WriteString(feed, "one ")
	if held := <-seen; held.Whole || string(held.Body) != "one " {
		t.Errorf("%+v", held)
	}
	io.WriteString(feed, "two")
	feed.Close()
	if got := <-answered; got != `POST /held/b  "one two"` {
		t.Error(got)
	}
	testkit.Eventually(t, "nothing to be held", func() bool { return !l.points().Decide(1, breakpoint.Decision{}) })
}
