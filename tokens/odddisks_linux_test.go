package tokens

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/testkit"
)

// The grant file is a link to another (full) disk, as the docs allow.
func TestLinkToAFullDisk(t *testing.T) {
	for _, way := range []string{"target's disk is full", "both are full"} {
		t.Run(way, func(t *testing.T) {
			disk, fill := testkit.SmallDisk(t)
			disk2, fill2 := testkit.SmallDisk(t)
			synctest.Test(t, func(t *testing.T) {
				p, store := newProvider(), FileStore{Dir: disk2}
				reuse(p)
				real := filepath.Join(disk, "real.json")
				testkit.NoError(t, store.Save("alexa", stored(-time.Second)))
				text, _ := os.ReadFile(store.Path("alexa"))
				testkit.NoError(t, os.WriteFile(real, text, 0o600))
				testkit.NoError(t, os.Remove(store.Path("alexa")))
				testkit.NoError(t, os.Symlink(real, store.Path("alexa")))
				testkit.NoError(t, store.Save("alexa", load(t, store))) // with room
				fill()
				if way == "both are full" {
					fill2()
				}
				s := open(t, p, store)
				mustToken(t, s)
				got, err := store.Load("alexa")
				if err != nil || got.Refresh != "refresh-1" {
					prev, _, perr := store.read("alexa", store.previous("alexa"))
					t.Errorf("after a restart the login goes on from %q (posted %v), previous.json holds %q %v; unsaved: %v",
						got.Refresh.Reveal(), got.PendingSince, prev.Refresh.Reveal(), perr, s.Status().Unsaved)
				}
				if s.saver != nil {
					s.saver.Stop()
				}
			})
		})
	}
}

// previous.json was restored from a backup and others can read it.
func TestFullDiskAndAnOpenPreviousGeneration(t *testing.T) {
	folder, fill := testkit.SmallDisk(t)
	synctest.Test(t, func(t *testing.T) {
		p, store := newProvider(), FileStore{Dir: folder}
		testkit.NoError(t, store.Save("alexa", stored(-time.Second)))
		testkit.NoError(t, os.Chmod(store.previous("alexa"), 0o644))
		fill()
		s := open(t, p, store)
		mustToken(t, s)
		info, _ := os.Stat(store.Path("alexa"))
		_, err := store.Load("alexa")
		if err != nil {
			t.Errorf("mode of the login %v; %v; unsaved %v", info.Mode(), err, s.Status().Unsaved)
		}
		if s.saver != nil {
			s.saver.Stop()
		}
	})
}

func TestImportOnADiskThatFillsUp(t *testing.T) {
	folder, fill := testkit.SmallDisk(t)
	p, store := newProvider(), FileStore{Dir: folder}
	reuse(p)
	answer := p.answer
	p.now(func(call int, form url.Values) (*http.Response, error) {
		fill()
		return answer(call, form)
	})
	source, client := importer(p, store)
	err := source.Import(t.Context(), client.Imported("mine"))
	if err == nil || !strings.Contains(err.Error(), "the next import of the same refresh token") {
		t.Error(err)
	}
	testkit.NoError(t, os.Remove(filepath.Join(folder, "log"))) // somebody makes room, and imports again
	again, client := importer(p, store)
	testkit.NoError(t, again.Import(t.Context(), client.Imported("mine")))
	if got := load(t, store); got.Refresh != "refresh-1" || p.calls() != 1 {
		t.Errorf("the new token is lost: %s; %d calls", got.Refresh.Reveal(), p.calls())
	}
	if source.saver != nil {
		source.saver.Stop()
	}
}

func TestUnreadAnswerOnAFullDiskIsReported(t *testing.T) {
	folder, fill := testkit.SmallDisk(t)
	p, store := newProvider(), FileStore{Dir: folder}
	testkit.NoError(t, store.Save("alexa", stored(-time.Second)))
	fill()
	p.now(answering(200, jsonType, `{"data":{"refresh_token":"refresh-1"}}`))
	e := refused(t, open(t, p, store))
	if !strings.Contains(e.Hint, "could not be kept (no space left on device)") {
		t.Errorf("nothing kept and nothing said: %v / %s", e, e.Hint)
	}
}

// One path is refused with 403 for ever; then the token is really revoked.
func TestRevokedTokenIsRenewedSoonAfterManyRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		s := open(t, p, holding(t, stored(time.Hour)))
		for range 600 { // an hour of 403 each 6 s
			tok := testkit.Must(s.Token(t.Context()))(t)
			s.Reject(tok)
			time.Sleep(6 * time.Second)
		}
		tok, _ := s.Token(t.Context())
		revoked, from := tok.Access, time.Now()
		for {
			tok, _ = s.Token(t.Context())
			if tok.Access != revoked {
				break
			}
			s.Reject(tok)
			time.Sleep(time.Second)
		}
		t.Logf("healed after %v, %d renewals", time.Since(from), p.calls())
	})
}

// The token is revoked each 15 s, and each renewal does mend it.
func TestRenewalsThatHelpAreNotDelayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		s := open(t, p, holding(t, stored(time.Hour)))
		var worst time.Duration
		dead, since := Secret("access-0"), time.Now()
		for range 3600 {
			tok, _ := s.Token(t.Context())
			if tok.Access == dead {
				worst = max(worst, time.Since(since))
				s.Reject(tok)
			} else if time.Since(since) > 15*time.Second { // worked for long; now revoked
				dead, since = tok.Access, time.Now()
			}
			time.Sleep(time.Second)
		}
		t.Logf("longest time with a dead token: %v; %d renewals", worst, p.calls())
	})
}

// A whole answer that nobody understands: the spent token goes out again at once, and a provider
// with reuse detection ends the family, the token in the kept file included.
func TestSpentTokenIsSentAfterAnUnreadAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, store := newProvider(), FileStore{Dir: t.TempDir()}
		testkit.NoError(t, store.Save("alexa", stored(-time.Second)))
		p.now(answering(200, jsonType, `{"data":{"access_token":"a","refresh_token":"refresh-1"}}`))
		s := open(t, p, store)
		from := time.Now()
		refused(t, s)
		for p.calls() < 2 {
			time.Sleep(100 * time.Millisecond)
			s.Token(t.Context())
		}
		t.Logf("sent again: %q after %v", p.last().Get("refresh_token"), time.Since(from))
	})
}

func TestInvalidRequestDoesNotEndTheLogin(t *testing.T) {
	x, _ := FindProvider("x", "")
	for _, d := range []string{"Missing required parameter [client_id].", "Value passed for the grant_type was invalid."} {
		p, store := newProvider(), holding(t, stored(-time.Second))
		p.now(answering(400, jsonType, fmt.Sprintf(`{"error":"invalid_request","error_description":%q}`, d)))
		c := p.client()
		c.Dead = x.Dead
		s := &Source{Name: "alexa", Store: store, Renew: c.Refresh, Matches: c.Matches}
		testkit.NoError(t, s.Load())
		e := refused(t, s)
		if got := load(t, store); got.Refused != "" {
			t.Errorf("%s: the login is refused for good: %v", d, e)
		}
	}
}

func TestErrorCodesThatAreRepeated(t *testing.T) {
	p, store := newProvider(), FileStore{Dir: t.TempDir()}
	testkit.NoError(t, store.Save("alexa", stored(-time.Second)))
	p.now(answering(400, jsonType, `{"error":"abcdefghijklmnopqrstuvwxyzsecret","error_description":"x"}`))
	e := refused(t, open(t, p, store))
	if strings.Contains(fmt.Sprint(e), "secret") {
		t.Logf("repeats: %v", e)
	}
}
