package faults

import (
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func set(t *testing.T, text string) *Set {
	t.Helper()
	s := new(Set)
	if err := s.Replace(text); err != nil {
		t.Fatal(err)
	}
	return s
}

// script lists what strikes at each of n events, "-" for nothing.
func script(s *Set, n int, events ...Event) string {
	var lines []string
	for range n {
		line := "-"
		var names []string
		for _, f := range s.Strike(events...) {
			names = append(names, f.Name)
		}
		if names != nil {
			line = strings.Join(names, "+")
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, " ")
}

func TestFaultsStrikeAtTheRightEvents(t *testing.T) {
	for _, c := range []struct {
		name, list string
		events     []Event
		want       string
	}{
		{"until cleared", "token-503", []Event{TokenCall}, "token-503 token-503 token-503 token-503 token-503"},
		{"so many times", "token-503 x2", []Event{TokenCall}, "token-503 token-503 - - -"},
		{"the third, once", "403@3", []Event{Request}, "- - 403 - -"},
		{"from the third, twice", "403@3 x2", []Event{Request}, "- - 403 403 -"},
		{"other events do not count", "403@3", []Event{TokenCall, Poll}, "- - - - -"},
		{"answers take turns", "token-503 x2, token-429 x1", []Event{TokenCall}, "token-503 token-503 token-429 - -"},
		{"waiting answers count along", "403@1, 500@3", []Event{Request}, "403 - 500 - -"},
		{"an answer that was in the way comes later", "403@2, 500@2", []Event{Request}, "- 403 500 - -"},
		{"others strike together, in the list's order", "trailers x1, slow-headers=1s x2, 403 x1", []Event{Request}, "trailers+slow-headers+403 slow-headers - - -"},
		{"one kind takes turns with itself", "expires-in=0@2, expires-in=huge@3", []Event{TokenIssue}, "- expires-in expires-in - -"},
		{"one happening is several events", "slow_down@2, token-503@2", []Event{TokenCall, Poll}, "- slow_down token-503 - -"},
		{"a value that counts", "authorization_pending=2", []Event{Poll}, "authorization_pending authorization_pending - - -"},
		{"expire-token strikes once", "expire-token", []Event{TokenCheck}, "expire-token - - - -"},
		{"expire-token with a value", "expire-token=2s@2 x2", []Event{TokenIssue}, "- expire-token expire-token - -"},
		{"connection faults count requests", "goaway@2", []Event{Request}, "- goaway - - -"},
		{"connection faults with a duration meet connections", "goaway@2s x2", []Event{Connection}, "goaway goaway - - -"},
		{"a status strikes with its value", "429=7 x1, 403 x1", []Event{Request}, "429 403 - - -"},
		{"and no requests", "goaway@2s", []Event{Request}, "- - - - -"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := script(set(t, c.list), 5, c.events...); got != c.want {
				t.Errorf("%s: %s, want %s", c.list, got, c.want)
			}
		})
	}
}

func TestFaultsWaitForTheirDuration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := set(t, "token-503@10s x1, expire-token@5s")
		time.Sleep(9 * time.Second)
		if got := script(s, 2, TokenCall); got != "- -" {
			t.Errorf("too early: %s", got)
		}
		if got := script(s, 2, TokenIssue); got != "expire-token -" {
			t.Errorf("expire-token@DURATION at the next token: %s", got)
		}
		time.Sleep(time.Second)
		if got := script(s, 2, TokenCall); got != "token-503 -" {
			t.Errorf("too late: %s", got)
		}
	})
}

func TestChanceIsSeedable(t *testing.T) {
	run := func() string {
		s := &Set{Random: rand.New(rand.NewPCG(1, 2)).Float64}
		s.Replace("500 25%")
		return script(s, 1000, Request)
	}
	got := run()
	if n := strings.Count(got, "500"); n < 200 || n > 300 {
		t.Errorf("25%% of 1000 is not %d", n)
	}
	if run() != got {
		t.Error("the same seed gave another run")
	}
	spared := &Set{Random: func() float64 { return 0.25 }}
	spared.Replace("500 25% x1, 501 100% x1")
	if got := script(spared, 2, Request); got != "501 -" || len(spared.List()) != 1 {
		t.Errorf("%s, then %v: a spared event counts as a strike", got, spared.List())
	}
}

func TestReplace(t *testing.T) {
	s := set(t, "403@2")
	script(s, 1, Request)
	if err := s.Replace("500, nonsense"); err == nil || s.List().String() != "403@2" {
		t.Error(err, s.List())
	}
	if err := s.Replace(s.List().String() + ", GOAWAY=DROP"); err != nil || s.List().String() != "403@2, goaway=drop" {
		t.Error(err, s.List())
	}
	if got := script(s, 2, Request); got != "goaway 403+goaway" {
		t.Errorf("Replace did not reset the counts: %s", got)
	}
	if err := s.Replace(""); err != nil || s.List() != nil {
		t.Error(err, s.List())
	}
}

func TestSetIsSafeForConcurrentUse(t *testing.T) {
	s := set(t, "403 x500, 500 50%")
	var callers sync.WaitGroup
	var mu sync.Mutex
	forbidden := 0
	for range 10 {
		callers.Go(func() {
			for range 100 {
				struck := s.Strike(Request)
				s.List()
				mu.Lock()
				if _, ok := struck.Find("403"); ok {
					forbidden++
				}
				mu.Unlock()
			}
		})
	}
	callers.Wait()
	if forbidden != 500 {
		t.Error(forbidden)
	}
	for range 10 {
		callers.Go(func() {
			s.Replace("goaway x5")
			s.Strike(Request)
		})
	}
	callers.Wait()
}
