package proxy

import (
	"io"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/problem"
)

func TestRefusalsAreWrittenDownWithinBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		notes := &notebook{}
		refusals := &RefusalRecorder{Record: notes.record}
		flood := func(kind problem.Code, n int) (written int) {
			before := len(notes.kept)
			for range n {
				body, _ := io.Pipe() // a read of it would wait for ever
				refusals.Refused(httptest.NewRequest("POST", "/", body), problem.Problem{Code: kind, Title: "no", Detail: "it is not"})
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
		if !over || said != "without bodies\n403\nended" || e.Decision != Refused || e.Error != "origin_forbidden" || e.Ended != "no: it is not" {
			t.Errorf("%q, %+v", said, e)
		}
	})
}
