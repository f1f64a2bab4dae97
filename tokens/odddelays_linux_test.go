package tokens

import (
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/testkit"
)

// The whole renewal hangs on a pipe in the place of the unread answer, and with it the end of the process.
func TestPipeInThePlaceOfAKeptAnswerDoesNotBlockTheRenewal(t *testing.T) {
	p, store := newProvider(), FileStore{Dir: t.TempDir()}
	testkit.NoError(t, store.Save("alexa", stored(-time.Second)))
	path := store.unread("alexa").paths()[0]
	testkit.NoError(t, mkfifo(path))
	p.now(answering(200, jsonType, `<html>`))
	s := open(t, p, store)
	s.Timeout = time.Second
	_, err := s.Token(t.Context())
	done := make(chan bool)
	go func() { s.AwaitRenewal(t.Context()); close(done) }()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Errorf("the renewal never ends, and holds the lock: %v", err)
	}
	f, _ := os.OpenFile(path, os.O_RDWR, 0)
	f.Close()
	<-done
}

// An outage of an hour after eight refusals in three minutes, by the whole machinery.
func TestOutageAfterRefusalsDoesNotEndTheLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, store := newProvider(), holding(t, stored(-time.Second))
		p.now(answering(400, jsonType, `{"error":"temporarily_unavailable"}`))
		s := open(t, p, store)
		from := time.Now()
		for load(t, store).Failed.Tries < 8 {
			s.Token(t.Context())
			time.Sleep(time.Second)
		}
		took := time.Since(from)
		p.now(unreachableHost)
		var e *Error
		for time.Since(from) < 75*time.Minute {
			_, err := s.Token(t.Context())
			errors.As(err, &e)
			time.Sleep(time.Minute)
		}
		if e.NeedsLogin() {
			t.Errorf("refused for %v, network down since: %v", took, e)
		}
	})
}

// The clock goes back between the login that serve holds and a later import by another process.
func TestImportWhileServeHoldsAnUnsavedGrantFromTheFuture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, store := newProvider(), FileStore{Dir: t.TempDir()}
		g := stored(-time.Second)
		g.Kind, g.LoggedIn, g.Renewed = importedKind, wallNow().Add(24*time.Hour), wallNow().Add(24*time.Hour)
		testkit.NoError(t, store.Save("alexa", g))
		s := open(t, p, store)
		p.now(answering(400, jsonType, `{"error":"invalid_grant"}`))
		refused(t, s)
		p.now(rotating)
		other, client := importer(p, store)
		testkit.NoError(t, other.Import(t.Context(), client.Imported("fresh")))
		testkit.NoError(t, s.Reload(t.Context()))
		if got, err := s.Token(t.Context()); err != nil || got.Access != load(t, store).Access {
			t.Errorf("%v %v", got.Access.Reveal(), err)
		}
	})
}
