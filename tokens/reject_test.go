package tokens

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/testkit"
)

func TestRejectRenewsTheCurrentTokenOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		source := open(t, p, holding(t, stored(time.Hour)))
		source.Reject(Token{Access: "some older one"})
		source.Reject(Token{})
		if mustToken(t, source) != "access-0" || p.calls() != 0 {
			t.Error("a token that is not the current one was rejected")
		}
		source.Reject(Token{Access: "access-0"})
		if got := mustToken(t, source); got != "access-1" {
			t.Error(got.Reveal())
		}
		source.Reject(Token{Access: "access-0"})
		if mustToken(t, source) != "access-1" || p.calls() != 1 {
			t.Error("a late report about the old token caused a renewal")
		}
	})
}

// An upstream that refuses everything for an hour, for a reason of its own.
func TestRefusalsThatGoOnAreAskedAboutLessAndLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		source := open(t, p, holding(t, stored(time.Hour)))
		refuse := func(d time.Duration) (calls int) {
			before := p.calls()
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
				token := testkit.Must(source.Token(t.Context()))(t)
				source.Reject(token)
			}
			return p.calls() - before
		}
		if calls := refuse(9 * time.Second); calls != 1 {
			t.Errorf("%d token calls in the first 9 s", calls)
		}
		if calls := refuse(time.Hour); calls < 12 || calls > 18 {
			t.Errorf("%d token calls in the hour after", calls)
		}
		time.Sleep(11 * time.Minute) // it accepts again, and refuses later
		if calls := refuse(9 * time.Second); calls != 1 {
			t.Errorf("%d token calls for another refusal", calls)
		}
		if calls := refuse(10 * time.Second); calls != 1 {
			t.Errorf("%d token calls: the pause did not begin anew", calls)
		}
	})
}

// A provider ends the old token when it gives the new one: who is refused in
// between waits for the renewal under way, also right after another healing.
func TestPromise5_ARefusalDuringARenewalWaitsForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.now(func(call int, _ url.Values) (*http.Response, error) {
			return reply(200, jsonType, fmt.Sprintf(`{"access_token":"access-%d","refresh_token":"refresh-%d","expires_in":%d}`, call, call, 10*call)), nil
		})
		source := open(t, p, holding(t, stored(time.Hour)))
		source.Reject(Token{Access: "access-0"})
		if got := mustToken(t, source); got != "access-1" { // which lives for 10 s
			t.Fatal(got.Reveal())
		}
		time.Sleep(9 * time.Second) // it is due, and the pause is not over
		p.delay = time.Second
		if got := mustToken(t, source); got != "access-1" {
			t.Fatal(got.Reveal())
		}
		time.Sleep(500 * time.Millisecond)
		source.Reject(Token{Access: "access-1"})
		if got := mustToken(t, source); got != "access-2" || p.calls() != 2 {
			t.Errorf("sent again with %s; %d calls", got.Reveal(), p.calls())
		}
	})
}

func TestRejectedTokenServesOnWhereItCannotBeRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.now(down)
		source := open(t, p, holding(t, stored(30*time.Minute)))
		for range 600 {
			token, err := source.Token(t.Context())
			if err != nil || token.Access != "access-0" {
				t.Fatal(err)
			}
			source.Reject(token)
			time.Sleep(time.Second)
		}
		if p.calls() > 60 {
			t.Errorf("%d token calls in 10 minutes", p.calls())
		}
		ending := stored(30 * time.Minute)
		ending.Refresh = ""
		source = open(t, p, holding(t, ending))
		source.Reject(Token{Access: "access-0"})
		mustToken(t, source)
	})
}

func TestRejectedTokenOfARevokedLoginIsNotServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.now(answering(400, jsonType, invalidGrant))
		source := open(t, p, holding(t, stored(30*time.Minute)))
		source.Reject(Token{Access: "access-0"})
		for range 10 {
			if e := refused(t, source); e.Action != ActionLogin {
				t.Error(e)
			}
			time.Sleep(time.Minute)
		}
		if p.calls() != 1 || source.Status().State != StateLoginNeeded {
			t.Errorf("%d calls, %+v", p.calls(), source.Status())
		}
	})
}

func TestRejectAdoptsWhatAnotherProcessGot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, store := newProvider(), holding(t, stored(time.Hour))
		first, second := open(t, p, store), open(t, p, store)
		first.Reject(Token{Access: "access-0"})
		second.Reject(Token{Access: "access-0"})
		if mustToken(t, first) != mustToken(t, second) || p.calls() != 1 {
			t.Errorf("%d calls", p.calls())
		}
	})
}

func TestAFailedHealingLeavesNoStaleFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.now(unreachableHost)
		source := open(t, p, holding(t, stored(30*time.Minute)))
		source.Reject(Token{Access: "access-0"})
		mustToken(t, source)
		if source.Status().Failure == nil {
			t.Fatal("no failure")
		}
		time.Sleep(time.Minute)
		mustToken(t, source)
		synctest.Wait()
		if got := source.Status(); got.Failure != nil || p.calls() != 1 {
			t.Errorf("%v, %d calls", got.Failure, p.calls())
		}
	})
}
