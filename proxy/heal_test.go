package proxy

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"avsproxy/internal/exchange"
	"avsproxy/internal/problem"
	"avsproxy/internal/sandbox"
	"avsproxy/tokens"
)

func TestPromise5_RefusedTokenIsHealedWithinTheRequest(t *testing.T) {
	over(t, func(t *testing.T, client *http.Client) {
		l, s := toSandbox(t, sandbox.Options{}, plan{})
		before := len(s.TokenCalls())
		s.ExpireTokens()
		for range 3 {
			if a := get(t, client, l.url+"/ping"); a.StatusCode != http.StatusNoContent {
				t.Fatal(a.Status)
			}
		}
		if n := len(s.TokenCalls()) - before; n != 1 {
			t.Errorf("%d token calls", n)
		}
		if got := statuses(s); !slices.Equal(got, []int{403, 204, 204, 204}) {
			t.Errorf("the upstream answered %v", got)
		}
		if first, second := l.ended(t, 1), l.ended(t, 2); !first.Replayed || first.Decision != exchange.Injected || second.Replayed {
			t.Errorf("%+v, %+v", first, second)
		}
	})
}

func statuses(s *sandbox.Sandbox) (all []int) {
	for _, arrival := range s.Ledger() {
		all = append(all, arrival.Status)
	}
	return all
}

func TestPromise6_FiftyRefusedAtOnceMakeOneTokenCall(t *testing.T) {
	over(t, func(t *testing.T, client *http.Client) {
		l, s := toSandbox(t, sandbox.Options{TokenDelay: 100 * time.Millisecond}, plan{})
		before := len(s.TokenCalls())
		s.ExpireTokens()
		var callers sync.WaitGroup
		for range 50 {
			callers.Go(func() {
				if a := get(t, client, l.url+"/ping"); a.StatusCode != http.StatusNoContent {
					t.Error(a.Status)
				}
			})
		}
		callers.Wait()
		if n := len(s.TokenCalls()) - before; n != 1 {
			t.Errorf("%d token calls", n)
		}
		good := 0
		for _, status := range statuses(s) {
			if status == http.StatusNoContent {
				good++
			}
		}
		if good != 50 {
			t.Errorf("%d requests were taken", good)
		}
	})
}

func TestARefusalPassesWhileTheProviderIsDown(t *testing.T) {
	down := func() error { return &tokens.Error{Action: tokens.ActionRetry, Message: "down"} }
	eachWay(t, func(t *testing.T, client *http.Client, http1 bool) {
		l, upstream := toPicky(t, down, plan{}, http1)
		a, body := post(t, client, l, 1000, true)
		passed(t, l, a)
		if got := upstream.deliveries(); len(got) != 1 || got[0].body != body {
			t.Errorf("%d requests", len(got))
		}
	})
}

func TestPromise1_ARenewalThatFailsWithinARequestCostsNoLogin(t *testing.T) {
	l, s := toSandbox(t, sandbox.Options{}, plan{})
	if err := s.Faults().Replace("token-503"); err != nil {
		t.Fatal(err)
	}
	before, _ := l.source.Store.Load("alexa")
	s.ExpireTokens()
	if a := get(t, h1Client(t), l.url+"/ping"); a.StatusCode != http.StatusForbidden || !bytes.Contains(a.body, []byte("UNAUTHORIZED_REQUEST_EXCEPTION")) {
		t.Errorf("%s %s", a.Status, a.body)
	}
	after, err := l.source.Store.Load("alexa")
	if err != nil || after.Refresh != before.Refresh || after.Access != before.Access || after.Refused != "" {
		t.Errorf("the grant: %+v, %v", after, err)
	}
	if got := statuses(s); !slices.Equal(got, []int{403}) {
		t.Errorf("the upstream answered %v", got)
	}
}

func TestASecondRefusalPasses(t *testing.T) {
	l, s := toSandbox(t, sandbox.Options{}, plan{})
	if err := s.Faults().Replace("403 x2"); err != nil {
		t.Fatal(err)
	}
	if a := get(t, h1Client(t), l.url+"/ping"); a.StatusCode != http.StatusForbidden {
		t.Error(a.Status)
	}
	arrivals := s.Ledger()
	if len(arrivals) != 2 || arrivals[0].Token == arrivals[1].Token {
		t.Errorf("%+v", arrivals)
	}
	if e := l.ended(t, 1); !e.Replayed || e.Status != 403 {
		t.Errorf("%+v", e)
	}
	if a := get(t, h1Client(t), l.url+"/ping"); a.StatusCode != http.StatusNoContent {
		t.Errorf("the next request: %s", a.Status)
	}
}

