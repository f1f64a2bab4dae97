package tokens

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// fullStore takes nothing, and knows it beforehand.
type fullStore struct{ MemoryStore }

func (*fullStore) Check(string) error { return errors.New("no space left") }

func TestProcessThatEndsSoonDoesNotSpendWhatItCannotKeep(t *testing.T) {
	calls := 0
	source := &Source{
		Name: "alexa", Store: &fullStore{}, MustSave: true,
		Renew: func(_ context.Context, old Grant) (Grant, error) { calls++; return old, nil },
	}
	now := wallNow()
	source.Store.Save("alexa", Grant{Access: "old", Refresh: "only", Renewed: now.Add(-time.Hour), Expiry: now.Add(-time.Second)})
	_, err := source.Token(t.Context())
	if e := asError(err); err == nil || e.Action != ActionConfig || !strings.Contains(e.Hint, "no space left") {
		t.Errorf("got %v", err)
	}
	if calls != 0 {
		t.Errorf("the refresh token was spent %d times", calls)
	}
	source = &Source{Name: "alexa", Store: source.Store, Renew: source.Renew}
	if source.Token(t.Context()); calls != 1 {
		t.Errorf("a process that goes on made %d token calls, want 1", calls)
	}
}
