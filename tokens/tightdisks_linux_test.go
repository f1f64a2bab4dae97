package tokens

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/testkit"
)

// Tokens grow by some bytes at each renewal. The text would fit where the previous generation is; its padding does not.
func TestPaddingThatDoesNotFitAFullDisk(t *testing.T) {
	folder, fill := testkit.SmallDisk(t)
	synctest.Test(t, func(t *testing.T) {
		p, store := newProvider(), FileStore{Dir: folder}
		reuse(p)
		n := 2700
		answer := p.answer
		p.now(func(call int, form url.Values) (*http.Response, error) {
			if resp, err := answer(call, form); resp.StatusCode != 200 {
				return resp, err
			}
			n += 7
			return reply(200, jsonType, fmt.Sprintf(`{"access_token":"access-%d%s","refresh_token":"refresh-%d","expires_in":3600}`, call, strings.Repeat("x", n), call)), nil
		})
		g := stored(-time.Second)
		g.Access = Secret("access-0" + strings.Repeat("x", n))
		testkit.NoError(t, store.Save("alexa", g))
		for round := range 60 {
			fill()
			s := open(t, p, store)
			_, err := s.Token(t.Context())
			text, _ := formatGrant("alexa", s.grant)
			if err != nil || s.Status().Unsaved != nil {
				if s.saver != nil {
					s.saver.Stop()
				}
				prev, _, _ := store.read("alexa", store.previous("alexa"))
				after, lerr := store.Load("alexa")
				t.Fatalf("round %d, text %d bytes without padding, %d with: %v; the store: %q (previous %q) %v", round, len(strings.TrimSpace(string(text))), len(text), s.Status().Unsaved, after.Refresh.Reveal(), prev.Refresh.Reveal(), lerr)
			}
			time.Sleep(2 * time.Hour)
		}
	})
}

// A store that holds a login nearly a page long; a failure is noted on a full disk.
func TestPartialOverwriteLeavesNoPreviousGeneration(t *testing.T) {
	folder, fill := testkit.SmallDisk(t)
	store := FileStore{Dir: folder}
	g := stored(-time.Second)
	g.Access = Secret(strings.Repeat("x", 2900))
	testkit.NoError(t, store.Save("alexa", g))
	fill()
	g.Access = Secret(strings.Repeat("x", 4000)) // grows beyond the page
	err := store.Save("alexa", g)
	_, _, perr := store.read("alexa", store.previous("alexa"))
	if err != nil && perr != nil {
		t.Errorf("the save failed and took the previous generation with it: %v; %v", err, perr)
	}
}

func TestConfigFaultIsNoLoginNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.now(answering(401, jsonType, `{"error":"invalid_client"}`))
		s := open(t, p, holding(t, stored(-time.Second)))
		var e *Error
		for range 100 {
			time.Sleep(time.Minute)
			e = refused(t, s)
		}
		t.Logf("state %s, %s: %v / %s", s.Status().State, e.Action, e, e.Hint)
	})
}