// Whether a request that was sent again was acted upon is not known then, so the
// earlier refusal would be the wrong answer.
func TestAReplayThatIsCutIsAnError(t *testing.T) {
	l, s := toSandbox(t, sandbox.Options{}, plan{})
	s.ExpireTokens()
	if err := s.Faults().Replace("rst@2"); err != nil {
		t.Fatal(err)
	}
	problemOf(t, get(t, h1Client(t), l.url+"/ping"), problem.UpstreamUnreachable)
	if e := l.ended(t, 1); !e.Replayed || len(s.Ledger()) != 2 {
		t.Errorf("%+v", e)
	}
}

func TestPostsThatAreNotRefusedArriveOnce(t *testing.T) {
	over(t, func(t *testing.T, client *http.Client) {
		l, s := toSandbox(t, sandbox.Options{}, plan{})
		for i, fault := range []string{"400", "404", "429", "500", "503", ""} {
			if fault != "" {
				if err := s.Faults().Replace(fault + " x1"); err != nil {
					t.Fatal(err)
				}
			}
			do(t, client, request(t, "POST", l.url+"/sandbox/echo", strings.NewReader("body")))
			if n := len(s.Ledger()); n != i+1 {
				t.Fatalf("%q: %d requests arrived", fault, n-i)
			}
			client.CloseIdleConnections() // net/http ends those whose upload it did not read to the end
		}
	})
}

func TestAClientThatLeavesDuringTheRenewalIsNotSentAgain(t *testing.T) {
	over(t, func(t *testing.T, client *http.Client) {
		begun, goOn := make(chan struct{}, 2), make(chan struct{})
		l, upstream := toPicky(t, func() error { begun <- struct{}{}; <-goOn; return nil }, plan{}, false)
		ctx, hangUp := context.WithCancel(t.Context())
		gone := make(chan error)
		go func() {
			_, err := client.Do(request(t, "GET", l.url, nil).WithContext(ctx))
			gone <- err
		}()
		<-begun
		hangUp()
		if err := <-gone; err == nil {
			t.Error("there was an answer")
		}
		if e := l.ended(t, 1); e.Replayed {
			t.Errorf("%+v", e)
		}
		close(goOn)
		if a := get(t, client, l.url); a.StatusCode != http.StatusOK {
			t.Errorf("the next request: %s", a.Status)
		}
		if got := upstream.deliveries(); len(got) != 2 || len(begun) != 0 {
			t.Errorf("%d requests, %d more renewals", len(got), len(begun))
		}
	})
}

func TestRequestsWithTheClientsOwnCredentialAreNotSentAgain(t *testing.T) {
	renewals := 0
	l, upstream := toPicky(t, func() error { renewals++; return nil }, plan{
		credential: Credential{ClientAuth: KeepClientAuth, Placeholder: PlaceholderToken{Access: "Atza|dummy"}},
		policy:     Policy{WebSocket: true},
	}, true)
	own := request(t, "GET", l.url, nil)
	own.Header.Set("Authorization", "Bearer own")
	passed(t, l, do(t, h1Client(t), own))
	if got := upstream.deliveries(); len(got) != 1 || got[0].token != "own" || renewals != 0 {
		t.Errorf("%v, %d renewals", got, renewals)
	}
	upgrade := request(t, "GET", l.url, nil)
	upgrade.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}}
	if a := do(t, h1Client(t), upgrade); a.StatusCode != http.StatusForbidden || len(upstream.deliveries()) != 2 {
		t.Errorf("a WebSocket: %s", a.Status)
	}
	// The dummy is ours, and stands for each token in turn.
	l, upstream = toPicky(t, works, plan{credential: Credential{ClientAuth: KeepClientAuth, Placeholder: PlaceholderToken{Access: "Atza|dummy"}}}, true)
	dummy := request(t, "GET", l.url, nil)
	dummy.Header.Set("Authorization", "Bearer Atza|dummy")
	if a := do(t, h1Client(t), dummy); a.StatusCode != http.StatusOK || len(upstream.deliveries()) != 2 {
		t.Errorf("a dummy: %s", a.Status)
	}
}

// AVS refuses by the head alone, before it has read what is sent with it.
func TestPromise5_SmallPostsAreHealedEachTime(t *testing.T) {
	over(t, func(t *testing.T, client *http.Client) {
		for round := range 30 {
			l, s := toSandbox(t, sandbox.Options{}, plan{})
			s.ExpireTokens()
			req := request(t, "POST", l.url+"/sandbox/echo", strings.NewReader("small"))
			if a := do(t, client, req); a.StatusCode != http.StatusOK || string(a.body) != "small" {
				t.Fatalf("round %d: %s, %q; the upstream answered %v", round, a.Status, a.body, statuses(s))
			}
		}
	})
}
