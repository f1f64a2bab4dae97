package breakpoint

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// count is how many are held.
func (p *Points) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.held)
}

func everything(About) bool { return true }

func TestMessagesAreHeldForAMinuteAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		var points Points
		held := points.Add(ctx, Request, everything)
		r := testkit.Must(http.NewRequest("POST", "http://localhost/", strings.NewReader("body")))(t)
		began := time.Now()
		out, changed, err := points.OnRequest(t.Context(), About{}, r)
		if took := time.Since(began); took != Bound || changed || err != nil || out == nil {
			t.Errorf("after %v: %v, %v", took, changed, err)
		}
		if one := <-held; points.Decide(one.ID, Decision{}) {
			t.Error("it can be decided still")
		}
	})
}

// A client that gives up is not waited for, and neither is a page that does not read.
func TestNobodyIsWaitedForWithoutNeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		var points Points
		points.Add(ctx, Request, everything)
		gone, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		for range maxHeld + 20 {
			go points.OnRequest(gone, About{}, testkit.Must(http.NewRequest("GET", "http://localhost/", nil))(t))
		}
		synctest.Wait()
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if n := points.count(); n != maxHeld {
			t.Errorf("%d are held", n)
		}
		<-gone.Done()
		synctest.Wait()
		if n := points.count(); n != 0 || time.Since(began) != time.Second {
			t.Errorf("%d are held after %v", n, time.Since(began))
		}
	})
}

func TestNothingIsHeldWithoutBreakpoints(t *testing.T) {
	var none *Points
	if none.Armed() {
		t.Error("there is one")
	}
	ctx, leave := context.WithCancel(t.Context())
	var points Points
	held := points.Add(ctx, Answer, func(a About) bool { return a.Status == 500 })
	if !points.Armed() || !points.Wants(About{}) {
		t.Error("an answer that has not come is not wanted")
	}
	if err := points.OnAnswer(t.Context(), About{Status: 200}, &http.Response{StatusCode: 200}); err != nil {
		t.Error(err)
	}
	leave()
	if _, more := <-held; more {
		t.Error("it was held")
	}
	testkit.Eventually(t, "the breakpoint to be gone", func() bool { return !points.Armed() })
}
