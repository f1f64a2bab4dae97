package proxy

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/exchange"
	"avsproxy/internal/httpexchange"
	"avsproxy/internal/problem"
	"avsproxy/internal/testkit"
)

func TestRecordedRefusalsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		notes := &notebook{}
		handler := &Handler{Observer: Observer{Record: notes.record}}
		flood := func(kind problem.Code, n int) (written int) {
			before := len(notes.kept)
			for range n {
				body, _ := io.Pipe() // a read of it would wait for ever
				r := httptest.NewRequest("POST", "/", body)
				handler.refuse(httptest.NewRecorder(), r, exchange.New(httpexchange.Conn(r), httpexchange.Head(r)), problem.Problem{Code: kind, Title: "no", Detail: "it is not"})
			}
			return len(notes.kept) - before
		}
		if n := flood(problem.OriginForbidden, 1000); n != paceMost {
			t.Errorf("%d of 1000 at once", n)
		}
		if n := flood(problem.UnknownHost, 1); n != 1 {
			t.Error("another kind has no room")
		}
		for range 3 {
			time.Sleep(PaceEvery)
			if n := flood(problem.OriginForbidden, 1000); n != 1 {
				t.Errorf("%d in %v", n, PaceEvery)
			}
		}
		time.Sleep(24 * time.Hour)
		if n := flood(problem.OriginForbidden, 1000); n != paceMost {
			t.Errorf("%d of 1000 after a day", n)
		}
		said, e, over := notes.last().ended()
		if !over || said != "403 Avsproxy-Error=origin_forbidden Cache-Control=no-store X-Content-Type-Options=nosniff\nended" || e.Decision != exchange.Refused || e.Error != "origin_forbidden" || e.Ended != "no: it is not" {
			t.Errorf("%q, %+v", said, e)
		}
	})
}

func TestBusyAnswersHaveRetryAfter(t *testing.T) {
	notes := &notebook{}
	var told []problem.Code
	l := build(t, "https://"+testkit.ClosedPort(t), nil, plan{source: static()})
	l.handler.(*Handler).Enter = func(*http.Request) (func(), bool) { return nil, false }
	l.handler.(*Handler).TryEnter = func() (func(), bool) { return nil, false }
	l.handler.(*Handler).Observer = Observer{Record: notes.record, Refused: func(_ *exchange.Head, p problem.Problem) { told = append(told, p.Code) }}
	a := get(t, h1Client(t), l.url)
	problemOf(t, a, problem.Busy)
	if _, e, over := notes.last().ended(); a.Header.Get("Retry-After") != "1" || len(told) != 1 || !over || e.Status != 503 {
		t.Errorf("%v, told %v, recorded %+v", a.Header, told, e)
	}
}

func TestRequestsCutByTheShutdownSaySo(t *testing.T) {
	notes := &notebook{}
	origin, roots := upstreamTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	l := build(t, origin, roots, plan{source: static(), observe: Observer{Record: notes.record, ShuttingDown: func() bool { return true }}})
	resp := testkit.Must(h1Client(t).Do(request(t, "GET", l.url, nil)))(t)
	resp.Body.Close()
	if _, e := recorded(t, notes); e.Ended != "cut at shutdown" {
		t.Errorf("%+v", e)
	}
}
